"""Gather what a data folder holds: counts, sizes, durations, captions, broken files and leaks between splits. No torch.

`inspect` reads the folder as a run would, and raises no error for what it is asked to find.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, quantiles
from typing import Literal

from PIL import Image

from rdtf_bench import catalog
from rdtf_bench.core.dataset import Clip
from rdtf_bench.core.errors import DataError, unknown_name
from rdtf_bench.data.reading.folders.folder import SPLITS, Folder
from rdtf_bench.data.reading.folders.index import Progress
from rdtf_bench.data.reading.folders.walk import Broken
from rdtf_bench.data.reading.images import stills
from rdtf_bench.data.reading.media import UNREADABLE, Unreadable, reading, reason
from rdtf_bench.run.inputs.datasets import BUILTIN, parse_data_options

LeakKind = Literal["same bytes", "near copies", "same caption", "same cluster"]


@dataclass(frozen=True, kw_only=True)
class Spread:
    """How the values of many clips are spread. `p5` and `p95` are percentiles."""

    smallest: float
    p5: float
    median: float
    mean: float
    p95: float
    largest: float


@dataclass(frozen=True, kw_only=True)
class SplitFacts:
    """What one split holds. A spread is None where nothing is known, such as the captions of clips without any."""

    num_clips: int
    num_clusters: int
    num_bytes: int
    frames: Spread | None
    duration_s: Spread | None
    num_captioned: int
    num_captions: int  # different ones
    caption_words: Spread | None


@dataclass(frozen=True, kw_only=True)
class KindFacts:
    """The files of one suffix that clips are read from."""

    num_files: int
    num_bytes: int


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Broken files that have the same fault, up to its numbers and quoted names."""

    fault: str
    files: tuple[Broken, ...]


@dataclass(frozen=True, kw_only=True)
class Leak:
    """Clips that belong together and stand in different splits."""

    kind: LeakKind
    clips: tuple[Clip, ...]


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What was found in the data of one source."""

    dataset: str
    source: str  # as it was given, or BUILTIN
    folder: Folder
    splits: Mapping[str, SplitFacts]  # those of SPLITS, and "all"
    kinds: Mapping[str, KindFacts]  # by suffix
    sizes_px: Mapping[tuple[int, int], int]  # number of clips by width and height, the most frequent first
    captions: Mapping[str, int]  # number of clips by caption, the most frequent first
    faults: tuple[Fault, ...]
    copies: tuple[tuple[Clip, ...], ...]  # clips that are copies or near copies of each other
    leaks: tuple[Leak, ...]

    @property
    def clips(self) -> tuple[Clip, ...]:
        """Return the clips that can be used, sorted by id."""
        return self.folder.clips

    def place(self, path: Path) -> str:
        """Return a path as it is below the folder."""
        return path.relative_to(self.folder.root).as_posix()

    @property
    def is_builtin(self) -> bool:
        """Return whether the data is drawn by the suite."""
        return self.source == BUILTIN

    def require_sound(self) -> None:
        """Raise DataError if files are broken or clips leak between splits."""
        faults, remedies = [], []
        if count := len(self.folder.broken):
            faults.append(f"{count:,} broken file{'' if count == 1 else 's'}")
            remedies.append("Repair or remove broken files.")
        if kinds := Counter(leak.kind for leak in self.leaks):
            faults.append(f"leaks between splits ({', '.join(f'{kind}: {n:,}' for kind, n in kinds.items())})")
            remedies.append("Give clips that belong together the same split.")
        if faults:
            raise DataError(f"{self.folder.root}: holds {' and '.join(faults)}. {' '.join(remedies)}")


def source_of(text: str) -> tuple[str, str | None]:
    """Return the dataset and the source that `NAME` or `NAME=DIR` names; a source of None is the built-in data."""
    if "=" in text:
        return next(iter(parse_data_options([text]).items()))
    known = catalog.names("dataset")
    if text not in known and Path(text).is_dir():
        raise DataError(
            f"{text}: is a folder without the name of its dataset. Write asg={text}, or another of {known}."
        )
    if text not in known:
        raise unknown_name("dataset", text, known)
    return text, None


def inspect(dataset: str, source: str | None, *, store: Path, on_progress: Progress | None = None) -> Inspection:
    """Read the data of a source and return what it holds. Built-in data is written into the store if it is not there.

    Raises DataError for a folder that cannot be read at all.
    """
    module = catalog.load("dataset", dataset)
    root = module.prepare(source, store=store)
    folder: Folder = module.read(root, name=dataset, cache=store / "data" / "indexes", on_progress=on_progress)
    by_split = {split: [clip for clip in folder.clips if clip.split == split] for split in SPLITS}
    return Inspection(
        dataset=dataset,
        source=source or BUILTIN,
        folder=folder,
        splits={split: _split_facts(clips) for split, clips in {**by_split, "all": folder.clips}.items()},
        kinds=_kinds(folder.clips),
        sizes_px=dict(Counter(_sizes_px(folder.clips)).most_common()),
        captions=dict(Counter(clip.caption for clip in folder.clips if clip.caption).most_common()),
        faults=_faults(folder.broken),
        copies=_connected(folder, (*folder.same_bytes, *(folder.near_copies or ()))),
        leaks=tuple(_leaks(folder)),
    )


def _split_facts(clips: Sequence[Clip]) -> SplitFacts:
    captions = [clip.caption for clip in clips if clip.caption]
    return SplitFacts(
        num_clips=len(clips),
        num_clusters=len({clip.cluster for clip in clips}),
        num_bytes=sum(path.stat().st_size for path in _files(clips)),
        frames=_spread([clip.num_frames for clip in clips]),
        duration_s=_spread([clip.duration_us / 1e6 for clip in clips if clip.duration_us is not None]),
        num_captioned=len(captions),
        num_captions=len(set(captions)),
        caption_words=_spread([len(caption.split()) for caption in captions]),
    )


def _spread(counts: Sequence[int] | Sequence[float]) -> Spread | None:
    values = list(map(float, counts))
    if not values:
        return None
    cuts = quantiles(values, n=20, method="inclusive") if len(values) > 1 else values * 19
    return Spread(
        smallest=min(values), p5=cuts[0], median=cuts[9], mean=fmean(values), p95=cuts[18], largest=max(values)
    )


def _kinds(clips: Iterable[Clip]) -> dict[str, KindFacts]:
    sizes: dict[str, list[int]] = defaultdict(list)
    for path in _files(clips):
        sizes[path.suffix.lower()].append(path.stat().st_size)
    return {kind: KindFacts(num_files=len(found), num_bytes=sum(found)) for kind, found in sorted(sizes.items())}


def _files(clips: Iterable[Clip]) -> Iterator[Path]:
    """Yield every file that the clips are read from once; several clips may be windows of one video."""
    return iter(dict.fromkeys(path for clip in clips for path in clip.frames or (clip.path,)))


def _sizes_px(clips: Iterable[Clip]) -> Iterator[tuple[int, int]]:
    """Yield the size of each clip. A file whose size its reader does not know is opened once."""
    opened: dict[Path, tuple[int, int]] = {}
    for clip in clips:
        if clip.size_px is not None:
            yield clip.size_px
            continue
        # the cameras of one scene have pictures of one size each
        key = clip.path.parent if clip.frames else clip.path
        if key not in opened:
            try:
                opened[key] = pictures(clip, [0])[0].size
            except Unreadable:  # a video is not decoded when its folder is read
                continue
        yield opened[key]


def pictures(clip: Clip, numbers: Sequence[int]) -> list[Image.Image]:
    """Return the frames of a clip that have these numbers. Raises media.Unreadable if one cannot be decoded."""
    first = clip.window[0] if clip.window else 0
    try:
        if clip.frames:
            return [stills.read(clip.frames[number]) for number in numbers]
        with reading(clip.path) as source:
            return [frame.copy() for _, frame in source.chosen([first + number for number in numbers])]
    except UNREADABLE as fault:
        raise Unreadable(clip.path, reason(fault)) from fault


def _faults(broken: Iterable[Broken]) -> tuple[Fault, ...]:
    """Group broken files by their fault, the most frequent first."""
    groups: dict[str, list[Broken]] = defaultdict(list)
    for item in broken:
        groups[re.sub(r"'[^']*'|\b\d[\d,.]*", "…", item.why)].append(item)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    return tuple(Fault(fault=fault, files=tuple(files)) for fault, files in ordered)


def _connected(folder: Folder, pairs: Iterable[tuple[str, str]]) -> tuple[tuple[Clip, ...], ...]:
    """Return the groups of clips that pairs of clip ids connect."""
    by_id = {clip.id: clip for clip in folder.clips}
    group_of: dict[str, list[Clip]] = {}
    for one, other in pairs:
        joined = group_of.get(one, [by_id[one]])
        if all(clip.id != other for clip in joined):
            joined = joined + group_of.get(other, [by_id[other]])
        group_of.update((clip.id, joined) for clip in joined)
    return tuple(tuple(group) for group in {id(group): group for group in group_of.values()}.values())


def _leaks(folder: Folder) -> Iterator[Leak]:
    """Yield the clips that belong together and stand in different splits.

    A cluster that spans splits because of one of the other kinds of leak is not told again.
    """
    told: set[str] = set()
    groups: dict[LeakKind, Iterable[Sequence[Clip]]] = {
        "same bytes": _grouped(folder.clips, lambda clip: clip.sha256),
        "near copies": _connected(folder, folder.near_copies or ()),
        "same caption": _grouped((clip for clip in folder.clips if clip.caption), lambda clip: clip.caption.casefold()),
        "same cluster": _grouped(folder.clips, lambda clip: clip.cluster),
    }
    for kind, found in groups.items():
        for clips in found:
            if len({clip.split for clip in clips}) > 1 and not (
                kind == "same cluster" and any(clip.id in told for clip in clips)
            ):
                told.update(clip.id for clip in clips)
                yield Leak(kind=kind, clips=tuple(clips))


def _grouped(clips: Iterable[Clip], key: Callable[[Clip], Hashable]) -> Iterable[list[Clip]]:
    groups: dict[Hashable, list[Clip]] = defaultdict(list)
    for clip in clips:
        groups[key(clip)].append(clip)
    return groups.values()
