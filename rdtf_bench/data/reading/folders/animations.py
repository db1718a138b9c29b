"""Find the clips below a folder: animated images, videos, and folders of frames.

The clips are generated ones, or real ones to compare them with. The id of a clip is its path below the root without the
suffix, so that `a/cat.gif` of one method and `a/cat/000.png` ... of another are the same clip. Pixels are decoded by
decode.py; this module does not import torch.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image

from rdtf_bench.core.dataset import FramesBy
from rdtf_bench.core.errors import DataError, listed
from rdtf_bench.core.store import key_of, sha256_of
from rdtf_bench.data.reading import media
from rdtf_bench.data.reading.folders.captions import Row, read_metadata, spellings
from rdtf_bench.data.reading.folders.inspection import inspect
from rdtf_bench.data.reading.folders.walk import Broken, Tree, told, walk
from rdtf_bench.data.reading.images import stills
from rdtf_bench.data.reading.media import UNREADABLE
from rdtf_bench.data.reading.suffixes import ANIMATION_SUFFIXES, VIDEO_SUFFIXES

STILL_SUFFIXES = (".jpg", ".jpeg", ".bmp")  # of frames; PNG and WebP files may be frames as well


@dataclass(frozen=True, kw_only=True)
class Animation:
    """One clip on disk."""

    id: str
    path: Path  # a file or a folder of frames
    frames: tuple[Path, ...]  # files of a folder of frames, in order; empty if the clip is one file
    num_frames: int
    width_px: int
    height_px: int
    is_uneven: bool = False  # whether its frames are shown for different times
    without_trailer: bool = False  # whether it is a GIF whose only fault is that its last byte is missing


@dataclass(frozen=True, kw_only=True)
class ClipFolder:
    """The content of a folder of clips; clips are sorted by id."""

    root: Path
    clips: tuple[Animation, ...]
    broken: tuple[Broken, ...]  # clips that cannot be used
    other_kinds: Mapping[str, int]  # number of files of other kinds by suffix, which are not read

    def require_unbroken(self, remedy: str = "Repair or remove them.") -> None:
        """Raise DataError that lists the clips that cannot be used."""
        if self.broken:
            raise DataError(
                f"{self.root}: clips that cannot be used: {len(self.broken)}\n"
                f"{listed([f'{item.path}: {item.why}' for item in self.broken])}\n{remedy}"
            )


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The shape that every clip is given.

    Frames are taken at equal intervals over the loop. If a size is given, they are stretched to a square of that size.
    """

    num_frames: int
    size_px: int | None
    frames_by: FramesBy = "index"


class Unusable(Exception):
    """The reason why a clip cannot be used; one DataError lists those of a whole folder."""


def read(root: Path) -> ClipFolder:
    """Read the clips below a folder.

    Raises DataError if there is none or two have the same id. Clips that cannot be used are listed in the result.
    """
    tree = walk(root, (*ANIMATION_SUFFIXES, *STILL_SUFFIXES))
    found: dict[str, Animation] = {}
    broken = list(tree.dangling)
    twins = []
    for name, path, frames in _places(tree):
        try:
            clip = _folder_of_frames(name, path, frames) if frames else _file(name, path)
        except Unusable as fault:
            broken.append(Broken(path=path, why=str(fault)))
            continue
        if name in found:
            twins.append(f"{path}: has the clip id {name!r}, and so has {found[name].path}: keep one of them")
        found[name] = clip
    if twins:
        raise DataError(f"{root}: clips that have the id of another: {len(twins)}\n{listed(twins)}")
    if not found and not broken:
        other = f" Files of other kinds: {told(tree.other_kinds)}." if tree.other_kinds else ""
        kinds = f"{', '.join(ANIMATION_SUFFIXES)} files, or folders of {_still_kinds()} frames"
        raise DataError(f"{root}: holds no clip. Clips are {kinds}.{other}")
    return ClipFolder(
        root=root,
        clips=tuple(found[name] for name in sorted(found)),
        broken=tuple(broken),
        other_kinds=tree.other_kinds,
    )


def common_shape(
    clips: Sequence[Animation], *, num_frames: int | None, size_px: int | None, frames_by: FramesBy = "index"
) -> Shape:
    """Return the common shape of all clips.

    Raises DataError if clips differ in their number of frames or size and no number was given for it. By time, clips
    may have fewer frames than the shape, and some of them repeat.
    """
    if num_frames is None:
        _require_one("frames", {str(clip.path): str(clip.num_frames) for clip in clips}, "--num-frames N")
    if size_px is None:
        _require_one("pixels", {str(clip.path): f"{clip.width_px}x{clip.height_px}" for clip in clips}, "--size PX")
    wanted = num_frames or clips[0].num_frames
    short = [f"{clip.path}: {clip.num_frames} frames" for clip in clips if clip.num_frames < wanted]
    if short and frames_by == "index":
        raise DataError(
            f"clips that have fewer than {wanted} frames: {len(short)}\n{listed(short)}\nSet --num-frames to at most "
            "the length of the shortest clip, or remove the short ones. (A GIF may lose equal frames when it is saved.)"
        )
    return Shape(num_frames=wanted, size_px=size_px, frames_by=frames_by)


def read_captions(path: Path, clips: Sequence[Animation]) -> dict[str, str]:
    """Read the caption of each clip by its id; rows for other clips are ignored.

    A row names its clip by its `id` or else by its `file_name`, whose suffix may differ. Raises DataError if a clip has
    no caption, or two.
    """
    if path.suffix not in (".jsonl", ".csv"):
        raise DataError(f"{path}: captions are read from a .jsonl or .csv file with one row per clip (file_name, text)")
    ids = {clip.id for clip in clips}
    rows: dict[str, Row] = {}
    for row in read_metadata(path):
        names = [*spellings(row.id or row.file_name), *spellings(row.file_name)]
        names += [_without_suffix(name) for name in spellings(row.file_name)]
        clip_id = next((name for name in names if name in ids), None)
        if clip_id in rows:
            raise DataError(f"{row.where}: the clip {clip_id!r} already has a caption at {rows[clip_id].where}")
        if clip_id is not None:
            rows[clip_id] = row
    if without := [f"{clip.path}" for clip in clips if clip.id not in rows]:
        raise DataError(f"{path}: has no caption for {len(without)} of {len(clips)} clips:\n{listed(without)}")
    return {clip_id: row.caption for clip_id, row in rows.items()}


def fingerprint(clips: Sequence[Animation]) -> str:
    """Return a hash of the ids and bytes of the clips, in the order given, and of the reader."""
    rows = [[clip.id, *(sha256_of(path) for path in clip.frames or (clip.path,))] for clip in clips]
    return key_of([media.VERSION, rows])


def _places(tree: Tree) -> Iterator[tuple[str, Path, tuple[Path, ...]]]:
    """Yield the id and the path of each clip: a file, or a folder whose images are the frames of one clip."""
    folders: dict[Path, dict[str, Path]] = {}
    for at, path in tree.files.items():
        folders.setdefault(path.parent, {})[at] = path
    for folder, files in folders.items():
        images = [path for path in files.values() if path.suffix.lower() not in VIDEO_SUFFIXES]
        if folder != tree.root and _are_frames(images):
            yield str(PurePosixPath(next(iter(files))).parent), folder, tuple(sorted(images, key=_natural))
            files = {at: path for at, path in files.items() if path.suffix.lower() in VIDEO_SUFFIXES}
        yield from ((_without_suffix(at), path, ()) for at, path in files.items())


def _without_suffix(at: str) -> str:
    return at.removesuffix(PurePosixPath(at).suffix)


def _are_frames(images: Sequence[Path]) -> bool:
    """Tell whether the images of a folder are the frames of one clip: still images, of which some may be broken."""
    announced = [_announced(path) for path in images]
    return 1 in announced and max(announced) == 1


def _announced(path: Path) -> int:
    """Return the number of frames that the header of a file announces, or 0 if it is broken.

    The further pictures of a JPEG file are previews, which some cameras add.
    """
    try:
        with Image.open(path) as image:
            return 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    except UNREADABLE:
        return 0


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Return a sort key by which frame 10 comes after frame 9."""
    parts: Sequence[str] = re.split(r"(\d+)", path.name)
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]


def _folder_of_frames(name: str, path: Path, frames: Sequence[Path]) -> Animation:
    sizes: dict[tuple[int, int], Path] = {}
    for frame in frames:
        try:
            sizes.setdefault(stills.read(frame).size, frame)
        except UNREADABLE as fault:
            raise Unusable(f"{frame.name}: {media.reason(fault)}") from fault
    if len(sizes) > 1:
        told = ", ".join(f"{frame.name} {width}x{height}" for (width, height), frame in sizes.items())
        raise Unusable(f"its frames differ in size: {told}")
    _require_motion(len(frames))
    ((width, height),) = sizes
    return Animation(id=name, path=path, frames=tuple(frames), num_frames=len(frames), width_px=width, height_px=height)


def _file(name: str, path: Path) -> Animation:
    if path.suffix.lower() in STILL_SUFFIXES:
        _require_motion(1)
    facts = inspect(path)
    if facts.why_broken:
        raise Unusable(facts.why_broken)
    _require_motion(facts.num_frames)
    return Animation(
        id=name,
        path=path,
        frames=(),
        num_frames=facts.num_frames,
        width_px=facts.width_px,
        height_px=facts.height_px,
        is_uneven=facts.is_uneven,
        without_trailer=facts.without_trailer,
    )


def _require_motion(num_frames: int) -> None:
    if num_frames < 2:
        raise Unusable(
            "is a clip of one frame and shows no motion. (Put the frames of one clip into a folder of their own.)"
        )


def _require_one(what: str, told: Mapping[str, str], option: str) -> None:
    """Raise DataError with an example of each kind if the clips differ; `told` maps a path to what it has."""
    examples: dict[str, str] = {}
    for path, has in told.items():
        examples.setdefault(has, path)
    if len(examples) > 1:
        shown = [f"{path}: {has} {what}" for has, path in examples.items()]
        raise DataError(f"the clips differ in {what}:\n{listed(shown)}\nSet a common value with {option}.")


def _still_kinds() -> str:
    return ", ".join((".png", ".webp", *STILL_SUFFIXES))
