"""Made-up numbers of a table, whose intervals and differences can be worked out by hand."""

from collections.abc import Sequence

from rdtf_bench.report.table.rows import Number

NOTHING = (0.0, 0.0, 0.0, 0.0)
COMMON = (20.0, -20.0, 20.0, -20.0)
"""What leaving out each of four groups changes. Moves of +-s have the jackknife deviation s * sqrt(3)."""


def number(
    row: str,
    value: float,
    moves: Sequence[float] = NOTHING,
    *,
    kind: str = "trained",
    higher_is_better: bool = False,
    yardstick: str = "toy",
) -> Number:
    return Number(
        method=row,
        dataset="asg",
        task="it2v",
        metric="fvd",
        yardstick=yardstick,
        value=value,
        ci_low=value - 40,
        ci_high=value + 40,
        n=128,
        paper=None,
        row=row,
        kind=kind,
        label="FVD",
        unit="",
        higher_is_better=higher_is_better,
        seeds=(0,),
        without_group=tuple(value + move for move in moves),
    )
