"""Compare a record with the one that was made again from it: the bits of the clips, and each score. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rdtf_bench.report import layouts
from rdtf_bench.report.table.regression import NumberCheck
from rdtf_bench.run.record import Record
from rdtf_bench.run.replay import is_timed

SAME_MACHINE = "Machine: processor, GPU and package versions are those of the record, so equal bits are expected."
OTHER_MACHINE = (
    "Machine: the processor, the GPU, a package version or the number of processes is not that of the record. Equal "
    "bits are not expected, and scores may differ by the tolerance of `rdtf-bench check`."
)


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """What became of a record that was made again."""

    checks: tuple[NumberCheck, ...]
    timed: tuple[str, ...]  # metrics that measure time, which are not compared
    same_bits: bool | None  # of the clips; None where the record holds no hash of them
    expects_bits: bool

    @property
    def faults(self) -> list[str]:
        """What does not repeat; empty if the record does."""
        moved = [f"{check.metric} {check.fault}" for check in self.checks if check.fault]
        bits = (
            ["the clips have other bits on an equal machine"] if self.expects_bits and self.same_bits is False else []
        )
        return bits + moved


def compare(then: Record, now: Record, *, row: str, metrics: Sequence[str], expects_bits: bool) -> Replayed:
    """Compare the scores of these metrics and the hashes of the clips."""
    return Replayed(
        checks=tuple(
            NumberCheck(row=row, metric=metric, then=then.scores[metric], now=now.scores.get(metric))
            for metric in metrics
            if not is_timed(metric)
        ),
        timed=tuple(metric for metric in metrics if is_timed(metric)),
        same_bits=None if then.samples_sha256 is None else then.samples_sha256 == now.samples_sha256,
        expects_bits=expects_bits,
    )


def render(found: Replayed, *, format: str) -> str:
    """Write a comparison in one of layouts.FORMATS."""
    layouts.require_format(format)
    if format in layouts.DATA_FORMATS:
        rows = [_data(check, found) for check in found.checks]
        return layouts.data(rows, ("row", "metric", "then", "now", "tolerance", "fault", "same_bits"), format=format)
    head = ("row", "metric", "record", "replay", "tolerance", "")
    table = layouts.Table(head=head, groups=[[check.line() for check in found.checks]], align="llrrll")
    return layouts.document([table], list(_notes(found)), format=format)


def _data(check: NumberCheck, found: Replayed) -> Mapping[str, object]:
    then, now = (None if score is None else score.value for score in (check.then, check.now))
    named = {"row": check.row, "metric": check.metric, "then": then, "now": now}
    return {**named, "tolerance": check.tolerance, "fault": check.fault, "same_bits": found.same_bits}


def _notes(found: Replayed) -> Sequence[str]:
    bits = {
        True: "Clips: the same bits as in the record (SHA-256 of all pixels).",
        False: "Clips: other bits than in the record (SHA-256 of all pixels).",
        None: "Clips: the record holds no SHA-256 of them, so that their bits cannot be compared.",
    }[found.same_bits]
    machine = SAME_MACHINE if found.expects_bits else OTHER_MACHINE
    timed = [f"Timed anew and not compared: {', '.join(found.timed)}."] if found.timed else []
    return [bits, machine, *timed]
