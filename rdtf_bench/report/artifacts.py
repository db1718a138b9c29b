"""Pictures, the page and MLflow runs of a finished table, made from the store."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.leases import Leases
from rdtf_bench.core.store import Store, key_of, require_place, write_text, written_whole
from rdtf_bench.report.figures import losses
from rdtf_bench.report.table.table import render
from rdtf_bench.run import record
from rdtf_bench.run.selftest import record as selftest_record
from rdtf_bench.run.table import finished
from rdtf_bench.run.table.execute import Outcome
from rdtf_bench.run.tracking import server, table_runs
from rdtf_bench.spec.command import command
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import TableSpec

CLIPS_SHOWN = 6
PAGE = "report.html"
SAMPLES = "samples.gif"
DESCRIPTION = "table.md"
ROWS = "rows.json"
"""Lists the rows of a finished table, beside its pictures."""


def write(
    spec: TableSpec,
    scale: Scale,
    outcome: Outcome,
    *,
    tracking_uri: str | None,
    console: Console,
    quiet: bool,
    options: Sequence[str] = (),
) -> None:
    """Draw the pictures of this table if they are absent, and log to MLflow what the server lacks of it.

    `options` are those with which a command takes this table besides its scale.
    """
    root = outcome.bench.store.root
    folder = pictures_folder(root, spec, scale, outcome.cells)
    logs = losses.logs_of(outcome.cells, outcome.bench.store)
    names = [SAMPLES, "samples.png", "loss.png", "loss.csv"]
    if losses.with_curriculum(logs):
        names += ["curriculum.png"]
    if not all((folder / name).is_file() for name in names):
        _draw(spec, outcome, logs, folder)
    warning = selftest_record.warning(root, scale)
    rows = _rows(spec, scale, outcome, warning)
    if not _is_current(folder, rows):
        _write_page(spec, scale, outcome, folder / PAGE, warning, options)
    write_text(folder / DESCRIPTION, _description(spec, scale, outcome, warning, options))
    write_text(folder / ROWS, rows)
    uri = server.tracking_uri(tracking_uri, root)

    def log() -> None:
        runs = _log([folder / ROWS], uri, root)
        if runs and not quiet:
            console.print(f"logged {runs} runs to {uri}", highlight=False)

    server.attempt(log, uri=uri, root=root)


def tables(root: Path) -> list[Path]:
    """Return the finished tables of a store, as the files that list their rows."""
    return sorted((root / "pictures").glob(f"*/{ROWS}"))


def sync(root: Path, uri: str) -> int:
    """Log what the server lacks of the finished tables of a store, and return the number of runs that were logged."""
    finished_tables = tables(root)
    return _log(finished_tables, uri, root) if finished_tables else 0


def _log(paths: Sequence[Path], uri: str, root: Path) -> int:
    """Log tables while no other command does: two at once would find nothing logged, and log everything twice."""
    with Leases(root) as leases, leases.held(server.LEASE):
        return sum(table_runs.log(_read_table(path, root), uri=uri, root=root) for path in paths)


def pictures_folder(root: Path, spec: TableSpec, scale: Scale, cells: Sequence[Cell]) -> Path:
    """Return the folder of the table's pictures in the store at `root`, which depends on its cells."""
    return root / "pictures" / f"{spec.name}-{scale.name}-{key_of([cell.id for cell in cells])}"


def copy_samples(
    root: Path, spec: TableSpec, scale: Scale, cells: Sequence[Cell], path: Path, *, options: Sequence[str] = ()
) -> None:
    """Copy the animated samples of a finished table to a file. StoreError where the store has none."""
    require_place(path, "--picture FILE")
    samples = pictures_folder(root, spec, scale, cells) / SAMPLES
    if not samples.is_file():
        raise StoreError(f"{samples}: is absent; a finished run draws it: {command('run', spec, scale, options)}")
    with written_whole(path) as making:
        shutil.copyfile(samples, making)


def closing_line(outcome: Outcome) -> str:
    """Say how many jobs were done, how long they took and how much memory they needed."""
    minutes, seconds = divmod(round(outcome.wall_s), 60)
    work = f"{outcome.jobs_done} jobs in" if outcome.jobs_done else "nothing left to do, checked in"
    return f"{work} {minutes} min {seconds:02d} s; peak memory of all processes {outcome.peak_memory_gib:.1f} GiB"


def _is_current(folder: Path, rows: str) -> bool:
    """Return whether the page was written with these rows: their list is written after it."""
    listed = folder / ROWS
    return (folder / PAGE).is_file() and listed.is_file() and listed.read_text(encoding="utf-8") == rows


def _write_page(
    spec: TableSpec,
    scale: Scale,
    outcome: Outcome,
    path: Path,
    warning: str | None = None,
    options: Sequence[str] = (),
) -> None:
    from rdtf_bench.report.page.table_page import Contents, page

    contents = Contents(
        spec=spec,
        scale=scale,
        cells=outcome.cells,
        records=outcome.records,
        store=outcome.bench.store,
        warning=warning,
        options=options,
    )
    write_text(path, page(contents))


def _description(spec: TableSpec, scale: Scale, outcome: Outcome, warning: str | None, options: Sequence[str]) -> str:
    """Return the table in Markdown, which MLflow shows beside its rows."""
    table = render(spec, scale, outcome.cells, outcome.records, format="md", warning=warning, options=options)
    return f"### {spec.name}: {spec.title}\n\n{table}\n"


def _rows(spec: TableSpec, scale: Scale, outcome: Outcome, warning: str | None) -> str:
    """List the rows of a finished table, so that `sync` can log it without its protocol, and what its page shows."""
    rows = [
        {
            "label": cell.name,
            "cell_id": cell.id,
            "fit_key": None if cell.fit is None else cell.fit_key,
            "score_keys": {metric: cell.score_key(metric) for metric in cell.scores},
        }
        for cell in outcome.cells
    ]
    facts = {"table": spec.name, "scale": scale.name, "rows": rows, "warning": warning}
    return json.dumps(facts, indent=1) + "\n"


def _read_table(path: Path, root: Path) -> table_runs.Table:
    """Read from the store what is logged of a table; StoreError where the store has lost some of it."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    try:
        rows = [_read_row(row, root) for row in raw["rows"]]
    except FileNotFoundError as error:
        raise StoreError(
            f"{error.filename}: is gone, and logging {raw['table']} needs it. Run the table again, or remove "
            f"{path.parent}"
        ) from error
    pictures = sorted(file for file in path.parent.iterdir() if file.name != ROWS)
    text = path.parent / DESCRIPTION
    description = text.read_text(encoding="utf-8") if text.is_file() else ""  # an older version wrote none
    return table_runs.Table(
        name=raw["table"], scale=raw["scale"], rows=rows, pictures=pictures, description=description
    )


def _read_row(row: Mapping[str, Any], root: Path) -> table_runs.Row:
    path = record.folder_in(root) / f"{row['cell_id']}.json"
    fit_key = row["fit_key"]
    log = [] if fit_key is None else finished.training_log(Store(root), fit_key)
    return table_runs.Row(label=row["label"], record=record.read(path), record_path=path, log=log)


def _draw(spec: TableSpec, outcome: Outcome, logs: losses.Logs, folder: Path) -> None:
    from rdtf_bench.report.figures import gallery
    from rdtf_bench.run.inputs.clips import read_clips
    from rdtf_bench.run.table.sample import read_samples

    store = outcome.bench.store
    real = read_clips(store.path("clips", outcome.bench.real["test"]))
    shown = slice(0, None, max(1, len(real.ids) // CLIPS_SHOWN))
    videos = {"real": real.video[shown][:CLIPS_SHOWN].numpy()}
    for cell in outcome.cells:
        if cell.method in ("real", "other_real_clips") or cell.seed != spec.seeds[0]:
            continue
        if store.has("samples", cell.sample_key):  # a row whose training has diverged has none
            videos[cell.label] = read_samples(store.path("samples", cell.sample_key))[shown][:CLIPS_SHOWN].numpy()
    captions = real.captions[shown][:CLIPS_SHOWN]
    folder.mkdir(parents=True, exist_ok=True)
    gallery.gif_grid(videos, path=folder / SAMPLES, captions=captions)
    gallery.contact_sheet(videos, path=folder / "samples.png", captions=captions)
    losses.draw(losses.panels_of(spec, outcome.cells, logs), path=folder / "loss.png")
    losses.write_csv(losses.by_training(logs), path=folder / "loss.csv")
    if curricula := losses.with_curriculum(logs):
        losses.draw_curricula(curricula, path=folder / "curriculum.png")
