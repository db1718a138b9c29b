from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from rdtf_bench import catalog
from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.run import environment
from rdtf_bench.run.engines import local
from rdtf_bench.run.engines.local import LocalEngine
from rdtf_bench.run.table.context import Bench, find_assets
from rdtf_bench.run.table.schedule import Job, jobs_for
from rdtf_bench.spec.load import load_protocol
from rdtf_bench.spec.plan import Cell, plan
from rdtf_bench.spec.schema import Row
from tests.plans import DATA


def test_options_of_every_row_to_be_trained_are_checked_before_any_job(planned: tuple[Bench, list[Cell]]) -> None:
    bench, _ = planned
    spec = load_protocol("table1")
    wrong = spec.model_copy(update={"rows": (*spec.rows, Row(label="mine", method="rdtf", options={"k_max": 9}))})
    digests = {role: asset.digest for role, asset in find_assets(bench.scale).items()}
    jobs = jobs_for(bench, plan(wrong, bench.scale, DATA, digests, catalog.constants))
    with ThreadPoolExecutor(1) as pool, pytest.raises(ProtocolError, match=r"row 'mine': .*k_max 9"):
        local._check_options(jobs, bench, pool)


def test_jobs_run_in_worker_processes_and_are_shown_when_done(planned: tuple[Bench, list[Cell]]) -> None:
    bench, cells = planned
    bench = replace(bench, scale=bench.scale.model_copy(update={"workers": 1}))
    trained = [cell for cell in cells if cell.fit is not None]
    first = Job(name="first", function="check_options", arguments={"cells": trained[:1]}, expected_s=1.0)
    then = Job(
        name="then",
        function="check_options",
        arguments={"cells": trained[1:]},
        after=frozenset({"first"}),
        expected_s=2.0,
    )
    said = StringIO()
    peak_gib = LocalEngine().run([then, first], bench, Console(file=said), quiet=False)
    assert [line.split("] ")[1] for line in said.getvalue().splitlines()] == ["first: done", "then: done"]
    assert peak_gib > environment.peak_memory_gib()


def test_without_jobs_no_process_is_started(planned: tuple[Bench, list[Cell]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "ProcessPoolExecutor", lambda *_: pytest.fail("a pool was made"))
    assert LocalEngine().run([], planned[0], Console(), quiet=True) == pytest.approx(environment.peak_memory_gib())
