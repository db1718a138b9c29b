"""Write the table for a terminal of any width: in one piece if it fits, else in blocks of metrics below each other."""

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rdtf_bench.report import layouts
from rdtf_bench.report.table.grid import Column, Entry, Grid

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

PAPER = "paper"


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How tightly the table is set."""

    stacked: bool  # the interval below its value instead of beside it
    gap: int  # spaces between columns
    label_width: int  # longer labels are wrapped


def table(grid: Grid, *, width: int, styled: bool) -> list[str]:
    """Return the lines of the table. `styled` prints bold and underlined instead of *best* and _second_."""
    from rich.console import Console

    fit, blocks = _blocks(grid, width, styled)
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=styled, color_system="standard" if styled else None, highlight=False
    )
    for index, block in enumerate(blocks):
        if index > 0:
            console.print()
        console.print(_table(grid, block, fit, styled))
    return [line.rstrip() for line in out.getvalue().removesuffix("\n").split("\n")]


def _blocks(grid: Grid, width: int, styled: bool) -> tuple[Fit, list[list[Column]]]:
    """Choose the loosest fit among those with the fewest blocks; one that is too wide only if all are."""
    longest = max(len(label) for label in (*grid.methods, *grid.controls))
    fits = [
        Fit(stacked=False, gap=2, label_width=longest),
        Fit(stacked=True, gap=2, label_width=longest),
        Fit(stacked=True, gap=1, label_width=min(longest, 12)),
    ]
    packed = [(fit, _packed(grid.columns, width, fit, styled)) for fit in fits]
    return min(packed, key=lambda item: (_widest(item[0], item[1], styled) > width, len(item[1])))


def _packed(columns: Sequence[Column], width: int, fit: Fit, styled: bool) -> list[list[Column]]:
    blocks: list[list[Column]] = []
    for column in columns:
        if not blocks or _width([*blocks[-1], column], fit, styled) > width:
            blocks.append([])
        blocks[-1].append(column)
    return blocks


def _widest(fit: Fit, blocks: Sequence[Sequence[Column]], styled: bool) -> int:
    return max(_width(block, fit, styled) for block in blocks)


def _width(block: Sequence[Column], fit: Fit, styled: bool) -> int:
    return fit.label_width + sum(
        fit.gap + _ours_width(column, fit, styled) + (fit.gap + _paper_width(column) if column.has_paper else 0)
        for column in block
    )


def _ours_width(column: Column, fit: Fit, styled: bool) -> int:
    shown = [line for entry in column.entries.values() for line in _words(entry, fit, styled)]
    return max(len(word) for word in (*shown, column.name, *column.brackets.split()))


def _paper_width(column: Column) -> int:
    return max(len(PAPER), *(len(entry.paper) for entry in column.entries.values()))


def _words(entry: Entry, fit: Fit, styled: bool) -> list[str]:
    """Return the lines of one cell."""
    value = _marked(entry, styled)
    if not entry.interval:
        return [value]
    return [value, entry.interval] if fit.stacked else [f"{value} {entry.interval}"]


def _marked(entry: Entry, styled: bool) -> str:
    if styled and entry.verdict != "tied":
        return entry.value
    return layouts.marked(entry.value, entry.verdict or "", format="text")


def _table(grid: Grid, columns: Sequence[Column], fit: Fit, styled: bool) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    # the line between columns is one space of the gap
    table = Table(box=box.HORIZONTALS, show_edge=False, pad_edge=False, padding=(0, fit.gap - 1, 0, 0), header_style="")
    table.add_column("", width=fit.label_width)
    for column in columns:
        wide = _ours_width(column, fit, styled)
        head = [column.name, *textwrap.wrap(column.brackets, wide, break_on_hyphens=False)]
        table.add_column(Text("\n".join(head)), width=wide, justify="right")
        if column.has_paper:
            table.add_column(PAPER, width=_paper_width(column), justify="right")
    for labels in (grid.methods, grid.controls):
        for label in labels:
            table.add_row(*_row(label, columns, fit, styled))
        table.add_section()
    return table


def _row(label: str, columns: Sequence[Column], fit: Fit, styled: bool) -> "list[Text]":
    from rich.text import Text

    row = [Text("\n".join(textwrap.wrap(label, fit.label_width)))]
    for column in columns:
        entry = column.entries[label]
        row += [_cell(entry, fit, styled), *([Text(entry.paper)] if column.has_paper else [])]
    return row


def _cell(entry: Entry, fit: Fit, styled: bool) -> "Text":
    from rich.text import Text

    # never rich's own markup: it would read "[38.0, 44.6]" as a tag
    cell = Text("\n".join(_words(entry, fit, styled)))
    style = {"best": "bold", "second": "underline"}.get(entry.verdict or "")
    if styled and style:
        start = cell.plain.index(entry.value)
        cell.stylize(style, start, start + len(entry.value))
    return cell
