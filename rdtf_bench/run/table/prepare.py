"""Prepares the training clips of a dataset ahead of a run: every shard that the store lacks, in parallel."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from rdtf_bench.assets import registry
from rdtf_bench.core.dataset import Clip
from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.leases import Leases
from rdtf_bench.core.store import Store
from rdtf_bench.run.engines.engine import Engine
from rdtf_bench.run.inputs import datasets
from rdtf_bench.run.inputs.training_set import bytes_to_write, write_list
from rdtf_bench.run.table.context import Bench, find_assets, make_bench
from rdtf_bench.run.table.schedule import Job, shard_jobs
from rdtf_bench.spec.scale import Scale


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """The shards that are left to prepare, and what they need."""

    bench: Bench
    clips: Sequence[Clip]
    jobs: Sequence[Job]  # the expected seconds of each are its number of clips, so that progress is told in clips
    num_bytes: int  # at most, of all shards that are left

    def require_space(self) -> None:
        """Raise StoreError where the disk of the store has less space than the shards need."""
        root = self.bench.store.root
        root.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(root).free
        if free < self.num_bytes:
            raise StoreError(
                f"{root}: {self.num_bytes / 1e9:.3g} GB are needed at most, but {free / 1e9:.3g} GB are free. Free "
                "some space, or choose a store on another disk: --store"
            )


def preparation(name: str, source: str | None, scale: Scale, root: Path, *, skip_broken: bool) -> Preparation:
    """Read the clips of a dataset and return what is left to prepare of its training split."""
    store = Store(root.resolve())
    registry.ready(scale.asset(role, "the training clips") for role in ("autoencoder", "frame_features"))
    assets = find_assets(scale)
    data = datasets.read(name, source, scale.data, scale.clip.fewest_frames, store=store.root, skip_broken=skip_broken)
    bench, clips = make_bench((), scale, data, assets, store), data.clips["train"]
    jobs = [
        replace(job, expected_s=float(bench.training.size_of(shard)))
        for shard, job in zip(bench.training.missing(store), shard_jobs(bench), strict=True)
    ]
    num_bytes = bytes_to_write(bench.training, store, clips, assets["autoencoder"].config())
    return Preparation(bench=bench, clips=clips, jobs=jobs, num_bytes=num_bytes)


def prepare(found: Preparation, console: Console, *, leases: Leases, quiet: bool, engine: Engine) -> None:
    """Prepare the shards that are left. Finished ones stay where this is interrupted."""
    found.require_space()
    write_list(found.bench.store, found.bench.training, found.clips)
    engine.run(found.jobs, found.bench, console, leases=leases, quiet=quiet)
