import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from rdtf_bench.core.store import Store
from rdtf_bench.run.table.finished import last_row, read_log, seconds_of_samples, sha256_of_samples

VIDEO = torch.arange(4 * 2 * 3 * 2 * 2, dtype=torch.uint8).reshape(4, 2, 3, 2, 2)


def stored(root: Path, *shards: torch.Tensor, seconds: float = 1.5) -> Store:
    store = Store(root)
    folder = store.path("samples", "key")
    folder.mkdir(parents=True)
    for number, video in enumerate(shards):
        path = folder / f"shard-{number:04d}.safetensors"
        save_file({"video": video.contiguous()}, path, metadata={"seconds": f"{seconds:.3f}"})
    return store


def test_the_hash_is_of_the_pixels_in_the_order_of_the_clips(tmp_path: Path) -> None:
    by_hand = hashlib.sha256(VIDEO.numpy().tobytes()).hexdigest()
    assert sha256_of_samples(stored(tmp_path / "one", VIDEO), "key") == by_hand
    assert sha256_of_samples(stored(tmp_path / "two", VIDEO[:3], VIDEO[3:]), "key") == by_hand


def test_the_hash_does_not_depend_on_how_long_sampling_took(tmp_path: Path) -> None:
    quick, slow = stored(tmp_path / "quick", VIDEO), stored(tmp_path / "slow", VIDEO, seconds=99.0)
    name = "shard-0000.safetensors"
    assert (quick.path("samples", "key") / name).read_bytes() != (slow.path("samples", "key") / name).read_bytes()
    assert sha256_of_samples(quick, "key") == sha256_of_samples(slow, "key")


def test_one_other_byte_gives_another_hash(tmp_path: Path) -> None:
    other = VIDEO.clone()
    other[-1, -1, -1, -1, -1] += 1
    hashes = [sha256_of_samples(stored(tmp_path / str(i), video), "key") for i, video in enumerate((VIDEO, other))]
    assert hashes[0] != hashes[1]


def test_samples_that_the_store_no_longer_holds_have_no_hash(tmp_path: Path) -> None:
    assert sha256_of_samples(Store(tmp_path), "key") is None


def test_seconds_are_summed_over_the_shards(tmp_path: Path) -> None:
    assert seconds_of_samples(stored(tmp_path, VIDEO[:2], VIDEO[2:]), "key") == pytest.approx(3.0)


def test_a_step_that_was_repeated_after_a_checkpoint_counts_once(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    logged = [(0, 9.0), (1, 8.0), (2, 7.0), (1, 6.0), (2, 5.0), (3, 4.0)]
    path.write_text("".join(json.dumps({"step": step, "loss": loss}) + "\n" for step, loss in logged), encoding="utf-8")
    assert [row["loss"] for row in read_log(path)] == [9.0, 6.0, 5.0, 4.0]


def test_a_line_that_is_being_written_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    assert last_row(path) is None
    path.write_text('{"step": 0')
    assert (last_row(path), read_log(path)) == (None, [])
    path.write_text('{"step": 0}\n{"step": 1}\n{"step"')
    assert last_row(path) == {"step": 1}
    assert read_log(path) == [{"step": 0}, {"step": 1}]


def test_the_last_row_of_a_long_log_is_found_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps({"step": step, "loss": 0.5}) + "\n" for step in range(5000)))
    assert last_row(path) == {"step": 4999, "loss": 0.5}
