"""Score one folder of clips against another, without a protocol, a plan or a store.

Faults of the folders are reported before any network is loaded.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from rdtf_bench import catalog
from rdtf_bench.core.dataset import FramesBy
from rdtf_bench.core.errors import DataError, ProtocolError, unknown_name
from rdtf_bench.core.seeds import seed_for
from rdtf_bench.core.video import VideoU8
from rdtf_bench.data.reading import decode
from rdtf_bench.data.reading.folders import animations
from rdtf_bench.data.reading.folders.animations import Animation as Clip
from rdtf_bench.data.reading.folders.animations import ClipFolder
from rdtf_bench.data.reading.folders.walk import told
from rdtf_bench.run import yardsticks
from rdtf_bench.run.build import instruments
from rdtf_bench.run.progress import Report, Sink
from rdtf_bench.run.record import ScoreRecord
from rdtf_bench.run.table.score import scored
from rdtf_bench.spec.scale import CLIPS_OBSERVED_TOGETHER, Scale
from rdtf_bench.spec.schema import Options

STAYING = 2
"""Fewest clips that must remain for a distance when an interval leaves out a group of them."""


Decode = Callable[[Clip], UInt8[Tensor, "F C H W"]]


@dataclass(frozen=True, kw_only=True)
class FolderComparison:
    """The two folders, how their clips were read, and the scores."""

    fake: Path
    real: Path
    num_fake: int
    num_real: int
    num_frames: int
    frames_by: FramesBy = "index"
    width_px: int
    height_px: int
    scores: dict[str, ScoreRecord]
    notes: tuple[str, ...]  # clips, files and metrics left out, and how clips were paired
    skipped_broken: dict[str, list[str]]  # clips that cannot be used, by side: "fake" and "real"
    left_out_other_kinds: dict[str, dict[str, int]]  # numbers of files that are not read, by side and suffix


def metric_names() -> list[str]:
    """Return the metrics of clips; parameters and seconds are metrics of networks."""
    names = dict.fromkeys((*catalog.METRICS, *catalog.names("metric")))  # in the order of the paper's table
    return [name for name in names if "fake" in _facts(name)["USES"]]


def compare(
    scale: Scale,
    *,
    fake: Path,
    real: Path,
    captions: Path | None,
    metrics: Sequence[str] | None,
    num_frames: int | None,
    size_px: int | None,
    frames_by: FramesBy = "index",
    resamples: int = 0,
    skip_broken: bool = False,
    sink: Sink,
) -> FolderComparison:
    """Score the clips of `fake` against those of `real` with the metrics and networks of a scale.

    `frames_by` says whether the frames of a clip are chosen at equal intervals of their numbers or of time.
    Without `metrics`, all are scored that apply: CLIP needs captions. `resamples` is the number of bootstrap draws of
    FVD. Raises DataError if clips cannot be used, unless `skip_broken` leaves them out.
    """
    chosen = _chosen(metrics, with_captions=captions is not None)
    if resamples and "fvd" not in chosen:
        raise ProtocolError(f"--resamples draws for FVD, and only {', '.join(chosen)} is scored. Leave it out.")
    folders = {"fake": animations.read(fake), "real": animations.read(real)}
    for folder in folders.values():
        if not skip_broken:
            folder.require_unbroken("Repair or remove them, or leave them out with --skip-broken.")
    fakes, reals = folders["fake"].clips, folders["real"].clips
    _require_enough(chosen, {fake: fakes, real: reals})
    shape = animations.common_shape((*fakes, *reals), num_frames=num_frames, size_px=size_px, frames_by=frames_by)
    texts = animations.read_captions(captions, fakes) if captions else {}
    if texts and len(set(texts.values())) < 2:
        raise DataError(
            f"{captions}: all clips have the same caption: there is no other candidate to tell it from, and there are "
            "no groups of clips for an interval. Leave --captions out."
        )
    pairs = _pairs(fakes, reals)
    said = [texts.get(fakes[place].id, fakes[place].id) for place, _ in pairs]
    _require_groups(chosen, said)
    of_fvd: Options = {"num_frames": shape.num_frames, "resamples": resamples}
    looking = _Looking(chosen, _with_fvd(scale, of_fvd), lambda clip: decode.decode_animation(clip, shape))
    seen_fake = looking.at(fakes, chosen, Report(sink, "score", "generated clips"))
    of_both = [name for name in chosen if "real" in _uses(name)]
    seen_real = looking.at(reals, of_both, Report(sink, "score", "real clips"))
    warned = filter(None, [yardsticks.warning(scale, chosen)])
    scores = {}
    for name in chosen:
        ours, theirs, ids = seen_fake[name], seen_fake[name], [clip.id for clip in fakes]
        if name in seen_real:
            ours, theirs = ours[[i for i, _ in pairs]], seen_real[name][[j for _, j in pairs]]
            ids = [fakes[i].id for i, _ in pairs]
        scores[name] = looking.score(name, fake=ours, real=theirs, ids=ids, captions=[texts.get(i, i) for i in ids])
    return FolderComparison(
        fake=fake,
        real=real,
        num_fake=len(fakes),
        num_real=len(reals),
        num_frames=shape.num_frames,
        width_px=size_px or fakes[0].width_px,
        height_px=size_px or fakes[0].height_px,
        scores=scores,
        frames_by=frames_by,
        notes=(
            *warned,
            *_left_out(folders.values()),
            *_read(folders, frames_by),
            *_notes(chosen, metrics, fakes, reals),
        ),
        skipped_broken={side: _names(folder) for side, folder in folders.items()},
        left_out_other_kinds={side: dict(folder.other_kinds) for side, folder in folders.items()},
    )


class _Looking:
    """The metrics of one comparison; their networks are loaded and verified once."""

    def __init__(self, metrics: Sequence[str], scale: Scale, decode: Decode) -> None:
        self._decode = decode
        self._instruments = instruments.load(scale, metrics)

    def at(self, clips: Sequence[Clip], metrics: Sequence[str], report: Report) -> dict[str, Float[Tensor, "N ..."]]:
        """Return the observations of each metric. The next clips are decoded while the networks run."""
        seen: dict[str, list[Tensor]] = {name: [] for name in metrics}
        for start, video in self._batches(clips) if metrics else ():
            ids = [clip.id for clip in clips[start : start + len(video)]]
            for name in metrics:
                seen[name].append(self._instruments[name].metric.observe(video, ids).cpu())
            report.advance(start + len(video), len(clips))
        return {name: torch.cat(parts) for name, parts in seen.items()}

    def score(
        self,
        name: str,
        *,
        fake: Float[Tensor, "N ..."],
        real: Float[Tensor, "N ..."],
        ids: Sequence[str],
        captions: Sequence[str],
    ) -> ScoreRecord:
        instrument = self._instruments[name]
        return scored(
            name,
            instrument.metric,
            fake=fake,
            real=real,
            clip_ids=ids,
            captions=captions,
            clusters=captions,
            key=instrument.identity.key,
        )

    def _batches(self, clips: Sequence[Clip]) -> Iterator[tuple[int, VideoU8]]:
        with ThreadPoolExecutor(max_workers=torch.get_num_threads()) as readers:

            def read(start: int) -> list[Future[UInt8[Tensor, "F C H W"]]]:
                return [readers.submit(self._decode, clip) for clip in clips[start : start + CLIPS_OBSERVED_TOGETHER]]

            coming = read(0)
            for start in range(0, len(clips), CLIPS_OBSERVED_TOGETHER):
                arrived, coming = coming, read(start + CLIPS_OBSERVED_TOGETHER)
                yield start, torch.stack([clip.result() for clip in arrived])


def _with_fvd(scale: Scale, options: Options) -> Scale:
    """Give FVD the length of these clips instead of the length that the scale names."""
    fvd = {**scale.metrics.get("fvd", {}), **options}
    return scale.model_copy(update={"metrics": {**scale.metrics, "fvd": fvd}})


def _chosen(asked: Sequence[str] | None, *, with_captions: bool) -> list[str]:
    known = metric_names()
    if asked is None:
        return [name for name in known if with_captions or "captions" not in _uses(name)]
    for name in asked:
        if name not in known:
            raise unknown_name("metric of clips", name, known)
    needing = [name for name in asked if "captions" in _uses(name)]
    if needing and not with_captions:
        raise ProtocolError(f"{', '.join(needing)}: needs captions of the generated clips. Name their file: --captions")
    return list(dict.fromkeys(asked))


def _require_enough(metrics: Sequence[str], folders: Mapping[Path, Sequence[Clip]]) -> None:
    fewest = max(_facts(name)["MIN_CLIPS"] + ("real" in _uses(name)) for name in metrics)
    for folder, clips in folders.items():
        if len(clips) < fewest:
            raise DataError(f"{folder}: too few clips: {len(clips)}. {', '.join(metrics)} need at least {fewest}.")


def _require_groups(metrics: Sequence[str], captions: Sequence[str]) -> None:
    """Raise DataError if a distance would have too few clips without those of the most frequent caption.

    An interval leaves out the clips of each caption in turn.
    """
    (caption, most), *_ = Counter(captions).most_common(1)
    if len(captions) - most < STAYING and any("real" in _uses(name) for name in metrics):
        raise DataError(
            f"too few captions for an interval: {most} of {len(captions)} clips have {caption!r}, and at least "
            f"{STAYING} clips with others are needed"
        )


def _pairs(fakes: Sequence[Clip], reals: Sequence[Clip]) -> list[tuple[int, int]]:
    """Choose equally many clips of both folders for distances between sets, whose bias depends on n.

    Clips with the same id form a pair. If there are too few, further clips are chosen by a hash of their id.
    """
    at = {clip.id: place for place, clip in enumerate(reals)}
    shared = [(place, at[clip.id]) for place, clip in enumerate(fakes) if clip.id in at]
    count = min(len(fakes), len(reals)) - len(shared)
    rest = zip(
        _drawn(fakes, {ours for ours, _ in shared}, count),
        _drawn(reals, {theirs for _, theirs in shared}, count),
        strict=True,
    )
    return sorted([*shared, *rest])


def _drawn(clips: Sequence[Clip], taken: Set[int], count: int) -> list[int]:
    free = [place for place in range(len(clips)) if place not in taken]
    return sorted(sorted(free, key=lambda place: seed_for(clips[place].id, "chosen"))[:count])


def _left_out(folders: Iterable[ClipFolder]) -> Iterator[str]:
    for folder in folders:
        if names := _names(folder):
            yield f"Left out of {folder.root}: {len(names)} that cannot be used: {', '.join(names)}."
        if folder.other_kinds:
            yield f"Left out of {folder.root}: files of other kinds: {told(folder.other_kinds)}."


def _read(folders: Mapping[str, ClipFolder], frames_by: FramesBy) -> Iterator[str]:
    """Say how the clips were read, where another reader could have read them otherwise."""
    clips = [clip for folder in folders.values() for clip in folder.clips]
    uneven = sum(clip.is_uneven for clip in clips)
    if uneven and frames_by == "index":
        yield (
            f"Frames are chosen by number, and {uneven:,} of {len(clips):,} clips show theirs for different times. To "
            "choose by the clock: --by time."
        )
    if without := sum(clip.without_trailer for clip in clips):
        yield f"Read although the last byte of the file is missing: {without:,} GIF of {len(clips):,} clips."


def _names(folder: ClipFolder) -> list[str]:
    return [str(item.path.relative_to(folder.root)) for item in folder.broken]


def _notes(
    chosen: Sequence[str], asked: Sequence[str] | None, fakes: Sequence[Clip], reals: Sequence[Clip]
) -> Iterator[str]:
    distances = ", ".join(_facts(name)["LABEL"] for name in chosen if "real" in _uses(name))
    if distances and len(fakes) != len(reals):
        fewer, more = sorted((len(fakes), len(reals)))
        which = "generated" if len(fakes) > len(reals) else "real"
        yield f"{distances}: {fewer} of the {more} {which} clips, so that both sides have equally many."
    shared = len({clip.id for clip in fakes} & {clip.id for clip in reals})
    if distances and shared < min(len(fakes), len(reals)):
        few = f"{shared} have" if shared else "none has"
        yield f"{distances}: of the generated clips {few} a real one of the same name to be paired with."
    if asked is None and (left := [name for name in metric_names() if name not in chosen]):
        yield f"Not scored without captions (--captions FILE): {', '.join(left)}."


def _facts(name: str) -> dict[str, Any]:
    return catalog.constants("metric", name)


def _uses(name: str) -> tuple[str, ...]:
    uses: tuple[str, ...] = _facts(name)["USES"]
    return uses
