"""Read the tables of nuScenes: the frames of every scene and camera in the order of time, without nuscenes-devkit.

The devkit pins NumPy below 2, and the suite does not. Five of the thirteen tables are read. As their JSON takes long
(over a gigabyte for the full data), the frames are kept in one Parquet file.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rdtf_bench.core.errors import DataError, listed
from rdtf_bench.core.store import key_of, written_whole
from rdtf_bench.data.reading.folders.index import Progress

CACHE_VERSION = 1  # raised when `frames` returns something else
CAMERAS = ("CAM_FRONT", "CAM_FRONT_RIGHT", "CAM_BACK_RIGHT", "CAM_BACK", "CAM_BACK_LEFT", "CAM_FRONT_LEFT")
FIELDS: Mapping[str, Mapping[str, type]] = {  # by table; `token` is first everywhere
    "sensor": {"token": str, "channel": str},
    "calibrated_sensor": {"token": str, "sensor_token": str},
    "scene": {"token": str, "name": str},
    "sample": {"token": str, "scene_token": str},
    "sample_data": {
        "token": str,
        "sample_token": str,
        "calibrated_sensor_token": str,
        "timestamp": int,
        "is_key_frame": bool,
        "filename": str,
    },
}
AGAIN = "Unpack the metadata archive again."
KINDS: Mapping[type, str] = {str: "a text", int: "a whole number", bool: "true or false"}
STAMP = b"rdtf_bench"  # key of the Parquet file's metadata

Row = tuple[Any, ...]  # the fields of FIELDS, in that order


class Frame(NamedTuple):
    """One picture of a camera."""

    scene: str
    camera: str
    timestamp_us: int
    token: str
    file_name: str
    is_key: bool


def frames(tables: Path, *, cache: Path | None = None, on_progress: Progress | None = None) -> list[Frame]:
    """Return the frames of all scenes and cameras, sorted by scene, camera and time.

    `cache` is a Parquet file with the result of an earlier call, which is used while the tables have the same sizes and
    modification times. A cache that cannot be read counts as none. Raises DataError for tables that cannot be used.
    """
    if absent := [f"{name}.json" for name in FIELDS if not (tables / f"{name}.json").is_file()]:
        raise DataError(f"{tables}: lacks {', '.join(absent)}. {AGAIN}")
    stamp = _stamp(tables)
    known = _read_cache(cache, stamp) if cache else None
    if known is not None:
        return known
    found = sorted(_frames(tables, on_progress))
    if cache:
        _write_cache(cache, stamp, found)
    return found


def scenes(tables: Path) -> list[str]:
    """Return the names of all scenes of the tables."""
    return [name for _, name in read(tables / "scene.json")]


def read(path: Path) -> list[Row]:
    """Return the rows of a table with the fields that are needed; raise DataError if one is wrong."""
    fields = FIELDS[path.stem]
    try:
        # the fields that are not needed are dropped row by row, because all of them take four times the memory
        rows = json.loads(path.read_bytes(), object_hook=lambda row: tuple(map(row.get, fields)))
    except ValueError as fault:
        raise DataError(f"{path}: is damaged or incomplete, because it is not JSON: {fault}. {AGAIN}") from fault
    if not isinstance(rows, list) or not rows:
        raise DataError(f"{path}: is not a list of rows. {AGAIN}")
    faults = [f"row {number} is not an object" for number, row in enumerate(rows, 1) if not isinstance(row, tuple)]
    if not faults:
        faults = [fault for place, field in enumerate(fields) for fault in _wrong(rows, place, field, fields[field])]
        faults += _twice(rows)
    if faults:
        raise DataError(f"{path}: rows that cannot be used: {len(faults):,}\n{listed(faults)}\n{AGAIN}")
    return rows


def _wrong(rows: Sequence[Row], place: int, field: str, kind: type) -> list[str]:
    if {type(row[place]) for row in rows} == {kind}:
        return []
    return [
        f"row {number}: {field!r} is absent or not {KINDS[kind]}"
        for number, row in enumerate(rows, 1)
        if type(row[place]) is not kind
    ]


def _twice(rows: Sequence[Row]) -> list[str]:
    if len({row[0] for row in rows}) == len(rows):
        return []
    first: dict[str, int] = {}
    return [
        f"row {number} has the token {row[0]!r} of row {first[row[0]]}"
        for number, row in enumerate(rows, 1)
        if first.setdefault(row[0], number) != number
    ]


def _frames(tables: Path, on_progress: Progress | None) -> Iterator[Frame]:
    rows = {}
    for done, name in enumerate(FIELDS, start=1):
        rows[name] = read(tables / f"{name}.json")
        if on_progress:
            on_progress(done, len(FIELDS))
    channels = _followed(tables, "calibrated_sensor", rows, 1, "sensor", dict(rows["sensor"]))
    scene_names = _followed(tables, "sample", rows, 1, "scene", dict(rows["scene"]))
    cameras = _followed(tables, "sample_data", rows, 2, "calibrated_sensor", channels)
    rows["sample_data"] = [row for row in rows["sample_data"] if cameras[row[0]] in CAMERAS]
    scenes = _followed(tables, "sample_data", rows, 1, "sample", scene_names)
    if outside := [row[5] for row in rows["sample_data"] if row[5].startswith("/") or ".." in row[5]]:
        raise DataError(
            f"{tables / 'sample_data.json'}: names files outside the folder: {len(outside):,}\n{listed(outside)}\n"
            f"{AGAIN}"
        )
    for token, _, _, timestamp_us, is_key, file_name in rows["sample_data"]:
        yield Frame(scenes[token], cameras[token], timestamp_us, token, file_name, is_key)


def _followed(
    tables: Path, name: str, rows: Mapping[str, Sequence[Row]], place: int, other: str, values: Mapping[str, str]
) -> dict[str, str]:
    """Return a value for each token of a table, found by the token of another table that stands at `place` of a row."""
    lost = [f"row {number}: {row[place]!r}" for number, row in enumerate(rows[name], 1) if row[place] not in values]
    if lost:
        raise DataError(
            f"{tables / f'{name}.json'}: rows with a {other} token that is not in {other}.json: {len(lost):,}\n"
            f"{listed(lost)}\nThe tables are of different versions. {AGAIN}"
        )
    return {row[0]: values[row[place]] for row in rows[name]}


def _stamp(tables: Path) -> bytes:
    found = [(tables / f"{name}.json").stat() for name in FIELDS]
    return key_of([CACHE_VERSION, [[stat.st_size, stat.st_mtime_ns] for stat in found]]).encode()


def _read_cache(cache: Path, stamp: bytes) -> list[Frame] | None:
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(cache, columns=list(Frame._fields), page_checksum_verification=True)
    except (OSError, pyarrow.ArrowException):
        return None
    if (table.schema.metadata or {}).get(STAMP) != stamp:
        return None
    return list(map(Frame, *(table[name].to_pylist() for name in Frame._fields)))


def _write_cache(cache: Path, stamp: bytes, found: Sequence[Frame]) -> None:
    import pyarrow
    from pyarrow import parquet

    columns = dict(zip(Frame._fields, map(list, zip(*found, strict=True)), strict=True))
    table = pyarrow.table(columns).replace_schema_metadata({STAMP: stamp})
    with written_whole(cache) as making:
        parquet.write_table(table, making, compression="zstd", write_page_checksum=True)
