"""The record of one measured cell, as kept on disk. Tables are made from these files alone. Imports no torch."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.store import write_text

FORMAT_VERSION = 3
"""Version of the format of new records. Records of format 1 state no version and lack the fields `ADDED_IN_2`. Scores
of formats 1 and 2 have no parts."""

ADDED_IN_2 = ("format_version", "command", "num_processes", "resolved_scale", "samples_sha256")


@dataclass(frozen=True, kw_only=True)
class PartRecord:
    """The score of a part of what a metric sees, such as the motion in FVD."""

    value: float
    ci_low: float
    ci_high: float
    without_group: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class ScoreRecord:
    """A score with all that a table prints of it, so that printing needs no metric code."""

    label: str
    unit: str
    higher_is_better: bool
    version: int
    yardstick: str
    value: float
    ci_low: float
    ci_high: float
    n: int
    without_group: tuple[float, ...]  # the value with each group of clips left out; empty where no clips are scored
    key: str  # hash of what decided this score: samples, metric, its version, options and networks
    name: str = ""  # the full name of the yardstick; empty where `yardstick` says everything
    beside: dict[str, float] = field(default_factory=dict)  # further figures of the same clips, by name
    parts: dict[str, PartRecord] = field(default_factory=dict)  # by name; empty also where they were not recorded

    def as_dict(self) -> dict[str, Any]:
        """Return the score as JSON has it: without the parts if there are none, as in older files."""
        facts = asdict(self)
        return facts if self.parts else {name: value for name, value in facts.items() if name != "parts"}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "ScoreRecord":
        """Return the score that JSON holds."""
        return cls(**{**raw, "without_group": tuple(raw["without_group"]), "parts": read_parts(raw.get("parts", {}))})


def read_parts(raw: Mapping[str, Any]) -> dict[str, PartRecord]:
    """Return the parts that JSON holds."""
    return {name: PartRecord(**{**part, "without_group": tuple(part["without_group"])}) for name, part in raw.items()}


@dataclass(frozen=True, kw_only=True)
class Record:
    """One row of a table at one random seed: its scores, what decided them, and where and how they were made."""

    cell_id: str
    protocol: str
    protocol_version: int
    scale: str
    scale_version: int
    kind: str  # trained | external | control; format 1 calls the first two method
    method: str
    dataset: str
    task: str
    seed: int
    config: dict[str, Any]  # the identities of training, samples and scores that the ids and keys are hashes of
    data: dict[str, Any]  # source, counts per split, clips left out, files skipped
    scores: dict[str, ScoreRecord]
    components: dict[str, int]  # parameter counts: base, trainable, total and further components
    stage_seconds: dict[str, float]
    peak_memory_gib: float | None  # of the process that trained it; None where nothing was trained
    environment: dict[str, Any]  # versions, commit, dirty files, device, GPU, threads
    created: str  # UTC, ISO 8601
    format_version: int | None = None  # None: format 1, which has none of the fields below
    command: str | None = None  # the command line; None also where a notebook or a script made the record
    num_processes: int | None = None  # processes that trained the row together
    weights_sharded: bool = False  # over these processes, by FSDP2
    resolved_scale: dict[str, Any] | None = None  # every field of the scale as it was
    samples_sha256: str | None = None  # of the clips' pixels; None also where the store no longer holds the clips
    diverged_at_step: int | None = None  # of the training, whose loss is not finite there; such a row has no scores


def folder_in(root: Path) -> Path:
    """Return the folder in which a store keeps its records."""
    return root / "records"


def save(record: Record, folder: Path) -> Path:
    """Write a record; one of an older format stays one of that format."""
    path = folder / f"{record.cell_id}.json"
    facts = {**asdict(record), "scores": {name: score.as_dict() for name, score in record.scores.items()}}
    if not record.weights_sharded:
        del facts["weights_sharded"]  # as in records that were made before there was a choice
    if record.diverged_at_step is None:
        del facts["diverged_at_step"]
    if record.format_version is None:
        facts = {name: value for name, value in facts.items() if name not in ADDED_IN_2}
    write_text(path, json.dumps(facts, indent=1, allow_nan=False, sort_keys=True) + "\n")
    return path


def read(path: Path) -> Record:
    """Read a record of this format or an older one; StoreError for a newer format or a damaged file."""
    try:
        return _read(path)
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise StoreError(
            f"{path}: is not a record of rdtf-bench, or it is damaged: {fault!r}. Remove it; the next run of its table "
            "writes it again."
        ) from fault


def _read(path: Path) -> Record:
    raw = json.loads(path.read_text(encoding="utf-8"))
    if raw.get("format_version", 1) > FORMAT_VERSION:
        raise StoreError(
            f"{path}: the record has format {raw['format_version']}, and this version of rdtf-bench reads formats up "
            f"to {FORMAT_VERSION}. Update it: pip install --upgrade rdtf-bench"
        )
    scores = {name: ScoreRecord.from_dict(score) for name, score in raw["scores"].items()}
    return Record(**{**raw, "scores": scores})


def find(cell_ids: Iterable[str], folders: Iterable[Path]) -> dict[str, Record]:
    """Return the records of these cells by cell id, each from the first folder that has one."""
    found = {}
    places = list(folders)
    for cell_id in cell_ids:
        for folder in places:
            path = folder / f"{cell_id}.json"
            if path.is_file():
                found[cell_id] = read(path)
                break
    return found


def digests_of(
    fit: Mapping[str, Any], sample: Mapping[str, Any], scores: Iterable[Mapping[str, Any]]
) -> dict[str, str]:
    """Return the hash of each network that parts of a record's `config` name, by its role."""
    prepared = fit.get("data", {})
    found = {
        "autoencoder": prepared.get("autoencoder") or sample.get("autoencoder"),
        "frame_features": prepared.get("frame_features"),
    }
    for identity in (fit, *scores):
        found |= identity.get("assets", {})
    return {role: digest for role, digest in found.items() if digest}


def flat(nested: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Return nested values under dotted names.

    >>> flat({"training": {"task": "it2v"}, "size_px": 64})
    {'training.task': 'it2v', 'size_px': 64}
    """
    options: dict[str, object] = {}
    for name, value in nested.items():
        options |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return options
