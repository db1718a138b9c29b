"""The needs of the trained rows of a table, one of those that differ by the random seed alone."""

from collections.abc import Sequence

from rdtf_bench.core.method import Training
from rdtf_bench.run.sizing.need import Need, is_known, sampling_bytes, training_need
from rdtf_bench.run.sizing.probe import Probed, probe
from rdtf_bench.run.sizing.refusal import distinct
from rdtf_bench.run.table.context import find_assets
from rdtf_bench.spec.identities import TrainedSamples
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import Scale


def needs_of(
    cells: Sequence[Cell], scale: Scale, *, processes: int, shard_weights: bool
) -> dict[str, tuple[Need, int] | None]:
    """Return what each row needs to train and its bytes while sampling, by label; None where it is unknown."""
    needs: dict[str, tuple[Need, int] | None] = {}
    for cell in distinct(cells):
        assert isinstance(cell.sample, TrainedSamples)
        needs[cell.label] = None
        if is_known(cell.method):
            training = Training(**cell.trained.training.model_dump(), shard_weights=shard_weights)
            needed = training_need(cell.trained, training, scale, processes=processes)
            needs[cell.label] = needed, sampling_bytes(cell.trained, cell.sample.sampler, scale)
    return needs


def probed(cells: Sequence[Cell], scale: Scale) -> dict[str, tuple[Probed, float]]:
    """Return what a step of each row takes here, by label, and the seconds that the scale expects."""
    assets = find_assets(scale)
    return {
        cell.label: (probe(cell.trained, scale, assets), scale.methods[cell.method].seconds_per_step)
        for cell in distinct(cells)
    }
