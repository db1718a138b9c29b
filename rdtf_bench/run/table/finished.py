"""Reads finished work from the store. Imports no torch."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import safe_open

from rdtf_bench import catalog
from rdtf_bench.core.errors import DivergedError
from rdtf_bench.core.store import Store
from rdtf_bench.run.record import ScoreRecord, read_parts
from rdtf_bench.spec.identities import FitIdentity

LOG, FACTS = "log.jsonl", "fit.json"
"""Names of the log of a training and of the file that says that it has ended."""

LAST_BYTES = 2**16
"""Bytes at the end of a log that are read for its last line."""

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
    commit: str | None  # of the code that ended it; None also for an installed wheel and for older trainings


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
    raw = json.loads((store.path("fit", key) / FACTS).read_text(encoding="utf-8"))
    return FitFacts(
        seconds=raw["seconds"],
        components=raw["components"],
        peak_memory_gib=raw["peak_memory_gib"],
        num_processes=raw.get("num_processes", 1),
        weights_sharded=raw.get("weights_sharded", False),
        commit=raw.get("commit"),
    )


def diverged_at_step(store: Store, fit: FitIdentity | None) -> int | None:
    """Return the step at which the loss of a training is not a finite number. Such a training has left no weights.

    None also where the store does not hold it yet, and for a row that is not trained.
    """
    path = None if fit is None else store.path("fit", fit.key) / FACTS
    if path is None or not path.is_file():
        return None
    step: int | None = json.loads(path.read_text(encoding="utf-8")).get("diverged_at_step")
    return step


def weights_of(store: Store, fit: FitIdentity) -> Path:
    """Return the folder of the weights of a finished training; DivergedError where it has left none."""
    step = diverged_at_step(store, fit)
    if step is not None:
        raise DivergedError(
            f"{fit.method}: its training has diverged at step {step} of {fit.training.num_steps} and has left no "
            f"weights. Reduce the learning rate ({fit.training.learning_rate:g})."
        )
    return store.path("fit", fit.key) / "weights"


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
    for row in _rows(path.read_bytes()):
        rows[row["step"]] = row
    return [rows[step] for step in sorted(rows)]


def last_row(path: Path) -> LogRow | None:
    """Return the row that was written last, or None if there is none yet, without reading the whole log."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    with file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - LAST_BYTES))  # by the open file: the entry may be moved meanwhile
        lines = file.read().rsplit(b"\n", 2)
    return json.loads(lines[-2]) if len(lines) > 1 else None


def cut_unfinished_line(path: Path) -> None:
    """Remove the end of a log that a full disk or a kill has cut in the middle of a line."""
    if path.is_file() and not (text := path.read_bytes()).endswith(b"\n"):
        os.truncate(path, text.rfind(b"\n") + 1)


def _rows(text: bytes) -> Iterator[LogRow]:
    """Yield the rows of a log; a last line without an end is being written, or was cut."""
    yield from (json.loads(line) for line in text.splitlines(keepends=True) if line.endswith(b"\n"))


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
