"""Unpack Parquet files with embedded animations, and webdataset tars, once into a data folder of the store."""

import fcntl
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from rdtf_bench.core.errors import DataError, listed
from rdtf_bench.core.store import key_of, remove_leftovers, sha256_of, stamp_of, write_text, written_whole
from rdtf_bench.data.reading.folders.captions import SPLIT_NAMES, row_of
from rdtf_bench.data.reading.folders.walk import METADATA_NAMES
from rdtf_bench.data.reading.suffixes import ANIMATION_SUFFIXES
from rdtf_bench.data.sources import disk, parquet, tars
from rdtf_bench.data.sources.samples import Sample

VERSION = 1
"""Raised when the same files are unpacked into other ones."""
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz")
SUFFIXES = (".parquet", *TAR_SUFFIXES)
UNPACKED = "files"
"""Folder of the animations. Below it, the name of a packed file says nothing about a split."""


def is_packed(source: Path) -> bool:
    """Tell whether a source is a packed file, or a folder of such files.

    Raises DataError for a folder that holds animations as well, because nobody knows which of them are meant.
    """
    if source.is_file():
        return is_packed_name(source.name)
    packed, loose = None, None
    for folder, name in _names(source):
        if is_packed_name(name):
            packed = packed or Path(folder, name)
        elif name.lower().endswith(ANIMATION_SUFFIXES):
            loose = loose or Path(folder, name)
        if packed and loose:
            raise DataError(
                f"{source}: holds packed files, such as {packed.relative_to(source)}, and animations, such as "
                f"{loose.relative_to(source)}. Move one kind elsewhere, or give the packed file itself."
            )
    return packed is not None


def unpack(source: Path, *, store: Path) -> Path:
    """Return the data folder in the store with the content of a packed file, or of all packed files below a folder.

    It is made if it is not there yet; its name hangs on the content of the files. A split comes from a split column,
    else from the names of the files, as in train-00000-of-00004.parquet. If all of them are named train, as the Hub
    names data without splits, they say nothing. Rows without a caption and files that are no animations are unpacked as
    well, so that the reader counts them as left out. Raises DataError if a file is damaged or the disk has no room.
    """
    files = files_below(source)
    splits = _splits(files)
    root = store / "data" / f"unpacked-{key_of([VERSION, _hashes(files, store)])}"
    with _alone(root):
        if not root.is_dir():
            needed = sum(_needed_bytes(path) for path in files.values())
            disk.require_free(root.parent, needed)
            remove_leftovers(root)
            with disk.told_if_full(root, needed), written_whole(root) as making:
                making.mkdir()
                _write(source, files, splits, making)
    return root


def is_packed_name(path: str) -> bool:
    """Tell whether a file is a packed one by its name."""
    name = PurePosixPath(path).name
    return name.lower().endswith(SUFFIXES) and name not in METADATA_NAMES


def _names(root: Path) -> Iterator[tuple[str, str]]:
    """Yield the folder and the name of each file below a folder that is not hidden."""
    for folder, inside, names in os.walk(root):
        inside[:] = [name for name in inside if not name.startswith(".")]
        yield from ((folder, name) for name in names if not name.startswith("."))


def files_below(source: Path) -> dict[str, Path]:
    """Return the packed files by their paths below a folder, or the source itself if it is a file."""
    if source.is_file():
        return {source.name: source}
    paths = sorted(Path(folder, name) for folder, name in _names(source) if is_packed_name(name))
    return {path.relative_to(source).as_posix(): path for path in paths}


def _splits(files: Mapping[str, Path]) -> Mapping[str, str | None]:
    """Return the split that the path of each file names."""
    splits = {at: _split_of(at) for at in files}
    if set(splits.values()) == {"train"}:
        return dict.fromkeys(files)
    without = [str(files[at]) for at, split in splits.items() if split is None]
    if without and len(without) < len(files):
        raise DataError(
            f"files whose names tell no split, beside others whose names do: {len(without)}\n{listed(without)}\n"
            "Rename them, as in train-00000.parquet or test-00000.tar."
        )
    return splits


def _split_of(at: str) -> str | None:
    """Return the split that the last word of a path tells which is the name of one, or None.

    >>> _split_of("data/test-00000-of-00001.parquet")
    'test'
    """
    words = re.split(r"[^a-z]+", at.lower())
    return next((SPLIT_NAMES[word] for word in reversed(words) if word in SPLIT_NAMES), None)


def _hashes(files: Mapping[str, Path], store: Path) -> dict[str, str]:
    """Return the SHA-256 of each file; those of files of the same size and time are remembered."""
    memory = store / "data" / "indexes" / f"packed-{key_of([str(path.resolve()) for path in files.values()])}.json"
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    found = {}
    for at, path in files.items():
        stamp = stamp_of(path)
        found[at] = known[at] if known.get(at, [""])[0] == stamp else [stamp, sha256_of(path)]
    if found != known:
        write_text(memory, json.dumps(found))
    return {at: sha256 for at, (_, sha256) in found.items()}


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Wait until no other process makes the folder."""
    root.parent.mkdir(parents=True, exist_ok=True)
    with open(root.parent / f".{root.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _needed_bytes(path: Path) -> int:
    return parquet.needed_bytes(path) if path.suffix.lower() == ".parquet" else path.stat().st_size


def _write(source: Path, files: Mapping[str, Path], splits: Mapping[str, str | None], root: Path) -> None:
    shards = {at: at[: -next(len(suffix) for suffix in SUFFIXES if at.lower().endswith(suffix))] for at in files}
    if twice := [at for at, shard in shards.items() if list(shards.values()).count(shard) > 1]:
        raise DataError(f"{source}: files that differ in their endings alone:\n{listed(twice)}\nRename all but one.")
    first: dict[str, str] = {}
    kinds: Counter[str] = Counter()
    with (root / "metadata.jsonl").open("w", encoding="utf-8") as metadata:
        for at, path in files.items():
            shard = shards[at]
            read = parquet.samples if path.suffix.lower() == ".parquet" else tars.samples
            (root / UNPACKED / shard).mkdir(parents=True, exist_ok=True)  # beside a.tar there may be a/b.tar
            for number, sample in enumerate(read(path)):
                place = f"{UNPACKED}/{shard}/{number:06d}{sample.suffix}"
                (root / place).write_bytes(sample.data)
                kinds[sample.suffix] += 1
                row = _row(sample, place, shard, splits[at])
                if row is not None and first.setdefault(str(row["id"]), sample.where) != sample.where:
                    raise DataError(
                        f"{sample.where}: the id {row['id']!r} is already used in {first[str(row['id'])]}. Change one."
                    )
                if row is not None:
                    metadata.write(json.dumps(row, ensure_ascii=False) + "\n")
    if not first:
        held = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items()) or "nothing"
        raise DataError(
            f"{source}: holds no animation with a caption, but {held}. Animations are {', '.join(ANIMATION_SUFFIXES)}, "
            "and a caption is the column text of a Parquet file, or KEY.txt or KEY.json beside KEY.gif in a tar."
        )


def _row(sample: Sample, place: str, shard: str, split: str | None) -> dict[str, object] | None:
    """Return the row of metadata of a sample, or None if it has no caption or is no animation."""
    if sample.suffix not in ANIMATION_SUFFIXES:
        return None
    given = {name: held for name, held in sample.record.items() if held not in (None, "")}
    record = {"id": f"{shard}/{sample.name}", **given, "file_name": place}
    row = row_of(sample.where, record, needs_text=False)
    if not row.caption:
        return None
    found = {
        "file_name": place,
        "text": row.caption,
        "id": row.id,
        "split": row.split or split,
        "cluster": row.cluster,
        "keyframe_idx": list(row.keyframes),
    }
    return {name: held for name, held in found.items() if held}
