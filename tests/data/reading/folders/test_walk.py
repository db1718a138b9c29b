import os
from pathlib import Path

import pytest

from rdtf_bench.core.errors import DataError
from rdtf_bench.data.reading.folders.walk import told, walk

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def files(root: Path) -> list[str]:
    return list(walk(root, (".gif", ".png")).files)


def refused(root: Path) -> str:
    """Return the message with which the folder is refused; it must be printable."""
    with pytest.raises(DataError) as e:
        walk(root, (".gif",))
    str(e.value).encode()
    return str(e.value)


def test_files_are_sorted_by_their_path_and_hidden_ones_left_out(tmp_path: Path) -> None:
    touch(*(tmp_path / at for at in ("b.GIF", "a/c.png", "a/metadata.csv", "metadata.jsonl", ".a.gif", ".x/a.gif")))
    touch(tmp_path / "__MACOSX" / "a.gif", tmp_path / ".hidden.avif")
    tree = walk(tmp_path, (".gif", ".png"))
    assert tree.files == {"a/c.png": tmp_path / "a" / "c.png", "b.GIF": tmp_path / "b.GIF"}
    assert list(tree.metadata) == ["a/metadata.csv", "metadata.jsonl"]
    assert tree.other_kinds == {}


def test_files_of_other_kinds_are_counted(tmp_path: Path) -> None:
    touch(
        *(tmp_path / at for at in ("a.gif", "b.avif", "x/c.AVIF", "d.mpg", "README", "Metadata.jsonl", "metadata.json"))
    )
    os.mkfifo(tmp_path / "pipe.gif")  # reading it would never end
    tree = walk(tmp_path, (".gif",))
    assert tree.other_kinds == {".avif": 2, ".gif": 1, ".json": 1, ".jsonl": 1, ".mpg": 1, "without suffix": 1}
    assert told({".avif": 1200, ".mpg": 1}) == "1,200 .avif, 1 .mpg"


def test_linked_folders_and_files_are_read(tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere" / "a.gif", tmp_path / "elsewhere" / "deep" / "b.gif", tmp_path / "c.gif")
    root = tmp_path / "root"
    root.mkdir()
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "d.gif").symlink_to(tmp_path / "c.gif")
    (tmp_path / "root's link").symlink_to(root)
    assert files(root) == files(tmp_path / "root's link") == ["d.gif", "linked/a.gif", "linked/deep/b.gif"]


def test_a_link_to_a_folder_that_it_lies_in_is_no_loop(tmp_path: Path) -> None:
    root = tmp_path / "root"
    touch(root / "a" / "b" / "c.gif", tmp_path / "beside.gif")
    (root / "a" / "b" / "up").symlink_to(root)
    (root / "a" / "here").symlink_to(".")
    (root / "itself").symlink_to("itself")
    assert files(root) == ["a/b/c.gif"]
    (root / "above").symlink_to(tmp_path)
    (root / "everything").symlink_to("/")
    assert files(root) == ["a/b/c.gif"]


def test_links_to_each_other_are_no_loop(tmp_path: Path) -> None:
    touch(tmp_path / "one" / "a.gif", tmp_path / "two" / "b.gif")
    (tmp_path / "one" / "to two").symlink_to(tmp_path / "two")
    (tmp_path / "two" / "to one").symlink_to(tmp_path / "one")
    assert files(tmp_path / "one") == ["a.gif", "to two/b.gif"]
    assert f"{tmp_path}/two: is the same folder as {tmp_path}/one/to two" in refused(tmp_path)


def test_a_folder_that_is_reached_twice_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    touch(root / "a" / "x.gif")
    (root / "b").symlink_to(root / "a")
    said = refused(root)
    assert f"{root}/b: is the same folder as {root}/a; keep one of the two" in said


def test_links_to_nothing_are_named(tmp_path: Path) -> None:
    for name in ("folder", "a.gif", "metadata.csv", ".hidden"):
        (tmp_path / name).symlink_to("nowhere")
    tree = walk(tmp_path, (".gif",))
    assert list(tree.files) == ["a.gif"]  # whoever reads it says that it cannot be read
    assert [broken.path.name for broken in tree.dangling] == ["folder", "metadata.csv"]
    assert not tree.metadata


def test_names_that_are_not_utf8_are_refused_together(tmp_path: Path) -> None:
    root = os.fsencode(tmp_path)
    os.mkdir(root + b"/stra\xdfe")
    for name in (b"/caf\xe9.gif", b"/stra\xdfe/a.gif", b"/.caf\xe9.gif"):
        with open(root + name, "w"):
            pass
    said = refused(tmp_path)
    assert "told apart, named or read: 2" in said
    assert r"/caf\udce9.gif: the name is not valid UTF-8" in said
    assert r"/stra\udcdfe: the name is not valid UTF-8" in said


def test_a_root_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    root = tmp_path / os.fsdecode(b"caf\xe9")
    touch(root / "a.gif")
    assert r"caf\udce9: the path of the folder is not valid UTF-8" in refused(root)
    (tmp_path / "cafe").symlink_to(root)
    assert files(tmp_path / "cafe") == ["a.gif"]


def test_names_are_in_normal_form_c_and_paths_as_on_disk(tmp_path: Path) -> None:
    touch(tmp_path / DECOMPOSED / f"{DECOMPOSED}.gif")
    tree = walk(tmp_path, (".gif",))
    assert tree.files == {f"{COMPOSED}/{COMPOSED}.gif": tmp_path / DECOMPOSED / f"{DECOMPOSED}.gif"}
    touch(tmp_path / COMPOSED / "another.gif")
    assert files(tmp_path) == [f"{COMPOSED}/another.gif", f"{COMPOSED}/{COMPOSED}.gif"]
    touch(tmp_path / COMPOSED / f"{COMPOSED}.gif")
    said = refused(tmp_path)
    assert r"'cafe\u0301/cafe\u0301.gif' and 'caf\xe9/caf\xe9.gif' are one name in two Unicode normal forms" in said


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests may run as root, whom no folder refuses."""
    touch(tmp_path / "a.gif", tmp_path / "locked" / "b.gif")
    iterdir = Path.iterdir

    def refusing(path: Path) -> object:
        if path.name == "locked":
            raise PermissionError(13, "Permission denied")
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", refusing)
    assert f"{tmp_path}/locked: cannot be read: Permission denied" in refused(tmp_path)


@pytest.mark.parametrize(("make", "says"), [(False, "there is no such folder"), (True, "is not a folder")])
def test_what_is_no_folder_is_refused(make: bool, says: str, tmp_path: Path) -> None:
    if make:
        (tmp_path / "data").touch()
    assert f"data: {says}. Name a folder that holds .gif files." in refused(tmp_path / "data")
