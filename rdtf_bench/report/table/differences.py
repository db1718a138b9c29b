"""Effect of an option or setting: rows of a method compared with its plain row, over the same clips. Pure; no torch."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from rdtf_bench.report import layouts
from rdtf_bench.report.table.grid import decimals_for
from rdtf_bench.report.table.rows import Number, difference
from rdtf_bench.spec.schema import Settings, TableSpec


def pairs(spec: TableSpec, measured: Collection[str]) -> dict[str, str]:
    """Map the label of each measured row with options or settings to that of the same method's plain row.

    The plain row has the fewest options. Where the table has panels, both rows are of one panel.
    """
    found: dict[str, str] = {}
    for labels in [panel.rows for panel in spec.panels] or [tuple(row.label for row in spec.rows)]:
        rows = [row for row in spec.rows if row.label in labels and row.label in measured]
        fewest_first = sorted(rows, key=lambda row: len(row.options))
        plain = {row.method: row for row in reversed(fewest_first)}
        found |= {
            row.label: plain[row.method].label
            for row in rows
            if row is not plain[row.method]
            and (row.options or row.settings != Settings())
            and plain[row.method].options.items() <= row.options.items()
        }
    return found


def notes(spec: TableSpec, numbers: Sequence[Number]) -> Iterator[str]:
    """Yield an explanation and then one note per row, with its difference in each metric that has groups of clips.

    The intervals are not corrected for their number.
    """
    plain_of = pairs(spec, {number.row for number in numbers})
    said = {row: "; ".join(_differences(spec, numbers, row, plain)) for row, plain in plain_of.items()}
    if any(said.values()):
        yield (
            "Effect of each option: difference from the row of the same method without it [95 % interval], paired over "
            "the same clips."
        )
    yield from (f"{row}, from {plain}: {said[row]}." for row, plain in plain_of.items() if said[row])


def _differences(spec: TableSpec, numbers: Sequence[Number], row: str, plain: str) -> Iterator[str]:
    for metric in spec.metrics:
        column = {number.row: number for number in numbers if number.metric == metric and number.without_group}
        if {row, plain} <= set(column) and column[row].yardstick == column[plain].yardstick:
            heading = layouts.directed(column[row].label, higher_is_better=column[row].higher_is_better)
            yield f"{heading} {_difference(column, column[row], column[plain])}"


def _difference(column: Mapping[str, Number], ours: Number, reference: Number) -> str:
    found = difference(ours, reference)
    places = decimals_for(max(abs(number.value) for number in column.values()))
    return f"{found.value:+.{places}f} [{found.ci_low:+.{places}f}, {found.ci_high:+.{places}f}]"
