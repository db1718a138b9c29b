"""Samples the clips of a row into the store as uint8, shard by shard. A finished shard is not sampled again."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor

from rdtf_bench.core.errors import SamplingError
from rdtf_bench.core.method import Conditions
from rdtf_bench.core.seeds import generators_for
from rdtf_bench.core.store import Store, written_whole
from rdtf_bench.core.video import Video, VideoU8, to_uint8, to_unit
from rdtf_bench.diffusion.masks import task_named
from rdtf_bench.run.inputs.clips import RealClips
from rdtf_bench.run.progress import Report
from rdtf_bench.spec.identities import PipelineSamples, TrainedSamples

Generate = Callable[[Conditions, Sequence[torch.Generator]], Video]
"""Samples one video per clip, each with its own CPU generator."""


def conditions(real: RealClips, task: str, chosen: slice) -> Conditions:
    """Return captions and known frames of the chosen clips. The task's masks take turns over the sorted clips."""
    video = to_unit(real.video[chosen])
    kind = task_named(task)
    masks = kind.evaluated(video.shape[1])
    places = range(len(real.ids))[chosen]
    known = torch.tensor([masks[place % len(masks)] for place in places], dtype=torch.float32)
    return Conditions(
        clip_ids=real.ids[chosen],
        captions=real.captions[chosen] if kind.uses_text else ("",) * len(places),
        frames=video * known[:, :, None, None, None],
        known=known,
    )


def write_samples(
    generate: Generate, sample: TrainedSamples | PipelineSamples, real: RealClips, *, store: Store, report: Report
) -> None:
    """Sample one clip per test clip, unless the store holds these samples."""
    if store.has("samples", sample.key):
        return
    folder = store.unfinished("samples", sample.key)
    for path, chosen in _shards(folder, len(real.ids), sample.batch_size):
        if not path.is_file():
            began_s = time.monotonic()
            given = conditions(real, sample.task, chosen)
            generators = generators_for(sample.seed, given.clip_ids, "sample")
            video = generate(given, generators)
            if sample.known_frames == "overwrite":
                video = overwrite_known(video, given)
            _write_shard(path, _quantised(video, given.clip_ids), seconds=time.monotonic() - began_s)
        report.advance(chosen.stop, len(real.ids))
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
    store.make("samples", key, lambda folder: _write_shard(folder / "shard-0000.safetensors", video, seconds=seconds))


def read_samples(folder: Path) -> VideoU8:
    """Return all clips of a row."""
    return torch.cat([load_file(path)["video"] for path in sorted(folder.glob("shard-*.safetensors"))])


def _shards(folder: Path, num_clips: int, batch_size: int) -> Iterator[tuple[Path, slice]]:
    for number, start in enumerate(range(0, num_clips, batch_size)):
        yield folder / f"shard-{number:04d}.safetensors", slice(start, min(start + batch_size, num_clips))


def _write_shard(path: Path, video: VideoU8, *, seconds: float) -> None:
    with written_whole(path) as making:
        save_file({"video": video.contiguous()}, making, metadata={"seconds": f"{seconds:.3f}"})
