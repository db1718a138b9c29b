"""What the jobs of a run share: scale, clips, weights and keys of the store. Imports no torch."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from rdtf_bench import catalog
from rdtf_bench.assets import registry
from rdtf_bench.assets.registry import Asset
from rdtf_bench.core.dataset import Clip
from rdtf_bench.core.leases import Leases
from rdtf_bench.core.store import Store
from rdtf_bench.run.inputs import datasets
from rdtf_bench.run.inputs.datasets import Dataset
from rdtf_bench.run.inputs.training_set import TrainingSet, listed_clips, training_set
from rdtf_bench.run.table.external.clips import ExternalClips
from rdtf_bench.run.table.external.pipelines import ExternalPipeline
from rdtf_bench.spec import plan as planning
from rdtf_bench.spec.identities import QualityScore
from rdtf_bench.spec.plan import Cell, DataIdentity
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import TableSpec

External = ExternalClips | ExternalPipeline
"""What a user adds to a table as one more row: clips that were made elsewhere, or a pipeline that makes them here."""
NONE: Mapping[str, External] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Everything that the jobs of a run share. Keys name entries of the store."""

    store: Store
    scale: Scale
    assets: Mapping[str, Path]  # role -> weights
    clips: Mapping[str, tuple[Clip, ...]]  # split -> clips that rows are compared with
    external: Mapping[str, External]  # by label of the row
    real: Mapping[str, str]  # split -> key of its decoded clips
    training: TrainingSet
    processes: int = 1  # that train a row together
    shard_weights: bool = False  # over these processes

    @property
    def shards(self) -> list[slice]:
        """Places of the test clips of each job that samples or observes clips. One for a plan, which lists no clips."""
        num_clips = len(self.clips["test"])
        most = self.scale.sampling.clips_per_job or max(num_clips, 1)
        return [slice(start, min(start + most, num_clips)) for start in range(0, max(num_clips, 1), most)]


Watching = Callable[[Bench, Sequence[Cell], Leases], AbstractContextManager[None]]
"""Follows the work on the cells of a table while a block runs."""


def unwatched(_bench: Bench, _cells: Sequence[Cell], _leases: Leases) -> AbstractContextManager[None]:
    """Follow nothing."""
    return nullcontext()


def find_assets(scale: Scale) -> dict[str, Asset]:
    """Return the pretrained networks of a scale by role."""
    return {role: registry.find(name) for role, name in scale.assets.items()}


def plan_cells(
    spec: TableSpec,
    scale: Scale,
    data: DataIdentity,
    assets: Mapping[str, Asset],
    external: Mapping[str, External] = NONE,
) -> list[Cell]:
    """Return the cells of a table, with the rows that a user adds."""
    digests = {role: asset.digest for role, asset in assets.items()}
    rows = {
        label: given.fingerprint if isinstance(given, ExternalClips) else given.identity
        for label, given in external.items()
    }
    return planning.plan(spec, scale, data, digests, catalog.constants, rows)


def cells_of(
    spec: TableSpec, scale: Scale, source: str | None, store: Path, external: Mapping[str, External] = NONE
) -> tuple[Dataset, list[Cell]]:
    """Return the data and cells of a table without writing data or checking weights."""
    data = datasets.identify(
        spec.dataset,
        source,
        scale.data,
        scale.clip.fewest_frames,
        store=store,
        options=spec.dataset_options,
        scored=spec.scored,
    )
    return data, plan_cells(spec, scale, data.identity, find_assets(scale), external)


def roles_of(cells: Sequence[Cell]) -> list[str]:
    """Return the roles of the pretrained networks that these cells need."""
    roles = {"autoencoder"}
    for cell in cells:
        roles |= {role for score in cell.scores.values() if isinstance(score, QualityScore) for role in score.assets}
        if cell.fit is not None:
            roles |= {"frame_features", *cell.fit.assets}
    return sorted(roles)


def make_bench(
    controls: Collection[str],
    scale: Scale,
    data: Dataset,
    assets: Mapping[str, Asset],
    store: Store,
    external: Mapping[str, External] = NONE,
    *,
    processes: int = 1,
    shard_weights: bool = False,
) -> Bench:
    """Return what the jobs of a run with these control rows share.

    `data` may be without clips where the jobs are only listed.
    """
    digests = {role: asset.digest for role, asset in assets.items()}
    identity = data.identity
    train_identity = planning.training_set(scale, identity, digests)
    # a plan does not read built-in data, whose clips an earlier run may have listed
    train = data.clips.get("train") or listed_clips(store, train_identity, data.root)
    real = {"test": planning.clips_in_use(scale, identity, "test").key}
    clips = {"test": data.clips.get("test", ())}
    if "other_real_clips" in controls:
        other = planning.other_clips(scale, identity)
        whole_split = planning.clips_in_use(scale, identity, other.split)
        real[other.split] = whole_split.key if other.most is None else other.key
        clips[other.split] = data.clips.get(other.split, ())[: other.most]
    return Bench(
        store=store,
        scale=scale,
        assets={role: asset.path for role, asset in assets.items()},
        clips=clips,
        external=dict(external),
        real=real,
        training=training_set(train_identity, data.root, identity.num_train, train),
        processes=processes,
        shard_weights=shard_weights,
    )
