"""Real clips through graded faults: each metric's values, kept in the store curve by curve."""

from functools import partial
from pathlib import Path

import torch

from rdtf_bench import catalog
from rdtf_bench.core.errors import DataError
from rdtf_bench.core.store import Store
from rdtf_bench.core.video import VideoU8
from rdtf_bench.run import curves, datasets, instruments
from rdtf_bench.run.clips import RealClips
from rdtf_bench.run.curves import CurveRecord, PlannedCurve
from rdtf_bench.run.datasets import ClipFile
from rdtf_bench.run.instruments import Instrument
from rdtf_bench.run.progress import Report, Sink
from rdtf_bench.spec.plan import noise_floor_split
from rdtf_bench.spec.schema import Scale, ValiditySpec


def run(
    spec: ValiditySpec, scale: Scale, *, source: str | None, root: Path, skip_broken: bool, sink: Sink
) -> list[CurveRecord]:
    """Every curve of the protocol; those that the store does not hold are measured now."""
    store = Store(root.resolve())
    planned = curves.plan(spec, scale, source, store.root)
    missing = [curve for curve in planned if not store.has(curves.KIND, curve.key)]
    if missing:
        test, other = _clips(spec, scale, source, store, skip_broken=skip_broken)
        loaded = instruments.load(scale, sorted({curve.metric for curve in missing}))
        report = Report(sink, spec.name, "curves")
        for done, curve in enumerate(missing):
            measure = partial(_measure, spec, curve, loaded[curve.metric], test, other)
            store.make(curves.KIND, curve.key, measure)
            report.advance(done + 1, len(missing))
    return [curves.read(store, curve.key) for curve in planned]


def _measure(
    spec: ValiditySpec, planned: PlannedCurve, instrument: Instrument, test: RealClips, other: VideoU8, folder: Path
) -> None:
    facts = catalog.constants("metric", planned.metric)
    curve = catalog.load("validity", "curves").curve(
        instrument.metric,
        planned.fault,
        video=test.video,
        real=other,
        clip_ids=test.ids,
        captions=test.captions,
        higher_is_better=facts["HIGHER_IS_BETTER"],
        strengths=spec.strengths,
    )
    record = CurveRecord(
        metric=planned.metric,
        label=facts["LABEL"],
        yardstick=instrument.metric.yardstick,
        higher_is_better=facts["HIGHER_IS_BETTER"],
        fault=planned.fault,
        strengths=spec.strengths,
        values=tuple(curve.values),
        rank_correlation=float(curve.rank_correlation),
        is_seen=bool(curve.is_seen),
        n=len(test.ids),
    )
    curves.write(record, folder)


def _clips(
    spec: ValiditySpec, scale: Scale, source: str | None, store: Store, *, skip_broken: bool
) -> tuple[RealClips, VideoU8]:
    """Test clips that get the faults, and equally many other real clips that they are compared with."""
    data = datasets.read(
        spec.dataset,
        source,
        curves.sizes(spec, scale),
        scale.clip.num_frames,
        store=store.root,
        skip_broken=skip_broken,
    )
    split = noise_floor_split(data.identity)
    test, other = data.clips["test"], data.clips[split]
    count = min(len(test), len(other))
    if count < datasets.MIN_TEST_CLIPS:
        raise DataError(
            f"{data.facts['source']}: the {split} split has {len(other)} clips, and at least {datasets.MIN_TEST_CLIPS} "
            "are needed beside the test clips to compare them with"
        )
    return (
        RealClips(
            ids=tuple(clip.id for clip in test[:count]),
            captions=tuple(clip.caption for clip in test[:count]),
            video=_decoded(test[:count], spec.dataset, scale),
        ),
        _decoded(other[:count], spec.dataset, scale),
    )


def _decoded(clips: tuple[ClipFile, ...], dataset: str, scale: Scale) -> VideoU8:
    data, shape = catalog.load("dataset", dataset), scale.clip
    return torch.stack(
        [data.clip_frames(clip.path, num_frames=shape.num_frames, size_px=shape.size_px) for clip in clips]
    )
