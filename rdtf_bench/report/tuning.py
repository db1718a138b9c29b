"""Show the progress of a fine-tuning: losses and samples in MLflow, samples as GIF files, and a summary."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rdtf_bench.report.figures import gallery
from rdtf_bench.run.finetune import ADAPTER, LOG, SETTINGS
from rdtf_bench.run.table.finished import read_log
from rdtf_bench.run.tracking import server
from rdtf_bench.run.tracking.training_run import TrainingRun

if TYPE_CHECKING:
    from rdtf_bench.core.video import VideoU8
    from rdtf_bench.run.finetune import Finished, Settings
    from rdtf_bench.run.inputs.clips import RealClips

SAMPLES = "samples"


class Journal:
    """Log of one fine-tuning. The MLflow run starts with the first step, so a refused call leaves none.

    MLflow only gets a copy of what is in the folder: after its first failure nothing more is sent to it, and training
    goes on. An unusable tracking URI raises TrackingError at once.
    """

    def __init__(self, out: Path, *, tracking_uri: str | None) -> None:
        self._out = out
        self._uri = server.tracking_uri(tracking_uri, out)
        server.require_usable(self._uri, out)
        self._run: TrainingRun | None = None
        self._is_logging = True

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._run is not None:
            self._log(lambda run: run.end(finished=kind is None))

    def step(self, step: int, measured: Mapping[str, float]) -> None:
        """Log what one training step measured."""
        self._log(lambda run: run.metrics(step, measured))

    def samples(self, steps_done: int, video: "VideoU8", real: "RealClips") -> None:
        """Write samples beside the real clips as a GIF file and log it."""
        path = self._out / SAMPLES / f"step-{steps_done:06d}.gif"
        rows = {"real": real.video.numpy(), f"step {steps_done}": video.numpy()}
        gallery.gif_grid(rows, path=path, captions=real.captions, zoom=1)
        self._log(lambda run: run.artifact(path))

    def _log(self, log: Callable[[TrainingRun], None]) -> None:
        if self._is_logging:
            self._is_logging = server.attempt(lambda: log(self._live()), uri=self._uri, root=self._out)

    def _live(self) -> TrainingRun:
        if self._run is None:
            self._run = _run_of(self._out, self._uri)
        return self._run


def is_tuning(folder: Path) -> bool:
    """Return whether `finetune` has begun a training in this folder."""
    return (folder / SETTINGS).is_file()


def sync(out: Path, uri: str) -> int:
    """Log what the server lacks of the fine-tuning in a folder, and return the number of runs that were logged."""
    run = _run_of(out, uri)
    run.end(finished=(out / ADAPTER).is_dir())
    return int(run.changed)


def _run_of(out: Path, uri: str) -> TrainingRun:
    """Return the run of the fine-tuning in a folder, brought up to date from the files in it."""
    parameters = json.loads((out / SETTINGS).read_text(encoding="utf-8"))
    log = out / LOG
    steps = read_log(log) if log.is_file() else []
    return TrainingRun(
        name=f"finetune {parameters['method']}",
        parameters=parameters,
        log=[{name: value for name, value in row.items() if name != "elapsed_s"} for row in steps],
        files=sorted((out / SAMPLES).glob("*.gif")),
        uri=uri,
        root=out,
    )


def summary(settings: "Settings", finished: "Finished") -> str:
    """Describe the adapter, its training and its samples in one line."""
    counts, training = finished.components, settings.training
    return (
        f"{finished.adapter}: {finished.adapter_bytes / 1e6:.1f} MB, {counts['trainable']:,} trained parameters on a "
        f"base of {counts['base']:,}; {training.num_steps} steps at batch size {training.batch_size}; samples from "
        f"conditions of the {finished.shown_split} split"
        + (f"; left out of the data: {finished.left_out}" if finished.left_out else "")
    )
