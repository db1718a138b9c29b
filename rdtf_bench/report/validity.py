"""Curves of metrics over the severity of faults: as text, rows and pictures."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rdtf_bench.core.errors import unknown_name
from rdtf_bench.report.grid import decimals_for
from rdtf_bench.run.curves import CurveRecord
from rdtf_bench.spec.schema import ValiditySpec

FORMATS = ("text", "csv", "json")
TIDY = ("metric", "yardstick", "fault", "strength", "value", "rank_correlation", "seen", "n")
"""A row a value; the strength of intact clips is empty."""
NOT_SEEN = "NOT SEEN"


def render(spec: ValiditySpec, curves: Sequence[CurveRecord], *, format: str) -> str:
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    if format == "json":
        return json.dumps(list(_rows(curves)), indent=1, allow_nan=False)
    if format == "csv":
        out = io.StringIO()
        writer = csv.DictWriter(out, TIDY, lineterminator="\n")
        writer.writeheader()
        writer.writerows(_rows(curves))
        return out.getvalue().removesuffix("\n")
    return "\n".join([f"{spec.name}: {spec.title}", *_text(curves)])


def draw(curves: Sequence[CurveRecord], folder: Path) -> list[Path]:
    """A PNG a metric, a panel a fault; the dotted line is the value of intact clips."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for metric, found in _by_metric(curves).items():
        columns = 3
        lines = -(-len(found) // columns)
        figure = Figure(figsize=(3.2 * columns, 2.4 * lines), dpi=110, layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(lines, columns, squeeze=False).flatten()
        for axes, curve in zip(panels, found, strict=False):
            intact, *values = curve.values
            axes.plot(curve.strengths, values, marker="o", color="C0" if curve.is_seen else "C3")
            axes.axhline(intact, linestyle=":", color="0.5")
            axes.set_title(f"{curve.fault}{'' if curve.is_seen else ': not seen'}", fontsize=9)
        for axes in panels[len(found) :]:
            axes.set_visible(False)
        figure.suptitle(f"{found[0].label} ({found[0].yardstick}) over the strength of faults, n = {found[0].n}")
        paths.append(folder / f"{metric}.png")
        figure.savefig(paths[-1], format="png")
    return paths


def _text(curves: Sequence[CurveRecord]) -> Iterator[str]:
    for found in _by_metric(curves).values():
        first = found[0]
        arrow = "↑" if first.higher_is_better else "↓"
        heads = ["intact", *(f"{strength:g}" for strength in first.strengths)]
        yield f"\n{first.label} {arrow} ({first.yardstick}), n = {first.n}: value by strength of the fault"
        yield f"{'':14}" + "".join(f"{head:>10}" for head in heads) + "   Spearman"
        places = decimals_for(max(abs(value) for curve in found for value in curve.values))
        for curve in found:
            values = "".join(f"{value:10.{places}f}" for value in curve.values)
            seen = "" if curve.is_seen else f"  {NOT_SEEN}"
            yield f"{curve.fault:14}{values}   {curve.rank_correlation:+8.2f}{seen}"
    yield "\nSpearman: rank correlation of severity and how bad the metric finds it; from 0.9 on the fault is seen."


def _by_metric(curves: Sequence[CurveRecord]) -> Mapping[str, list[CurveRecord]]:
    found: dict[str, list[CurveRecord]] = {}
    for curve in curves:
        found.setdefault(curve.metric, []).append(curve)
    return found


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
