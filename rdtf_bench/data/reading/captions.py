"""Read captions and splits of a data folder from `metadata.jsonl` or `metadata.csv`, else from file names."""

import csv
import difflib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rdtf_bench.core.errors import DataError

METADATA_NAMES = ("metadata.jsonl", "metadata.csv")
TEXT_COLUMNS = ("text", "caption", "eng_cap")  # eng_cap: column of the released code's index
SPLIT_NAMES: Mapping[str, str] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "test": "test",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """The metadata of one file; `where` is its place in the metadata, for messages."""

    file_name: str
    caption: str
    split: str | None
    id: str | None
    cluster: str | None
    where: str


def find_metadata(root: Path) -> Path | None:
    """Return the metadata file of a folder, or None; raise DataError if there are two."""
    found = [root / name for name in METADATA_NAMES if (root / name).is_file()]
    if len(found) > 1:
        raise DataError(f"{root}: holds both {' and '.join(METADATA_NAMES)}. Remove one of them.")
    return found[0] if found else None


def read_metadata(path: Path) -> tuple[Row, ...]:
    """Read all rows of a metadata file; raise DataError with file and line for a wrong or repeated row."""
    records = _json_lines(path) if path.suffix == ".jsonl" else _csv_lines(path)
    rows = [_row(f"{path}:{line}", record) for line, record in records]
    if not rows:
        raise DataError(f"{path}: holds no row. It needs one line per animation, with file_name and text.")
    for column in ("file_name", "id"):
        _require_distinct(rows, column)
    without = [row for row in rows if row.split is None]
    if without and len(without) < len(rows):
        raise DataError(f"{without[0].where}: has no split, but other rows have one. Give all rows a split, or none.")
    return tuple(rows)


def _json_lines(path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    for line, text in enumerate(_text(path).splitlines(), start=1):
        if not text.strip():
            continue
        try:
            record = json.loads(text)
        except json.JSONDecodeError as fault:
            raise DataError(f"{path}:{line}: is not JSON: {fault}") from None
        if not isinstance(record, dict):
            raise DataError(f"{path}:{line}: a line must be an object with file_name and text, not {text[:40]!r}")
        yield line, record


def _csv_lines(path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    reader = csv.DictReader(_text(path).splitlines(keepends=True), strict=True)
    try:
        for record in reader:
            if None in record or None in record.values():
                raise DataError(
                    f"{path}:{reader.line_num}: the number of fields differs from the header: quote commas in fields"
                )
            yield reader.line_num, record
    except csv.Error as fault:
        raise DataError(f"{path}:{reader.reader.line_num}: is not CSV: {fault}") from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as fault:
        raise DataError(f"{path}: is not UTF-8 (byte {fault.start}): save it as UTF-8") from None
    except OSError as fault:
        raise DataError(f"{path}: cannot be read: {fault.strerror}") from None


def _row(where: str, record: Mapping[str, object]) -> Row:
    file_name = _field(where, record, "file_name")
    if file_name is None:
        raise DataError(f"{where}: has no file_name. Its fields are: {_known(record)}.")
    relative = PurePosixPath(file_name)
    if relative.is_absolute() or ".." in relative.parts:
        raise DataError(f"{where}: file_name {file_name!r} must be a path inside the data folder")
    texts = (_field(where, record, column) for column in TEXT_COLUMNS)
    caption = next((text for text in texts if text is not None), None)
    if caption is None:
        raise DataError(f"{where}: {file_name} has no text (or {', or '.join(TEXT_COLUMNS[1:])})")
    split = _field(where, record, "split")
    return Row(
        file_name=relative.as_posix(),
        caption=" ".join(caption.split()),
        split=None if split is None else _split_name(where, split),
        id=_field(where, record, "id"),
        cluster=_field(where, record, "cluster"),
        where=where,
    )


def _known(record: Mapping[str, object]) -> str:
    return ", ".join(sorted(str(key) for key in record)) or "no fields"


def _field(where: str, record: Mapping[str, object], column: str) -> str | None:
    """Return the stripped text of a column, or None if it is absent, null or empty."""
    value = record.get(column)
    if value is None or value == "":
        return None
    if column in ("id", "cluster") and isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        raise DataError(f"{where}: {column} must be text, not {value!r}")
    return value.strip() or None


def _split_name(where: str, given: str) -> str:
    name = SPLIT_NAMES.get(given.lower())
    if name is None:
        close = difflib.get_close_matches(given.lower(), SPLIT_NAMES, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise DataError(f"{where}: there is no split {given!r}. Known: train, validation (or val), test.{hint}")
    return name


def _require_distinct(rows: Sequence[Row], column: str) -> None:
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
