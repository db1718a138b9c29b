import pytest
import torch

from rdtf_bench.core.errors import DeviceError
from rdtf_bench.run.progress import Silent
from rdtf_bench.run.table import work, worker
from rdtf_bench.run.table.context import Bench
from rdtf_bench.spec.plan import Cell


def test_a_job_is_called_by_name_with_its_arguments(
    planned: tuple[Bench, list[Cell]], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, cells = planned
    told: list[object] = []
    monkeypatch.setattr(work, "score_cell", lambda *given, **named: told.extend([*given, named]))
    sink = Silent()
    worker.call("score_cell", bench, sink, "score RDTF", {"cell": cells[0]})
    assert told == [bench, sink, "score RDTF", {"cell": cells[0]}]


def test_the_jobs_of_a_row_whose_training_has_diverged_do_nothing(
    planned: tuple[Bench, list[Cell]], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, cells = planned
    monkeypatch.setattr(work, "sample", lambda *_, **__: pytest.fail("the row was sampled"))
    folder = bench.store.path("fit", cells[0].fit_key)
    folder.mkdir(parents=True)
    (folder / "fit.json").write_text('{"diverged_at_step": 724}', encoding="utf-8")
    worker.call("sample", bench, Silent(), "sample RDTF", {"cell": cells[0], "shard": 0})


def test_full_memory_of_a_gpu_is_said_with_what_to_change(
    planned: tuple[Bench, list[Cell]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB.\nmore")

    monkeypatch.setattr(work, "prepare_real", full)
    with pytest.raises(DeviceError, match=r"^real clips: .*training.micro_batch_size.*Tried to allocate 20 GiB.$"):
        worker.call("prepare_real", planned[0], Silent(), "real clips", {})
