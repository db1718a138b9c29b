import json
from collections import Counter
from pathlib import Path, PurePosixPath

import pyarrow
import pytest
from pyarrow import parquet

from rdtf_bench.core.errors import DataError
from rdtf_bench.data.reading.folders.captions import (
    caption_from_name,
    read_metadata,
    spellings,
    split_by_caption,
    split_of_folder,
)


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


def test_parquet_says_the_same_as_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "metadata.parquet"
    columns = {
        "image_file_name": ["a.gif", "b.gif"],
        "text": ["a cat", "a dog"],
        "split": ["val", "TEST"],
        "id": [1, 2],
        "keyframe_idx": [[3, 0], None],
    }
    parquet.write_table(pyarrow.table(columns), path)
    found = [(row.file_name, row.caption, row.split, row.id, row.keyframes) for row in read_metadata(path)]
    assert found == [("a.gif", "a cat", "validation", "1", (0, 3)), ("b.gif", "a dog", "test", "2", ())]
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"metadata\.parquet: is damaged, incomplete or no Parquet file: .*again"):
        read_metadata(path)


def test_key_frames_are_a_list_also_in_csv(tmp_path: Path) -> None:
    path = tmp_path / "metadata.csv"
    path.write_text('file_name,text,keyframe_idx\na.gif,a,"[4, 1]"\nb.gif,b,\n')
    assert [row.keyframes for row in read_metadata(path)] == [(1, 4), ()]
    path.write_text("file_name,text,keyframe_idx\na.gif,a,1 4\n")
    with pytest.raises(DataError, match=r"metadata\.csv:2: keyframe_idx must be a list of frame numbers .* not '1 4'"):
        read_metadata(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"file_name": "a.gif", "text": "a"}\n{"file_name": \n', "metadata.jsonl:2: is not JSON"),
        (
            '{"image_file_name": "a.gif", "mask_file_name": "b.gif", "text": "a"}',
            "several columns name files: image_file_name, mask_file_name",
        ),
        ("[1]\n", "metadata.jsonl:1: a line must be an object"),
        ('{"text": "a"}', "metadata.jsonl:1: has no file_name. Its fields are: text"),
        ('{"file_name": "a.gif"}', "metadata.jsonl:1: a.gif has no text"),
        ('{"file_name": "a.gif", "text": " "}', "a.gif has no text"),
        ('{"file_name": "a.gif", "text": 7}', "text must be text, not 7"),
        ('{"file_name": "../a.gif", "text": "a"}', "must be a path inside the folder of the metadata file"),
        ('{"file_name": "/a.gif", "text": "a"}', "must be a path inside the folder of the metadata file"),
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
        ("[" * 100_000, "metadata.jsonl:1: is not JSON: maximum recursion depth"),
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


def test_a_carriage_return_in_a_caption_ends_no_line(tmp_path: Path) -> None:
    (tmp_path / "metadata.jsonl").write_bytes(b'{"file_name": "a.gif", "text": "one\rtwo"}\r\n')
    (tmp_path / "metadata.csv").write_bytes(b'file_name,text\r\na.gif,"one\rtwo"\r\n')
    for path in tmp_path.iterdir():
        assert [row.caption for row in read_metadata(path)] == ["one two"]


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1e", "\t"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "metadata.jsonl",
            '{{"file_name": "a{0}.gif", "text": "one{0}two"}}\n{{"file_name": "b.gif", "text": "three"}}\n',
        ),
        ("metadata.csv", "file_name,text\r\na{0}.gif,one{0}two\r\nb.gif,three\r\n"),
    ],
)
def test_lines_end_at_newlines_only(name: str, text: str, character: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(text.format(character).encode())
    first, second = read_metadata(tmp_path / name)
    assert (first.file_name, first.caption) == (f"a{character}.gif", "one two")
    assert second.where.endswith({"metadata.jsonl": ":2", "metadata.csv": ":3"}[name])


def test_a_quoted_field_may_hold_newlines(tmp_path: Path) -> None:
    text = 'file_name,text\na.gif,"one\ntwo"\nb.gif,three\n'
    assert rows_of(tmp_path, text, "metadata.csv") == [("a.gif", "one two", None), ("b.gif", "three", None)]


@pytest.mark.parametrize("column", ["file_name", "text", "id", "cluster", "split"])
def test_half_of_a_surrogate_pair_is_refused_in_every_column(column: str, tmp_path: Path) -> None:
    row = {"file_name": "a.gif", "text": "a", "id": "1", "cluster": "c", "split": "test", "artist": "\ud83d"}
    other = {**row, "file_name": "b.gif", "id": "2", column: "half \ud83d"}
    path = tmp_path / "metadata.jsonl"
    path.write_text(f"{json.dumps(row)}\n{json.dumps(other)}\n")
    with pytest.raises(DataError, match=rf"metadata.jsonl:2: {column} 'half .ud83d' is not valid Unicode") as e:
        read_metadata(path)
    str(e.value).encode()


def test_names_are_in_one_normal_form(tmp_path: Path) -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    row = {"file_name": f"{decomposed}.gif", "text": decomposed, "id": decomposed, "cluster": decomposed}
    (tmp_path / "metadata.jsonl").write_text(json.dumps(row))
    (read,) = read_metadata(tmp_path / "metadata.jsonl")
    assert (read.file_name, read.caption, read.id, read.cluster) == (f"{composed}.gif", *[composed] * 3)


@pytest.mark.parametrize(
    ("clip_id", "says"),
    [
        ("\u00e9" * 128, "it has a part of 256 bytes .at most 255."),
        ("/".join(["abcdefg"] * 600), "it has 4799 bytes"),
        ("a\0b", "it holds a NUL character"),
        ("/a", "it is an absolute path"),
        ("a//b", "it has an empty part"),
        ("a/", "it has an empty part"),
        ("a/../b", "or a part '.' or '..'"),
        (".", "or a part '.' or '..'"),
    ],
)
def test_an_id_that_no_file_can_have_is_refused_with_its_line(clip_id: str, says: str, tmp_path: Path) -> None:
    rows = [{"file_name": f"{i}.gif", "text": "a", "id": given} for i, given in enumerate(["\u00e9" * 127, clip_id])]
    (tmp_path / "captions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match=f"captions.jsonl:2: no file can be named by the id '.*{says}"):
        read_metadata(tmp_path / "captions.jsonl")


def test_a_file_name_has_a_second_form_for_the_separators_of_windows(tmp_path: Path) -> None:
    (tmp_path / "metadata.jsonl").write_text(json.dumps({"file_name": ".\\sub\\a.gif", "text": "a"}))
    (row,) = read_metadata(tmp_path / "metadata.jsonl")
    assert spellings(row.file_name) == (".\\sub\\a.gif", "sub/a.gif")


@pytest.mark.parametrize(
    ("names", "split"),
    [
        ("train Training", "train"),
        ("validation valid val dev", "validation"),
        ("test testing eval evaluation TEST", "test"),
        ("tests training-set images", None),
    ],
)
def test_the_top_folder_may_name_the_split(names: str, split: str | None) -> None:
    for name in names.split():
        assert split_of_folder(f"{name}/cats/a.gif") == split
        assert split_of_folder(f"cats/{name}/a.gif") is None
        assert split_of_folder(name) is None


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
