"""Clips of any kind below a folder: animated images, videos, folders of frames; and what they hold: what a method made,
or what it is compared with. Their pixels are decode.py's. No torch.

A clip's id is its path below the root without its suffix, so that `a/cat.gif` and `a/cat/000.png` ... are the same clip
of two methods.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from PIL import Image

from rdtf_bench.core.errors import DataError, listed
from rdtf_bench.core.store import key_of, sha256_of
from rdtf_bench.data.reading.captions import Row, read_metadata
from rdtf_bench.data.reading.inspection import SUFFIXES, UNREADABLE, inspect

if TYPE_CHECKING:
    from av.container import InputContainer

VIDEO_SUFFIXES = (".mp4", ".m4v", ".webm", ".mov", ".mkv", ".avi")
STILL_SUFFIXES = (".jpg", ".jpeg", ".bmp")  # of frames; a PNG or WebP may be a frame as well


@dataclass(frozen=True, kw_only=True)
class Animation:
    """One clip on disk."""

    id: str
    path: Path  # a file, or a folder of frames
    frames: tuple[Path, ...]  # of a folder, in order; empty where the clip is one file
    num_frames: int
    width_px: int
    height_px: int


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What every clip becomes: frames at equal intervals over its loop, stretched to a square where a size is given."""

    num_frames: int
    size_px: int | None


class Unusable(Exception):
    """Why a clip cannot be used; all of a folder's are told in one DataError."""


def find(root: Path) -> tuple[Animation, ...]:
    """Every clip below `root`, sorted by id; DataError that names each one that cannot be used."""
    if not root.is_dir():
        raise DataError(f"{root}: {'is not a folder' if root.exists() else 'there is no such folder'}")
    found: dict[str, Animation] = {}
    faults = []
    for path, frames in _places(root):
        relative = PurePosixPath(path.relative_to(root).as_posix())
        name = str(relative if frames else relative.with_suffix(""))
        try:
            clip = _folder_of_frames(name, path, frames) if frames else _file(name, path)
            if name in found:
                raise Unusable(f"is the clip {name!r}, and so is {found[name].path}: keep one of them")
            found[name] = clip
        except Unusable as fault:
            faults.append(f"{path}: {fault}")
    if faults:
        raise DataError(f"{root}: clips that cannot be used: {len(faults)}\n{listed(faults)}")
    if not found:
        kinds = ", ".join((*SUFFIXES, *VIDEO_SUFFIXES))
        raise DataError(f"{root}: holds no clip. Clips are {kinds} files, or folders of {_still_kinds()} frames.")
    return tuple(found[name] for name in sorted(found))


def common_shape(clips: Sequence[Animation], *, num_frames: int | None, size_px: int | None) -> Shape:
    """The shape of all clips alike; DataError that names clips where they differ and no number was given for it."""
    if num_frames is None:
        _require_one("frames", {str(clip.path): str(clip.num_frames) for clip in clips}, "--num-frames N")
    if size_px is None:
        _require_one("pixels", {str(clip.path): f"{clip.width_px}x{clip.height_px}" for clip in clips}, "--size PX")
    wanted = num_frames or clips[0].num_frames
    if short := [f"{clip.path}: {clip.num_frames} frames" for clip in clips if clip.num_frames < wanted]:
        raise DataError(
            f"clips that have fewer than {wanted} frames: {len(short)}\n{listed(short)}\nAsk for no more than the "
            "shortest has (--num-frames), or remove them. (A GIF may have lost equal frames when it was saved.)"
        )
    return Shape(num_frames=wanted, size_px=size_px)


def read_captions(path: Path, clips: Sequence[Animation]) -> dict[str, str]:
    """Caption by clip id; rows of other clips are left aside. DataError for clips with none or with two.

    A row names its clip by its `id` where it has one, else by its `file_name`, whose suffix may be another.
    """
    if path.suffix not in (".jsonl", ".csv"):
        raise DataError(f"{path}: captions are read from .jsonl or .csv, one row a clip with file_name and text")
    ids = {clip.id for clip in clips}
    rows: dict[str, Row] = {}
    for row in read_metadata(path):
        names = (row.id, row.file_name, str(PurePosixPath(row.file_name).with_suffix("")))
        clip_id = next((name for name in names if name in ids), None)
        if clip_id in rows:
            raise DataError(f"{row.where}: the clip {clip_id!r} has a caption already at {rows[clip_id].where}")
        if clip_id is not None:
            rows[clip_id] = row
    if without := [f"{clip.path}" for clip in clips if clip.id not in rows]:
        raise DataError(f"{path}: names no caption of {len(without)} of {len(clips)} clips:\n{listed(without)}")
    return {clip_id: row.caption for clip_id, row in rows.items()}


def fingerprint(clips: Sequence[Animation]) -> str:
    """Of ids and bytes, in the order of the ids."""
    return key_of([[clip.id, *(sha256_of(path) for path in clip.frames or (clip.path,))] for clip in clips])


def open_video(path: Path) -> "InputContainer":
    """DataError for a file that is no video."""
    import av  # its FFmpeg takes a twentieth of a second to load, and most folders hold no video

    try:
        container = av.open(path)
    except (av.FFmpegError, OSError) as fault:
        raise DataError(f"{path}: cannot be decoded: {fault}") from fault
    if not container.streams.video:
        container.close()
        raise DataError(f"{path}: holds no video stream")
    return container


def _places(root: Path) -> Iterator[tuple[Path, tuple[Path, ...]]]:
    """Files that are a clip each (no frames), and folders whose images are the frames of one."""
    for at, below, names in os.walk(root):
        below[:] = sorted(name for name in below if not name.startswith((".", "__MACOSX")))
        folder = Path(at)
        paths = [folder / name for name in sorted(names) if not name.startswith(".")]
        images = [path for path in paths if path.suffix.lower() in (*SUFFIXES, *STILL_SUFFIXES)]
        if images and folder != root and all(_is_still(path) for path in images):
            yield folder, tuple(sorted(images, key=_natural))
        else:
            yield from ((path, ()) for path in images)
        yield from ((path, ()) for path in paths if path.suffix.lower() in VIDEO_SUFFIXES)


def _is_still(path: Path) -> bool:
    """As far as the head of the file tells; a broken one is no frame, so that it is named by itself."""
    try:
        with Image.open(path) as image:
            return getattr(image, "n_frames", 1) == 1
    except UNREADABLE:
        return False


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Frame 10 comes after frame 9."""
    parts: Sequence[str] = re.split(r"(\d+)", path.name)
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]


def _folder_of_frames(name: str, path: Path, frames: Sequence[Path]) -> Animation:
    sizes: dict[tuple[int, int], Path] = {}
    for frame in frames:
        try:
            with Image.open(frame) as image:
                image.load()
                sizes.setdefault(image.size, frame)
        except UNREADABLE as fault:
            raise Unusable(f"{frame.name} cannot be decoded: {fault}") from fault
    if len(sizes) > 1:
        told = ", ".join(f"{frame.name} {width}x{height}" for (width, height), frame in sizes.items())
        raise Unusable(f"its frames differ in size: {told}")
    _require_motion(len(frames))
    ((width, height),) = sizes
    return Animation(id=name, path=path, frames=tuple(frames), num_frames=len(frames), width_px=width, height_px=height)


def _file(name: str, path: Path) -> Animation:
    num_frames, width, height = _video(path) if path.suffix.lower() in VIDEO_SUFFIXES else _image(path)
    _require_motion(num_frames)
    return Animation(id=name, path=path, frames=(), num_frames=num_frames, width_px=width, height_px=height)


def _image(path: Path) -> tuple[int, int, int]:
    facts = inspect(path) if path.suffix.lower() in SUFFIXES else None
    if facts and facts.why_broken:
        raise Unusable(facts.why_broken)
    try:
        with Image.open(path) as image:
            return facts.num_frames if facts else 1, image.width, image.height
    except UNREADABLE as fault:
        raise Unusable(f"cannot be decoded: {fault}") from fault


def _video(path: Path) -> tuple[int, int, int]:
    """Decoded to the end: what the head of a file says of its frames may be absent or wrong."""
    import av

    try:
        with open_video(path) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            num_frames = sum(1 for _ in container.decode(stream))
            return num_frames, stream.width, stream.height
    except DataError as fault:
        raise Unusable(str(fault).removeprefix(f"{path}: ")) from fault
    except av.FFmpegError as fault:
        raise Unusable(f"cannot be decoded: {fault}") from fault


def _require_motion(num_frames: int) -> None:
    if num_frames < 2:
        raise Unusable(
            "is a clip of one frame, and nothing moves in it. (Frames of one clip belong in a folder of their own.)"
        )


def _require_one(what: str, told: Mapping[str, str], option: str) -> None:
    """`told`: what each clip has. DataError that shows a clip of every kind where they differ."""
    examples: dict[str, str] = {}
    for path, has in told.items():
        examples.setdefault(has, path)
    if len(examples) > 1:
        shown = [f"{path}: {has} {what}" for has, path in examples.items()]
        raise DataError(f"the clips differ in {what}:\n{listed(shown)}\nSay what all of them become with {option}.")


def _still_kinds() -> str:
    return ", ".join((".png", ".webp", *STILL_SUFFIXES))
