"""Observes clips with a metric and scores the observations, with a 95 % confidence interval."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor

from rdtf_bench import catalog
from rdtf_bench.core import intervals
from rdtf_bench.core.metric import Metric, PartScore, Score
from rdtf_bench.core.store import Store, write_text, written_whole
from rdtf_bench.core.video import VideoU8
from rdtf_bench.metrics import statistics
from rdtf_bench.run.build.modules import build_metric
from rdtf_bench.run.progress import Report
from rdtf_bench.run.record import PartRecord, ScoreRecord
from rdtf_bench.run.storage.entries import OBSERVED, WORK
from rdtf_bench.run.table.finished import can_have_parts, is_scored
from rdtf_bench.spec.identities import MetricIdentity, QualityScore
from rdtf_bench.spec.scale import CLIPS_OBSERVED_TOGETHER


def observe(
    identity: MetricIdentity,
    key: str,
    video: VideoU8,
    clip_ids: Sequence[str],
    *,
    first: int,
    store: Store,
    assets: Mapping[str, Path],
    device: torch.device,
    report: Report,
) -> None:
    """Store the observations of clips that are not there yet. `first` is the place of the first clip."""
    metric = None
    for path, chosen in _parts(store, key, slice(first, first + len(clip_ids))):
        here = slice(chosen.start - first, chosen.stop - first)
        if not path.is_file():
            metric = metric or build_metric(identity, assets, device)
            observed = metric.observe(video[here], clip_ids[here]).cpu().contiguous()
            with written_whole(path) as making:
                save_file({"observed": observed}, making)
        report.advance(here.stop, len(clip_ids))


def are_observed(store: Store, key: str, chosen: slice) -> bool:
    """Return whether the store holds the observations of these clips."""
    return store.has("observations", key) or all(path.is_file() for path, _ in _parts(store, key, chosen))


def finish_observations(store: Store, key: str, num_clips: int) -> None:
    """Make the observations of all clips an entry of the store, of one file."""
    if not store.has("observations", key):
        parts = [load_file(path)["observed"] for path, _ in _parts(store, key, slice(0, num_clips))]
        observed = {"observed": torch.cat(parts).contiguous()}
        store.make("observations", key, lambda folder: save_file(observed, folder / "observed.safetensors"))
    store.remove(f"{WORK}/{OBSERVED}", key)  # only now: at every moment, one of them is whole


def _parts(store: Store, key: str, chosen: slice) -> Iterator[tuple[Path, slice]]:
    """Return the unfinished files of the observations of these clips, and the places of the clips of each."""
    folder = store.root / WORK / OBSERVED / key
    for start in range(chosen.start, chosen.stop, CLIPS_OBSERVED_TOGETHER):
        stop = min(start + CLIPS_OBSERVED_TOGETHER, chosen.stop)
        yield folder / f"part-{start // CLIPS_OBSERVED_TOGETHER:04d}.safetensors", slice(start, stop)


def read_observations(store: Store, key: str) -> Float[Tensor, "N ..."]:
    """Return one observation per clip."""
    return load_file(store.path("observations", key) / "observed.safetensors")["observed"]


def score(
    identity: QualityScore,
    *,
    uses_real: bool,
    clip_ids: Sequence[str],
    captions: Sequence[str],
    clusters: Sequence[str],
    store: Store,
    assets: Mapping[str, Path],
    device: torch.device,
) -> None:
    """Store the score of observed clips. A metric that needs no real clips gets the fake ones twice."""
    key = identity.key
    if is_scored(store, identity.metric, key):
        return
    metric = build_metric(identity, assets, device)
    fake = read_observations(store, identity.observation_key(identity.fake))
    real = read_observations(store, identity.observation_key(identity.real)) if uses_real else fake
    count = min(len(fake), len(real))
    record = scored(
        identity.metric,
        metric,
        fake=fake[:count],
        real=real[:count],
        clip_ids=clip_ids[:count],
        captions=captions[:count],
        clusters=clusters[:count],
        key=key,
    )
    write_score(record, key, store)
    if can_have_parts(identity.metric):
        parts = _json({name: asdict(part) for name, part in record.parts.items()})
        store.make("parts", key, lambda folder: write_text(folder / "parts.json", parts))


def scored(
    name: str,
    metric: Metric,
    *,
    fake: Float[Tensor, "N ..."],
    real: Float[Tensor, "N ..."],
    clip_ids: Sequence[str],
    captions: Sequence[str],
    clusters: Sequence[str],
    key: str,
) -> ScoreRecord:
    """Score observations, with a 95 % interval over groups of clips; clips of one cluster share a group."""
    groups = statistics.groups(clip_ids, clusters)
    result = metric.score(fake=fake, real=real, captions=captions, groups=groups)
    low, high = intervals.interval(result.value, result.without_group)
    return to_record(name, result, low, high, metric.yardstick, key)


def to_record(metric: str, result: Score, low: float, high: float, yardstick: str, key: str) -> ScoreRecord:
    """Return a score with what its table must say about the metric; AssertionError for a number that is not finite."""
    facts = catalog.constants("metric", metric)
    record = ScoreRecord(
        label=facts["LABEL"],
        unit=facts["UNIT"],
        higher_is_better=facts["HIGHER_IS_BETTER"],
        version=facts["VERSION"],
        yardstick=yardstick,
        value=result.value,
        ci_low=low,
        ci_high=high,
        n=result.n,
        without_group=result.without_group,
        key=key,
        name=result.name,
        beside=dict(result.beside),
        parts={name: _part(part) for name, part in result.parts.items()},
    )
    values = (record.value, record.ci_low, record.ci_high, *record.beside.values())
    of_parts = (value for part in record.parts.values() for value in (part.value, part.ci_low, part.ci_high))
    if not all(map(math.isfinite, (*values, *of_parts))):
        raise AssertionError(f"{metric} gave {record.value} [{record.ci_low}, {record.ci_high}] and {record.beside}")
    return record


def write_score(record: ScoreRecord, key: str, store: Store) -> None:
    """Store a score without its parts."""
    text = _json(replace(record, parts={}).as_dict())
    store.make("scores", key, lambda folder: write_text(folder / "score.json", text))


def _part(part: PartScore) -> PartRecord:
    low, high = intervals.interval(part.value, part.without_group)
    return PartRecord(value=part.value, ci_low=low, ci_high=high, without_group=part.without_group)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=1, allow_nan=False, sort_keys=True) + "\n"
