"""The Ray engine on a cluster of two machines with one core each; run where Ray is installed.

The table's comparison with the local engine takes minutes: it has the mark `long`.
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from rdtf_bench.core.errors import DeviceError, ProtocolError, StoreError
from rdtf_bench.core.leases import Leases
from rdtf_bench.run.engines import ray as engines_ray
from rdtf_bench.run.engines.engine import Engine
from rdtf_bench.run.engines.local import LocalEngine
from rdtf_bench.run.engines.ray import RayEngine
from rdtf_bench.run.protocols import load_scale, load_table
from rdtf_bench.run.record import Record
from rdtf_bench.run.table import execute
from rdtf_bench.run.table.context import Bench
from rdtf_bench.run.table.schedule import Job
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import Scale

ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # Ray's own warnings are not errors of ours


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    yield made
    made.shutdown()


def check_of(cells: list[Cell], name: str, *after: str) -> Job:
    return Job(name=name, function="check", arguments={"cells": cells}, expected_s=1.0, after=frozenset(after))


def run(engine: RayEngine, jobs: list[Job], bench: Bench) -> list[str]:
    said = StringIO()
    with Leases(bench.store.root) as leases:
        engine.run(jobs, bench, Console(file=said), leases=leases, quiet=False)
    return [line.split("] ")[1].split(", about")[0] for line in said.getvalue().splitlines()]


def test_jobs_run_in_their_order_on_a_cluster(cluster: Any, planned: tuple[Bench, list[Cell]]) -> None:
    bench, cells = planned
    jobs = [check_of(cells, "then", "first"), check_of(cells, "first")]
    assert run(RayEngine(cluster.address), jobs, bench) == ["first: done", "then: done"]


def test_the_error_of_a_job_arrives_as_it_was(cluster: Any, planned: tuple[Bench, list[Cell]]) -> None:
    bench, cells = planned
    fit = next(cell.fit for cell in cells if cell.fit is not None)
    wrong = replace(next(cell for cell in cells if cell.fit == fit), fit=fit.model_copy(update={"options": {"no": 1}}))
    with pytest.raises(ProtocolError, match="no"):
        run(
            RayEngine(cluster.address),
            [Job(name="row", function="train", arguments={"cell": wrong}, expected_s=1.0)],
            bench,
        )


def test_a_machine_that_does_not_see_the_store_is_named(
    cluster: Any, planned: tuple[Bench, list[Cell]], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, cells = planned
    monkeypatch.setattr(engines_ray, "_sees", _sees_nothing)
    with pytest.raises(StoreError, match="do not see this store"):
        run(RayEngine(cluster.address), [check_of(cells, "first")], bench)


def _sees_nothing(path: str) -> bool:
    del path
    return False


def test_an_address_where_no_cluster_is_is_said(planned: tuple[Bench, list[Cell]]) -> None:
    bench, cells = planned
    with pytest.raises(DeviceError, match=r"--address 127.0.0.1:1: no Ray cluster answers there.*ray start --head"):
        run(RayEngine("127.0.0.1:1"), [check_of(cells, "first")], bench)


def miniature() -> Scale:
    scale = load_scale("ci")
    training = scale.training.model_copy(update={"num_steps": 40, "checkpoint_every": 2})
    return scale.model_copy(update={"training": training})


def table(root: Path, engine: Engine) -> dict[str, Record]:
    spec = load_table("ci")
    rows = tuple(row for row in spec.rows if row.method in ("rdtf", "simda"))
    return execute.run(
        spec.model_copy(update={"rows": rows}),
        miniature(),
        source=None,
        root=root,
        skip_broken=False,
        console=Console(quiet=True),
        quiet=True,
        engine=engine,
    ).records


@pytest.mark.long
def test_a_table_has_the_bits_of_the_local_engine_although_a_machine_dies(tmp_path: Path) -> None:
    from ray.cluster_utils import Cluster

    local = table(tmp_path / "local", LocalEngine())
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    mortal = cluster.add_node(num_cpus=1)
    killed = threading.Event()

    def kill() -> None:
        while len(list((tmp_path / "ray" / "unfinished" / "fit").glob("*/checkpoints/*"))) < 2:
            time.sleep(0.2)
        cluster.remove_node(mortal, allow_graceful=False)
        killed.set()

    threading.Thread(target=kill, daemon=True).start()
    remote = table(tmp_path / "ray", RayEngine(cluster.address))
    cluster.shutdown()
    assert killed.is_set()
    assert remote.keys() == local.keys()
    for cell, record in remote.items():
        assert record.samples_sha256 == local[cell].samples_sha256
        values = {metric: score.value for metric, score in record.scores.items()}
        assert values == {metric: score.value for metric, score in local[cell].scores.items()}
