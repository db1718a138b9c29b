from pathlib import Path

import pytest

from rdtf_bench.core.store import Store, key_of, write_text


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
    assert [path.name for path in entry.iterdir()] == ["x"]


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
