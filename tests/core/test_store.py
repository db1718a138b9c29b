import errno
import shutil
from pathlib import Path

import pytest

from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.store import (
    HASHES,
    Store,
    key_of,
    remove_leftovers,
    require_place,
    require_root,
    write_text,
    written_whole,
)


def test_a_key_depends_on_every_value_and_not_on_the_order_of_keys() -> None:
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
    assert len({key_of({"a": value}) for value in (1, 1.5, "1", True, None, [1])}) == 6


def test_a_key_of_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        key_of({"a": float("nan")})


def test_an_entry_is_written_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    calls = []

    def write(folder: Path) -> None:
        calls.append(folder)
        write_text(folder / "x", "whole")

    assert (store.make("kind", "key", write) / "x").read_text() == "whole"
    store.make("kind", "key", write)
    assert len(calls) == 1


def test_what_was_interrupted_is_not_there_and_is_made_anew(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def dies(folder: Path) -> None:
        write_text(folder / "half", "half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.make("kind", "key", dies)
    assert not store.has("kind", "key")
    entry = store.make("kind", "key", lambda folder: write_text(folder / "x", "whole"))
    assert sorted(path.name for path in entry.iterdir()) == [HASHES, "x"]


def test_unfinished_work_survives_until_it_is_finished(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write_text(store.unfinished("fit", "key") / "checkpoint", "step 50")
    assert (store.unfinished("fit", "key") / "checkpoint").read_text() == "step 50"
    assert not store.has("fit", "key")
    assert (store.finish("fit", "key") / "checkpoint").is_file()
    assert not (tmp_path / "unfinished" / "fit" / "key").exists()


def test_a_text_that_fails_to_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\ud800")
    assert path.read_text() == "old"


def test_a_file_appears_whole_and_replaces_the_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "clips.bin"
    for content in (b"first", b"second"):
        with written_whole(path) as making:
            making.write_bytes(content)
            assert not path.is_file() or path.read_bytes() == b"first"
        assert path.read_bytes() == content
    assert [found.name for found in path.parent.iterdir()] == ["clips.bin"]


def test_two_writers_of_one_process_id_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Processes of two containers on one store may have the same id."""
    path = tmp_path / "index"
    with written_whole(path) as one:
        one.write_text("one")
        with written_whole(path) as other:
            other.write_text("other")
        assert path.read_text() == "other"
    assert path.read_text() == "one"


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    with written_whole(tmp_path / "adapter") as making:
        (making / "deep").mkdir(parents=True)
        (making / "deep" / "weights").write_text("1")
        assert not (tmp_path / "adapter").exists()
    assert (tmp_path / "adapter" / "deep" / "weights").read_text() == "1"


@pytest.mark.parametrize("is_folder", [True, False])
def test_a_writer_that_fails_leaves_nothing(tmp_path: Path, is_folder: bool) -> None:
    def fails() -> None:
        with written_whole(tmp_path / "x") as making:
            if is_folder:
                making.mkdir()
            else:
                making.write_text("half")
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        fails()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_writer_left_does_not_become_part_of_an_entry(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folder = store.unfinished("samples", "key")
    write_text(folder / "shard-0000", "whole")
    (folder / ".shard-0001.1.tmp").write_text("half")
    assert [path.name for path in store.finish("samples", "key").glob("*") if path.name != HASHES] == ["shard-0000"]


def test_leftovers_are_those_of_one_path_alone(tmp_path: Path) -> None:
    (tmp_path / ".a.1.tmp").mkdir()
    for name in (".a.2.tmp", ".b.1.tmp", "a"):
        (tmp_path / name).write_text("")
    remove_leftovers(tmp_path / "a")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".b.1.tmp", "a"]


def test_a_file_in_the_place_of_a_store_is_said_with_another_place_to_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "runs"):
        with pytest.raises(StoreError, match=r"a store cannot be made there: .*\. Name another place: --store DIR"):
            require_root(place)


def test_nothing_half_written_stays_where_the_disk_is_full(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    store = Store(tmp_path)
    store.make("kind", "finished", lambda _: None)
    with pytest.raises(OSError, match="No space left"):
        store.make("kind", "key", write)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [HASHES]  # of the finished entry
    assert store.has("kind", "finished")


def test_an_entry_that_is_removed_is_made_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.make("kind", "key", lambda folder: write_text(folder / "a", "damaged"))
    store.remove("kind", "key")
    store.make("kind", "key", lambda folder: write_text(folder / "a", "whole"))
    assert (store.path("kind", "key") / "a").read_text() == "whole"


def test_an_entry_goes_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(path: Path) -> None:
        (path / "key" / HASHES).unlink()
        raise KeyboardInterrupt

    store = Store(tmp_path)
    store.make("kind", "key", _three_files)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            store.remove("kind", "key")
    assert not store.has("kind", "key")
    store.remove("kind", "key")  # and one that is not there is removed without a word


def _three_files(folder: Path) -> None:
    for name in ("a", "b", "c"):
        write_text(folder / name, name)


def test_a_file_that_is_changed_or_absent_is_a_fault_of_its_entry(tmp_path: Path) -> None:
    store = Store(tmp_path)
    entry = store.make("kind", "key", _three_files)
    assert store.faults("kind", "key") == []
    (entry / "a").write_text("x")
    (entry / "b").unlink()
    assert store.faults("kind", "key") == [
        f"{entry / 'a'} has other bytes than when it was written",
        f"{entry / 'b'} is absent",
    ]


def test_an_entry_of_an_earlier_version_has_no_hashes(tmp_path: Path) -> None:
    store = Store(tmp_path)
    entry = store.make("kind", "key", lambda folder: write_text(folder / "a", "a"))
    (entry / HASHES).unlink()
    assert (store.hashes("kind", "key"), store.faults("kind", "key")) == (None, [])


def test_a_place_that_cannot_be_written_is_named_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/scores\.json: cannot be written"):
        require_place(tmp_path / "file" / "scores.json", "--json FILE")
    with pytest.raises(StoreError, match=r"is a folder\. Name another place: --json FILE"):
        require_place(tmp_path, "--json FILE")
    require_place(tmp_path / "new" / "scores.json", "--json FILE")
    assert not (tmp_path / "new" / "scores.json").exists()
