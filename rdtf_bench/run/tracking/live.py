"""Logs the trainings of a table to MLflow while they run: the new lines of each row's log, every few seconds.

A thread of the driver does it, so that a training never waits for MLflow.
"""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rdtf_bench.core.leases import Leases
from rdtf_bench.core.store import key_of, write_text
from rdtf_bench.run.table.context import Bench, Watching
from rdtf_bench.run.table.finished import LOG, LogRow
from rdtf_bench.run.tracking import facts
from rdtf_bench.run.tracking.runs import complete, curve, log_points
from rdtf_bench.run.tracking.server import LEASE, attempt, failures, open_experiment
from rdtf_bench.run.tracking.table_runs import ROWS, children_of, live_mark, unfinished_run
from rdtf_bench.spec.plan import Cell

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

PAUSE_S = 5.0
"""Seconds between two looks at the logs."""
SHARE = 0.02
"""Largest share of the time that may go into logging; where MLflow is slow, the pauses become longer."""
LOGGED_BY = "logged_by"
"""Tag with the token of the process that logs a run."""
SYSTEM_AFTER_S = 60.0
"""Seconds after which the load of the machine is logged too."""
SYSTEM_EVERY_S = 10
SYSTEM_MEAN_OF = 3
"""Number of measurements of the load that are logged as one mean."""


@dataclass(kw_only=True)
class Training:
    """A row that trains, and how much of its log has been read."""

    cell: Cell
    logs: tuple[Path, ...]  # where the log is while the row trains, and afterwards
    read_bytes: int = 0
    run: "Run | None" = None

    def new_entries(self) -> list[LogRow]:
        """Return the entries since the last call. A line that is still being written waits for the next call."""
        for path in self.logs:
            try:
                with path.open("rb") as file:
                    file.seek(self.read_bytes)
                    lines, end, _ = file.read().rpartition(b"\n")
            except FileNotFoundError:
                continue
            self.read_bytes += len(lines + end)
            return [json.loads(line) for line in lines.splitlines()]
        return []


def watching(table: str, scale: str, *, uri: str, root: Path) -> Watching:
    """Return what logs the trainings of a table to this URI while a block runs.

    An error that ends the block, such as Ctrl-C, leaves the runs as KILLED. The next run of the table continues them.
    """

    @contextmanager
    def watch(bench: Bench, cells: Sequence[Cell], leases: Leases) -> Iterator[None]:
        live = LiveTable(table, scale, cells, trainings(bench, cells), leases, uri=uri, root=root)
        over = threading.Event()
        thread = threading.Thread(target=live.follow, args=(over,), name="MLflow", daemon=True)
        thread.start()
        finished = False
        try:
            yield
            finished = True
        finally:
            over.set()
            thread.join()
            live.end(finished=finished)

    return watch


def trainings(bench: Bench, cells: Sequence[Cell]) -> list[Training]:
    """Return the rows that are not trained yet; the first one of several that share their weights."""
    store = bench.store
    first = {cell.fit_key: cell for cell in reversed(cells) if cell.fit is not None}
    return [
        Training(cell=cell, logs=(store.root / "unfinished" / "fit" / key / LOG, store.path("fit", key) / LOG))
        for key, cell in first.items()
        if not store.has("fit", key)
    ]


class LiveTable:
    """The runs of a table whose rows are training. They are made when the first training has done a step.

    A table that two commands run at once is logged by the first of them.
    """

    def __init__(
        self,
        table: str,
        scale: str,
        cells: Sequence[Cell],
        training: Sequence[Training],
        leases: Leases,
        *,
        uri: str,
        root: Path,
    ) -> None:
        self._table, self._scale, self._training, self._leases = table, scale, training, leases
        self._num_rows = sum(not cell.is_control for cell in cells)
        self._mark = live_mark(root, uri, table, scale, [cell.id for cell in cells])
        self._uri, self._root = uri, root
        self._began_s = time.monotonic()
        self._lease = f"live-{self._mark.name}"
        self.is_logging = bool(training) and leases.take(self._lease)
        self._runs: _Runs | None = None

    def follow(self, over: threading.Event) -> None:
        """Log new entries until `over` is set. The first failure of MLflow is printed and ends the logging."""
        pause_s = PAUSE_S
        while self.is_logging and not over.wait(pause_s):
            began_s = time.monotonic()
            was_open = self._runs is not None
            self.is_logging = attempt(self.log_new, uri=self._uri, root=self._root)
            if was_open:  # importing and opening MLflow is needed once in any case
                pause_s = max(PAUSE_S, (time.monotonic() - began_s) / SHARE)

    def log_new(self) -> None:
        """Log what the trainings have written since the last call."""
        with failures(self._uri):  # a damaged log costs no result either
            for training in self._training:
                if entries := training.new_entries():
                    if self._runs is None:
                        self._runs = self._open()
                    self._runs.log(training, entries)
            if self._runs is not None and time.monotonic() - self._began_s > SYSTEM_AFTER_S:
                self._runs.monitor()

    def _open(self) -> "_Runs":
        with self._leases.held(LEASE):
            return _Runs(
                self._table, self._scale, self._num_rows, self._mark, self._leases, uri=self._uri, root=self._root
            )

    def end(self, *, finished: bool) -> None:
        """Stop logging. Rows that did not finish are KILLED; a finished table is completed from its records later."""
        if self.is_logging and self._runs is not None:
            attempt(lambda: self._end(finished), uri=self._uri, root=self._root)
        self._leases.give_back(self._lease)

    def _end(self, finished: bool) -> None:
        assert self._runs is not None
        self.log_new()
        with failures(self._uri):
            self._runs.end(killed=not finished)


class _Runs:
    """The parent run of a table and the runs of its rows, in MLflow."""

    def __init__(
        self, table: str, scale: str, num_rows: int, mark: Path, leases: Leases, *, uri: str, root: Path
    ) -> None:
        self._client, self._experiment = open_experiment(uri, root)
        self._uri, self._scale = uri, scale
        self._leases, self._store = leases, key_of(str(root.resolve()))
        self._monitor: SystemMetricsMonitor | None = None
        self._kill_running()
        parent = unfinished_run(self._client, mark)
        if parent is None:
            tags = {"level": "table", "protocol": table, "scale": scale, "store": self._store, ROWS: str(num_rows)}
            parent = self._client.create_run(self._experiment, run_name=f"{table} ({scale})", tags=tags)
            write_text(mark, parent.info.run_id)
        self._parent_id = str(parent.info.run_id)
        self._begin(self._parent_id)
        self._begun = children_of(self._client, self._experiment, self._parent_id)

    def log(self, training: Training, entries: Sequence[LogRow]) -> None:
        """Log entries of a training; the first ones with its parameters, as far as another run has not logged them."""
        if training.run is not None:
            log_points(self._client, training.run.info.run_id, curve(entries, training.run.info.start_time))
            return
        run = self._begun.get(training.cell.id) or self._new_row(training.cell, entries)
        self._begin(run.info.run_id)
        parameters = {"scale": self._scale, **facts.plan_parameters(training.cell)}
        complete(self._client, run, parameters=parameters, points=curve(entries, run.info.start_time), files={})
        training.run = run

    def monitor(self) -> None:
        """Log processor, memory and GPU of this machine to the run of the table from now on."""
        if self._monitor is None:
            from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

            self._monitor = SystemMetricsMonitor(  # type: ignore[no-untyped-call]
                self._parent_id,
                sampling_interval=SYSTEM_EVERY_S,
                samples_before_logging=SYSTEM_MEAN_OF,
                resume_logging=True,
                tracking_uri=self._uri,
            )
            self._monitor.start()  # type: ignore[no-untyped-call]

    def end(self, *, killed: bool) -> None:
        if self._monitor is not None:
            self._monitor.finish()  # type: ignore[no-untyped-call]
        if killed:
            self._kill_running()

    def _new_row(self, cell: Cell, entries: Sequence[LogRow]) -> "Run":
        tags = {"mlflow.parentRunId": self._parent_id, "level": "row", "kind": cell.kind, "cell_id": cell.id}
        began_ms = round(1000 * (time.time() - entries[-1]["elapsed_s"]))
        return self._client.create_run(
            self._experiment, run_name=cell.name, tags={**tags, "store": self._store}, start_time=began_ms
        )

    def _begin(self, run_id: str) -> None:
        self._client.update_run(run_id, status="RUNNING")
        self._client.set_tag(run_id, LOGGED_BY, self._leases.token)

    def _kill_running(self) -> None:
        """End the runs of this store whose process is gone without having ended them, and those of this process."""
        running = f"tags.store = '{self._store}' AND attributes.status = 'RUNNING'"
        for run in self._client.search_runs([self._experiment], running):
            by = run.data.tags.get(LOGGED_BY, "")
            if by == self._leases.token or not self._leases.is_alive(by):
                self._client.set_terminated(run.info.run_id, status="KILLED")
