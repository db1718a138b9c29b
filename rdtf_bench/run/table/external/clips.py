"""Clips that a model outside this suite made for the conditions of a table: one more row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rdtf_bench.core.errors import DataError, ProtocolError, listed, printable
from rdtf_bench.data.reading.folders import animations
from rdtf_bench.data.reading.folders.animations import Animation
from rdtf_bench.data.reading.folders.walk import told
from rdtf_bench.spec.schema import ClipShape

if TYPE_CHECKING:
    from rdtf_bench.core.video import VideoU8


@dataclass(frozen=True, kw_only=True)
class ExternalClips:
    """The clips of one row, in a folder of the user."""

    folder: Path
    fingerprint: str  # of all clips of the folder
    clips: Mapping[str, Animation]  # by id
    other_kinds: Mapping[str, int]  # number of files that are not read, by suffix

    def left_out(self) -> str:
        """Return what was not read of the folder, or an empty text."""
        if not self.other_kinds:
            return ""
        return f"{self.folder} also holds files of other kinds, which are not read: {told(self.other_kinds)}."

    def require(self, ids: Sequence[str], shape: ClipShape) -> None:
        """Raise DataError where clips are missing or have another number of frames or size than the table's."""
        by_case = {clip_id.casefold(): clip_id for clip_id in self.clips}
        absent = [
            clip_id + (f" (there is {by_case[clip_id.casefold()]})" if clip_id.casefold() in by_case else "")
            for clip_id in ids
            if clip_id not in self.clips
        ]
        wanted = (shape.num_frames, shape.size_px, shape.size_px)
        other = [
            f"{clip.path}: {clip.num_frames} frames of {clip.width_px}x{clip.height_px}"
            for clip in map(self.clips.get, ids)
            if clip is not None and (clip.num_frames, clip.width_px, clip.height_px) != wanted
        ]
        faults = []
        if absent:
            faults.append(f"{len(absent)} of {len(ids)} clips are missing:\n{listed(absent)}")
            faults += [self.left_out()] if self.other_kinds else []
        if other:
            told = f"{shape.num_frames} frames of {shape.size_px}x{shape.size_px}"
            faults.append(f"{len(other)} of {len(ids)} clips do not have {told}:\n{listed(other)}")
        if faults:
            raise DataError(
                f"{self.folder}: "
                + "\n".join(faults)
                + "\nA clip is a file or a folder of frames. Its path below this folder is its id. The ids stand in "
                "the metadata.jsonl that this command writes: rdtf-bench conditions export TABLE --out DIR. Upper and "
                "lower case are different."
            )

    def video(self, ids: Sequence[str]) -> "VideoU8":
        """Return the pixels of these clips."""
        import torch

        from rdtf_bench.data.reading import decode

        chosen = [self.clips[clip_id] for clip_id in ids]
        shape = animations.common_shape(chosen, num_frames=None, size_px=None)
        return torch.stack([decode.decode_animation(clip, shape) for clip in chosen])


def read(given: Sequence[str]) -> dict[str, ExternalClips]:
    """Return the clips of each `NAME=FOLDER` by name; ProtocolError for a text of another form."""
    found = {}
    for text in given:
        label, separator, folder = text.partition("=")
        if not separator or not label or not folder:
            raise ProtocolError(f"--with {text!r} is not of the form NAME=FOLDER, such as --with mine=clips")
        if printable(label) != label:
            raise ProtocolError(f"--with {text!r}: the name of the row is not valid UTF-8")
        if label in found:
            raise ProtocolError(f"--with names the row {label!r} twice")
        held = animations.read(Path(folder))
        held.require_unbroken()
        found[label] = ExternalClips(
            folder=Path(folder),
            fingerprint=animations.fingerprint(held.clips),
            clips={clip.id: clip for clip in held.clips},
            other_kinds=held.other_kinds,
        )
    return found
