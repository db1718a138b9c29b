"""Reads finished work from the store. Imports no torch."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import safe_open

from rdtf_bench import catalog
from rdtf_bench.core.store import Store
from rdtf_bench.run.record import ScoreRecord, read_parts

LOG = "log.jsonl"
"""Name of the log of a training."""

LogRow = dict[str, int | float]
"""One training step: `step`, `elapsed_s`, `loss` and what else the method measured."""


@dataclass(frozen=True, kw_only=True)
class FitFacts:
    """What the store knows of a finished training, besides the weights and the log."""

    seconds: float
    components: dict[str, int]  # parameter counts by component
    peak_memory_gib: float  # of the first process that trained
    num_processes: int  # that trained together
    weights_sharded: bool  # over these processes


def score_of(store: Store, key: str) -> ScoreRecord:
    """Return the score that has this key, with its parts if it has some."""
    score = ScoreRecord.from_dict(json.loads((store.path("scores", key) / "score.json").read_text(encoding="utf-8")))
    if not store.has("parts", key):
        return score
    parts = json.loads((store.path("parts", key) / "parts.json").read_text(encoding="utf-8"))
    return replace(score, parts=read_parts(parts))


def is_scored(store: Store, metric: str, key: str) -> bool:
    """Return whether the store holds a score and, for a metric that can have parts, an entry for them.

    The parts are an entry of their own because stores hold scores that were made before parts were.
    """
    return store.has("scores", key) and (store.has("parts", key) or not can_have_parts(metric))


def can_have_parts(metric: str) -> bool:
    """Return whether the scores of a metric have parts with some of its networks."""
    return bool(catalog.constants("metric", metric).get("PARTS"))


def fit_facts(store: Store, key: str) -> FitFacts:
    """Return the facts of the training that has this key."""
    raw = json.loads((store.path("fit", key) / "fit.json").read_text(encoding="utf-8"))
    return FitFacts(
        seconds=raw["seconds"],
        components=raw["components"],
        peak_memory_gib=raw["peak_memory_gib"],
        num_processes=raw.get("num_processes", 1),
        weights_sharded=raw.get("weights_sharded", False),
    )


PIPELINE = "pipeline.json"
"""File of the samples of a pipeline, beside its clips."""


def pipeline_facts(store: Store, key: str) -> dict[str, Any]:
    """Return what is known of the pipeline that made these samples; nothing for those that no pipeline made."""
    path = store.path("samples", key) / PIPELINE
    facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return facts


def read_log(path: Path) -> list[LogRow]:
    """Return one row per step: the last one, where resumed training has repeated steps after its checkpoint."""
    rows = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        rows[row["step"]] = row
    return [rows[step] for step in sorted(rows)]


def training_log(store: Store, fit_key: str) -> list[LogRow]:
    """Return the log of a finished training."""
    return read_log(store.path("fit", fit_key) / LOG)


def seconds_of_samples(store: Store, key: str) -> float:
    """Return the seconds that sampling took, summed over all shards, whichever attempt made them."""
    total_s = 0.0
    for path in _shards(store, key):
        with safe_open(path, framework="np") as file:
            total_s += float(file.metadata()["seconds"])
    return round(total_s, 3)


def sha256_of_samples(store: Store, key: str) -> str | None:
    """Return the SHA-256 of the pixels of all clips, in the order of the clips; None where the store holds no samples.

    The bytes are those of the uint8 array B F C H W. Neither the shards' metadata nor their sizes matter.
    """
    digest = hashlib.sha256()
    paths = _shards(store, key)
    for path in paths:
        with safe_open(path, framework="np") as file:
            video = file.get_slice("video")
            for clip in range(video.get_shape()[0]):  # one at a time: a control's clips are one large shard
                digest.update(video[clip : clip + 1].tobytes())
    return digest.hexdigest() if paths else None


def _shards(store: Store, key: str) -> list[Path]:
    return sorted(store.path("samples", key).glob("shard-*.safetensors"))
