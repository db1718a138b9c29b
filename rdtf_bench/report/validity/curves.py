"""Curves of metrics over the severity of faults: as text, rows and pictures."""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rdtf_bench.core.errors import unknown_name
from rdtf_bench.report.table.grid import decimals_for
from rdtf_bench.report.validity import agreement
from rdtf_bench.run.validity.agreement import AgreementRecord
from rdtf_bench.run.validity.plan import CurveRecord
from rdtf_bench.spec.schema import ValiditySpec

FORMATS = ("text", "csv", "json")
TIDY = ("metric", "yardstick", "fault", "strength", "value", "rank_correlation", "seen", "n")
"""A row a value; the strength of intact clips is empty."""
NOT_SEEN = "NOT SEEN"


def render(
    spec: ValiditySpec, curves: Sequence[CurveRecord], agreements: Sequence[AgreementRecord] = (), *, format: str
) -> str:
    """With agreements, JSON is an object of "agreement" and "curves", else the rows of the curves alone."""
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    if format == "json":
        rows = list(_rows(curves))
        compared = list(agreement.rows(agreements, _by_yardstick(curves))) if agreements else []
        return json.dumps({"agreement": compared, "curves": rows} if compared else rows, indent=1, allow_nan=False)
    if format == "csv":
        out = io.StringIO()
        writer = csv.DictWriter(out, TIDY, lineterminator="\n")
        writer.writeheader()
        writer.writerows(_rows(curves))
        return out.getvalue().removesuffix("\n")
    compared_text = agreement.text(agreements, _by_yardstick(curves)) if agreements else ()
    return "\n".join([f"{spec.name}: {spec.title}", *_text(curves), *compared_text])


def draw(curves: Sequence[CurveRecord], agreements: Sequence[AgreementRecord], folder: Path) -> list[Path]:
    """A PNG a yardstick, a panel a fault (the dotted line is the value of intact clips), and one of the agreements."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    measured = _by_yardstick(curves)
    for found in measured:
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
        paths.append(folder / f"{_file_name(found[0], measured)}.png")
        figure.savefig(paths[-1], format="png")
    if agreements:
        paths.append(agreement.draw(agreements, measured, folder / "agreement.png"))
    return paths


def _file_name(curve: CurveRecord, measured: Sequence[Sequence[CurveRecord]]) -> str:
    """The metric's, with its yardstick where the metric has several."""
    if sum(found[0].metric == curve.metric for found in measured) == 1:
        return curve.metric
    return f"{curve.metric}-{re.sub('[^a-z0-9]+', '-', curve.yardstick.lower()).strip('-')}"


def _text(curves: Sequence[CurveRecord]) -> Iterator[str]:
    for found in _by_yardstick(curves):
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
