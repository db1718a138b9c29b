"""Records + the paper's numbers -> the table, ours beside the paper's, in the layout asked for. No torch."""

import csv
import io
import json
import shutil
import textwrap
from collections.abc import Mapping, Sequence

from rdtf_bench import catalog
from rdtf_bench.core.errors import unknown_name
from rdtf_bench.report.table import footer, grid, terminal
from rdtf_bench.report.table.grid import Entry, Grid
from rdtf_bench.report.table.rows import Number, columns, rows
from rdtf_bench.run.record import Record
from rdtf_bench.spec.plan import Cell, Constants
from rdtf_bench.spec.schema import Scale, TableSpec

FORMATS = ("text", "md", "csv", "json")
BEST, SECOND = ("**", "**"), ("<u>", "</u>")
"""Around the best and the second best value in Markdown, which has no underline of its own."""


def render(
    spec: TableSpec,
    scale: Scale,
    cells: Sequence[Cell],
    records: Mapping[str, Record],
    *,
    format: str,
    width: int | None = None,
    styled: bool = False,
    constants: Constants = catalog.constants,
    warning: str | None = None,
) -> str:
    """The table of these cells from their records (by cell id), in one of FORMATS, without a last line break.

    `width` and `styled` (bold and underlined instead of *best* and _second_) are of "text" alone; without a width it is
    the terminal's. `warning` comes before all other notes.
    """
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    numbers = rows(spec, cells, records)
    if format == "json":
        return as_json(numbers)
    if format == "csv":
        return as_csv(numbers)
    shown = grid.build(spec, cells, numbers, constants)
    notes = footer.notes(spec, scale, cells, records, numbers)
    if shown.has_gaps:
        notes = [f"{grid.NOT_RUN}: to be measured by rdtf-bench run {spec.name}.", *notes]
    if warning is not None:
        notes = [warning, *notes]
    if format == "md":
        return as_markdown(shown, notes)
    width = width or shutil.get_terminal_size(fallback=(120, 24)).columns
    return as_text(f"{spec.name}: {spec.title}", shown, notes, width=width, styled=styled)


def joined(shown: Sequence[str], *, format: str) -> str:
    """Several rendered tables as one answer: one list, one CSV with one head, or one table below the other."""
    if format == "json":
        numbers = [number for table in shown for number in json.loads(table)]
        return json.dumps(numbers, indent=1, allow_nan=False, ensure_ascii=False)
    if format == "csv":
        return "\n".join([shown[0], *(line for table in shown[1:] for line in table.splitlines()[1:])])
    return "\n\n".join(shown)


def as_text(title: str, shown: Grid, notes: Sequence[str], *, width: int, styled: bool) -> str:
    if shown.has_verdicts:
        marks = ("bold: best", "underlined: second best") if styled else ("*best*", "_second best_")
        notes = [footer.legend(*marks), *notes]
    table = terminal.table(shown, width=width, styled=styled)
    return "\n".join([title, "", *table, "", *(line for note in notes for line in _wrapped(note, width))])


def _wrapped(note: str, width: int) -> list[str]:
    return textwrap.wrap(note, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def as_json(numbers: Sequence[Number]) -> str:
    names = columns(numbers)
    return json.dumps([number.tidy(names) for number in numbers], indent=1, allow_nan=False, ensure_ascii=False)


def as_csv(numbers: Sequence[Number]) -> str:
    out = io.StringIO()
    names = columns(numbers)
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(number.tidy(names) for number in numbers)
    return out.getvalue().removesuffix("\n")


def as_markdown(shown: Grid, notes: Sequence[str]) -> str:
    head = ["method", *(word for column in shown.columns for word in (column.head, terminal.PAPER))]
    body = [_line(shown, label, _escaped(label)) for label in shown.methods]
    body += [_line(shown, label, f"*{_escaped(label)}* (control)") for label in shown.controls]
    table = [_joined(map(_escaped, head)), _joined([":---", *["---:"] * (len(head) - 1)]), *map(_joined, body)]
    said = [footer.legend("best".join(BEST), "second best".join(SECOND))] if shown.has_verdicts else []
    return "\n".join([*table, "", *(f"- {note}" for note in (*said, *map(_escaped, notes)))])


def _line(shown: Grid, label: str, shown_label: str) -> list[str]:
    entries = [column.entries[label] for column in shown.columns]
    return [shown_label, *(word for entry in entries for word in (_marked(entry), _escaped(entry.paper)))]


def _marked(entry: Entry) -> str:
    before, after = {"best": BEST, "second": SECOND, "tied": ("≈", "")}.get(entry.verdict or "", ("", ""))
    return f"{before}{_escaped(entry.value)}{after} {entry.interval}".rstrip()


def _joined(words: "Sequence[str] | map[str]") -> str:
    return "| " + " | ".join(words) + " |"


def _escaped(text: str) -> str:
    """Nothing in a cell may end the cell or be read as emphasis or HTML."""
    for sign in ("\\", "|", "*", "<"):
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())
