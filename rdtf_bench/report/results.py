"""results/README.md, generated from the files beside it: tables, and sections about protocols without trained rows."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.store import write_text
from rdtf_bench.report import layouts
from rdtf_bench.report.published import options_of, read_table, source_of
from rdtf_bench.report.table import claims
from rdtf_bench.report.table.rows import rows
from rdtf_bench.report.table.table import render
from rdtf_bench.run import record
from rdtf_bench.run.costs import record as costs
from rdtf_bench.run.protocols import load_scale
from rdtf_bench.run.record import Record
from rdtf_bench.spec.claims import load as load_claims
from rdtf_bench.spec.load import load_costs, scale_names
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import Scale

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


def write_section(results: Path, name: str, title: str, scale: str, text: str) -> Path:
    """Write results/<name>/<scale>.md and results/README.md anew; return the path of the section.

    `text` is the protocol's result as Markdown, without a heading.
    """
    path = results / name / f"{scale}.md"
    write_text(path, f"## {name}: {title}\n\nScale `{scale}`.\n\n{text}\n")
    write_text(results / "README.md", readme(results))
    return path


def readme(results: Path) -> str:
    """Generate the text of results/README.md from the files of results/."""
    tables = sorted(results.glob("*/tables/*.json"))
    sections = [*_claims(tables, results), *(_section(path) for path in tables), *read_sections(results)]
    return "\n".join([HEADER, *(sections or ["Nothing has been published yet.\n"])])


def read_sections(results: Path) -> list[str]:
    """Return every published section, in the order of the protocols' names."""
    return [path.read_text(encoding="utf-8") for path in sorted(results.glob("*/*.md"))]


def _claims(tables: Sequence[Path], results: Path) -> Iterator[str]:
    """Yield the section on what the published tables say of the paper's orderings, if any table has some."""
    judged: dict[claims.Place, list[claims.Judged]] = {}
    for path in tables:
        spec, scale, cells = read_table(path)
        if stated := claims.of_table(spec.name):
            records = _records(path, cells)
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
    folder, records = path.parents[1], _records(path, cells)
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


def _records(path: Path, cells: Sequence[Cell]) -> dict[str, Record]:
    """Return the records of a published table, which stand beside the folder of its file."""
    records = record.find((cell.id for cell in cells), [path.parents[1]])
    if not records:
        raise StoreError(
            f"{path}: {path.parents[1]} holds no record of the rows of this table. Put them back, or remove the file."
        )
    return records


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
