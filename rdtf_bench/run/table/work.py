"""The jobs of a run. Each is one function call in a worker and leaves its result in the store.

A job whose result the store holds does nothing, so a run that was killed resumes where it stopped.
"""

import json
import os
import time
from functools import partial

import torch

from rdtf_bench import catalog
from rdtf_bench.core.method import Sampler, Training
from rdtf_bench.core.store import write_text
from rdtf_bench.core.video import VideoU8, to_uint8, to_unit
from rdtf_bench.diffusion.latents import load_autoencoder
from rdtf_bench.diffusion.sharding import require_possible
from rdtf_bench.run.build import modules, pipelines
from rdtf_bench.run.engines import devices
from rdtf_bench.run.inputs import clips as stored_clips
from rdtf_bench.run.inputs.clips import RealClips
from rdtf_bench.run.inputs.shards import Networks, StoredTrainingClips, make_shard
from rdtf_bench.run.progress import STEP, Report, Sink
from rdtf_bench.run.selftest import probe as probing
from rdtf_bench.run.selftest import record as selftest_record
from rdtf_bench.run.sizing import refusal
from rdtf_bench.run.table import fit as fitting
from rdtf_bench.run.table import launch, timing
from rdtf_bench.run.table import sample as sampling
from rdtf_bench.run.table import score as scoring
from rdtf_bench.run.table.context import Bench
from rdtf_bench.run.table.external.clips import ExternalClips
from rdtf_bench.run.table.external.pipelines import ExternalPipeline
from rdtf_bench.run.table.finished import PIPELINE, fit_facts, is_scored, pipeline_facts
from rdtf_bench.spec.identities import (
    ControlSamples,
    CostScore,
    ExternalSamples,
    PipelineSamples,
    QualityScore,
    TrainedSamples,
)
from rdtf_bench.spec.plan import Cell


def real_clips(bench: Bench, split: str) -> RealClips:
    """Return the decoded clips of a split."""
    return stored_clips.read_clips(bench.store.path("clips", bench.real[split]))


def check(bench: Bench, sink: Sink, job: str, cells: list[Cell]) -> None:  # noqa: ARG001
    """Check the device and its memory, the options of the rows that are trained, and pipelines.

    It is a job, because all of it needs torch.
    """
    cuda = _device(bench).type == "cuda"
    if cuda:
        devices.require(bench.processes)
    modules.check_options(cells)
    pipelines.check(cells)
    untrained = [cell for cell in cells if cell.fit is not None and not bench.store.has("fit", cell.fit_key)]
    if bench.shard_weights:
        for cell in untrained:
            require_possible(Training(**cell.trained.training.model_dump()))
    if cuda:
        refusal.require(
            untrained,
            bench.scale,
            refusal.smallest(),
            processes=bench.processes,
            shard_weights=bench.shard_weights,
        )


def prepare_real(bench: Bench, sink: Sink, job: str) -> None:
    """Decode the real clips that rows are compared with."""
    for done, (split, key) in enumerate(bench.real.items()):
        write = partial(stored_clips.write_clips, clips=bench.clips[split], shape=bench.scale.clip)
        bench.store.make("clips", key, write)
        Report(sink, job, "decoding").advance(done + 1, len(bench.real))


def prepare_shard(bench: Bench, sink: Sink, job: str, shard: int) -> None:
    """Prepare one shard of the training clips: decode, encode and describe their frames in one pass."""
    networks = Networks(
        autoencoder=bench.assets["autoencoder"],
        features=(bench.scale.assets["frame_features"], bench.assets["frame_features"]),
        device=_device(bench),
    )
    make_shard(bench.store, bench.training, shard, networks, Report(sink, job, "decoding and encoding"))


def train(bench: Bench, sink: Sink, job: str, cell: Cell) -> None:
    """Train the method of a row, in this process or on several that are started for it."""
    if bench.store.has("fit", cell.fit_key):
        return
    report = Report(sink, job, STEP)
    if bench.processes > 1:
        request = launch.Request(
            fit=cell.trained,
            training=bench.training,
            store=bench.store,
            assets=bench.assets,
            device=bench.scale.device,
            shard_weights=bench.shard_weights,
            threads=bench.scale.threads_per_worker,
            parent=os.getpid(),
        )
        launch.train(request, bench.processes, report)
        return
    fitting.train(
        cell.trained,
        StoredTrainingClips(bench.store, bench.training),
        store=bench.store,
        assets=bench.assets,
        device=_device(bench),
        report=report,
    )


def sample(bench: Bench, sink: Sink, job: str, cell: Cell, shard: int) -> None:
    """Sample one shard of the clips of a trained row."""
    assert isinstance(cell.sample, TrainedSamples)
    if sampling.are_sampled(cell.sample, bench.shards[shard], store=bench.store):
        return
    method = fitting.fitted(cell.trained, store=bench.store, assets=bench.assets, device=_device(bench))
    sampling.write_samples(
        partial(method.generate, sampler=Sampler(**cell.sample.sampler.model_dump())),
        cell.sample,
        real_clips(bench, "test"),
        bench.shards[shard],
        store=bench.store,
        report=Report(sink, job, "clip"),
    )


def sample_pipeline(bench: Bench, sink: Sink, job: str, cell: Cell, shard: int) -> None:
    """Sample one shard of the clips of a row with a pipeline of diffusers."""
    given = bench.external[cell.label]
    assert isinstance(cell.sample, PipelineSamples)
    assert isinstance(given, ExternalPipeline)
    if sampling.are_sampled(cell.sample, bench.shards[shard], store=bench.store):
        return
    sampler = pipelines.load(given.folder, cell.sample, cell.label, _device(bench))
    facts = json.dumps(sampler.facts(), indent=1, sort_keys=True)
    write_text(bench.store.unfinished("samples", cell.sample_key) / PIPELINE, facts + "\n")
    sampling.write_samples(
        sampler.generate,
        cell.sample,
        real_clips(bench, "test"),
        bench.shards[shard],
        store=bench.store,
        report=Report(sink, job, "clip"),
    )


def make_control(bench: Bench, sink: Sink, job: str, cell: Cell) -> None:
    """Make the clips of a control row, which trains nothing."""
    if not bench.store.has("samples", cell.sample_key):
        began_s = time.monotonic()
        video = _control_video(bench, cell)
        taken_s = time.monotonic() - began_s
        sampling.write_control(video, cell.sample_key, seconds=taken_s, store=bench.store)
    Report(sink, job, "making").advance(1, 1)


def read_external(bench: Bench, sink: Sink, job: str, cell: Cell) -> None:
    """Read the clips of a row that were made elsewhere, and treat known frames as those of any other row."""
    if bench.store.has("samples", cell.sample_key):
        return
    assert isinstance(cell.sample, ExternalSamples)
    began_s = time.monotonic()
    real = real_clips(bench, "test")
    given = bench.external[cell.label]
    assert isinstance(given, ExternalClips)
    video = given.video(real.ids)
    if cell.sample.known_frames == "overwrite":
        conditions = sampling.conditions(real, cell.sample.task, slice(None))
        video = to_uint8(sampling.overwrite_known(to_unit(video), conditions))
    sampling.write_control(video, cell.sample_key, seconds=time.monotonic() - began_s, store=bench.store)
    Report(sink, job, "reading").advance(1, 1)


def _control_video(bench: Bench, cell: Cell) -> VideoU8:
    assert isinstance(cell.sample, ControlSamples)
    if cell.sample.other is not None:
        other = real_clips(bench, cell.sample.other.split)
        return other.video[: len(bench.clips["test"])]
    real = real_clips(bench, "test")
    if cell.method == "real":
        return real.video
    controls = catalog.load("control", cell.method)
    autoencoder = load_autoencoder(bench.assets["autoencoder"], _device(bench))
    parts = []
    for start in range(0, len(real.ids), bench.scale.sampling.batch_size):
        chosen = slice(start, start + bench.scale.sampling.batch_size)
        assert cell.sample.task is not None
        given = sampling.conditions(real, cell.sample.task, chosen)
        if cell.method == "static":
            part = controls.static(given.frames.to(_device(bench)), given.known.to(_device(bench)), autoencoder)
        else:
            part = controls.reconstruct(to_unit(real.video[chosen]).to(_device(bench)), autoencoder)
        overwritten = cell.sample.known_frames == "overwrite"
        parts.append(sampling.overwrite_known(part.cpu(), given) if overwritten else part.cpu())
    return to_uint8(torch.cat(parts))


def observe_real(bench: Bench, sink: Sink, job: str, identity: QualityScore) -> None:
    """Observe the real test clips with one metric, as far as they are not, and keep the result once for all rows."""
    real, key = real_clips(bench, "test"), identity.observation_key(identity.real)
    _observe(bench, identity, key, real.video, real.ids, slice(0, len(real.ids)), Report(sink, job, identity.metric))
    scoring.finish_observations(bench.store, key, len(real.ids))


def observe_real_shard(bench: Bench, sink: Sink, job: str, identity: QualityScore, shard: int) -> None:
    """Observe one shard of the real test clips with one metric."""
    real, chosen = real_clips(bench, "test"), bench.shards[shard]
    key = identity.observation_key(identity.real)
    _observe(bench, identity, key, real.video[chosen], real.ids, chosen, Report(sink, job, identity.metric))


def observe_shard(bench: Bench, sink: Sink, job: str, cell: Cell, shard: int) -> None:
    """Observe one shard of the clips of a row with every metric."""
    _observe_row(bench, cell, bench.shards[shard], sink, job)


def score_cell(bench: Bench, sink: Sink, job: str, cell: Cell) -> None:
    """Score the clips of a row with every metric, and count its parameters."""
    real = real_clips(bench, "test")
    if isinstance(cell.sample, TrainedSamples | PipelineSamples):
        sampling.finish_samples(cell.sample, len(real.ids), store=bench.store)
    _observe_row(bench, cell, slice(0, len(real.ids)), sink, job)
    num_clips = len(_ids_of(bench, cell))
    for metric, identity in cell.scores.items():
        if is_scored(bench.store, metric, identity.key) or "clock" in _uses(metric):
            continue
        if isinstance(identity, CostScore):
            _score_size(bench, cell, metric)
            continue
        scoring.finish_observations(bench.store, identity.observation_key(identity.fake), num_clips)
        scoring.score(
            identity,
            uses_real="real" in _uses(metric),
            clip_ids=real.ids,
            captions=real.captions,
            clusters=[clip.cluster for clip in bench.clips["test"]],
            store=bench.store,
            assets=bench.assets,
            device=_device(bench),
        )


def selftest(bench: Bench, sink: Sink, job: str) -> None:
    """Probe the metrics of the scale and keep the outcome; a table of metrics that fail is marked."""
    report, faults = Report(sink, job, "probing"), {}
    for done, outcome in enumerate(probing.run(bench.scale), 1):
        if outcome.fault is not None:
            faults[outcome.probe] = outcome.fault
        report.advance(done, probing.NUM_PROBES)
    selftest_record.save(bench.store.root, bench.scale, faults)


def time_denoisers(bench: Bench, sink: Sink, job: str, cells: list[Cell]) -> None:
    """Time one forward pass of the denoiser of each row, while nothing else runs."""
    timing.time_rows(cells, bench.scale, store=bench.store, assets=bench.assets, device=_device(bench))
    Report(sink, job, "timing").advance(1, 1)


def _device(bench: Bench) -> torch.device:
    return modules.device_of(bench.scale)


def _uses(metric: str) -> tuple[str, ...]:
    uses: tuple[str, ...] = catalog.constants("metric", metric)["USES"]
    return uses


def _ids_of(bench: Bench, cell: Cell) -> tuple[str, ...]:
    """Return the clip ids of a row: those of the test split, or of the other split for other real clips."""
    ids = _ids(bench, "test")
    if isinstance(cell.sample, ControlSamples) and cell.sample.other is not None:
        return _ids(bench, cell.sample.other.split)[: len(ids)]
    return ids


def _ids(bench: Bench, split: str) -> tuple[str, ...]:
    return stored_clips.read_ids(bench.store.path("clips", bench.real[split]))


def _score_size(bench: Bench, cell: Cell, metric: str) -> None:
    params = catalog.load("metric", metric)
    counts = pipeline_facts(bench.store, cell.sample_key).get("components", {})
    result = params.score(counts if cell.fit is None else fit_facts(bench.store, cell.fit_key).components)
    key = cell.score_key(metric)
    record = scoring.to_record(metric, result, result.value, result.value, params.YARDSTICK, key)
    scoring.write_score(record, key, bench.store)


def _observe_row(bench: Bench, cell: Cell, chosen: slice, sink: Sink, job: str) -> None:
    """Observe some clips of a row with every metric that has not seen them yet."""
    ids = _ids_of(bench, cell)
    chosen = slice(chosen.start, min(chosen.stop, len(ids)))
    left = {}
    for metric, identity in cell.scores.items():
        if isinstance(identity, QualityScore) and not is_scored(bench.store, metric, identity.key):
            key = identity.observation_key(identity.fake)
            if not scoring.are_observed(bench.store, key, chosen):
                left[key] = identity
    if left:
        video = sampling.read_chosen(cell.sample, chosen, store=bench.store)
        for key, identity in left.items():
            _observe(bench, identity, key, video, ids, chosen, Report(sink, job, identity.metric))


def _observe(
    bench: Bench,
    identity: QualityScore,
    key: str,
    video: VideoU8,
    ids: tuple[str, ...],
    chosen: slice,
    report: Report,
) -> None:
    if not scoring.are_observed(bench.store, key, chosen):
        scoring.observe(
            identity,
            key,
            video,
            ids[chosen],
            first=chosen.start,
            store=bench.store,
            assets=bench.assets,
            device=_device(bench),
            report=report,
        )
