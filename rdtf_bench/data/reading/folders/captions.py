"""Read captions and splits of a data folder from its metadata files, else from the names of files and folders.

The columns of a metadata file are those of Hugging Face's imagefolder: `file_name`, or one column whose name ends in
`_file_name`, and the caption. `split`, `id`, `cluster` and `keyframe_idx` may be added.
"""

import csv
import difflib
import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from unicodedata import normalize

from rdtf_bench.core.errors import DataError, first_line, printable

FILE_COLUMN = "file_name"
TEXT_COLUMNS = ("text", "caption", "eng_cap")  # eng_cap: column of the released code's index
SPLIT_NAMES: Mapping[str, str] = {  # the keywords of Hugging Face's datasets
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}
MAX_NAME_BYTES = 255  # of one part of a path, on all common file systems
MAX_PATH_BYTES = 4095  # on Linux


@dataclass(frozen=True, kw_only=True)
class Row:
    """The metadata of one file; `where` is its place in the metadata, for messages."""

    file_name: str
    caption: str
    split: str | None
    id: str | None
    cluster: str | None
    keyframes: tuple[int, ...] = ()  # numbers of the frames that the makers of the data chose for training
    where: str


def spellings(name: str) -> tuple[str, str]:
    """Return a file name or an id as it stands, and as Windows would understand it."""
    return name, PurePosixPath(name.replace("\\", "/")).as_posix()


def read_metadata(path: Path) -> tuple[Row, ...]:
    """Read all rows of a metadata file; raise DataError with file and line for a wrong or repeated row."""
    readers = {".jsonl": json_lines, ".csv": _csv_lines, ".parquet": _parquet_rows}
    rows = [row_of(f"{path}:{line}", record) for line, record in readers[path.suffix](path)]
    if not rows:
        raise DataError(f"{path}: holds no row. It needs one row per animation, with file_name and text.")
    for column in ("file_name", "id"):
        require_distinct(rows, column)
    without = [row for row in rows if row.split is None]
    if without and len(without) < len(rows):
        raise DataError(f"{without[0].where}: has no split, but other rows have one. Give all rows a split, or none.")
    return tuple(rows)


def json_lines(path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Yield the objects of a file of JSON lines, each with the number of its line."""
    # not splitlines(): U+2028 and other separators may stand in a caption, as may control characters
    for line, text in enumerate(_text(path).split("\n"), start=1):
        if not text.strip():
            continue
        try:
            record = json.loads(text, strict=False)
        except (ValueError, RecursionError) as fault:
            raise DataError(f"{path}:{line}: is not JSON: {fault}") from None
        if not isinstance(record, dict):
            raise DataError(f"{path}:{line}: a line must be an object with file_name and text, not {text[:40]!r}")
        yield line, record


def _csv_lines(path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    reader = csv.DictReader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        for record in reader:
            if None in record or None in record.values():
                raise DataError(
                    f"{path}:{reader.line_num}: the number of fields differs from the header: quote commas in fields"
                )
            yield reader.line_num, record
    except csv.Error as fault:
        raise DataError(f"{path}:{reader.reader.line_num}: is not CSV: {fault}") from None


def _parquet_rows(path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    import pyarrow
    from pyarrow import parquet

    try:
        yield from enumerate(parquet.read_table(path).to_pylist(), start=1)
    except (OSError, pyarrow.ArrowException) as fault:
        raise damaged_parquet(path, fault) from fault


def damaged_parquet(path: Path, fault: Exception) -> DataError:
    """Return the error for a Parquet file that PyArrow cannot read."""
    why = first_line(fault)
    return DataError(f"{path}: is damaged, incomplete or no Parquet file: {why}. Write or download it again.")


def _text(path: Path) -> str:
    """Return the text of a file with its line ends as they are."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise DataError(f"{path}: is not UTF-8 (byte {fault.start}): save it as UTF-8") from None
    except OSError as fault:
        raise DataError(f"{path}: cannot be read: {fault.strerror}") from None


def row_of(where: str, record: Mapping[str, object], *, needs_text: bool = True) -> Row:
    """Return a row of metadata; raise DataError if a column has a wrong value. Without text the caption is empty."""
    file_name = _field(where, record, _file_column(where, record))
    if file_name is None:
        raise DataError(f"{where}: has no file_name. Its fields are: {_known(record)}.")
    relative = PurePosixPath(file_name)
    if relative.is_absolute() or ".." in relative.parts:
        raise DataError(f"{where}: file_name {file_name!r} must be a path inside the folder of the metadata file")
    texts = (_field(where, record, column) for column in TEXT_COLUMNS)
    caption = next((text for text in texts if text is not None), None)
    if caption is None and needs_text:
        raise DataError(f"{where}: {file_name} has no text (or {', or '.join(TEXT_COLUMNS[1:])})")
    split, clip_id = _field(where, record, "split"), _field(where, record, "id")
    if clip_id is not None and (fault := _fault_of_name(clip_id)):
        raise DataError(f"{where}: no file can be named by the id {_shortened(clip_id)}: it {fault}. Change the id.")
    return Row(
        file_name=relative.as_posix(),
        caption=" ".join((caption or "").split()),
        split=None if split is None else _split_name(where, split),
        id=clip_id,
        cluster=_field(where, record, "cluster"),
        keyframes=_keyframes(where, record.get("keyframe_idx")),
        where=where,
    )


def _file_column(where: str, record: Mapping[str, object]) -> str:
    """Return the column that names the file: `file_name`, or the only one whose name ends in `_file_name`."""
    others = [column for column in record if column.endswith(f"_{FILE_COLUMN}")]
    if FILE_COLUMN in record or not others:
        return FILE_COLUMN
    if len(others) > 1:
        raise DataError(f"{where}: several columns name files: {', '.join(others)}. Rename the right one to file_name.")
    return others[0]


def _keyframes(where: str, given: object) -> tuple[int, ...]:
    """Return the frame numbers of `keyframe_idx`, which CSV holds as the text of a JSON list."""
    if given is None or given == "":
        return ()
    try:
        numbers = json.loads(given) if isinstance(given, str) else given
    except ValueError:
        numbers = given
    if not isinstance(numbers, list) or not all(type(number) is int and number >= 0 for number in numbers):
        raise DataError(f"{where}: keyframe_idx must be a list of frame numbers from 0 on, not {given!r}")
    return tuple(sorted(set(numbers)))


def _known(record: Mapping[str, object]) -> str:
    return ", ".join(sorted(str(key) for key in record)) or "no fields"


def _field(where: str, record: Mapping[str, object], column: str) -> str | None:
    """Return the stripped text of a column in normal form C, or None if it is absent, null or empty."""
    value = record.get(column)
    if value is None or value == "":
        return None
    if column in ("id", "cluster") and isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        raise DataError(f"{where}: {column} must be text, not {value!r}")
    if printable(value) != value:
        raise DataError(f"{where}: {column} {value!r} is not valid Unicode: it holds half of a surrogate pair")
    return normalize("NFC", value.strip()) or None


def _fault_of_name(clip_id: str) -> str | None:
    """Return why an id cannot be the path of a file below a folder, or None if it can."""
    parts = clip_id.split("/")
    if "\0" in clip_id:
        return "holds a NUL character"
    if clip_id.startswith("/"):
        return "is an absolute path"
    if not {"", ".", ".."}.isdisjoint(parts):
        return "has an empty part or a part '.' or '..'"
    if (longest := max(len(part.encode()) for part in parts)) > MAX_NAME_BYTES:
        return f"has a part of {longest} bytes (at most {MAX_NAME_BYTES})"
    if (length := len(clip_id.encode())) > MAX_PATH_BYTES:
        return f"has {length} bytes (at most {MAX_PATH_BYTES})"
    return None


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _split_name(where: str, given: str) -> str:
    name = SPLIT_NAMES.get(given.lower())
    if name is None:
        close = difflib.get_close_matches(given.lower(), SPLIT_NAMES, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise DataError(f"{where}: there is no split {given!r}. Known: {', '.join(SPLIT_NAMES)}.{hint}")
    return name


def split_of_folder(file: str) -> str | None:
    """Return the split that the top folder of a path below the data folder names, or None.

    >>> split_of_folder("val/cats/1.gif")
    'validation'
    """
    top, separator, _ = file.partition("/")
    return SPLIT_NAMES.get(top.lower()) if separator else None


def require_distinct(rows: Sequence[Row], column: str) -> None:
    """Raise DataError if two rows have the same `file_name` or `id`."""
    seen: dict[str, Row] = {}
    for row in rows:
        value = row.file_name if column == "file_name" else row.id
        if value is None:
            continue
        if value in seen:
            raise DataError(f"{row.where}: {column} {value!r} is already used at {seen[value].where}")
        seen[value] = row


def caption_from_name(path: PurePosixPath) -> str:
    """Return the words of a file name: "001_redPanda-running_8.gif" gives "red panda running".

    A name that is only a number takes the name of its folder.
    """
    for name in (path.stem, path.parent.name):
        spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
        words = re.sub(r"[\W_]+", " ", spaced).lower().split()
        while words and words[0].isdigit():
            words.pop(0)
        while words and words[-1].isdigit():
            words.pop()
        if words:
            return " ".join(words)
    return path.stem


def split_by_caption(caption: str) -> str:
    """Return a split, 80/10/10 by the hash of the caption, so that equal captions share a split."""
    share = int(hashlib.sha256(caption.casefold().encode()).hexdigest()[:8], 16) / 2**32
    if share < 0.8:
        return "train"
    return "validation" if share < 0.9 else "test"
