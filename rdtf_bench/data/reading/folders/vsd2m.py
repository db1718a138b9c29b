"""Read the index of VSD2M, the paper's dataset: JSON lines that name a file, its caption and its key frames.

The released training code reads the fields `md5`, `fmt`, `visual_path`, `nframes`, `keyframe_idx` and `eng_cap`. Paths
may be those of another machine, so a file is found by the end of its path.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from rdtf_bench.core.errors import DataError, listed
from rdtf_bench.data.reading.folders.captions import Row, json_lines, require_distinct, row_of
from rdtf_bench.data.reading.suffixes import ANIMATION_SUFFIXES

SUFFIXES = (".json", ".jsonl")
FILE_FIELD, CAPTION_FIELD = "visual_path", "eng_cap"
LONGEST_LINE = 1 << 20  # bytes
NOT_THERE = "rows of the index whose file is not there"
UNCAPTIONED = f"rows of the index without {CAPTION_FIELD}"
OTHER_KINDS = "rows of the index that name files of other kinds"


def is_index(path: Path) -> bool:
    """Tell whether a file is such an index, by its first line."""
    if path.suffix not in SUFFIXES:
        return False
    try:
        with path.open("rb") as file:
            record = json.loads(file.readline(LONGEST_LINE))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(record, dict) and FILE_FIELD in record and "file_name" not in record


def read_index(path: Path, files: Iterable[str]) -> tuple[dict[str, Row], Mapping[str, int]]:
    """Return the row of each file that the index names, by its path below the root, and the numbers of other rows.

    `files` are the paths that there are. Rows without a caption, and rows whose file is not there or of another kind,
    are counted. Raises DataError for a row that is wrong or repeated, and if no file is there.
    """
    by_name: dict[str, list[str]] = defaultdict(list)
    for file in files:
        by_name[PurePosixPath(file).name].append(file)
    rows: dict[str, Row] = {}
    counts: Counter[str] = Counter()
    absent, given = [], []
    for line, record in json_lines(path):
        row = row_of(f"{path}:{line}", _as_metadata(f"{path}:{line}", record), needs_text=False)
        given.append(row)
        if not row.file_name.lower().endswith(ANIMATION_SUFFIXES):
            counts[OTHER_KINDS] += 1
        elif not row.caption:
            counts[UNCAPTIONED] += 1
        elif at := _found(row, by_name):
            if at in rows:
                raise DataError(f"{row.where}: names {at}, and so does {rows[at].where}. Keep one of the two rows.")
            rows[at] = row
        else:
            counts[NOT_THERE] += 1
            absent.append(f"{row.where}: {row.file_name}")
    require_distinct(given, "id")
    if not rows:
        raise DataError(
            f"{path}: names no file that is there and has a caption ({_told(counts) or 'it holds no row'}).\n"
            f"{listed(absent)}\nPut the files below {path.parent}. They are found by the ends of their paths."
        )
    return rows, counts


def _as_metadata(where: str, record: Mapping[str, object]) -> dict[str, object]:
    """Return a row of the index under the names of the columns of a metadata file."""
    path = record.get(FILE_FIELD)
    if not isinstance(path, str) or not path:
        raise DataError(f"{where}: {FILE_FIELD} must be the path of a file, not {path!r}")
    parts = PurePosixPath(path.replace("\\", "/")).parts
    return {
        "file_name": "/".join(part for part in parts if part not in ("/", "..")),
        "text": record.get(CAPTION_FIELD),
        "id": record.get("md5"),
        "split": record.get("split"),
        "keyframe_idx": record.get("keyframe_idx"),
    }


def _found(row: Row, by_name: Mapping[str, Sequence[str]]) -> str | None:
    """Return the file whose path has the longest end in common with that of a row."""
    wanted = PurePosixPath(row.file_name)
    ends = {at: _common_end(wanted, PurePosixPath(at)) for at in by_name.get(wanted.name, ())}
    best = [at for at, length in ends.items() if length == max(ends.values())]
    if len(best) > 1:
        raise DataError(f"{row.where}: {row.file_name} may be {' or '.join(best)}. Keep one of the files.")
    return best[0] if best else None


def _common_end(one: PurePosixPath, other: PurePosixPath) -> int:
    pairs = list(zip(reversed(one.parts), reversed(other.parts), strict=False))
    return next((length for length, (left, right) in enumerate(pairs) if left != right), len(pairs))


def _told(counts: Mapping[str, int]) -> str:
    return "; ".join(f"{words}: {count:,}" for words, count in counts.items())
