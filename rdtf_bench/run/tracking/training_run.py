"""Logs one training to MLflow while it trains."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rdtf_bench.core.store import key_of, write_text
from rdtf_bench.run.record import flat
from rdtf_bench.run.table.finished import LogRow
from rdtf_bench.run.tracking.runs import complete, curve, log_points
from rdtf_bench.run.tracking.server import failures, kept_run, open_experiment


class TrainingRun:
    """The run of one training, which may be logged while it trains. A resumed training continues in the same run.

    A new object logs first what the server lacks of the steps and files that are on disk. `changed` says whether
    anything had to be logged.
    """

    def __init__(
        self,
        *,
        name: str,
        parameters: Mapping[str, object],
        log: Sequence[LogRow],
        files: Sequence[Path],
        uri: str,
        root: Path,
    ) -> None:
        self._uri = uri
        mark = root / "tracked" / key_of([uri, name])
        with failures(uri):
            self._client, experiment = open_experiment(uri, root)
            run = kept_run(self._client, mark)
            if run is None:
                run = self._client.create_run(experiment, run_name=name)
                write_text(mark, run.info.run_id)
            self._run_id, self._status = str(run.info.run_id), str(run.info.status)
            self.changed = complete(
                self._client,
                run,
                parameters=flat(parameters),
                points=curve(log, run.info.start_time),
                files={"": files},
            )

    def metrics(self, step: int, measured: Mapping[str, float]) -> None:
        """Log the values of one step."""
        with failures(self._uri):
            if self._status != "RUNNING":
                self._client.update_run(self._run_id, status="RUNNING")
                self._status = "RUNNING"
            points = curve([{"step": step, **measured}], round(1000 * time.time()))
            log_points(self._client, self._run_id, points)

    def artifact(self, path: Path) -> None:
        """Log a file."""
        with failures(self._uri):
            self._client.log_artifact(self._run_id, str(path))

    def end(self, *, finished: bool) -> None:
        """Set the status of the run to finished, or to killed if the training goes on later."""
        status = "FINISHED" if finished else "KILLED"
        if status != self._status:
            with failures(self._uri):
                self._client.set_terminated(self._run_id, status=status)
            self._status, self.changed = status, True
