from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from rdtf_bench.core.errors import DataError
from rdtf_bench.data.sources.parquet import needed_bytes, samples, suffix_of
from tests.data.sources.packing import write_parquet

GIF = b"GIF89a and so on"


def test_rows_hold_an_image_of_datasets_or_plain_bytes(tmp_path: Path) -> None:
    columns = {
        "image": [{"bytes": GIF, "path": "../a.gif"}, {"bytes": b"RIFF----WEBP", "path": None}],
        "eng_cap": ["a cat", "a dog"],
        "size": [1, 2],
    }
    found = list(samples(write_parquet(tmp_path / "a.parquet", columns)))
    assert [(row.name, row.suffix, row.data, dict(row.record)) for row in found] == [
        ("000000", ".gif", GIF, {"eng_cap": "a cat"}),
        ("000001", ".webp", b"RIFF----WEBP", {"eng_cap": "a dog"}),
    ]
    path = write_parquet(tmp_path / "b.parquet", {"anything": [GIF], "gif": [GIF + b"2"], "text": ["a"], "id": [7]})
    (row,) = samples(path)
    assert (row.data, dict(row.record)) == (GIF + b"2", {"text": "a", "id": 7})
    assert needed_bytes(path) >= 2 * len(GIF)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"text": ["a"]}, r"a\.parquet: no column holds bytes. Its columns are text. Store .* named image"),
        ({"x": [GIF], "y": [GIF], "text": ["a"]}, r"several columns hold bytes: x, y"),
        ({"image": [GIF], "label": ["a"]}, r"has no column with captions, that is text or caption or eng_cap"),
        ({"image": [GIF, None], "text": ["a", "b"]}, r"a\.parquet: row 2: holds no animation"),
        (
            {"image": [{"bytes": GIF, "path": "a"}, {"bytes": None, "path": "b.gif"}], "text": ["a", "b"]},
            r"a\.parquet: row 2: holds the path 'b\.gif' instead of a file. Embed the files",
        ),
    ],
)
def test_what_cannot_be_understood_is_named(columns: Mapping[str, Sequence[object]], says: str, tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", columns)
    with pytest.raises(DataError, match=says):
        list(samples(path))


def test_a_file_that_is_cut_off_or_damaged_is_named(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", {"image": [bytes(range(256)) * 9], "text": ["a"]})
    data = path.read_bytes()
    for wrong in (data[:-30], data[:4] + bytes(60) + data[64:], b""):
        path.write_bytes(wrong)
        with pytest.raises(DataError, match=r"a\.parquet: is damaged, incomplete or no .*: .*Write or download"):
            list(samples(path))
    with pytest.raises(DataError, match=r"a\.parquet: is damaged, incomplete or no Parquet"):
        needed_bytes(path)


@pytest.mark.parametrize(
    ("start", "suffix"),
    [
        (b"\x89PNG", ".png"),
        (b"RIFF\0\0\0\0AVI LIST", ".avi"),
        (b"\0\0\0\x20ftypisom", ".mp4"),
        (b"\x1a\x45\xdf\xa3", ".mkv"),
        (b"\xff\xd8\xff\xe0", ".jpg"),
        (b"text", ".bin"),
    ],
)
def test_the_kind_is_told_by_the_first_bytes(start: bytes, suffix: str) -> None:
    assert suffix_of(start + bytes(8)) == suffix
