"""A protocol, its cells and their records made by hand, small enough to work every mark and interval out on paper."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from rdtf_bench.core import intervals
from rdtf_bench.report.table.table import render
from rdtf_bench.run.record import PartRecord, Record, ScoreRecord
from rdtf_bench.spec.load import load_scale
from rdtf_bench.spec.plan import Cell, Constants, DataIdentity, plan
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import TableSpec

METRICS = ("fvd", "vqa", "clip", "params", "seconds")
ROWS = {
    "Customize-A-Video": ("customize_a_video", "451.83", "0.479", "0.377", "1.19 B", "0.42"),
    "I2V-Adapter": ("i2v_adapter", "456.24", "0.476", "0.367", "1.21 B", "0.42"),
    "SimDA": ("simda", "448.36", "0.462", "0.372", "1.32 B", "0.43"),
    "RDTF": ("rdtf", "442.18", "0.502", "0.376", "0.96 B", "0.39"),
}
FACTS: dict[str, dict[str, Any]] = {
    "fvd": {"LABEL": "FVD", "UNIT": "", "HIGHER_IS_BETTER": False, "USES": ("fake", "real")},
    "vqa": {"LABEL": "VQA", "UNIT": "", "HIGHER_IS_BETTER": True, "USES": ("fake",)},
    "clip": {"LABEL": "CLIP", "UNIT": "", "HIGHER_IS_BETTER": True, "USES": ("fake", "captions")},
    "params": {
        "LABEL": "Params",
        "UNIT": "",
        "HIGHER_IS_BETTER": False,
        "USES": ("network",),
        "YARDSTICK": "denoiser",
    },
    "seconds": {"LABEL": "Seconds", "UNIT": "s", "HIGHER_IS_BETTER": False, "USES": ("network", "clock")},
}
YARDSTICKS = {
    "fvd": "enet-lite0 96px",
    "vqa": "toy-fast-vqa 8f 2x2",
    "clip": "toy-clip",
    "params": "denoiser",
    "seconds": "1x8x64x64 cpu fp32",
}
VALUES = {
    "Customize-A-Video": {"fvd": 731.2, "vqa": 0.431, "clip": 0.2311, "params": 1_561_234.0, "seconds": 0.0171},
    "I2V-Adapter": {"fvd": 702.5, "vqa": 0.452, "clip": 0.2412, "params": 1_720_000.0, "seconds": 0.0174},
    "SimDA": {"fvd": 612.4, "vqa": 0.447, "clip": 0.2391, "params": 1_640_000.0, "seconds": 0.0192},
    "RDTF": {"fvd": 604.1, "vqa": 0.512, "clip": 0.2405, "params": 574_000.0, "seconds": 0.0123},
    "static": {"fvd": 890.6, "vqa": 0.561, "clip": 0.2501},
    "autoencoder": {"fvd": 141.0, "vqa": 0.602, "clip": 0.2608},
    "real": {"vqa": 0.6, "clip": 0.27},
    "other real clips": {"fvd": 43.7},
}
# Leaving a group of clips out moves every row by the same +-UNIT * 20 (some clips are hard for all) and by a share of
# its own, +-UNIT * OWN. A paired difference keeps the second alone: its jackknife deviation over four groups
# is sqrt(3) * UNIT * (difference of OWN).
UNIT = {"fvd": 1.0, "vqa": 0.0006, "clip": 0.0002}
OWN = {"Customize-A-Video": 3.0, "I2V-Adapter": 2.0, "SimDA": 12.0, "RDTF": 1.0}

PlanOf = Callable[[TableSpec], list[Cell]]
Measure = Callable[[Sequence[Cell]], dict[str, Record]]
Show = Callable[..., str]


@pytest.fixture
def constants() -> Constants:
    """What the catalog would read from the modules."""

    def read(kind: str, name: str) -> dict[str, Any]:
        return {"VERSION": 1, "ASSETS": (), **(FACTS[name] if kind == "metric" else {})}

    return read


@pytest.fixture
def scale() -> Scale:
    return load_scale("tiny")


@pytest.fixture
def spec() -> TableSpec:
    rows = [
        {
            "label": label,
            "method": method,
            "paper": {name: {"value": text, "source": "by hand"} for name, text in zip(METRICS, printed, strict=True)},
        }
        for label, (method, *printed) in ROWS.items()
    ]
    raw = {"name": "planted", "version": 1, "title": "A planted table", "source": "by hand", "dataset": "asg"}
    raw |= {"task": "it2v", "known_frames": "keep", "metrics": METRICS, "seeds": (0,), "rows": tuple(rows)}
    return TableSpec.model_validate({**raw, "controls": ("static", "autoencoder", "other_real_clips")})


@pytest.fixture
def data() -> DataIdentity:
    fingerprints = {"train": "a" * 16, "validation": "b" * 16, "test": "c" * 16, "test_clusters": "e" * 16}
    return DataIdentity(dataset="asg", source="toy", num_train=640, num_validation=128, num_test=128, **fingerprints)


@pytest.fixture
def plan_of(scale: Scale, data: DataIdentity, constants: Constants) -> PlanOf:
    return lambda spec: plan(spec, scale, data, dict.fromkeys(scale.assets, "d" * 16), constants)


@pytest.fixture
def cells(spec: TableSpec, plan_of: PlanOf) -> list[Cell]:
    return plan_of(spec)


@pytest.fixture
def measure() -> Measure:
    return lambda cells: {cell.id: _record(cell, {m: _score(cell, m) for m in cell.scores}) for cell in cells}


@pytest.fixture
def records(cells: list[Cell], measure: Measure) -> dict[str, Record]:
    return measure(cells)


@pytest.fixture
def parted(cells: list[Cell], records: dict[str, Record]) -> dict[str, Record]:
    """The records with an appearance and a motion of FVD, 0.7 and 0.2 of it, except for other real clips."""
    found = dict(records)
    for cell in cells:
        score = records[cell.id].scores["fvd"]
        parts = {name: _part(score, share) for name, share in (("appearance", 0.7), ("motion", 0.2))}
        if cell.label != "other real clips":
            scores = {**records[cell.id].scores, "fvd": replace(score, parts=parts)}
            found[cell.id] = replace(records[cell.id], scores=scores)
    return found


@pytest.fixture
def show(spec: TableSpec, scale: Scale, cells: list[Cell], records: dict[str, Record], constants: Constants) -> Show:
    def rendered(
        format: str,
        *,
        of: dict[str, Record] = records,
        planned: list[Cell] = cells,
        width: int | None = None,
        styled: bool = False,
        table: TableSpec = spec,
    ) -> str:
        return render(table, scale, planned, of, format=format, width=width, styled=styled, constants=constants)

    return rendered


def _score(cell: Cell, metric: str) -> ScoreRecord:
    value = VALUES[cell.label][metric]
    groups: tuple[float, ...] = ()
    n, (low, high) = 1, (value, value)
    if metric == "seconds":
        n, (low, high) = 30, (value - 0.0004, value + 0.0004)
    elif metric != "params":
        n, groups = 128, _groups(value, UNIT[metric], OWN.get(cell.label, 0.0))
        low, high = intervals.interval(value, groups)
    return ScoreRecord(
        label=FACTS[metric]["LABEL"],
        unit=FACTS[metric]["UNIT"],
        higher_is_better=FACTS[metric]["HIGHER_IS_BETTER"],
        version=1,
        yardstick=YARDSTICKS[metric],
        value=value,
        ci_low=low,
        ci_high=high,
        n=n,
        without_group=groups,
        key=cell.score_key(metric),
    )


def _part(score: ScoreRecord, share: float) -> PartRecord:
    return PartRecord(
        value=share * score.value,
        ci_low=share * score.ci_low,
        ci_high=share * score.ci_high,
        without_group=tuple(share * value for value in score.without_group),
    )


def _groups(value: float, unit: float, own: float) -> tuple[float, ...]:
    shared, own = 20 * unit, own * unit
    return (value + shared + own, value - shared + own, value + shared - own, value - shared - own)


def _record(cell: Cell, scores: Mapping[str, ScoreRecord]) -> Record:
    trained = cell.kind != "control"
    return Record(
        cell_id=cell.id,
        protocol=cell.protocol,
        protocol_version=1,
        scale="tiny",
        scale_version=1,
        kind=cell.kind,
        method=cell.method,
        dataset="asg",
        task="it2v",
        seed=cell.seed,
        config={name: part for name, part in cell.as_dict().items() if name in ("fit", "sample")},
        data={
            "source": "toy",
            "in_use": {"train": 640, "validation": 128, "test": 128},
            "left_out_short": {"train": 0, "validation": 2, "test": 3},
            "skipped_broken": [],
            "fingerprint": "0123456789abcdef",
        },
        scores=dict(scores),
        components={"base": 1_500_000, "trainable": 61_234, "total": 1_561_234} if trained else {},
        stage_seconds={"fit": 95.2, "sample": 20.0} if trained else {"sample": 1.0},
        peak_memory_gib=1.2 if trained else None,
        environment={"torch": "2.15.0", "commit": "0123abcd"},
        created="2026-11-21T08:00:00+00:00",
    )
