"""Memory of training RDTF at scale tiny on few and on many clips: it must not grow with the data.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.training_memory [--clips 1000 100000] [--steps 20]

Each size is trained in a process of its own, which then reads the clips of another 500 steps, so that several windows
of shards pass through the memory. The clips repeat one shard, so that nothing is decoded.
"""

import argparse
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from rdtf_bench.assets import registry
from rdtf_bench.core.method import Training
from rdtf_bench.core.store import Store
from rdtf_bench.diffusion.order import batch_indices
from rdtf_bench.models.rdtf.method import build
from rdtf_bench.run import environment
from rdtf_bench.run.build.modules import typed_config
from rdtf_bench.run.inputs.shards import StoredTrainingClips
from rdtf_bench.run.inputs.training_set import TrainingSet
from rdtf_bench.spec.load import load_scale
from tests.benchmarks import repeated_shards

READ_STEPS = 500


def train(root: Path, training_set: TrainingSet, num_steps: int) -> None:
    """Train, read on, and print the peak of the resident memory in MB."""
    torch.set_num_threads(1)
    scale = load_scale("tiny")
    assets = {role: registry.find(name).path for role, name in scale.assets.items()}
    config = typed_config("method", "rdtf", scale.methods["rdtf"].options, "rdtf")
    method = build(config, assets=assets, device=torch.device("cpu"))
    clips = StoredTrainingClips(Store(root), training_set)
    budget = {**scale.training.model_dump(), "num_steps": num_steps}
    training = Training(task="every task", num_frames=scale.clip.num_frames, learning_rate=1e-3, seed=0, **budget)
    (root / "checkpoints").mkdir()
    method.fit(clips, training, folder=root / "checkpoints", on_step=lambda *_: None)
    for step in range(num_steps, num_steps + READ_STEPS):
        for index in batch_indices(clips.shard_sizes, training, step):
            assert len(clips.latents(index)) == len(clips.features(index))
            assert clips.captions[index]
    print(round(environment.peak_memory_gib() * 1024))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--alone", type=Path, help="train on this store in this process")
    given = parser.parse_args()
    if given.alone:
        train(given.alone, pickle.loads((given.alone / "training_set").read_bytes()), given.steps)
        return
    for num_clips in given.clips:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            _, training_set = repeated_shards.write(root, num_clips)
            (root / "training_set").write_bytes(pickle.dumps(training_set))
            command = [sys.executable, "-m", "tests.benchmarks.training_memory", "--steps", str(given.steps)]
            done = subprocess.run([*command, "--alone", folder], check=True, capture_output=True, text=True)
        print(f"{num_clips:>9,} clips: {int(done.stdout.split()[-1]):,} MB resident at most", flush=True)


if __name__ == "__main__":
    main()
