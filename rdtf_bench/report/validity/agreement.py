"""Compare extension rules for short clips with the full clips: which of them rank known faults in the same order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdtf_bench.core import intervals
from rdtf_bench.report import layouts
from rdtf_bench.report.figures import canvas
from rdtf_bench.run.validity.agreement import AgreementRecord
from rdtf_bench.run.validity.plan import CurveRecord

AGREES = 0.9
"""Kendall's tau from which a rule may replace the full clips."""
RESOLVED = 0.05


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One rule: its agreement with the full clips, the faults that it sees, and how it compares with the best rule."""

    rule: str
    tau: float
    ci_low: float
    ci_high: float
    by_fault: dict[str, float]
    seen: tuple[str, ...]
    not_seen: tuple[str, ...]
    p: float | None  # Holm-adjusted, for the difference from the best rule; None for the best rule itself

    @property
    def is_accepted(self) -> bool:
        """Return whether the rule agrees with the full clips and every fault follows its strength."""
        return self.tau >= AGREES and not self.not_seen

    @property
    def standing(self) -> str:
        """Return how the rule compares with the best one, in words."""
        if self.p is None:
            return "best"
        return f"{'below the best' if self.p < RESOLVED else 'tied with the best'} (p = {self.p:.2g})"


def verdicts(found: Sequence[AgreementRecord], curves: Sequence[Sequence[CurveRecord]]) -> list[Verdict]:
    """Return one verdict per rule; intervals and tests are paired by clip.

    `curves` are those of the full clips, followed by those of each rule.
    """
    whole, *parts = curves
    wanted = [curve.fault for curve in whole if curve.is_seen]
    best = max(found, key=lambda record: record.tau)
    others = [record for record in found if record is not best]
    p_values = dict(zip([record.rule for record in others], intervals.holm([_p(r, best) for r in others]), strict=True))
    return [
        _verdict(record, [curve.fault for curve in part if curve.is_seen], wanted, p_values.get(record.rule))
        for record, part in zip(found, parts, strict=True)
    ]


def table(found: Sequence[AgreementRecord], curves: Sequence[Sequence[CurveRecord]]) -> layouts.Table:
    """Kendall's tau of each rule, over all faults and by fault."""
    whole, faults = curves[0][0], [curve.fault for curve in curves[0]]
    return layouts.Table(
        heading=(
            f"Kendall's tau with {whole.label} ({whole.yardstick}) over {found[0].num_values} values, "
            f"n = {found[0].n}: over all faults [95 % interval], and by fault"
        ),
        head=["rule", "tau", *faults, ""],
        groups=[[_line(verdict, faults) for verdict in verdicts(found, curves)]],
        align="l" + "r" * (len(faults) + 1) + "l",
    )


def note(found: Sequence[AgreementRecord], curves: Sequence[Sequence[CurveRecord]]) -> str:
    """Name the rules that may stand for the full clips, and the condition."""
    accepted = ", ".join(verdict.rule for verdict in verdicts(found, curves) if verdict.is_accepted)
    return (
        f"Accepted (tau of at least {AGREES}, and every fault seen that the full clips show): {accepted or 'none'}. "
        "Differences are paired by clip and Holm-corrected."
    )


def _line(verdict: Verdict, faults: Sequence[str]) -> list[str | layouts.Cell]:
    interval = f"[{verdict.ci_low:.2f}, {verdict.ci_high:.2f}]"
    missed = f"; does not see {', '.join(verdict.not_seen)}" if verdict.not_seen else ""
    by_fault = [f"{verdict.by_fault[fault]:+.2f}" for fault in faults]
    tau = layouts.Cell(text=f"{verdict.tau:.3f}", small=interval)
    return [verdict.rule, tau, *by_fault, verdict.standing + missed]


def rows(found: Sequence[AgreementRecord], curves: Sequence[Sequence[CurveRecord]]) -> Iterator[dict[str, Any]]:
    """Yield one row of named values per rule."""
    for verdict in verdicts(found, curves):
        yield {
            "rule": verdict.rule,
            "yardstick": curves[0][0].yardstick,
            "tau": verdict.tau,
            "ci_low": verdict.ci_low,
            "ci_high": verdict.ci_high,
            "p_of_difference_from_best": verdict.p,
            "tau_by_fault": verdict.by_fault,
            "seen": list(verdict.seen),
            "not_seen": list(verdict.not_seen),
            "accepted": verdict.is_accepted,
            "n": found[0].n,
        }


def draw(found: Sequence[AgreementRecord], curves: Sequence[Sequence[CurveRecord]], path: Path) -> Path:
    """Draw one panel per rule: its value against that of the full clips, one line per fault."""
    from matplotlib.figure import Figure

    whole, *parts = curves
    figure = Figure(figsize=(3.4 * len(parts), 3.8), dpi=110, layout="constrained")
    panels = figure.subplots(1, len(parts), squeeze=False)[0]
    for axes, record, part in zip(panels, found, parts, strict=True):
        for theirs, ours in zip(whole, part, strict=True):
            axes.plot(theirs.values, ours.values, marker="o", markersize=3, linewidth=1, label=ours.fault)
        axes.set(xscale="log", yscale="log", xlabel=whole[0].yardstick)
        axes.set_title(f"{record.rule}: tau {record.tau:.3f}", fontsize=10)
    panels[0].set_ylabel("short clips, extended by the rule")
    panels[-1].legend(fontsize=7)
    figure.suptitle(f"{whole[0].label} of short clips by each rule against that of the full clips, n = {found[0].n}")
    return canvas.save(figure, path)


def _p(record: AgreementRecord, best: AgreementRecord) -> float:
    return intervals.difference(
        best.tau, best.without_group, minus=record.tau, minus_without_group=record.without_group
    ).p


def _verdict(record: AgreementRecord, seen: Sequence[str], wanted: Sequence[str], p: float | None) -> Verdict:
    low, high = intervals.interval(record.tau, record.without_group)
    low, high = max(low, -1.0), min(high, 1.0)  # tau lies between -1 and 1
    return Verdict(
        rule=record.rule,
        tau=record.tau,
        ci_low=low,
        ci_high=high,
        by_fault=dict(record.by_fault),
        seen=tuple(seen),
        not_seen=tuple(fault for fault in wanted if fault not in seen),
        p=p,
    )
