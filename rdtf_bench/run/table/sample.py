"""Samples the clips of a row into the store as uint8, batch by batch. A finished batch is not sampled again."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor

from rdtf_bench.core.errors import SamplingError, StoreError
from rdtf_bench.core.method import Conditions
from rdtf_bench.core.seeds import generators_for
from rdtf_bench.core.store import Store, written_whole
from rdtf_bench.core.video import Video, VideoU8, to_uint8, to_unit
from rdtf_bench.diffusion.masks import task_named
from rdtf_bench.run.inputs.clips import RealClips
from rdtf_bench.run.progress import Report
from rdtf_bench.run.storage.entries import WORK
from rdtf_bench.spec.identities import PipelineSamples, Samples, TrainedSamples

Generate = Callable[[Conditions, Sequence[torch.Generator]], Video]
"""Samples one video per clip, each with its own CPU generator."""


def conditions(real: RealClips, task: str, chosen: slice) -> Conditions:
    """Return captions and known frames of the chosen clips."""
    video = to_unit(real.video[chosen])
    kind = task_named(task)
    places = range(len(real.ids))[chosen]
    known = torch.tensor([kind.mask_of(place, video.shape[1]) for place in places], dtype=torch.float32)
    return Conditions(
        clip_ids=real.ids[chosen],
        captions=real.captions[chosen] if kind.uses_text else ("",) * len(places),
        frames=video * known[:, :, None, None, None],
        known=known,
    )


def write_samples(
    generate: Generate,
    sample: TrainedSamples | PipelineSamples,
    real: RealClips,
    chosen: slice,
    *,
    store: Store,
    report: Report,
) -> None:
    """Sample one clip per test clip in `chosen`, whole batches, unless the store holds them."""
    if store.has("samples", sample.key):
        return
    folder = store.unfinished("samples", sample.key)
    for path, batch in _batches(folder, chosen, sample.batch_size):
        if not path.is_file() and not store.has("samples", sample.key):  # another run may have finished them
            began_s = time.monotonic()
            given = conditions(real, sample.task, batch)
            generators = generators_for(sample.seed, given.clip_ids, "sample")
            video = generate(given, generators)
            if sample.known_frames == "overwrite":
                video = overwrite_known(video, given)
            _write_batch(path, _quantised(video, given.clip_ids), seconds=time.monotonic() - began_s)
        report.advance(batch.stop - chosen.start, chosen.stop - chosen.start)


def are_sampled(sample: TrainedSamples | PipelineSamples, chosen: slice, *, store: Store) -> bool:
    """Return whether the store holds these clips."""
    folder = store.root / WORK / "samples" / sample.key
    made = all(path.is_file() for path, _ in _batches(folder, chosen, sample.batch_size))
    return made or store.has("samples", sample.key)


def finish_samples(sample: TrainedSamples | PipelineSamples, num_clips: int, *, store: Store) -> None:
    """Make the sampled clips an entry of the store; StoreError where some are absent."""
    if store.has("samples", sample.key):
        return
    folder = store.unfinished("samples", sample.key)
    for path, _ in _batches(folder, slice(0, num_clips), sample.batch_size):
        if not path.is_file():
            raise StoreError(f"{path}: these clips are absent, as if they had been removed. Run the command again")
    store.finish("samples", sample.key)


def _quantised(video: Video, ids: Sequence[str]) -> VideoU8:
    try:
        return to_uint8(video.cpu())
    except SamplingError as fault:
        raise SamplingError(f"sampling of {ids[0]} to {ids[-1]}: {fault}") from fault


def overwrite_known(video: Video, given: Conditions) -> Video:
    """Replace known frames by the true ones, as is done for every method before it is scored."""
    known: Float[Tensor, "B F 1 1 1"] = given.known[:, :, None, None, None]
    return torch.where(known.bool(), given.frames, video)


def write_control(video: VideoU8, key: str, *, seconds: float, store: Store) -> None:
    """Store clips that no method sampled; `seconds` is the time that making them took."""
    store.make("samples", key, lambda folder: _write_batch(folder / "shard-0000.safetensors", video, seconds=seconds))


def read_samples(folder: Path) -> VideoU8:
    """Return all clips of a row."""
    return torch.cat([load_file(path)["video"] for path in sorted(folder.glob("shard-*.safetensors"))])


def read_chosen(sample: Samples, chosen: slice, *, store: Store) -> VideoU8:
    """Return some clips of a row, whole batches of those that are sampled, also while others are being sampled."""
    folder = store.path("samples", sample.key)
    if not isinstance(sample, TrainedSamples | PipelineSamples):
        return read_samples(folder)[chosen]
    making = store.root / WORK / "samples" / sample.key
    with suppress(FileNotFoundError):  # they are finished, or another run finishes them now
        return _read_batches(making, chosen, sample.batch_size)
    return _read_batches(folder, chosen, sample.batch_size)


def _read_batches(folder: Path, chosen: slice, batch_size: int) -> VideoU8:
    return torch.cat([load_file(path)["video"] for path, _ in _batches(folder, chosen, batch_size)])


def _batches(folder: Path, chosen: slice, batch_size: int) -> Iterator[tuple[Path, slice]]:
    """Return the file and the places of each batch of the chosen clips, which begin with a batch."""
    for start in range(chosen.start, chosen.stop, batch_size):
        yield (
            folder / f"shard-{start // batch_size:04d}.safetensors",
            slice(start, min(start + batch_size, chosen.stop)),
        )


def _write_batch(path: Path, video: VideoU8, *, seconds: float) -> None:
    with written_whole(path) as making:
        save_file({"video": video.contiguous()}, making, metadata={"seconds": f"{seconds:.3f}"})
