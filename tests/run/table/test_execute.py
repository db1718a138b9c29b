import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.run.inputs.datasets import Dataset
from rdtf_bench.run.record import FORMAT_VERSION
from rdtf_bench.run.table import execute
from rdtf_bench.run.table.context import Bench
from rdtf_bench.run.table.sample import write_control
from rdtf_bench.run.table.score import write_score
from rdtf_bench.spec.load import load_protocol, load_scale
from rdtf_bench.spec.plan import Cell
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
        record = execute._records(load_protocol(table), bench.scale, data, bench, [wanted], f"run {table}")[static.id]
        assert set(record.scores) == set(record.config["scores"]) == {"fvd", "vqa", "clip"}
    assert record.command == "run table1"  # the second table adds no score, so the record is not written again
    assert record.samples_sha256 == hashlib.sha256(bytes(2 * 8 * 3 * 4 * 4)).hexdigest()
    assert (record.format_version, record.num_processes) == (FORMAT_VERSION, 1)
    assert record.resolved_scale == bench.scale.model_dump(mode="json")


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
