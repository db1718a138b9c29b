"""Logs a finished table to MLflow: one parent run for the table, with one child run for each row."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from rdtf_bench.core.store import key_of, write_text
from rdtf_bench.run.record import Record
from rdtf_bench.run.table.finished import LogRow
from rdtf_bench.run.tracking import facts
from rdtf_bench.run.tracking.runs import complete, curve, set_tags
from rdtf_bench.run.tracking.server import (
    EXPERIMENT,
    connect,
    database_of,
    failures,
    is_finished,
    is_sqlite,
    kept_run,
    open_experiment,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Run

DESCRIPTION_LENGTH = 8000
"""Characters that MLflow allows a tag, which holds the description of a run."""
MODEL = "model_id"
"""Tag of a row with the id of its trained model."""
MORE = "\n\nThe artifacts hold the whole text."
ROWS = "num_rows"
"""Tag of a table with the number of its rows, without its control rows."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a table, logged as a child run."""

    label: str
    record: Record
    record_path: Path
    log: Sequence[LogRow]  # one entry a training step


@dataclass(frozen=True, kw_only=True)
class Table:
    """A finished table, logged as a parent run."""

    name: str
    scale: str
    rows: Sequence[Row]
    pictures: Sequence[Path]
    description: str  # Markdown


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The logged rows of one table as MLflow's UI compares them, without its control rows.

    Control rows have no training, so most parameters do not apply to them.
    """

    table: str  # name of its run
    experiment: str
    runs: tuple[str, ...]  # ids of the runs of its rows
    status: str = "FINISHED"  # of the run of the table
    num_rows: int | None = None  # of the whole table; None where its run does not say

    @property
    def is_whole(self) -> bool:
        """Return whether the run that logged the table has finished."""
        return self.status == "FINISHED"

    @property
    def can_compare(self) -> bool:
        """Return whether more than one row is logged."""
        return len(self.runs) > 1

    @property
    def so_far(self) -> str:
        """Return how much of the table is logged, such as "RUNNING, 2 of 4 rows so far"."""
        rows = f"{len(self.runs)} rows" if self.num_rows is None else f"{len(self.runs)} of {self.num_rows} rows"
        return f"{self.status}, {rows} so far"

    def link(self, server: str) -> str:
        """Return the address of the comparison on a server, such as http://127.0.0.1:5000."""
        runs, experiments = (
            quote(json.dumps(ids, separators=(",", ":")), safe="") for ids in (self.runs, [self.experiment])
        )
        return f"{server.rstrip('/')}/#/compare-runs?runs={runs}&experiments={experiments}"


def last_comparisons(uri: str) -> list[Comparison]:
    """Return the table that ended last, then the one that was begun last of those that are still logged."""
    with failures(uri):
        client = connect(uri)
        kept = client.get_experiment_by_name(EXPERIMENT)
        if kept is None:
            return []
        experiment = str(kept.experiment_id)
        tables = [
            run
            for which, newest in (("!=", "end_time"), ("=", "start_time"))
            for run in client.search_runs(
                [experiment],
                f"tags.level = 'table' AND attributes.status {which} 'RUNNING'",
                max_results=1,
                order_by=[f"attributes.{newest} DESC"],
            )
        ]
        return [_comparison(client, experiment, table) for table in tables]


def log(table: Table, *, uri: str, root: Path) -> int:
    """Log what the server lacks of a table, and return the number of runs that were made or completed."""
    mark = _mark(root, uri, table)
    if is_sqlite(uri) and mark.is_file() and is_finished(database_of(uri), mark.read_text(encoding="utf-8")):
        return 0
    with failures(uri):
        client, experiment = open_experiment(uri, root)
        parent = kept_run(client, mark) or _begun_live(client, table, uri, root) or _new_run(client, experiment, table)
        write_text(mark, parent.info.run_id)
        if parent.info.status == "FINISHED":
            return 0
        parent_id = parent.info.run_id
        _describe(client, parent_id, table)
        begun = children_of(client, experiment, parent_id)
        left = [row for row in table.rows if not _is_done(begun.get(row.record.cell_id))]
        for row in left:
            _log_row(client, experiment, parent_id, row, begun.get(row.record.cell_id))
        files = {"": table.pictures, "records": [row.record_path for row in table.rows]}
        complete(client, parent, parameters={}, points=[], files=files)
        client.set_terminated(parent_id, end_time=max(facts.end_ms(row.record) for row in table.rows))
        return 1 + len(left)


def live_mark(root: Path, uri: str, table: str, scale: str, cell_ids: Sequence[str]) -> Path:
    """Return the file that keeps the id of the run of a table that is logged while it is measured."""
    return root / "tracked" / key_of([uri, table, scale, list(cell_ids)])


def unfinished_run(client: "MlflowClient", mark: Path) -> "Run | None":
    """Return the run whose id the mark holds; None if the server has no such run, or if it is finished."""
    run = kept_run(client, mark)
    return None if _is_done(run) else run


def children_of(client: "MlflowClient", experiment: str, parent_id: str) -> "dict[str, Run]":
    """Return the runs of the rows of a table by cell id."""
    children = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent_id}'")
    return {str(run.data.tags.get("cell_id")): run for run in children}


def _comparison(client: "MlflowClient", experiment: str, table: "Run") -> Comparison:
    rows = children_of(client, experiment, table.info.run_id).values()
    num_rows = table.data.tags.get(ROWS)
    return Comparison(
        table=str(table.info.run_name),
        experiment=experiment,
        runs=tuple(run.info.run_id for run in reversed(rows) if run.data.tags.get("kind", "control") != "control"),
        status=table.info.status,
        num_rows=None if num_rows is None else int(num_rows),
    )


def _begun_live(client: "MlflowClient", table: Table, uri: str, root: Path) -> "Run | None":
    cell_ids = [row.record.cell_id for row in table.rows]
    return unfinished_run(client, live_mark(root, uri, table.name, table.scale, cell_ids))


def _new_run(client: "MlflowClient", experiment: str, table: Table) -> "Run":
    begin_ms = min(facts.begin_ms(row.record) for row in table.rows)
    return client.create_run(experiment, run_name=f"{table.name} ({table.scale})", start_time=begin_ms)


def _describe(client: "MlflowClient", run_id: str, table: Table) -> None:
    """Give the run of a table its name, its tags, the table as its description, and the clips that its rows used."""
    newest = max((row.record for row in table.rows), key=facts.end_ms)
    num_rows = sum(row.record.kind != "control" for row in table.rows)
    tags = {"level": "table", **facts.origin(newest), "protocol": table.name, "scale": table.scale, ROWS: str(num_rows)}
    set_tags(client, run_id, {**tags, "mlflow.note.content": _shortened(table.description)})
    client.update_run(run_id, name=facts.table_name(table.name, table.scale, newest))
    _log_datasets(client, run_id, next((row.record for row in table.rows if row.log), newest))


def _shortened(description: str) -> str:
    """Return the whole lines of a description that MLflow has room for."""
    if len(description) <= DESCRIPTION_LENGTH:
        return description
    return description[: DESCRIPTION_LENGTH - len(MORE)].rpartition("\n")[0] + MORE


def _is_done(run: "Run | None") -> bool:
    return run is not None and run.info.status == "FINISHED"


def _log_row(client: "MlflowClient", experiment: str, parent_id: str, row: Row, begun: "Run | None") -> None:
    """Log a row as a child run; `begun` is its run from a call that broke off."""
    from mlflow.entities import Metric

    record = row.record
    run = begun or client.create_run(
        experiment,
        run_name=row.label,
        tags={"mlflow.parentRunId": parent_id, "kind": record.kind, "cell_id": record.cell_id},
        start_time=facts.begin_ms(record),
    )
    run_id, begin_ms = run.info.run_id, run.info.start_time
    end_ms = begin_ms + facts.duration_ms(record)
    set_tags(client, run_id, facts.tags(record))
    model = _trained_model(client, experiment, run, row)
    points = [
        Metric(name, value, end_ms, 0, model_id=model if name in record.scores else None)
        for name, value in facts.metrics(record).items()
    ]
    complete(
        client,
        run,
        parameters=facts.parameters(record, row.label),
        points=points + curve(row.log, begin_ms),
        files={"": [row.record_path]},
    )
    _log_datasets(client, run_id, record)
    client.set_terminated(run_id, end_time=end_ms)


def _trained_model(client: "MlflowClient", experiment: str, run: "Run", row: Row) -> str | None:
    """Return the id of the model that a row trained; None for a row that trained none.

    The weights stay in the store, and a tag says where.
    """
    from mlflow.entities import LoggedModelOutput

    if not (weights := facts.weights(row.record)):
        return None
    if MODEL in run.data.tags:  # of a call that broke off
        return str(run.data.tags[MODEL])
    model = client.create_logged_model(
        experiment,
        name=facts.model_name(row.label),
        source_run_id=run.info.run_id,
        tags=weights,
        params=facts.parameters(row.record, row.label),
        model_type=row.record.method,
    )
    client.finalize_logged_model(model.model_id, "READY")
    client.log_outputs(run.info.run_id, [LoggedModelOutput(model.model_id, step=0)])
    client.set_tag(run.info.run_id, MODEL, model.model_id)
    return str(model.model_id)


def _log_datasets(client: "MlflowClient", run_id: str, record: Record) -> None:
    """Log the clips of a row. A new dataset that another machine logs at the same moment fails once."""
    from mlflow import MlflowException

    try:
        client.log_inputs(run_id, _datasets(record))
    except MlflowException:
        client.log_inputs(run_id, _datasets(record))


def _datasets(record: Record) -> "list[DatasetInput]":
    """Return the clips of a row as MLflow's datasets. Logging a dataset twice leaves one."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    return [
        DatasetInput(
            Dataset(
                name=clips.name,
                digest=clips.digest,
                source_type="local",
                source=json.dumps({"uri": clips.source}),
                profile=clips.profile,
            ),
            tags=[InputTag("mlflow.data.context", clips.context)],
        )
        for clips in facts.inputs(record)
    ]


def _mark(root: Path, uri: str, table: Table) -> Path:
    """Return the file that keeps the id of the parent run of a table with these scores on this server."""
    rows = [[row.record.cell_id, sorted(score.key for score in row.record.scores.values())] for row in table.rows]
    return root / "tracked" / key_of([uri, table.name, table.scale, rows])
