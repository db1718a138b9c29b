"""Copy records to results/, with the plan of their table, and generate results/README.md from both.

results/<table>/<cell id>.json          records; old ones stay
results/<table>/tables/<name>.json      the protocol, the scale and the cells of one published table
results/README.md                       every published table, from these files alone
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rdtf_bench.core.errors import ProtocolError, StoreError
from rdtf_bench.core.store import write_text
from rdtf_bench.report import layouts, published
from rdtf_bench.report.table import claims
from rdtf_bench.report.table.rows import rows
from rdtf_bench.report.table.table import render
from rdtf_bench.run import record
from rdtf_bench.run.costs import record as costs
from rdtf_bench.run.inputs.datasets import BUILTIN
from rdtf_bench.run.record import Record
from rdtf_bench.run.selftest import record as selftest_record
from rdtf_bench.spec.claims import load as load_claims
from rdtf_bench.spec.command import command, data_option
from rdtf_bench.spec.load import load_costs, load_scale, scale_names
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import TableSpec

HEADER = """\
# Results

`rdtf-bench publish TABLE` generates this file from the records beside it. Do not edit it: the next publication
overwrites it.

`<table>/<cell id>.json` is the record of one row: its scores, the same scores without each group of clips, everything
that decided them, package versions and times. `<table>/tables/*.json` names the records of each table.
"""

CLAIMS = """\
## The paper's orderings

How many of the orderings that the paper's tables state are confirmed / contradicted / undecided by the tables published
here, in paired tests that are Holm-corrected at 5 % in each table. `rdtf-bench verify paper` prints each of them. An
ordering in a column that its table marks † says little: that metric does not tell real clips from worse ones there.
"""


def publish(
    spec: TableSpec,
    scale: Scale,
    cells: Sequence[Cell],
    *,
    store: Path,
    results: Path,
    options: Sequence[str] = (),
) -> str:
    """Write the store's records of these cells and a new README into `results`; return a line that says so.

    An earlier table of the same protocol, scale, data source and number of seeds is replaced; its records stay.
    `options` are those with which a command takes this table besides its scale.
    """
    records = record.find((cell.id for cell in cells), [record.folder_in(store)])
    if failed := selftest_record.warning(store, scale):
        raise StoreError(f"{store}: {failed}. A table of metrics that failed their self-test is not published.")
    if not records:
        raise StoreError(
            f"{store}: nothing of {spec.name} at scale {scale.name!r} on this data is in this store, so there is "
            f"nothing to publish. Run: {command('run', spec, scale, options)}"
        )
    for found in records.values():
        record.save(found, results / spec.name)
    contents = {
        "spec": spec.model_dump(mode="json"),
        "scale": scale.model_dump(mode="json"),
        "cells": [cell.as_dict() for cell in cells],
    }
    name = f"{scale.name}-{_slug(source_of(records))}" + (f"-{len(spec.seeds)}-seeds" if len(spec.seeds) > 1 else "")
    write_text(results / spec.name / "tables" / f"{name}.json", json.dumps(contents, indent=1, sort_keys=True) + "\n")
    write_text(results / "README.md", readme(results))
    missing = [cell.label for cell in cells if cell.id not in records]
    not_run = f"; not run: {', '.join(missing)}" if missing else ""
    return f"{len(records)} records in {results / spec.name}, table in {results / 'README.md'}{not_run}"


def read_published(folder: Path, scale: str) -> list[Cell]:
    """Return the cells of the table in results/<table>/ that was published at this scale on built-in data."""
    path = folder / "tables" / f"{scale}-{BUILTIN}.json"
    if not path.is_file():
        raise StoreError(
            f"{path}: nothing was published there to compare with. Publish first: rdtf-bench run {folder.name} "
            f"--scale {scale}, then rdtf-bench publish {folder.name} --scale {scale}"
        )
    _, _, cells = read_table(path)
    return cells


def readme(results: Path) -> str:
    """Generate the text of results/README.md from the files of results/."""
    tables = sorted(results.glob("*/tables/*.json"))
    sections = [*_claims(tables, results), *(_section(path) for path in tables), *published.sections(results)]
    return "\n".join([HEADER, *(sections or ["Nothing has been published yet.\n"])])


def _claims(tables: Sequence[Path], results: Path) -> Iterator[str]:
    """Yield the section on what the published tables say of the paper's orderings, if any table has some."""
    judged: dict[claims.Place, list[claims.Judged]] = {}
    for path in tables:
        spec, scale, cells = read_table(path)
        if stated := claims.of_table(spec.name):
            records = record.find((cell.id for cell in cells), [path.parents[1]])
            place = (spec.name, _named(scale), source_of(records), str(len(spec.seeds)))
            judged[place] = claims.judge(stated, rows(spec, cells, records))
    for stated in (stated for stated in load_claims() if stated.protocol == "costs"):
        if (found := costs.find(load_costs(stated.name), [results / stated.name])) is not None:
            judged[stated.name, "full size", "n/a", "n/a"] = claims.judge(stated, claims.of_costs(found))
    if judged:
        shown = layouts.document([claims.overview(judged)], format="md")
        yield f"{CLAIMS}\n{shown}\n"


def _section(path: Path) -> str:
    spec, scale, cells = read_table(path)
    folder = path.parents[1]
    records = record.find((cell.id for cell in cells), [folder])
    table = render(spec, scale, cells, records, format="md", options=options_of(spec, records))
    links = ", ".join(
        f"[{cell.label}]({folder.name}/{cell.id}.json)" + (f" seed {cell.seed}" if len(spec.seeds) > 1 else "")
        for cell in cells
        if cell.id in records
    )
    seeds = f", {len(spec.seeds)} seeds" if len(spec.seeds) > 1 else ""
    return "\n".join(
        [
            f"## {spec.name}: {spec.title}",
            "",
            f"Scale `{scale.name}` (version {scale.version}), data `{source_of(records)}`, protocol version "
            f"{spec.version}{seeds}.{_since(scale)}",
            "",
            table,
            "",
            f"Records: {links}.",
            "",
        ]
    )


def _is_current(scale: Scale) -> bool:
    return scale.name not in scale_names() or load_scale(scale.name).version == scale.version


def _named(scale: Scale) -> str:
    """Return the name of a scale, with its version where the scale has changed since."""
    return scale.name if _is_current(scale) else f"{scale.name}, version {scale.version}"


def _since(scale: Scale) -> str:
    """Say that the scale has changed since a table was published, if it has."""
    if _is_current(scale):
        return ""
    version = load_scale(scale.name).version
    return (
        f" **Outdated:** the scale has version {version} now, and `rdtf-bench run` measures rows that it changed anew."
    )


def read_table(path: Path) -> tuple[TableSpec, Scale, list[Cell]]:
    """Return the protocol, the scale and the cells that results/<table>/tables/<name>.json holds."""
    raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    try:
        # through JSON: strict mode then still takes a list for a tuple
        spec = TableSpec.model_validate_json(json.dumps(raw["spec"]))
        scale = Scale.model_validate_json(json.dumps(raw["scale"]))
    except ValidationError as e:
        raise ProtocolError(
            f"{path}: was published with another format of protocols, which this version cannot show ({e}). "
            "Publish the table again, or remove the file; its records stay."
        ) from None
    return spec, scale, [Cell.from_dict(cell) for cell in raw["cells"]]


def source_of(records: Mapping[str, Record]) -> str:
    """Name the data; of a user's folder only the last part, because its place is private."""
    return Path(str(next(iter(records.values())).data["source"])).resolve().name


def options_of(spec: TableSpec, records: Mapping[str, Record]) -> list[str]:
    """Return the options with which a command takes a published table besides its scale."""
    source = source_of(records) if records else BUILTIN
    seeds = ["--seeds", str(len(spec.seeds))] if len(spec.seeds) > 1 else []
    return [*data_option(spec.dataset, None if source == BUILTIN else source), *seeds]


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
