"""Exports the conditions of every test clip as files, for a model that runs elsewhere."""

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from PIL import Image

from rdtf_bench.core.errors import DataError, StoreError
from rdtf_bench.core.method import Conditions
from rdtf_bench.core.store import write_text
from rdtf_bench.core.video import to_uint8
from rdtf_bench.run.inputs import datasets
from rdtf_bench.run.inputs.clips import decoded
from rdtf_bench.run.inputs.datasets import Dataset
from rdtf_bench.run.progress import Report
from rdtf_bench.run.table import sample
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import TableSpec

METADATA = "metadata.jsonl"
FRAMES = "known_frames"


def export(
    spec: TableSpec, scale: Scale, *, source: str | None, store: Path, skip_broken: bool, out: Path, report: Report
) -> Dataset:
    """Write `metadata.jsonl` and the known frames as PNG into the empty folder `out`, and return the data in use.

    A row holds `id`, `text`, `known_frames` (paths by frame number) and, as an imagefolder needs it, the first of
    these as `file_name`. Raises DataError if the disk takes the ids of two clips for one name.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StoreError(f"{out}: the folder exists and is not empty. Remove it, or name another folder.")
    found = datasets.of_table(spec, scale, source, store=store, skip_broken=skip_broken)
    clips = found.clips["test"]
    _require_distinct((clip.id for clip in clips), out)
    real = decoded(clips, scale.clip)
    rows = []
    try:
        for place in range(len(clips)):
            rows.append(_write_clip(sample.conditions(real, spec.task, slice(place, place + 1)), out))
            report.advance(place + 1, len(clips))
        # last: a folder with it is whole
        write_text(out / METADATA, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    except OSError as fault:
        raise StoreError(f"{fault.filename or out}: cannot be written: {fault.strerror}") from fault
    return found


def _require_distinct(ids: Iterable[str], out: Path) -> None:
    """Raise DataError for ids that differ in upper and lower case only, if the disk of `out` takes them for one.

    So do folders of the ids: on such a disk the clips that a model makes cannot lie in both either.
    """
    spelled: dict[str, str] = {}
    for clip_id in ids:
        for path in (clip_id, *map(str, PurePosixPath(clip_id).parents)):
            other = spelled.setdefault(path.casefold(), path)
            if other != path and _ignores_case(out):
                raise DataError(
                    f"{out}: this disk does not tell the ids {other!r} and {path!r} apart, which differ in upper and "
                    "lower case only. Change one of them, or export to another disk."
                )


def _ignores_case(folder: Path) -> bool:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix="case") as probe:
        return Path(probe.name).with_name(Path(probe.name).name.upper()).exists()


def _write_clip(given: Conditions, out: Path) -> dict[str, object]:
    """Write the known frames of one clip and return its row of `metadata.jsonl`."""
    (clip_id,), (text,) = given.clip_ids, given.captions
    frames, paths = to_uint8(given.frames)[0], {}
    for number in given.known[0].nonzero().flatten().tolist():
        paths[str(number)] = f"{FRAMES}/{clip_id}/{number}.png"
        path = out / paths[str(number)]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(frames[number].permute(1, 2, 0).numpy()).save(path)
    first = {"file_name": next(iter(paths.values()))} if paths else {}
    return {"id": clip_id, "text": text, **first, "known_frames": paths}
