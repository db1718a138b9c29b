from collections import Counter
from pathlib import Path, PurePosixPath

import pytest

from rdtf_bench.core.errors import DataError
from rdtf_bench.data.reading.captions import caption_from_name, find_metadata, read_metadata, split_by_caption


def rows_of(tmp_path: Path, text: str, name: str = "metadata.jsonl") -> list[tuple[str, str, str | None]]:
    path = tmp_path / name
    path.write_text(text)
    return [(row.file_name, row.caption, row.split) for row in read_metadata(path)]


@pytest.mark.parametrize("column", ["text", "caption", "eng_cap"])
def test_a_caption_may_have_three_names(column: str, tmp_path: Path) -> None:
    assert rows_of(tmp_path, f'{{"file_name": "./a/b.gif", "{column}": " a  cat "}}\n\n') == [
        ("a/b.gif", "a cat", None)
    ]


def test_csv_says_the_same_as_json_lines(tmp_path: Path) -> None:
    text = '\ufefffile_name,text,split\na.gif,"a cat, asleep",val\nb.gif,a dog,TEST\n'
    wanted = [("a.gif", "a cat, asleep", "validation"), ("b.gif", "a dog", "test")]
    assert rows_of(tmp_path, text, "metadata.csv") == wanted


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"file_name": "a.gif", "text": "a"}\n{"file_name": \n', "metadata.jsonl:2: is not JSON"),
        ("[1]\n", "metadata.jsonl:1: a line must be an object"),
        ('{"text": "a"}', "metadata.jsonl:1: has no file_name. Its fields are: text"),
        ('{"file_name": "a.gif"}', "metadata.jsonl:1: a.gif has no text"),
        ('{"file_name": "a.gif", "text": " "}', "a.gif has no text"),
        ('{"file_name": "a.gif", "text": 7}', "text must be text, not 7"),
        ('{"file_name": "../a.gif", "text": "a"}', "must be a path inside the data folder"),
        ('{"file_name": "/a.gif", "text": "a"}', "must be a path inside the data folder"),
        ('{"file_name": "a.gif", "text": "a", "split": "tset"}', "there is no split 'tset'.*Did you mean 'test'?"),
        (
            '{"file_name": "a.gif", "text": "a"}\n{"file_name": "./a.gif", "text": "b"}',
            "metadata.jsonl:2: file_name 'a.gif' is already used at .*metadata.jsonl:1",
        ),
        (
            '{"file_name": "a.gif", "text": "a", "id": "1"}\n{"file_name": "b.gif", "text": "b", "id": 1}',
            "metadata.jsonl:2: id '1' is already used",
        ),
        (
            '{"file_name": "a.gif", "text": "a", "split": "test"}\n{"file_name": "b.gif", "text": "b"}',
            "metadata.jsonl:2: has no split, but other rows have one",
        ),
        ("\n", "holds no row"),
    ],
)
def test_a_fault_is_named_with_its_line(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=says):
        rows_of(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("file_name,text\na.gif,a cat, asleep\n", "metadata.csv:2: the number of fields differs from the header"),
        ("file_name,text\na.gif\n", "metadata.csv:2: the number of fields differs from the header"),
        ('file_name,text\na.gif,"a cat', "metadata.csv:2: is not CSV"),
        ("name,text\na.gif,a\n", "metadata.csv:2: has no file_name. Its fields are: name, text"),
    ],
)
def test_a_fault_in_csv_is_named_with_its_line(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=says):
        rows_of(tmp_path, text, "metadata.csv")


def test_bytes_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "metadata.csv"
    path.write_bytes(b"file_name,text\na.gif,caf\xe9\n")
    with pytest.raises(DataError, match="is not UTF-8"):
        read_metadata(path)


def test_two_metadata_files_are_one_too_many(tmp_path: Path) -> None:
    assert find_metadata(tmp_path) is None
    (tmp_path / "metadata.csv").touch()
    assert find_metadata(tmp_path) == tmp_path / "metadata.csv"
    (tmp_path / "metadata.jsonl").touch()
    with pytest.raises(DataError, match="Remove one of them"):
        find_metadata(tmp_path)


@pytest.mark.parametrize(
    ("name", "caption"),
    [
        ("pets/001_redPanda-running_8.gif", "red panda running"),
        ("pets/blob nod.webp", "blob nod"),
        ("waving hand/0007.gif", "waving hand"),
        ("2024/0007.gif", "0007"),
        ("a/T-Rex.gif", "t rex"),
    ],
)
def test_a_file_name_gives_its_words(name: str, caption: str) -> None:
    assert caption_from_name(PurePosixPath(name)) == caption


def test_hashing_splits_80_10_10_and_keeps_equal_captions_together() -> None:
    counts = Counter(split_by_caption(f"caption {number}") for number in range(5000))
    # five standard deviations of a binomial: 141 of 4,000 and 106 of 500
    assert abs(counts["train"] - 4000) < 141
    assert abs(counts["validation"] - 500) < 106
    assert abs(counts["test"] - 500) < 106
    assert split_by_caption("Red Fox") == split_by_caption("red fox")
