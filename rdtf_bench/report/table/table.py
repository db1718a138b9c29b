"""Records + the paper's numbers -> the table, our values beside the paper's, in the requested layout. No torch."""

import shutil
from collections.abc import Iterator, Mapping, Sequence

from rdtf_bench import catalog
from rdtf_bench.report import layouts
from rdtf_bench.report.table import footer, grid, terminal
from rdtf_bench.report.table.grid import Grid
from rdtf_bench.report.table.rows import columns, diverged, rows
from rdtf_bench.run.record import Record
from rdtf_bench.spec.command import command
from rdtf_bench.spec.plan import Cell, Constants
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import TableSpec

STARRED = ("*best*", "_second best_")
STYLED = ("best (bold)", "second best (underlined)")
"""How the footer names the two marks: in plain text, and in layouts that have bold and underlined type."""


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
    options: Sequence[str] = (),
) -> str:
    """Write the table of these cells from their records (by cell id) in one of layouts.FORMATS.

    `width` and `styled` (bold and underlined instead of *best* and _second_) apply to "text" alone; the default width
    is the terminal's. `warning` comes before all other notes. `options` are those with which a command takes this table
    besides its scale, such as --data.
    """
    layouts.require_format(format)
    numbers = rows(spec, cells, records)
    if format in layouts.DATA_FORMATS:
        names = columns(numbers)
        return layouts.data((number.tidy(names) for number in numbers), names, format=format)
    shown = grid.build(spec, cells, numbers, constants, lost=diverged(cells, records))
    notes = footer.notes(spec, scale, cells, records, numbers)
    if shown.has_gaps:
        notes = [f"{grid.NOT_RUN}: measure it with `{command('run', spec, scale, options)}`.", *notes]
    if warning is not None:
        notes = [warning, *notes]
    if shown.has_verdicts:
        notes = [footer.legend(*(STARRED if format == "text" and not styled else STYLED)), *notes]
    title = f"{spec.name}: {spec.title}"
    if format == "text":
        width = width or shutil.get_terminal_size(fallback=(120, 24)).columns
        lines = terminal.table(shown, width=width, styled=styled)
        return "\n".join([title, "", *lines, "", *layouts.wrapped(notes, width)])
    return layouts.document([_table(shown)], notes, format=format, title=title)


def _table(shown: Grid) -> layouts.Table:
    return layouts.Table(
        head=["method", *(word for column in shown.columns for word in _heads(column))],
        groups=[
            [[label, *_line(shown, label)] for label in shown.methods],
            [[layouts.Cell(text=label, mark="control"), *_line(shown, label)] for label in shown.controls],
        ],
    )


def _heads(column: grid.Column) -> Iterator[str | layouts.Cell]:
    yield layouts.Cell(text=column.name, small=column.brackets)
    if column.has_paper:
        yield terminal.PAPER


def _line(shown: Grid, label: str) -> Iterator[str | layouts.Cell]:
    for column in shown.columns:
        entry = column.entries[label]
        yield layouts.Cell(text=entry.value, mark=entry.verdict or "", small=entry.interval)
        if column.has_paper:
            yield entry.paper
