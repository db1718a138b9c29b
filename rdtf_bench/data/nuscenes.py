"""nuScenes: windows of eight frames of the six cameras of a car, or a drawn stand-in in the same layout.

A user's folder is as nuScenes is unpacked: `v1.0-trainval/` or `v1.0-mini/` with the tables, `samples/` and `sweeps/`
with the pictures. Importing the module does not import torch.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache as remembered
from itertools import groupby
from pathlib import Path, PurePosixPath

from rdtf_bench.core.dataset import Builtin, Clip
from rdtf_bench.core.errors import DataError, ProtocolError, listed
from rdtf_bench.core.store import key_of
from rdtf_bench.data.reading.folders.folder import Folder
from rdtf_bench.data.reading.folders.folder import choose as choose  # what every dataset module offers
from rdtf_bench.data.reading.folders.folder import clustering as clustering
from rdtf_bench.data.reading.folders.folder import fingerprint as fingerprint
from rdtf_bench.data.reading.folders.index import Progress
from rdtf_bench.data.reading.folders.walk import Broken
from rdtf_bench.data.reading.nuscenes import splits as nuscenes_splits
from rdtf_bench.data.reading.nuscenes import tables as nuscenes_tables
from rdtf_bench.data.reading.nuscenes.tables import CAMERAS, Frame
from rdtf_bench.data.toy import driving

MORE_CLIPS = (
    "Unpack the pictures of more scenes, samples and sweeps, or name other scenes for test, validation and training in "
    "a splits.json beside the tables."
)
VERSIONS = tuple(nuscenes_splits.VERSIONS)
NUM_FRAMES = 8
STRIDE = 8  # RDTF speaks of about 120 K training clips: six cameras and windows that do not overlap give 121,800
# The cameras are triggered by the lidar's turns of 50 ms, 12 times in 20 turns, so that regular steps are 50 and 100 ms
# (time stamps in nutonomy/nuscenes-devkit issue 1025, which also tells of frames that were dropped). Each dropped frame
# leaves a step of 150 ms or more. One and a half times the nominal step, 125 ms, is between the two. The same factor
# suits key frames, which are 0.5 s apart.
LONGEST_STEP = 1.5
STEP_US, KEY_STEP_US = 1_000_000 / 12, 500_000.0
# Number of scenes of the stand-in, and of the key frames of each camera in one of them
STAND_IN: Mapping[str, tuple[int, int]] = {"train": (40, 5), "validation": (24, 3), "test": (24, 3)}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Options: how frames are cut into clips."""

    cameras: tuple[str, ...] = CAMERAS
    """Cameras whose frames are used."""
    stride: int = STRIDE
    """Number of frames from the start of a window to the start of the next one."""
    keyframes_only: bool = False
    """Whether to leave out the sweeps, so that frames are half a second apart."""

    def __post_init__(self) -> None:
        """Raise ProtocolError for cameras that do not exist, for no camera, and for a stride below 1."""
        if unknown := [camera for camera in self.cameras if camera not in CAMERAS]:
            raise ProtocolError(f"cameras: there is no camera {unknown[0]!r}. Known: {', '.join(CAMERAS)}.")
        if not self.cameras or self.stride < 1:
            raise ProtocolError(
                f"cameras={self.cameras!r}, stride={self.stride}: name at least one camera, and a stride of at least 1."
            )


@remembered
def builtin(cameras: tuple[str, ...] = CAMERAS, stride: int = STRIDE, keyframes_only: bool = False) -> Builtin:
    """Return the fingerprint and the counts of the stand-in, cut by these options; see Config."""
    config = Config(cameras=cameras, stride=stride, keyframes_only=keyframes_only)
    counts: Counter[str] = Counter()
    lists = nuscenes_splits.of_version(driving.TABLES_FOLDER)
    split_of = {scene: split for split, members in lists.items() for scene in members}
    used = [
        shot
        for shot in driving.shots(stand_in_scenes())
        if shot.camera in cameras and (shot.is_key or not keyframes_only)
    ]
    for (scene, _), taken in groupby(used, key=lambda shot: (shot.scene, shot.camera)):
        runs = _runs([shot.timestamp_us for shot in taken], KEY_STEP_US if keyframes_only else STEP_US)
        counts[split_of[scene]] += len(_starts(runs, stride=stride))
    if not any(counts.values()):
        raise DataError(
            f"{driving.NAME}: its scenes are too short for clips of {NUM_FRAMES} key frames. Give nuScenes itself with "
            "--data nuscenes=DIR."
        )
    drawn = f"{driving.NAME}-{driving.fingerprint(stand_in_scenes())}"
    cut = "" if config == Config() else f"-{key_of(asdict(config))}"
    return Builtin(fingerprint=drawn + cut, counts=dict(counts))


def stand_in_scenes() -> dict[str, int]:
    """Return the scenes of the stand-in, which have real names, and the number of key frames of each camera."""
    lists = nuscenes_splits.of_version(driving.TABLES_FOLDER)
    return {scene: num_keys for split, (count, num_keys) in STAND_IN.items() for scene in lists[split][:count]}


def prepare(source: str | None, *, store: Path) -> Path:
    """Return the folder of a source: None is the stand-in, which is written if it is not there; else it is a path."""
    if source is None:
        root = store / "data" / f"{driving.NAME}-{driving.fingerprint(stand_in_scenes())}"
        driving.write(root, stand_in_scenes())
        return root
    return Path(source)


def read(
    root: Path,
    *,
    name: str = "nuscenes",
    cameras: tuple[str, ...] = CAMERAS,
    stride: int = STRIDE,
    keyframes_only: bool = False,
    cache: Path | None = None,
    on_progress: Progress | None = None,
) -> Folder:
    """Cut the frames of every scene and camera into windows of eight, of which each is a clip; see Config.

    Without options, clips are cut as the paper's comparison seems to have cut them.

    Frames are taken in the order of their timestamps, key frames and sweeps alike unless `keyframes_only`. A window
    never crosses a gap: a step of more than one and a half times the nominal one, or a file that is not there. A
    cluster is a scene. The `sha256` of a clip is that of the tokens and file names of its frames; the bytes of the
    pictures are not read. Files that a table names and that are not there are listed as broken.

    `root` holds one version of nuScenes, or is the folder of the version's tables. `cache` is a folder of indexes.
    Raises DataError if the folder is not nuScenes or its tables are damaged, and ProtocolError for a wrong option.
    """
    Config(cameras=cameras, stride=stride, keyframes_only=keyframes_only)  # refuses wrong ones
    tables = _tables(root)
    root = tables.parent
    index = cache / f"{name}-{key_of(os.fsdecode(tables.resolve()))}.parquet" if cache else None
    frames = nuscenes_tables.frames(tables, cache=index, on_progress=on_progress)
    split_of, split_from = nuscenes_splits.read(tables, set(nuscenes_tables.scenes(tables)))
    used = [
        frame
        for frame in frames
        if frame.scene in split_of and frame.camera in cameras and (frame.is_key or not keyframes_only)
    ]
    _require_cameras(tables, used, split_of, cameras)
    absent = _absent(root, used)
    step_us = KEY_STEP_US if keyframes_only else STEP_US
    clips, gaps = [], 0
    for (scene, camera), group in groupby(used, key=lambda frame: (frame.scene, frame.camera)):
        taken = list(group)
        runs = _runs([None if frame.file_name in absent else frame.timestamp_us for frame in taken], step_us)
        gaps += len(runs) - 1
        for first in _starts(runs, stride=stride):
            clip_id = f"{name}/{scene}/{camera}/{first:03d}"
            clips.append(_clip(root, clip_id, taken[first : first + NUM_FRAMES], split_of[scene]))
    if not clips and not absent:
        raise DataError(
            f"{root}: no camera has {NUM_FRAMES} frames in a row with steps of at most "
            f"{LONGEST_STEP * step_us / 1000:.0f} ms.\n"
            "Unpack the archives of the pictures again, samples and sweeps."
        )
    return Folder(
        root=root,
        clips=tuple(sorted(clips, key=lambda clip: clip.id)),
        broken=tuple(_broken(root, used, absent)),
        stills=(),
        uncaptioned=(),
        other_kinds={},
        num_uneven=0,
        num_without_trailer=0,
        captions_from="none",
        split_from=split_from,
        notes={"gaps between the frames of a camera": gaps},
    )


def _tables(root: Path) -> Path:
    """Return the folder of the tables, which is named by the version."""
    found = [root / version for version in VERSIONS if (root / version).is_dir()]
    if len(found) > 1:
        raise DataError(
            f"{root}: holds {' and '.join(path.name for path in found)}. Name the folder of one of them, "
            f"such as {found[0]}."
        )
    if found:
        return found[0]
    if root.name in VERSIONS and any(root.glob("*.json")):
        return root
    if not root.is_dir():
        raise DataError(f"{root}: there is no such folder. Name the folder into which nuScenes was unpacked.")
    there = sorted(path.name for path in root.iterdir())
    raise DataError(
        f"{root}: is not nuScenes: it holds neither {' nor '.join(VERSIONS)}, but {_told(there)}. Name the folder into "
        "which nuScenes was unpacked. It holds the folder of the tables (v1.0-trainval or v1.0-mini), samples and "
        "sweeps. (The tables of v1.0-test are not used.)"
    )


def _told(names: Sequence[str]) -> str:
    return ", ".join([*names[:5], *(["..."] if len(names) > 5 else [])]) or "nothing"


def _require_cameras(tables: Path, frames: Sequence[Frame], scenes: Iterable[str], cameras: Sequence[str]) -> None:
    there = {(frame.scene, frame.camera) for frame in frames}
    lacking = [f"{scene}: {camera}" for scene in sorted(scenes) for camera in cameras if (scene, camera) not in there]
    if lacking:
        known = sorted({camera for _, camera in there})
        raise DataError(
            f"{tables}: cameras without a frame in a scene: {len(lacking):,}\n{listed(lacking)}\n"
            f"The tables have frames of {', '.join(known) or 'no camera'}. Unpack the metadata archive again, or write "
            f"{tables / 'splits.json'} with the scenes that are complete."
        )


def _absent(root: Path, frames: Sequence[Frame]) -> set[str]:
    """Return the file names of the frames that are not there. Folders are listed, because that takes far less time."""
    wanted: dict[PurePosixPath, set[str]] = {}
    for frame in frames:
        path = PurePosixPath(frame.file_name)
        wanted.setdefault(path.parent, set()).add(path.name)
    absent = set()
    for folder, names in wanted.items():
        there = set(os.listdir(root / folder)) if (root / folder).is_dir() else set()
        absent |= {str(folder / name) for name in names - there}
    return absent


def _broken(root: Path, frames: Sequence[Frame], absent: set[str]) -> Iterator[Broken]:
    """List absent files one by one, but a scene of which nothing is there only once: its archive was not unpacked."""
    for scene, group in groupby(frames, key=lambda frame: frame.scene):
        names = [frame.file_name for frame in group]
        gone = [name for name in names if name in absent]
        if len(gone) == len(names):
            yield Broken(
                path=root / gone[0], why=f"is not there, and neither is any of the {len(gone):,} files of {scene}"
            )
        else:
            yield from (
                Broken(path=root / name, why=f"is not there; sample_data.json names it ({scene})") for name in gone
            )


def _runs(times_us: Sequence[int | None], step_us: float) -> list[range]:
    """Cut a series of times at its gaps and return the numbers of each part; None is a frame that is not there."""

    def is_gap(before: int | None, after: int | None) -> bool:
        return before is None or after is None or after - before > LONGEST_STEP * step_us

    gaps = [at for at in range(1, len(times_us)) if is_gap(times_us[at - 1], times_us[at])]
    return [range(begin, end) for begin, end in zip([0, *gaps], [*gaps, len(times_us)], strict=True)]


def _starts(runs: Sequence[range], *, stride: int) -> list[int]:
    """Return the numbers of the frames at which windows begin."""
    return [first for run in runs for first in range(run.start, run.stop - NUM_FRAMES + 1, stride)]


def _clip(root: Path, clip_id: str, taken: Sequence[Frame], split: str) -> Clip:
    text = "\n".join(f"{frame.token} {frame.file_name}" for frame in taken)
    frames = tuple(root / frame.file_name for frame in taken)
    return Clip(
        id=clip_id,
        path=frames[0],
        caption="",
        cluster=taken[0].scene,
        split=split,
        num_frames=len(frames),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        frames=frames,
        duration_us=(taken[-1].timestamp_us - taken[0].timestamp_us) * len(taken) // (len(taken) - 1),
    )
