"""Read Parquet files whose rows hold animations: a binary column, or an Image of Hugging Face's `datasets`."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rdtf_bench.core.errors import DataError
from rdtf_bench.data.reading.folders.captions import TEXT_COLUMNS, damaged_parquet
from rdtf_bench.data.sources.samples import COLUMNS, Sample

if TYPE_CHECKING:
    import pyarrow

NAMES = ("image", "gif", "video", "animation", "sticker")
"""Names by which the column of the animations is found where several columns hold bytes."""
ROWS_AT_ONCE = 32


def samples(path: Path) -> Iterator[Sample]:
    """Yield the rows of a file in order; raise DataError if it is damaged or lacks a column."""
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            column = _column(path, file.schema_arrow)
            columns = [column, *(name for name in COLUMNS if name in file.schema_arrow.names)]
            number = 0
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=columns):
                for record in batch.to_pylist():
                    yield _sample(path, number, record.pop(column), record)
                    number += 1
    except (OSError, pyarrow.ArrowException) as fault:
        raise damaged_parquet(path, fault) from fault


def needed_bytes(path: Path) -> int:
    """Return how many bytes the content takes; raise DataError for a file that is damaged."""
    import pyarrow
    from pyarrow import parquet

    try:
        facts = parquet.read_metadata(path)
    except (OSError, pyarrow.ArrowException) as fault:
        raise damaged_parquet(path, fault) from fault
    return sum(facts.row_group(number).total_byte_size for number in range(facts.num_row_groups))


def _column(path: Path, schema: "pyarrow.Schema") -> str:
    """Return the column of the animations."""
    binary = [field.name for field in schema if _holds_bytes(field.type)]
    chosen = binary if len(binary) == 1 else [name for name in binary if name in NAMES]
    if len(chosen) != 1:
        held = f"several columns hold bytes: {', '.join(binary)}" if binary else "no column holds bytes"
        raise DataError(
            f"{path}: {held}. Its columns are {', '.join(schema.names)}. Store the animations in one column named "
            f"{NAMES[0]}."
        )
    if not set(TEXT_COLUMNS) & set(schema.names):
        raise DataError(
            f"{path}: has no column with captions, that is {' or '.join(TEXT_COLUMNS)}. Its columns are "
            f"{', '.join(schema.names)}. Rename the right one."
        )
    return chosen[0]


def _holds_bytes(kind: "pyarrow.DataType") -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        return any(kind[place].name == "bytes" and _holds_bytes(kind[place].type) for place in range(kind.num_fields))
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _sample(path: Path, number: int, held: object, record: Mapping[str, object]) -> Sample:
    where = f"{path}: row {number + 1}"
    data = held.get("bytes") if isinstance(held, dict) else held
    if not isinstance(data, bytes) or not data:
        link = held.get("path") if isinstance(held, dict) else None
        told = f"holds the path {link!r} instead of a file" if link else "holds no animation"
        raise DataError(f"{where}: {told}. Embed the files, or give the folder that they lie in.")
    return Sample(where=where, name=f"{number:06d}", data=data, suffix=suffix_of(data), record=record)


def suffix_of(data: bytes) -> str:
    """Return the suffix of a file by its first bytes; ".bin" if it is of no known kind."""
    if data[:4] == b"RIFF":
        return {b"WEBP": ".webp", b"AVI ": ".avi"}.get(data[8:12], ".bin")
    if data[4:8] == b"ftyp":
        return ".mp4"
    starts = {b"GIF8": ".gif", b"\x89PNG": ".png", b"\x1a\x45\xdf\xa3": ".mkv", b"\xff\xd8\xff": ".jpg"}
    return next((suffix for start, suffix in starts.items() if data.startswith(start)), ".bin")
