"""Rates of everything that data passes through on the way to training, per core, at scale tiny or another one.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.data_rates [--stickers 64] [--scale tiny]

Decoding, encoding, the features and the shards are measured on toy stickers, as `rdtf-bench data prepare` makes them;
consumption is what RDTF reads and clusters for the batches of training, without its network. At the end, each method of
table 1 trains for some steps on these stickers: "reads" is the share of a step in which it waits for clips, and
"prepares" the share in which it makes its batch of them, reading included.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from rdtf_bench import catalog
from rdtf_bench.core.method import Training
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.core.store import Store
from rdtf_bench.core.video import to_unit
from rdtf_bench.data import asg
from rdtf_bench.data.frames import ClusteredFrames, rotated
from rdtf_bench.data.reading.clips import all_frames
from rdtf_bench.data.toy import stickers as toy_stickers
from rdtf_bench.diffusion.latents import encode, load_autoencoder
from rdtf_bench.diffusion.order import batch_indices
from rdtf_bench.run.inputs.shards import Networks, StoredTrainingClips, make_shard
from rdtf_bench.run.inputs.training_set import training_set, write_list
from rdtf_bench.run.progress import Report, Silent
from rdtf_bench.run.table.context import find_assets
from rdtf_bench.spec.identities import TrainingSetIdentity
from rdtf_bench.spec.load import load_scale
from tests.benchmarks.training_step import steps_of

CPU = torch.device("cpu")
CLUSTERS = 6
BATCHES = 50
PASSES = 5  # over the stickers, as many as a training at scale tiny makes
READS = ("latents", "features", "frames", "keyframes", "text")  # what a method reads of StoredTrainingClips


def timed(name: str, counts: dict[str, int], work: Callable[[], object]) -> None:
    """Do the work once and print how many of each thing it did in a second of this core."""
    began_s = time.process_time()
    work()
    taken_s = time.process_time() - began_s
    rates = ", ".join(f"{count / taken_s:10,.1f} {what}/s" for what, count in counts.items())
    print(f"{name:32} {rates}", flush=True)


class Watch:
    """Sums the seconds, by the clock, in which one of some functions runs."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def on(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*given: Any, **named: Any) -> Any:
            began_s = time.perf_counter()
            try:
                return function(*given, **named)
            finally:
                self.seconds += time.perf_counter() - began_s

        return watched


def print_waits(scale_name: str, clips: StoredTrainingClips) -> None:
    """Train each method for some steps, and print how much of them passes before its network begins."""
    for method, step in steps_of(scale_name, clips=clips).items():
        reading, preparing, all_of_it = Watch(), Watch(), Watch()
        step(0)
        with ExitStack() as watched:
            for name in READS:
                watched.enter_context(patch.object(clips, name, reading.on(getattr(clips, name))))
            watched.enter_context(patch.object(step.objective, "batch", preparing.on(step.objective.batch)))
            for number in range(PASSES * len(clips) // step.training.batch_size):
                all_of_it.on(step)(number)
        print(
            f"{method:32} {1000 * all_of_it.seconds / (number + 1):.0f} ms a step, reads "
            f"{reading.seconds / all_of_it.seconds:.2%}, prepares {preparing.seconds / all_of_it.seconds:.2%}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stickers", type=int, default=64)
    parser.add_argument("--scale", default="tiny")
    given = parser.parse_args()
    torch.set_num_threads(1)
    scale, count = load_scale(given.scale), given.stickers
    assets = find_assets(scale)
    with tempfile.TemporaryDirectory() as folder:
        root, store = Path(folder) / "stickers", Store(Path(folder) / "store")
        toy_stickers.write(root, counts={"train": count, "validation": 1, "test": 1})
        clips = asg.choose(asg.read(root).clips, split="train").clips
        identity = TrainingSetIdentity(
            train="t",
            size_px=scale.clip.size_px,
            max_frames=scale.data.max_frames,
            autoencoder="a",
            frame_features="f",
            clips_per_shard=max(len(clips) // 4, 1),
            latents_dtype=scale.data.latents_dtype,
        )

        frames: list[torch.Tensor] = []
        timed(
            "decode",
            {"clips": len(clips)},
            lambda: frames.extend(
                all_frames(clip, most=identity.max_frames, size_px=identity.size_px) for clip in clips
            ),
        )
        num_frames = sum(map(len, frames))
        both = {"clips": len(clips), "frames": num_frames}
        autoencoder = load_autoencoder(assets["autoencoder"].path, CPU)
        timed("encode", both, lambda: [encode(autoencoder, to_unit(clip[None])) for clip in frames])
        name, weights = scale.assets["frame_features"], assets["frame_features"].path
        network = catalog.load("feature", name).load(weights, CPU)
        features: list[torch.Tensor] = []
        timed(
            f"features ({name})",
            both,
            lambda: features.extend(network.features(clip, size_px=identity.size_px).float() for clip in frames),
        )
        timed("rotate features", both, lambda: [rotated(of_clip) for of_clip in features])
        points = [rotated(of_clip) for of_clip in features]
        timed(
            f"cluster into {CLUSTERS}",
            {"draws": len(clips)},
            lambda: [ClusteredFrames(of_clip).draw(CLUSTERS, generator_for("draw")) for of_clip in points],
        )

        training = training_set(identity, root, len(clips), clips)
        write_list(store, training, clips)
        networks = Networks(autoencoder=assets["autoencoder"].path, features=(name, weights), device=CPU)

        def prepare() -> None:
            for shard in range(training.num_shards):
                make_shard(store, training, shard, networks, Report(Silent(), "job", "stage"))

        timed("prepare shards, all of it", both, prepare)
        split = StoredTrainingClips(store, training)
        timed("read shards", both, lambda: [split.latents(index) for index in range(len(clips))])
        settings = {"task": "it2v", "num_frames": 8, "learning_rate": 0.1, "seed": 0, **scale.training.model_dump()}
        steps = Training(**settings)

        def consume() -> None:
            for step in range(BATCHES):
                for index in batch_indices(split.shard_sizes, steps, step):
                    chosen = ClusteredFrames(split.features(index)).draw(CLUSTERS, generator_for(step, index))
                    assert len(split.latents(index)[list(chosen)])
                    assert split.captions[index]

        timed("train consumption, clustered", {"clips": BATCHES * steps.batch_size}, consume)
        print_waits(given.scale, split)


if __name__ == "__main__":
    main()
