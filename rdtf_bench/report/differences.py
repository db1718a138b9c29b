"""What an option changes: rows of a method against its row without options, over the same clips. Pure; no torch."""

from collections.abc import Iterator, Mapping, Sequence

from rdtf_bench.core import intervals
from rdtf_bench.report.grid import decimals_for
from rdtf_bench.report.rows import Number
from rdtf_bench.spec.schema import TableSpec


def pairs(spec: TableSpec) -> dict[str, str]:
    """The label of each row with options -> that of the same method's row without any, where the table has one."""
    plain = {row.method: row.label for row in reversed(spec.rows) if not row.options}
    return {row.label: plain[row.method] for row in spec.rows if row.options and row.method in plain}


def notes(spec: TableSpec, numbers: Sequence[Number]) -> Iterator[str]:
    """A note a metric that has groups of clips; each interval stands for itself."""
    for metric in spec.metrics:
        column = {number.row: number for number in numbers if number.metric == metric and number.without_group}
        told = [
            f"{row} {_difference(column, row, plain)}"
            for row, plain in pairs(spec).items()
            if {row, plain} <= set(column) and column[row].yardstick == column[plain].yardstick
        ]
        if told:
            about = next(iter(column.values()))
            better = "above" if about.higher_is_better else "below"
            yield (
                f"{about.label} minus that of the same method without the option [95 % interval, paired over the same "
                f"clips; {better} 0 is better]: {'; '.join(told)}."
            )


def _difference(column: Mapping[str, Number], row: str, plain: str) -> str:
    ours, reference = column[row], column[plain]
    found = intervals.difference(
        ours.value, ours.without_group, minus=reference.value, minus_without_group=reference.without_group
    )
    places = decimals_for(max(abs(number.value) for number in column.values()))
    return f"{found.value:+.{places}f} [{found.ci_low:+.{places}f}, {found.ci_high:+.{places}f}]"
