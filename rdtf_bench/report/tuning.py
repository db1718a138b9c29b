"""Show the progress of a fine-tuning: losses and samples in MLflow, samples as GIF files, and a summary."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rdtf_bench.report.figures import gallery
from rdtf_bench.run import track

if TYPE_CHECKING:
    from rdtf_bench.core.video import VideoU8
    from rdtf_bench.run.finetune import Finished, Settings
    from rdtf_bench.run.inputs.clips import RealClips


class Journal:
    """Log of one fine-tuning. The MLflow run starts with the first step, so a refused call leaves none."""

    def __init__(self, settings: "Settings", out: Path, *, tracking_uri: str | None) -> None:
        self._settings, self._out = settings, out
        self._uri = track.tracking_uri(tracking_uri, out)
        self._run: track.LiveRun | None = None

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._run is not None:
            self._run.end(finished=kind is None)

    def step(self, step: int, measured: Mapping[str, float]) -> None:
        """Log what one training step measured."""
        self._live().metrics(step, measured)

    def samples(self, steps_done: int, video: "VideoU8", real: "RealClips") -> None:
        """Write samples beside the real clips as a GIF file and log it."""
        path = self._out / "samples" / f"step-{steps_done:06d}.gif"
        rows = {"real": real.video.numpy(), f"step {steps_done}": video.numpy()}
        gallery.gif_grid(rows, path=path, captions=real.captions, zoom=1)
        self._live().artifact(path)

    def _live(self) -> track.LiveRun:
        if self._run is None:
            settings = self._settings
            self._run = track.LiveRun(
                name=f"finetune {settings.method}", parameters=settings.as_dict(), uri=self._uri, root=self._out
            )
        return self._run


def summary(settings: "Settings", finished: "Finished") -> str:
    """Describe the adapter, its training and its samples in one line."""
    counts, training = finished.components, settings.training
    return (
        f"{finished.adapter}: {finished.adapter_bytes / 1e6:.1f} MB, {counts['trainable']:,} trained parameters on a "
        f"base of {counts['base']:,}; {training.num_steps} steps at batch size {training.batch_size}; samples from "
        f"conditions of the {finished.shown_split} split"
        + (f"; left out of the data: {finished.left_out}" if finished.left_out else "")
    )
