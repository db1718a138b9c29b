"""Write a report as aligned text, Markdown, CSV, JSON or LaTeX. No torch.

CSV and JSON hold rows of named values (`data`). Text, Markdown and LaTeX show tables of words with notes below them
(`document`).
"""

import csv
import io
import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rdtf_bench.core.errors import unknown_name

DATA_FORMATS = ("csv", "json")
FORMATS = ("text", "md", *DATA_FORMATS, "latex")

NOTE_WIDTH = 120
"""Columns to which notes are wrapped in text and in LaTeX comments."""

Mark = Literal["best", "second", "tied", "control", ""]
"""How a cell is set off: the best or second best value of its column, a value tied with the best, a control row."""

_AROUND: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "text": {"best": ("*", "*"), "second": ("_", "_"), "tied": ("≈", ""), "control": ("", " (control)")},
    # Markdown has no underline of its own
    "md": {"best": ("**", "**"), "second": ("<u>", "</u>"), "tied": ("≈", ""), "control": ("*", "* (control)")},
    "latex": {
        "best": (r"\textbf{", "}"),
        "second": (r"\underline{", "}"),
        "tied": (r"$\approx$", ""),
        "control": (r"\emph{", "} (control)"),
    },
}

_LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "{}$&#_%"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "↓": r"$\downarrow$",
    "↑": r"$\uparrow$",
    "±": r"$\pm$",
    "≈": r"$\approx$",
    "−": "$-$",
    "…": r"\ldots{}",
    "†": r"$\dagger$",
}
_MINUS_OR_SIGN = re.compile(r"(?P<minus>(?<!\w)-(?=\d))|.")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """The text of a cell, how it is set off, and what stands beside it in smaller print, such as an interval."""

    text: str
    mark: Mark = ""
    small: str = ""


Row = Sequence[str | Cell]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Words in cells. Text and LaTeX draw a rule between the groups of rows."""

    head: Row
    groups: Sequence[Sequence[Row]]
    heading: str = ""
    align: str = ""  # "l" or "r" for each column; by default the first is left-aligned and the others right-aligned

    @property
    def alignment(self) -> str:
        """Return one letter per column: l for left, r for right."""
        return self.align or "l" + "r" * (len(self.head) - 1)


def require_format(format: str) -> None:
    """Raise UnknownNameError for a format that no report has."""
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)


def data(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, format: str) -> str:
    """Write rows of named values as "csv" or "json"."""
    found = list(rows)
    return as_csv(found, columns) if format == "csv" else as_json(found)


def as_json(value: Any) -> str:
    """Raise ValueError for a number that is not finite, which JSON cannot hold."""
    return json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False)


def as_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Write a line of column names and one line per row; a value that a row lacks is left empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().removesuffix("\n")


def directed(label: str, *, higher_is_better: bool) -> str:
    """Return the name of a metric with the direction in which it is better.

    >>> directed("FVD", higher_is_better=False)
    'FVD ↓'
    """
    return f"{label} {'↑' if higher_is_better else '↓'}"


def joined(shown: Sequence[str], *, format: str) -> str:
    """Join several reports of one format: one JSON list, one CSV with all their columns, or one below the other."""
    if format == "json":
        return as_json([row for report in shown for row in json.loads(report)])
    if format == "csv":
        rows = [row for report in shown for row in csv.DictReader(io.StringIO(report))]
        heads = [next(csv.reader(io.StringIO(report))) for report in shown]
        return as_csv(rows, list(dict.fromkeys(name for head in heads for name in head)))
    return "\n\n".join(shown)


def document(tables: Sequence[Table], notes: Sequence[str] = (), *, format: str, title: str = "") -> str:
    """Write tables and the notes below them as "text", "md" or "latex".

    Markdown has no title, because it is pasted below a heading; notes are LaTeX comments.
    """
    match format:
        case "md":
            blocks = [_markdown(table) for table in tables]
            below = "\n".join(f"- {markdown_text(note)}" for note in notes)
        case "latex":
            needs = "% Needs \\usepackage{booktabs} in the preamble."
            blocks = ["\n".join([*_comments(title), needs]), *(_latex(table) for table in tables)]
            below = "\n".join(line for note in notes for line in _comments(note))
        case _:
            blocks = [*([title] if title else []), *(_text(table) for table in tables)]
            below = "\n".join(wrapped(notes, NOTE_WIDTH))
    return "\n\n".join([*blocks, *([below] if below else [])])


def wrapped(notes: Sequence[str], width: int) -> list[str]:
    """Return the lines of the notes at this width; the later lines of a note are indented."""
    return [
        line
        for note in notes
        for line in textwrap.wrap(note, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    ]


def marked(text: str, mark: Mark, *, format: str) -> str:
    """Set off a text that has been escaped for this format."""
    before, after = _AROUND[format].get(mark, ("", ""))
    return f"{before}{text}{after}"


def markdown_text(text: str) -> str:
    """Escape what would end a table cell or be read as emphasis or HTML."""
    for sign in ("\\", "|", "*", "<"):
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


def latex_text(text: str) -> str:
    """Escape the special characters of LaTeX; arrows, ± and minus signs become mathematics.

    >>> print(latex_text("a_b & 95 % [-0.5, 2]"))
    a\\_b \\& 95 \\% [$-$0.5, 2]
    """
    single = " ".join(text.split())
    return _MINUS_OR_SIGN.sub(lambda found: "$-$" if found["minus"] else _LATEX.get(found[0], found[0]), single)


def _cell(word: str | Cell) -> Cell:
    return Cell(text=word) if isinstance(word, str) else word


def _words(row: Row, format: str) -> list[str]:
    """Return the cells of one row as words in "text" or "md"."""
    escape = markdown_text if format == "md" else str
    cells = [_cell(word) for word in row]
    return [f"{marked(escape(cell.text), cell.mark, format=format)} {escape(cell.small)}".rstrip() for cell in cells]


def _text(table: Table) -> str:
    head = _words(table.head, "text")
    groups = [[_words(row, "text") for row in group] for group in table.groups if group]
    every = [head, *(row for group in groups for row in group)]
    widths = [max(len(row[column]) for row in every) for column in range(len(head))]
    rule = "-" * (sum(widths) + 2 * len(widths) - 2)
    lines = [_aligned(head, widths, table.alignment)]
    for group in groups:
        lines += [rule, *(_aligned(row, widths, table.alignment) for row in group)]
    return "\n".join([*([table.heading] if table.heading else []), *lines])


def _aligned(row: Sequence[str], widths: Sequence[int], alignment: str) -> str:
    padded = (
        word.ljust(width) if side == "l" else word.rjust(width)
        for word, width, side in zip(row, widths, alignment, strict=True)
    )
    return "  ".join(padded).rstrip()


def _markdown(table: Table) -> str:
    rule = [":---" if side == "l" else "---:" for side in table.alignment]
    rows = [_words(row, "md") for group in table.groups for row in group]
    lines = [f"| {' | '.join(row)} |" for row in (_words(table.head, "md"), rule, *rows)]
    return "\n".join([*([f"### {markdown_text(table.heading)}", ""] if table.heading else []), *lines])


def _latex(table: Table) -> str:
    head = [_latex_head(_cell(word), side) for word, side in zip(table.head, table.alignment, strict=True)]
    lines = [
        *_comments(table.heading),
        f"\\begin{{tabular}}{{{table.alignment}}}",
        r"\toprule",
        _latex_row(head),
    ]
    for group in table.groups:
        if group:
            lines += [r"\midrule", *(_latex_row([_latex_cell(_cell(word)) for word in row]) for row in group)]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def _latex_head(cell: Cell, side: str) -> str:
    """Put the small print below the name, so that a long yardstick does not widen the column."""
    if not cell.small:
        return latex_text(cell.text)
    return f"\\shortstack[{side}]{{{latex_text(cell.text)}\\\\{{\\scriptsize {latex_text(cell.small)}}}}}"


def _latex_cell(cell: Cell) -> str:
    small = f" {{\\scriptsize {latex_text(cell.small)}}}" if cell.small else ""
    return marked(latex_text(cell.text), cell.mark, format="latex") + small


def _latex_row(cells: Sequence[str]) -> str:
    row = " & ".join(cells)
    # after the \\ of the row above, a bracket would be read as its argument and a star as its variant
    return f"{{}}{row} \\\\" if row[:1] in ("[", "*") else f"{row} \\\\"


def _comments(text: str) -> Iterator[str]:
    return (f"% {line}" for line in wrapped([text] if text else [], NOTE_WIDTH - 2))


def duration(seconds: float) -> str:
    """Return seconds in the unit that suits them.

    >>> duration(12.34), duration(452.6), duration(9000.0), duration(2_250_780.0)
    ('12.3 s', '7.5 min', '2.5 h', '26.1 days')
    """
    if seconds < 100:
        return f"{seconds:.1f} s"
    if seconds < 6000:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"
