"""Scores of single clips, computed from the observations that the store holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from rdtf_bench import catalog
from rdtf_bench.core.metric import Metric
from rdtf_bench.core.store import Store
from rdtf_bench.run.build import instruments
from rdtf_bench.run.table.score import read_observations
from rdtf_bench.spec.identities import ClipsIdentity, MetricIdentity, QualityScore
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import Scale


@dataclass(frozen=True, kw_only=True)
class ClipScores:
    """One value per clip for every row, in the order of the test clips."""

    metric: str
    label: str
    explanation: str  # a sentence on what is measured
    higher_is_better: bool
    rows: Mapping[str, tuple[float, ...]]  # by the row's label


def of_table(cells: Sequence[Cell], scale: Scale, captions: Sequence[str], store: Store) -> list[ClipScores]:
    """Return the scores of the test clips for each metric of clips whose observations are in the store.

    AssetError or ProtocolError where a network of a metric cannot be loaded on this machine.
    """
    metrics = dict.fromkeys(
        metric for cell in cells for metric, of in cell.scores.items() if isinstance(of, QualityScore)
    )
    found = (_of_metric(metric, cells, scale, captions, store) for metric in metrics)
    return [scores for scores in found if scores.rows]


def _of_metric(metric: str, cells: Sequence[Cell], scale: Scale, captions: Sequence[str], store: Store) -> ClipScores:
    facts = catalog.constants("metric", metric)
    scored = {cell.label: of for cell in cells if isinstance(of := cell.scores.get(metric), QualityScore)}
    fakes = {label: of for label, of in scored.items() if store.has("observations", of.observation_key(of.fake))}
    if "real" in facts["USES"]:
        pairs = {label: of for label, of in fakes.items() if store.has("observations", of.observation_key(of.real))}
        rows = {
            label: distances(_observed(store, of, of.fake), _observed(store, of, of.real))
            for label, of in pairs.items()
        }
        return ClipScores(
            metric=metric,
            label=f"{facts['LABEL']} distance",
            explanation=f"Euclidean distance between the {facts['LABEL']} features of a clip and of its real clip.",
            higher_is_better=False,
            rows=rows,
        )
    return ClipScores(
        metric=metric,
        label=facts["LABEL"],
        explanation="The mean over these clips is the value in the table.",
        higher_is_better=facts["HIGHER_IS_BETTER"],
        rows=_values_of_rows(metric, fakes, scale, captions, store) if fakes else {},
    )


def _values_of_rows(
    metric: str, fakes: Mapping[str, QualityScore], scale: Scale, captions: Sequence[str], store: Store
) -> dict[str, tuple[float, ...]]:
    """Return the values of each row that was observed through the networks that are present."""
    instrument = instruments.load(scale, [metric])[metric]
    return {
        label: values(instrument.metric, _observed(store, of, of.fake), captions)
        for label, of in fakes.items()
        if MetricIdentity(**{name: getattr(of, name) for name in MetricIdentity.model_fields}) == instrument.identity
    }


def values(metric: Metric, observed: Float[Tensor, "N ..."], captions: Sequence[str]) -> tuple[float, ...]:
    """Return the value of each clip, for a metric whose score is the mean over clips.

    They are the pseudo-values of the delete-one jackknife, n * mean - (n - 1) * (mean without the clip), which for a
    mean are the values of the clips themselves.
    """
    n = len(observed)
    whole = metric.score(fake=observed, real=observed, captions=captions, groups=range(n))
    return tuple(n * whole.value - (n - 1) * without for without in whole.without_group)


def distances(fake: Float[Tensor, "N D"], real: Float[Tensor, "N D"]) -> tuple[float, ...]:
    """Return the Euclidean distance between the features of each clip and those of the real clip of its prompt."""
    return tuple((fake.double() - real.double()).norm(dim=1).tolist())


def _observed(store: Store, of: QualityScore, clips: str | ClipsIdentity) -> Float[Tensor, "N ..."]:
    return read_observations(store, of.observation_key(clips))
