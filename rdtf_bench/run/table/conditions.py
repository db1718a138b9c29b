"""Exports the conditions of every test clip as files, for a model that runs elsewhere."""

import json
from pathlib import Path, PurePosixPath

import torch
from PIL import Image

from rdtf_bench import catalog
from rdtf_bench.core.errors import DataError, StoreError
from rdtf_bench.core.method import Conditions
from rdtf_bench.core.store import write_text
from rdtf_bench.core.video import to_uint8
from rdtf_bench.run.inputs import datasets
from rdtf_bench.run.inputs.clips import RealClips
from rdtf_bench.run.progress import Report
from rdtf_bench.run.table import sample
from rdtf_bench.spec.schema import Scale, TableSpec

METADATA = "metadata.jsonl"
FRAMES = "known_frames"


def export(
    spec: TableSpec, scale: Scale, *, source: str | None, store: Path, skip_broken: bool, out: Path, report: Report
) -> int:
    """Write `metadata.jsonl` and the known frames as PNG into the empty folder `out`, and return the number of clips.

    A row holds `id`, `text`, `known_frames` (paths by frame number) and, as an imagefolder needs it, the first of
    these as `file_name`.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StoreError(f"{out}: the folder exists and is not empty. Remove it, or name another folder.")
    shape = scale.clip
    found = datasets.read(spec.dataset, source, scale.data, shape.num_frames, store=store, skip_broken=skip_broken)
    clips = found.clips["test"]
    data = catalog.load("dataset", spec.dataset)
    video = [data.clip_frames(clip.path, num_frames=shape.num_frames, size_px=shape.size_px) for clip in clips]
    real = RealClips(
        ids=tuple(clip.id for clip in clips), captions=tuple(clip.caption for clip in clips), video=torch.stack(video)
    )
    rows = []
    for place in range(len(clips)):
        rows.append(_write_clip(sample.conditions(real, spec.task, slice(place, place + 1)), out))
        report.advance(place + 1, len(clips))
    # last: a folder with it is whole
    write_text(out / METADATA, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return len(rows)


def _write_clip(given: Conditions, out: Path) -> dict[str, object]:
    """Write the known frames of one clip and return its row of `metadata.jsonl`."""
    (clip_id,), (text,) = given.clip_ids, given.captions
    if PurePosixPath(clip_id).is_absolute() or ".." in PurePosixPath(clip_id).parts:
        raise DataError(
            f"the id {clip_id!r} is not a path below a folder, so no file can have it as its name. Change the id."
        )
    frames, paths = to_uint8(given.frames)[0], {}
    for number in given.known[0].nonzero().flatten().tolist():
        paths[str(number)] = f"{FRAMES}/{clip_id}/{number}.png"
        path = out / paths[str(number)]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(frames[number].permute(1, 2, 0).numpy()).save(path)
    first = {"file_name": next(iter(paths.values()))} if paths else {}
    return {"id": clip_id, "text": text, **first, "known_frames": paths}
