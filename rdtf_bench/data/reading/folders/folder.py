"""Read a data folder: a tree of animations with `metadata.jsonl`, `.csv` or `.parquet`, checked file by file.

The layout is Hugging Face's imagefolder: any folder may hold a metadata file, and folders named train, validation and
test at the top are splits. VSD2M's index is read as well. The module does not import torch, because the command line
lists and checks folders with it.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from rdtf_bench.core.dataset import Clip
from rdtf_bench.core.errors import LISTED, DataError, listed
from rdtf_bench.core.store import key_of
from rdtf_bench.data.reading import media
from rdtf_bench.data.reading.folders import copies, vsd2m
from rdtf_bench.data.reading.folders.captions import (
    Row,
    caption_from_name,
    read_metadata,
    spellings,
    split_by_caption,
    split_of_folder,
)
from rdtf_bench.data.reading.folders.index import Progress, inspect_all
from rdtf_bench.data.reading.folders.walk import Broken, Tree, told, walk
from rdtf_bench.data.reading.suffixes import ANIMATION_SUFFIXES

SPLITS = ("train", "validation", "test")
Pairs = tuple[tuple[str, str], ...]  # of clip ids, such that they connect all clips that are copies of each other


@dataclass(frozen=True, kw_only=True)
class Folder:
    """The content of a data folder; clips are sorted by id."""

    root: Path
    clips: tuple[Clip, ...]
    broken: tuple[Broken, ...]
    stills: tuple[Path, ...]  # images of a single frame, which are ignored
    uncaptioned: tuple[Path, ...]  # animations that the metadata does not name
    other_kinds: Mapping[str, int]  # number of files of other kinds by suffix, which are not read
    same_bytes: Pairs = ()
    near_copies: Pairs | None = None  # clips that show nearly the same; None if they were not looked for
    num_uneven: int = 0  # clips whose frames are shown for different times
    num_without_trailer: int = 0  # GIF files among the clips whose last byte is missing
    captions_from: str
    split_from: str
    notes: Mapping[str, int] = field(default_factory=dict)  # what else is left out or cut, in words

    def require_unbroken(self, *, skip_broken: bool) -> None:
        """Raise DataError that lists the broken files, unless they may be skipped."""
        if self.broken and not skip_broken:
            raise DataError(
                f"{self.root}: {counted(len(self.broken), 'file')} cannot be used:\n"
                + listed([f"{item.path}: {item.why}" for item in self.broken])
                + "\nRepair or remove them, or leave them out with --skip-broken."
            )

    def require_one_split(self) -> None:
        """Raise DataError if files of equal bytes stand in different splits."""
        clips = {clip.id: clip for clip in self.clips}
        pairs = [(clips[one], clips[other]) for one, other in self.same_bytes]
        leaks = [
            " and ".join(f"{clip.path.relative_to(self.root)} ({clip.split})" for clip in pair)
            for pair in pairs
            if pair[0].split != pair[1].split
        ]
        if leaks:
            raise DataError(
                f"{self.root}: {counted(len(leaks), 'pair')} of files with the same bytes stand in different splits:\n"
                f"{listed(leaks)}\nRemove one of each pair, or give both the same split."
            )

    @property
    def num_copies(self) -> int:
        """Number of clips of which another has the same bytes."""
        return len({clip for pair in self.same_bytes for clip in pair})

    @property
    def num_near_copies(self) -> int:
        """Number of clips of which another shows nearly the same."""
        return len({clip for pair in self.near_copies or () for clip in pair})

    def left_out(self) -> str:
        """Return what of the folder is not used as words, or an empty text."""
        counts = (
            counted(len(self.broken), "broken file") if self.broken else "",
            counted(len(self.stills), "still image") if self.stills else "",
            counted(len(self.uncaptioned), "file") + " without metadata" if self.uncaptioned else "",
            f"files of other kinds: {told(self.other_kinds)}" if self.other_kinds else "",
            *(f"{words}: {count:,}" for words, count in self.notes.items() if count),
        )
        return "; ".join(filter(None, counts))

    def counts(self) -> dict[str, int]:
        """Return the number of clips of each split."""
        found = Counter(clip.split for clip in self.clips)
        return {split: found[split] for split in SPLITS}


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The clips that `choose` selected."""

    clips: tuple[Clip, ...]
    left_out_short: int  # number of clips of the split that have too few frames


def read(
    root: Path,
    *,
    name: str,
    near_copies: bool = True,
    cache: Path | None = None,
    on_progress: Progress | None = None,
) -> Folder:
    """Read and check a data folder; `name` is the first part of every clip id.

    Clips of equal bytes form one cluster, and so do near copies, which are looked for if `near_copies` says so.

    `cache` is the index of the folder (see index.py). Raises DataError if the folder or its metadata is wrong. Single
    broken files are listed in the result.
    """
    tree = walk(root, ANIMATION_SUFFIXES)
    if not tree.files:
        raise DataError(f"{root}: holds no file {_wanted(tree)}")
    rows, notes = _rows(tree)
    facts = inspect_all(tree.files, cache, on_progress)
    ids = _ids(name, tree.files, rows)
    there = [at for at, found in facts.items() if found.num_frames > 1 and (at in rows or not tree.metadata)]
    lacking = {at: why for at in there if at in rows and (why := _lacks_keyframes(rows[at], facts[at].num_frames))}
    usable = [at for at in there if at not in lacking]
    captions = {
        at: rows[at].caption if at in rows else caption_from_name(PurePosixPath(root.name) / at) for at in usable
    }
    same = list(copies.same_bytes({at: facts[at].sha256 for at in usable}))
    repeated = {other for _, other in same}
    looks = {at: facts[at].look for at in usable if at not in repeated and copies.telling(facts[at].look)}
    alike = list(copies.near(looks)) if near_copies else []
    clusters = _clusters(captions, rows, [*same, *alike])
    splits, split_from = _splits(root, clusters, rows)
    clips = [
        Clip(
            id=ids[at],
            path=tree.files[at],
            caption=captions[at],
            cluster=clusters[at],
            split=splits[at],
            num_frames=facts[at].num_frames,
            sha256=facts[at].sha256,
            keyframes=rows[at].keyframes if at in rows else (),
            size_px=(facts[at].width_px, facts[at].height_px),
            duration_us=facts[at].duration_us,
        )
        for at in usable
    ]
    faults = {at: found.why_broken for at, found in facts.items() if found.why_broken} | lacking
    broken = [Broken(path=tree.files[at], why=faults[at]) for at in tree.files if at in faults]
    stills = tuple(tree.files[at] for at, found in facts.items() if found.num_frames == 1)
    uncaptioned = tuple(path for at, path in tree.files.items() if tree.metadata and at not in rows)
    if not clips and not broken:
        raise DataError(f"{root}: holds no animation: {counted(len(stills), 'still image')} {_wanted(tree)}")
    return Folder(
        root=root,
        clips=tuple(sorted(clips, key=lambda clip: clip.id)),
        broken=(*broken, *tree.dangling),
        stills=stills,
        uncaptioned=uncaptioned,
        other_kinds=tree.other_kinds,
        same_bytes=tuple((ids[one], ids[other]) for one, other in same),
        near_copies=tuple((ids[one], ids[other]) for one, other in alike) if near_copies else None,
        num_uneven=sum(facts[at].is_uneven for at in usable),
        num_without_trailer=sum(facts[at].without_trailer for at in usable),
        captions_from=_metadata_names(tree) if tree.metadata else "file names",
        split_from=split_from,
        notes=notes,
    )


def choose(clips: Sequence[Clip], *, split: str, most: int | None = None, min_frames: int = 1) -> Chosen:
    """Choose at most `most` clips of a split, from as many clusters as possible, sorted by id.

    A clip that is added to or removed from the folder changes at most one of the chosen clips.
    """
    in_split = [clip for clip in clips if clip.split == split]
    long_enough = [clip for clip in in_split if clip.num_frames >= min_frames]
    return Chosen(
        clips=tuple(sorted(_in_turn(long_enough)[:most], key=lambda clip: clip.id)),
        left_out_short=len(in_split) - len(long_enough),
    )


def _in_turn(clips: Sequence[Clip]) -> list[Clip]:
    """Order clips in turns: one clip of every cluster, then a second one of every cluster that has two, and so on.

    A hash of the ids orders the clips of each turn.
    """
    taken: Counter[str] = Counter()
    turns: list[tuple[int, Clip]] = []
    for clip in sorted(clips, key=lambda clip: hashlib.sha256(clip.id.encode()).hexdigest()):
        turns.append((taken[clip.cluster], clip))
        taken[clip.cluster] += 1
    return [clip for _, clip in sorted(turns, key=lambda turn: turn[0])]


def fingerprint(clips: Sequence[Clip]) -> str:
    """Return a hash of what determines a score: the ids, bytes and captions of the clips, and the reader."""
    return key_of([media.VERSION, sorted(_told_apart_by(clip) for clip in clips)])


def _told_apart_by(clip: Clip) -> tuple[object, ...]:
    keyframes = (clip.keyframes,) if clip.keyframes else ()  # absent from older fingerprints, which stay as they are
    return clip.id, clip.sha256, clip.caption, *keyframes


def clustering(clips: Sequence[Clip]) -> str:
    """Return a hash of the clusters of the clips, which determine the confidence interval of a score."""
    return key_of(sorted((clip.id, clip.cluster) for clip in clips))


def _wanted(tree: Tree) -> str:
    other = f" Files of other kinds: {told(tree.other_kinds)}." if tree.other_kinds else ""
    return f"that could be used. Animations are {', '.join(ANIMATION_SUFFIXES)} files of two frames or more.{other}"


def _metadata_names(tree: Tree) -> str:
    names = list(tree.metadata)
    return ", ".join(names) if len(names) <= LISTED else f"{len(names):,} metadata files"


def _rows(tree: Tree) -> tuple[dict[str, Row], Mapping[str, int]]:
    """Return the row of each file that a metadata file names, by the path of the file below the root, and notes.

    Raises DataError for a file that two metadata files name, and for two metadata files in one folder.
    """
    by_folder: dict[Path, list[str]] = {}
    for metadata in tree.metadata.values():
        by_folder.setdefault(metadata.parent, []).append(metadata.name)
    for folder, names in by_folder.items():
        if len(names) > 1:
            raise DataError(f"{folder}: holds {' and '.join(names)}. Keep one of them.")
    rows: dict[str, Row] = {}
    notes: Mapping[str, int] = {}
    for at, metadata in tree.metadata.items():
        if vsd2m.is_index(metadata):
            found, notes = vsd2m.read_index(metadata, tree.files)
        else:
            found = _rows_of(metadata, PurePosixPath(at).parent, tree.files)
        if twice := [f"{found[at].where}: {at} is already named at {rows[at].where}" for at in found if at in rows]:
            raise DataError(
                f"{tree.root}: two metadata files name the same {counted(len(twice), 'file')}:\n{listed(twice)}\n"
                "Keep one row for each file."
            )
        rows |= found
    return rows, notes


def _rows_of(metadata: Path, folder: PurePosixPath, files: Mapping[str, Path]) -> dict[str, Row]:
    """Return the rows of one metadata file, whose file names are relative to its folder."""
    given = read_metadata(metadata)
    other = [f"{row.where}: {row.file_name}" for row in given if not row.file_name.lower().endswith(ANIMATION_SUFFIXES)]
    if other:
        raise DataError(
            f"{metadata}: names {counted(len(other), 'file')} of another kind than {', '.join(ANIMATION_SUFFIXES)}:\n"
            f"{listed(other)}\nConvert them, or remove their lines."
        )
    rows: dict[str, Row] = {}
    absent = []
    for row in given:
        at = next((at for name in spellings(row.file_name) if (at := str(folder / name)) in files), None)
        if at is None:
            absent.append(f"{row.where}: {row.file_name}")
        elif at in rows:
            raise DataError(f"{row.where}: file_name {row.file_name!r} is already used at {rows[at].where}")
        else:
            rows[at] = row
    if absent:
        raise DataError(
            f"{metadata}: names {counted(len(absent), 'file')} that {'is' if len(absent) == 1 else 'are'} not there "
            f"(of {len(given)}):\n{listed(absent)}\nPut the files below {metadata.parent}, or remove their lines."
        )
    return rows


def _lacks_keyframes(row: Row, num_frames: int) -> str | None:
    last = max(row.keyframes, default=0)
    return None if last < num_frames else f"has {num_frames} frames, and {row.where} names its frame {last}"


def _splits(root: Path, clusters: Mapping[str, str], rows: Mapping[str, Row]) -> tuple[dict[str, str], str]:
    """Return the split of each file, and what it comes from: a column, a folder, or a hash of the caption.

    Raises DataError if a column or a folder gives a split to some files only.
    """
    by_column = {at: split for at in clusters if at in rows and (split := rows[at].split)}
    by_folder = {at: split for at in clusters if at not in by_column and (split := split_of_folder(at))}
    splits = by_folder | by_column
    if not splits:
        return {at: split_by_caption(clusters[at]) for at in clusters}, "sha256 of the caption, 80/10/10"
    if without := [str(root / at) for at in clusters if at not in splits]:
        raise DataError(
            f"{root}: {counted(len(splits), 'animation')} {'has' if len(splits) == 1 else 'have'} a split by a split "
            f"column or the folders {', '.join(SPLITS)}, and {len(without):,} {'has' if len(without) == 1 else 'have'} "
            f"none:\n{listed(without)}\nMove them into such a folder or give them a split column. If a folder has such "
            "a name by chance, rename it."
        )
    sources = {"split column": by_column, "folder names": by_folder}
    return splits, " and ".join(source for source, given in sources.items() if given)


def _ids(name: str, files: Iterable[str], rows: Mapping[str, Row]) -> dict[str, str]:
    """Return the id of each file: that of the metadata, or else its path without suffix.

    The suffix is kept if two paths differ in nothing else.
    """
    stems = Counter(str(PurePosixPath(at).with_suffix("")) for at in files)
    ids = {}
    for at in files:
        stem = str(PurePosixPath(at).with_suffix(""))
        given = rows[at].id if at in rows else None
        ids[at] = f"{name}/{given or (stem if stems[stem] == 1 else at)}"
    first: dict[str, str] = {}
    for at, key in ids.items():
        if first.setdefault(key, at) != at:
            raise DataError(
                f"the id {key!r} belongs to two files, {first[key]} and {at}: give every row of the metadata another "
                "id, or none"
            )
    return ids


def _clusters(captions: Mapping[str, str], rows: Mapping[str, Row], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the cluster of each file.

    Files that share a caption or a cluster of the metadata, or are a pair of copies, also through further files, form
    one cluster. Its name is the first of its captions, so that without any of these it is the caption.
    """
    joined: dict[tuple[str, str], tuple[str, str]] = {}

    def first_of(label: tuple[str, str]) -> tuple[str, str]:
        while label in joined:
            label = joined[label]
        return label

    def join(one: tuple[str, str], other: tuple[str, str]) -> None:
        first, *others = sorted({first_of(one), first_of(other)})
        joined.update(dict.fromkeys(others, first))

    own = {at: ("caption", caption.casefold()) for at, caption in captions.items()}
    for at, label in own.items():
        cluster = rows[at].cluster if at in rows else None
        if cluster is not None:
            join(label, ("cluster", cluster))
    for one, other in pairs:
        join(own[one], own[other])
    return {at: first_of(label)[1] for at, label in own.items()}


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it is not one."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
