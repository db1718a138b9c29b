"""Measures each metric on real clips with faults of graded severity, and stores curve by curve."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from rdtf_bench import catalog
from rdtf_bench.core.dataset import Clip
from rdtf_bench.core.errors import DataError
from rdtf_bench.core.metric import Metric
from rdtf_bench.core.store import Store
from rdtf_bench.core.video import VideoU8
from rdtf_bench.metrics.trials.validity import Thinned, curves, tau
from rdtf_bench.run.build import instruments
from rdtf_bench.run.inputs import datasets
from rdtf_bench.run.inputs.clips import RealClips, decoded
from rdtf_bench.run.progress import Report, Sink
from rdtf_bench.run.validity import agreement
from rdtf_bench.run.validity import plan as validity_plan
from rdtf_bench.run.validity.agreement import AgreementRecord, PlannedAgreement
from rdtf_bench.run.validity.plan import CurveRecord, Look, PlannedCurve
from rdtf_bench.spec.plan import other_clips_split
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import ValiditySpec


def run(
    spec: ValiditySpec, scale: Scale, *, source: str | None, root: Path, skip_broken: bool, sink: Sink
) -> list[CurveRecord]:
    """Return every curve of the protocol. Measure the curves and agreements that the store does not hold."""
    store = Store(root.resolve())
    planned = validity_plan.plan(spec, scale, source, store.root)
    missing = [curve for curve in planned if not store.has(validity_plan.KIND, curve.key)]
    if missing:
        files = _files(spec, scale, source, store, skip_broken=skip_broken)
        looks = {curve.look.name: curve.look for curve in missing}
        metrics = {name: _metric(look, scale) for name, look in looks.items()}  # raises AssetError for absent weights
        test, other = (decoded(side, validity_plan.shape(spec, scale)) for side in files)
        report = Report(sink, spec.name, "curves")
        done = 0
        for name, metric in metrics.items():
            of_look = [curve for curve in missing if curve.look.name == name]
            for _ in _measure(spec, of_look, metric, test, other.video, store):
                done += 1
                report.advance(done, len(missing))
    for compared in agreement.plan(spec, planned):
        if not store.has(agreement.KIND, compared.key):
            store.make(agreement.KIND, compared.key, partial(_compare, store, compared))
    return [validity_plan.read(store, curve.key) for curve in planned]


def _metric(look: Look, scale: Scale) -> Metric:
    at_scale = scale.model_copy(update={"metrics": {**scale.metrics, look.metric: look.options}})
    metric = instruments.load(at_scale, [look.metric])[look.metric].metric
    return metric if look.every == 1 else Thinned(metric, every=look.every)


def _measure(
    spec: ValiditySpec,
    planned: Sequence[PlannedCurve],
    metric: Metric,
    test: RealClips,
    other: VideoU8,
    store: Store,
) -> Iterator[CurveRecord]:
    """Yield the curves of one look; each is stored before the next is begun."""
    look = planned[0].look
    facts = catalog.constants("metric", look.metric)
    measured = curves(
        metric,
        [curve.fault for curve in planned],
        video=test.video,
        real=other,
        clip_ids=test.ids,
        captions=test.captions,
        higher_is_better=facts["HIGHER_IS_BETTER"],
        strengths=spec.strengths,
    )
    for curve, found in zip(planned, measured, strict=True):
        record = CurveRecord(
            metric=look.metric,
            label=facts["LABEL"],
            yardstick=", ".join(part for part in (metric.yardstick, look.said) if part),
            higher_is_better=facts["HIGHER_IS_BETTER"],
            fault=found.fault,
            strengths=spec.strengths,
            values=tuple(found.values),
            rank_correlation=float(found.rank_correlation),
            is_seen=bool(found.is_seen),
            n=len(test.ids),
            without_group=tuple(found.without_group),
        )
        store.make(validity_plan.KIND, curve.key, partial(validity_plan.write, record))
        yield record


def _compare(store: Store, planned: PlannedAgreement, folder: Path) -> None:
    whole, part = ([validity_plan.read(store, curve.key) for curve in side] for side in (planned.whole, planned.part))
    pairs = list(zip(whole, part, strict=True))
    groups = range(len(whole[0].without_group[0]))
    record = AgreementRecord(
        rule=planned.rule,
        tau=tau([curve.values for curve in whole], [curve.values for curve in part]),
        without_group=tuple(tau(_without(whole, group), _without(part, group)) for group in groups),
        by_fault={ours.fault: tau([theirs.values], [ours.values]) for theirs, ours in pairs},
        num_values=1 + sum(len(curve.strengths) for curve in whole),
        n=whole[0].n,
    )
    agreement.write(record, folder)


def _without(measured: list[CurveRecord], group: int) -> list[list[float]]:
    """Return the values of the curves with one group of clips left out."""
    return [[values[group] for values in curve.without_group] for curve in measured]


def _files(
    spec: ValiditySpec, scale: Scale, source: str | None, store: Store, *, skip_broken: bool
) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """Return the test clips that get the faults, and as many other real clips that they are compared with."""
    num_frames = validity_plan.shape(spec, scale).num_frames
    sizes = validity_plan.sizes(spec, scale)
    data = datasets.read(
        spec.dataset,
        source,
        sizes,
        num_frames,
        store=store.root,
        skip_broken=skip_broken,
        min_train_frames=num_frames,
    )
    split = other_clips_split(data.identity)
    test, other = data.clips["test"], data.clips[split]
    count = min(len(test), len(other))
    if count < datasets.MIN_TEST_CLIPS:
        raise DataError(
            f"{data.facts['source']}: the {split} split has {len(other)} clips of {num_frames} frames or more, and at "
            f"least {datasets.MIN_TEST_CLIPS} are needed beside the test clips to compare them with"
        )
    # they are in the order of their ids, which is that of their folders: all of those are kept
    places = [i * len(other) // count for i in range(count)]
    return test[:count], tuple(other[place] for place in places)
