"""Copy records to results/, with the plan of their table.

results/<table>/<cell id>.json          records; old ones stay
results/<table>/tables/<name>.json      the protocol, the scale and the cells of one published table
results/README.md                       every published table, from these files alone
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.store import write_text
from rdtf_bench.report.published import source_of
from rdtf_bench.report.results import readme
from rdtf_bench.run import record
from rdtf_bench.run.selftest import record as selftest_record
from rdtf_bench.spec.command import command
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import TableSpec


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


def _slug(text: str) -> str:
    return re.sub(r"[\W_]+", "-", text.lower()).strip("-")
