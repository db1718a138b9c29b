"""Pictures and MLflow runs of a finished table, made from the store: sample grids, loss curves, curricula."""

from pathlib import Path

from rich.console import Console

from rdtf_bench.core.store import Store, key_of
from rdtf_bench.report.figures import losses
from rdtf_bench.run import record, track
from rdtf_bench.run.table import finished
from rdtf_bench.run.table.execute import Outcome
from rdtf_bench.spec.schema import Scale, TableSpec

CLIPS_SHOWN = 6


def write(
    spec: TableSpec, scale: Scale, outcome: Outcome, *, tracking_uri: str | None, console: Console, quiet: bool
) -> None:
    """Draw the pictures of this table if they are absent, and log its records to MLflow if they are not there yet."""
    root = outcome.bench.store.root
    folder = pictures_folder(spec, scale, outcome)
    logs = _logs(outcome)
    names = ["samples.gif", "samples.png", "loss.png", "loss.csv"]
    if losses.with_curriculum(logs):
        names += ["curriculum.png"]
    pictures = [folder / name for name in names]
    missing = not all(path.is_file() for path in pictures)
    if missing:
        _draw(spec, outcome, logs, folder)
    uri = track.tracking_uri(tracking_uri, root)
    if missing or track.untracked(outcome.records, uri, root):
        if not quiet:
            console.print(f"logging to {uri}", highlight=False)
        rows = _rows(outcome)
        track.log(rows, table=spec.name, scale=scale.name, uri=uri, root=root, artifacts=pictures)


def pictures_folder(spec: TableSpec, scale: Scale, outcome: Outcome) -> Path:
    """Return the folder of the table's pictures, which depends on its cells."""
    key = key_of([cell.id for cell in outcome.cells])
    return outcome.bench.store.root / "pictures" / f"{spec.name}-{scale.name}-{key}"


def closing_line(outcome: Outcome) -> str:
    """Say how many jobs were done, how long they took and how much memory they needed."""
    minutes, seconds = divmod(round(outcome.wall_s), 60)
    work = f"{outcome.jobs_done} jobs in" if outcome.jobs_done else "nothing left to do, checked in"
    return f"{work} {minutes} min {seconds:02d} s; peak memory of all processes {outcome.peak_memory_gib:.1f} GiB"


def _rows(outcome: Outcome) -> list[track.Row]:
    store = outcome.bench.store
    folder = record.folder_in(store.root)
    return [
        track.Row(
            label=cell.name,
            record=outcome.records[cell.id],
            record_path=folder / f"{cell.id}.json",
            log=_log(store, cell.fit_key) if cell.fit is not None else [],
        )
        for cell in outcome.cells
    ]


def _log(store: Store, fit_key: str) -> list[finished.LogRow]:
    return finished.training_log(store, fit_key)


def _logs(outcome: Outcome) -> dict[str, list[finished.LogRow]]:
    return {cell.name: _log(outcome.bench.store, cell.fit_key) for cell in outcome.cells if cell.fit is not None}


def _draw(spec: TableSpec, outcome: Outcome, logs: dict[str, list[finished.LogRow]], folder: Path) -> None:
    from rdtf_bench.report.figures import gallery
    from rdtf_bench.run.inputs.clips import read_clips
    from rdtf_bench.run.table.sample import read_samples

    store = outcome.bench.store
    real = read_clips(store.path("clips", outcome.bench.real["test"]))
    shown = slice(0, None, max(1, len(real.ids) // CLIPS_SHOWN))
    videos = {"real": real.video[shown][:CLIPS_SHOWN].numpy()}
    for cell in outcome.cells:
        if cell.method != "noise_floor" and cell.seed == spec.seeds[0]:
            videos[cell.label] = read_samples(store.path("samples", cell.sample_key))[shown][:CLIPS_SHOWN].numpy()
    captions = real.captions[shown][:CLIPS_SHOWN]
    folder.mkdir(parents=True, exist_ok=True)
    gallery.gif_grid(videos, path=folder / "samples.gif", captions=captions)
    gallery.contact_sheet(videos, path=folder / "samples.png", captions=captions)
    first = {cell.label: cell.name for cell in reversed(outcome.cells)}  # the first seed of a line with several
    panels = {panel.title: {row: logs[first[row]] for row in panel.rows} for panel in spec.panels} or {"": logs}
    losses.draw(panels, path=folder / "loss.png")
    losses.write_csv(logs, path=folder / "loss.csv")
    if curricula := losses.with_curriculum(logs):
        losses.draw_curricula(curricula, path=folder / "curriculum.png")
