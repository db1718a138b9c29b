"""Show how each metric's value grows with the severity of a fault: as tables, rows and pictures. No torch."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rdtf_bench.report import layouts
from rdtf_bench.report.figures import canvas
from rdtf_bench.report.table.grid import decimals_for
from rdtf_bench.report.validity import agreement
from rdtf_bench.run.validity.agreement import AgreementRecord
from rdtf_bench.run.validity.plan import CurveRecord
from rdtf_bench.spec.schema import ValiditySpec

TIDY = ("metric", "yardstick", "fault", "strength", "value", "rank_correlation", "seen", "n")
"""Columns of the rows, one row per value; the strength of intact clips is empty."""

OUT_OF_ORDER = "out of order"

SPEARMAN = (
    "Spearman: rank correlation between the strength of a fault and how bad the metric finds the clips. Below 0.9 the "
    "values do not follow the strength, and the fault is marked as out of order."
)


def render(
    spec: ValiditySpec, curves: Sequence[CurveRecord], agreements: Sequence[AgreementRecord] = (), *, format: str
) -> str:
    """Write the curves in one of layouts.FORMATS.

    With agreements, JSON is an object of "agreement" and "curves", else a list of the curves' rows alone. CSV has the
    curves' rows in either case.
    """
    layouts.require_format(format)
    if format == "json" and agreements:
        rows = {"agreement": list(agreement.rows(agreements, _by_yardstick(curves))), "curves": list(_rows(curves))}
        return layouts.as_json(rows)
    if format in layouts.DATA_FORMATS:
        return layouts.data(_rows(curves), TIDY, format=format)
    tables, notes = [_table(found) for found in _by_yardstick(curves)], [SPEARMAN]
    if agreements:
        tables.append(agreement.table(agreements, _by_yardstick(curves)))
        notes.append(agreement.note(agreements, _by_yardstick(curves)))
    return layouts.document(tables, notes, format=format, title=f"{spec.name}: {spec.title}")


def draw(curves: Sequence[CurveRecord], agreements: Sequence[AgreementRecord], folder: Path) -> list[Path]:
    """Draw one PNG per yardstick and one of the agreements, and return their paths.

    Each fault has a panel; the dotted line is the value of intact clips.
    """
    from matplotlib.figure import Figure

    paths = []
    measured = _by_yardstick(curves)
    for found in measured:
        columns = 3
        lines = -(-len(found) // columns)
        figure = Figure(figsize=(3.2 * columns, 2.4 * lines), dpi=110, layout="constrained")
        panels = figure.subplots(lines, columns, squeeze=False).flatten()
        for axes, curve in zip(panels, found, strict=False):
            intact, *values = curve.values
            axes.plot(curve.strengths, values, marker="o", color="C0" if curve.is_seen else "C3")
            axes.axhline(intact, linestyle=":", color="0.5")
            axes.set_title(f"{curve.fault}{'' if curve.is_seen else ': out of order'}", fontsize=9)
        for axes in panels[len(found) :]:
            axes.set_visible(False)
        figure.suptitle(f"{found[0].label} ({found[0].yardstick}) over the strength of faults, n = {found[0].n}")
        paths.append(canvas.save(figure, folder / f"{_file_name(found[0], measured)}.png"))
    if agreements:
        paths.append(agreement.draw(agreements, measured, folder / "agreement.png"))
    return paths


def _file_name(curve: CurveRecord, measured: Sequence[Sequence[CurveRecord]]) -> str:
    """Return the metric's name, with the yardstick if the metric has several."""
    if sum(found[0].metric == curve.metric for found in measured) == 1:
        return curve.metric
    return f"{curve.metric}-{re.sub('[^a-z0-9]+', '-', curve.yardstick.lower()).strip('-')}"


def _table(found: Sequence[CurveRecord]) -> layouts.Table:
    """The curves of one yardstick, one line per fault."""
    first = found[0]
    heading = layouts.directed(first.label, higher_is_better=first.higher_is_better)
    places = decimals_for(max(abs(value) for curve in found for value in curve.values))
    strengths = [f"{strength:g}" for strength in first.strengths]
    return layouts.Table(
        heading=f"{heading} ({first.yardstick}), n = {first.n}: value by strength of the fault",
        head=["fault", "intact", *strengths, "Spearman", ""],
        groups=[[_line(curve, places) for curve in found]],
        align="l" + "r" * (len(strengths) + 2) + "l",
    )


def _line(curve: CurveRecord, places: int) -> list[str]:
    values = [f"{value:.{places}f}" for value in curve.values]
    return [curve.fault, *values, f"{curve.rank_correlation:+.2f}", "" if curve.is_seen else OUT_OF_ORDER]


def _by_yardstick(curves: Sequence[CurveRecord]) -> list[list[CurveRecord]]:
    found: dict[tuple[str, str], list[CurveRecord]] = {}
    for curve in curves:
        found.setdefault((curve.metric, curve.yardstick), []).append(curve)
    return list(found.values())


def _rows(curves: Sequence[CurveRecord]) -> Iterator[dict[str, Any]]:
    for curve in curves:
        for strength, value in zip((None, *curve.strengths), curve.values, strict=True):
            yield {
                "metric": curve.metric,
                "yardstick": curve.yardstick,
                "fault": curve.fault,
                "strength": strength,
                "value": value,
                "rank_correlation": curve.rank_correlation,
                "seen": curve.is_seen,
                "n": curve.n,
            }
