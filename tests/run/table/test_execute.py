import hashlib
import io
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from rich.console import Console

from rdtf_bench.core import leases
from rdtf_bench.core.errors import ProtocolError, SamplingError, UnknownNameError
from rdtf_bench.core.leases import Leases
from rdtf_bench.run import record
from rdtf_bench.run.inputs.datasets import Dataset
from rdtf_bench.run.table import execute
from rdtf_bench.run.table.context import Bench
from rdtf_bench.run.table.sample import write_control
from rdtf_bench.run.table.schedule import Job
from rdtf_bench.run.table.score import write_score
from rdtf_bench.spec.load import load_protocol, load_scale
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.schema import ClipShape, Row
from tests.plans import DATA
from tests.planted import score as planted_score


def test_a_record_keeps_what_another_table_scored_of_the_same_clips(planned: tuple[Bench, list[Cell]]) -> None:
    bench, cells = planned
    static = next(cell for cell in cells if cell.method == "static")
    write_control(torch.zeros(2, 8, 3, 4, 4, dtype=torch.uint8), static.sample_key, seconds=1.0, store=bench.store)
    for metric in static.scores:
        score = planted_score(label=metric, value=0.5, ci_low=0.4, ci_high=0.6, n=2, key=static.score_key(metric))
        write_score(score, score.key, bench.store)
    data = Dataset(identity=DATA, clips={}, facts={})
    for table in ("table1", "table2-interpolation"):
        metrics = load_protocol(table).metrics
        wanted = replace(static, scores={name: scored for name, scored in static.scores.items() if name in metrics})
        made = execute._records(load_protocol(table), bench.scale, data, bench, [wanted], f"run {table}")[static.id]
        assert set(made.scores) == set(made.config["scores"]) == {"fvd", "vqa", "clip"}
    assert made.command == "run table1"  # the second table adds no score, so the record is not written again
    assert made.samples_sha256 == hashlib.sha256(bytes(2 * 8 * 3 * 4 * 4)).hexdigest()
    assert (made.format_version, made.num_processes) == (record.FORMAT_VERSION, 1)
    assert made.resolved_scale == bench.scale.model_dump(mode="json")


def test_processes_that_cannot_share_a_batch_are_refused_before_any_work(tmp_path: Path) -> None:
    scale = load_scale("ci")
    with pytest.raises(ProtocolError, match=f"has batches of {scale.training.batch_size} clips, which 7 processes"):
        execute.run(
            load_protocol("ci"),
            scale,
            source=None,
            root=tmp_path / "store",
            skip_broken=False,
            console=Console(),
            quiet=True,
            processes=7,
        )
    assert not (tmp_path / "store").exists()


class Planting:
    """An engine that runs nothing: it leaves made-up clips and scores, and keeps the names of the jobs."""

    def __init__(self, fault: BaseException | None = None) -> None:
        self.names: list[str] = []
        self._fault = fault  # raised in the end

    def run(self, jobs: Sequence[Job], bench: Bench, console: Console, *, leases: Leases, quiet: bool) -> float:  # noqa: ARG002
        self.names = [job.name for job in jobs]
        for cell in [job.arguments["cell"] for job in jobs if job.function == "make_control"]:
            assert isinstance(cell, Cell)
            video = torch.zeros(2, 4, 3, 4, 4, dtype=torch.uint8)
            write_control(video, cell.sample_key, seconds=1.0, store=bench.store)
            key = cell.score_key("clip")
            write_score(planted_score(label="CLIP", key=key), key, bench.store)
        for cell in [job.arguments["cell"] for job in jobs if job.function == "train"]:
            assert isinstance(cell, Cell)
            facts = {"seconds": 9.0, "components": {"total": 3}, "peak_memory_gib": 1.0, "diverged_at_step": 724}
            write = partial(leave, name="fit.json", text=json.dumps(facts))
            bench.store.make("fit", cell.fit_key, write)
        if self._fault is not None:
            raise self._fault
        return 0.0


def leave(folder: Path, *, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")


@pytest.fixture
def static_row(stickers: str, tmp_path: Path) -> Callable[..., execute.Outcome]:
    """Return a function that measures CLIP of the control row `static` of 50 stickers of 4 frames of 16 px."""
    scale = load_scale("ci").model_copy(update={"clip": ClipShape(num_frames=4, size_px=16)})
    spec = load_protocol("ci").model_copy(update={"controls": ("static",), "metrics": ("clip",)})

    def run(
        engine: Planting, said: io.StringIO, *, rows: Sequence[Row] = (), only: Sequence[str] = ()
    ) -> execute.Outcome:
        return execute.run(
            spec.model_copy(update={"rows": tuple(rows)}),
            scale,
            source=stickers,
            root=tmp_path / "store",
            skip_broken=False,
            console=Console(file=said, width=1000),
            quiet=True,
            engine=engine,
            only=only,
        )

    return run


def test_a_damaged_file_is_said_and_its_row_is_made_again(static_row: Callable[..., execute.Outcome]) -> None:
    said, unneeded, needed = io.StringIO(), Planting(), Planting()
    first = static_row(Planting(), said)
    static_row(unneeded, said)
    assert unneeded.names == []
    store, (cell,) = first.bench.store, first.cells
    path = store.path("samples", cell.sample_key) / "shard-0000.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"x")
    again = static_row(needed, said)
    assert {"static", "score static"} <= set(needed.names)
    assert path.read_bytes() == whole
    assert again.records == first.records
    assert said.getvalue() == f"{path} has other bytes than when it was written: it is removed and made again\n"


def test_a_row_whose_training_has_diverged_is_recorded_without_scores_and_not_tried_again(
    static_row: Callable[..., execute.Outcome],
) -> None:
    rows, again = [Row(label="SimDA", method="simda")], Planting()
    first = static_row(Planting(), io.StringIO(), rows=rows)
    lost = next(cell for cell in first.cells if cell.label == "SimDA")
    made = record.read(first.bench.store.root / "records" / f"{lost.id}.json")
    assert (made.diverged_at_step, made.scores, made.stage_seconds["fit"]) == (724, {}, 9.0)
    assert made == first.records[lost.id]
    assert static_row(again, io.StringIO(), rows=rows).records == first.records
    assert again.names == []


@pytest.mark.parametrize("fault", [SamplingError("RDTF: 2 of 2 clips have no finite values"), KeyboardInterrupt()])
def test_what_is_finished_is_recorded_where_another_row_fails_or_the_run_is_stopped(
    fault: BaseException, static_row: Callable[..., execute.Outcome], tmp_path: Path
) -> None:
    with pytest.raises(type(fault)):
        static_row(Planting(fault), io.StringIO())
    (path,) = (tmp_path / "store" / "records").iterdir()
    assert set(record.read(path).scores) == {"clip"}


def test_a_row_is_measured_alone_with_the_control_rows(static_row: Callable[..., execute.Outcome]) -> None:
    rows = [Row(label="SimDA", method="simda"), Row(label="RDTF", method="rdtf")]
    engine = Planting()
    outcome = static_row(engine, io.StringIO(), rows=rows, only=["RDTF"])
    assert [cell.label for cell in outcome.cells] == ["RDTF", "static"]
    assert outcome.records.keys() == {cell.id for cell in outcome.cells}
    assert [name for name in engine.names if name.startswith("train ")] == ["train RDTF"]
    with pytest.raises(UnknownNameError, match=r"there is no row of ci 'RDTS'. Did you mean 'RDTF'\?"):
        static_row(engine, io.StringIO(), rows=rows, only=["RDTS"])


def test_records_wait_for_those_that_another_run_writes(
    static_row: Callable[..., execute.Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LOOK_S", 0.01)
    first = static_row(Planting(), io.StringIO())
    store, (cell,) = first.bench.store, first.cells
    with ThreadPoolExecutor() as pool:
        with Leases(store.root) as other, other.held("records"):
            second = pool.submit(static_row, Planting(), io.StringIO())
            with pytest.raises(TimeoutError):
                second.result(timeout=0.5)
            known = first.records[cell.id]
            record.save(
                replace(known, scores={**known.scores, "fvd": planted_score(label="FVD")}), store.root / "records"
            )
        assert set(second.result().records[cell.id].scores) == {"clip", "fvd"}
