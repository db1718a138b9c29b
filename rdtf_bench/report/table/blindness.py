"""Columns whose yardstick does not tell the real clips from worse ones, by the table's control rows. Pure; no torch.

A metric that compares clips with captions is asked whether the real clips match their own captions better than one that
is drawn from all captions (its `chance`). Any other metric of single clips is asked whether it puts the real clips
above `static`, a repeated first frame. The intervals are paired by clip and are not corrected for their number.
"""

from collections.abc import Sequence

from rdtf_bench.core import intervals
from rdtf_bench.report.table.rows import Number, difference

MARK = "†"
REAL, STILL = "real", "static"


def reason(column: Sequence[Number]) -> str | None:
    """Return why the column of one metric is blind, as a sentence; None if it is not, or if no control row can say."""
    controls = {number.row: number for number in column if number.kind == "control" and number.without_group}
    real = controls.get(REAL)
    if real is None:
        return None
    if real.chance is not None:
        lead = intervals.estimate(real.value - real.chance, [value - real.chance for value in real.without_group])
        other, said = real.chance, f"their own captions from others: {REAL} %s, chance %s"
    elif STILL in controls:
        lead, other = difference(real, controls[STILL]), controls[STILL].value
        said = f"a repeated first frame: {REAL} %s, {STILL} %s"
    else:
        return None
    if lead.ci_low > 0 if real.higher_is_better else lead.ci_high < 0:
        return None
    values = said % (f"{real.value:.3g}", f"{other:.3g}")
    return (
        f"{real.label} through {real.yardstick} does not tell the real clips from {values}, "
        f"difference {lead.value:+.2g} [{lead.ci_low:+.2g}, {lead.ci_high:+.2g}]."
    )
