"""Write the scores of one folder of clips against another, as text and as rows."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.store import write_text
from rdtf_bench.report import layouts
from rdtf_bench.report.table import footer
from rdtf_bench.report.table.grid import decimals_for
from rdtf_bench.run.compare import FolderComparison
from rdtf_bench.run.record import ScoreRecord


def rows(found: FolderComparison) -> list[dict[str, Any]]:
    """Return one row per metric, with the clips that it compares."""
    clips = {
        "fake": str(found.fake),
        "real": str(found.real),
        "num_frames": found.num_frames,
        "frames_by": found.frames_by,
        "width_px": found.width_px,
        "height_px": found.height_px,
        "skipped_broken": found.skipped_broken,
        "left_out_other_kinds": found.left_out_other_kinds,
    }
    return [
        {
            "metric": name,
            "yardstick": score.yardstick,
            "name": score.name,
            "value": score.value,
            "ci_low": score.ci_low,
            "ci_high": score.ci_high,
            "n": score.n,
            "unit": score.unit,
            "higher_is_better": score.higher_is_better,
            "beside": score.beside,
            "parts": {
                name: {"value": part.value, "ci_low": part.ci_low, "ci_high": part.ci_high}
                for name, part in score.parts.items()
            },
            **clips,
        }
        for name, score in found.scores.items()
    ]


def write(found: FolderComparison, path: Path) -> None:
    """Write the rows as a JSON file; raise StoreError if the file cannot be written."""
    try:
        write_text(path, layouts.as_json(rows(found)) + "\n")
    except OSError as fault:
        raise StoreError(f"{path}: cannot be written: {fault.strerror}") from fault


def text(found: FolderComparison) -> str:
    """Write one line per metric, with notes below."""
    sides = [f"{side} ({count} clips)" for side, count in ((found.fake, found.num_fake), (found.real, found.num_real))]
    shape = f"{found.num_frames} frames of {found.width_px}x{found.height_px} px"
    table = layouts.Table(
        head=("", "value", "95 % interval", "n", "yardstick"),
        groups=[[line for score in found.scores.values() for line in _lines(score)]],
        align="lrrrl",
    )
    title = f"{' against '.join(sides)}: {shape}"
    return layouts.document([table], list(_notes(found)), format="text", title=title)


def _notes(found: FolderComparison) -> Iterator[str]:
    fewest = min(score.n for score in found.scores.values())
    if fewest < footer.FEW_CLIPS:
        yield (
            f"WARNING: n = {fewest}. Below {footer.FEW_CLIPS} clips, distances between sets are strongly biased and "
            "noisy."
        )
    yield (
        "95 % interval: value ± 1.96 standard deviations of the delete-a-group jackknife, for the expected value at "
        "this n."
    )
    if names := [score.name for score in found.scores.values() if score.name]:
        yield f"Yardsticks in full: {'; '.join(names)}."
    if "fvd" in found.scores:
        yield footer.parts_of_fvd(bool(found.scores["fvd"].parts))
    if beside := [_beside(score) for score in found.scores.values() if score.beside]:
        yield f"Further figures of the same clips: {'; '.join(beside)}."
    yield from found.notes


def _beside(score: ScoreRecord) -> str:
    return f"{score.label} {', '.join(f'{name} {value:.4g}' for name, value in score.beside.items())}"


def _lines(score: ScoreRecord) -> Iterator[tuple[str, ...]]:
    """Yield the line of a score, and one for each of its parts."""
    yield _line(score)
    for name, part in score.parts.items():
        yield _line(replace(score, **vars(part), label=f"{score.label} {name}"))


def _line(score: ScoreRecord) -> tuple[str, ...]:
    places = decimals_for(abs(score.value))
    low, high = (f"{end:.{places}f}" for end in (score.ci_low, score.ci_high))
    heading = layouts.directed(score.label, higher_is_better=score.higher_is_better)
    return heading, f"{score.value:.{places}f}", f"[{low}, {high}]", str(score.n), score.yardstick
