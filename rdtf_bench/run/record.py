"""One measured cell, as kept on disk. These files, not the tracker, are the truth a table is made from. No torch."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rdtf_bench.core.store import write_text


@dataclass(frozen=True, kw_only=True)
class ScoreRecord:
    """A number with all that a table must know of it, so that printing needs no metric code."""

    label: str
    unit: str
    higher_is_better: bool
    version: int
    yardstick: str
    value: float
    ci_low: float
    ci_high: float
    n: int
    without_group: tuple[float, ...]  # the value with each group of clips left out; empty where there are no clips
    key: str  # what decided this score: samples, metric, its version, options and networks
    name: str = ""  # the yardstick in full; empty where `yardstick` is all there is to say
    beside: dict[str, float] = field(default_factory=dict)  # further figures of the same clips, by name


@dataclass(frozen=True, kw_only=True)
class Record:
    cell_id: str
    protocol: str
    protocol_version: int
    scale: str
    scale_version: int
    kind: str  # method | control
    method: str
    dataset: str
    task: str
    seed: int
    config: dict[str, Any]  # what decided the clips: options, training, sampler, data fingerprints, asset hashes
    data: dict[str, Any]  # source, counts per split, clips left out, files skipped
    scores: dict[str, ScoreRecord]
    components: dict[str, int]  # parameter counts: base, trainable, total and further parts
    stage_seconds: dict[str, float]
    peak_memory_gib: float | None  # of the process that trained it; None where nothing was trained
    environment: dict[str, Any]  # versions, commit, dirty files, device, threads
    created: str  # UTC, ISO 8601


def folder_in(root: Path) -> Path:
    """Where a store keeps its records."""
    return root / "records"


def save(record: Record, folder: Path) -> Path:
    path = folder / f"{record.cell_id}.json"
    write_text(path, json.dumps(asdict(record), indent=1, allow_nan=False, sort_keys=True) + "\n")
    return path


def read(path: Path) -> Record:
    raw = json.loads(path.read_text(encoding="utf-8"))
    scores = {
        name: ScoreRecord(**{**score, "without_group": tuple(score["without_group"])})
        for name, score in raw["scores"].items()
    }
    return Record(**{**raw, "scores": scores})


def find(cell_ids: Iterable[str], folders: Iterable[Path]) -> dict[str, Record]:
    """The records of these cells, each from the first folder that has one."""
    found = {}
    places = list(folders)
    for cell_id in cell_ids:
        for folder in places:
            path = folder / f"{cell_id}.json"
            if path.is_file():
                found[cell_id] = read(path)
                break
    return found
