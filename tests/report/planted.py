"""A protocol, a scale, cells and records made by hand, small enough to work every mark out on paper."""

from collections.abc import Mapping, Sequence
from typing import Any

from rdtf_bench.run.record import Record, ScoreRecord
from rdtf_bench.spec.load import load_scale
from rdtf_bench.spec.plan import Cell, DataIdentity, plan
from rdtf_bench.spec.schema import Scale, TableSpec

SCALE: Scale = load_scale("tiny")
METHODS = {"Customize-A-Video": "customize_a_video", "I2V-Adapter": "i2v_adapter", "SimDA": "simda", "RDTF": "rdtf"}
CONTROLS = ("static", "autoencoder", "noise_floor")
PAPER = {
    "Customize-A-Video": ("451.83", "0.479", "0.377", "1.19 B", "0.42"),
    "I2V-Adapter": ("456.24", "0.476", "0.367", "1.21 B", "0.42"),
    "SimDA": ("448.36", "0.462", "0.372", "1.32 B", "0.43"),
    "RDTF": ("442.18", "0.502", "0.376", "0.96 B", "0.39"),
}
LABELS = {"fvd": "FVD", "vqa": "VQA", "clip": "CLIP", "params": "Params", "seconds": "Seconds"}
YARDSTICKS = {
    "fvd": "enet-lite0 96px",
    "vqa": "toy-fast-vqa 8f 2x2",
    "clip": "toy-clip",
    "params": "denoiser",
    "seconds": "cpu, 1 thread",
}
HIGHER = {"fvd": False, "vqa": True, "clip": True, "params": False, "seconds": False}
DATA = DataIdentity(
    dataset="asg",
    source="toy",
    train="a" * 16,
    validation="b" * 16,
    test="c" * 16,
    num_train=640,
    num_validation=128,
    num_test=128,
)


def constants(kind: str, name: str) -> dict[str, Any]:
    """What the catalog would read from the modules."""
    if kind != "metric":
        return {"VERSION": 1, "ASSETS": ()}
    facts: dict[str, Any] = {"LABEL": LABELS[name], "HIGHER_IS_BETTER": HIGHER[name], "UNIT": "", "VERSION": 1}
    if name == "seconds":
        return {**facts, "UNIT": "s", "USES": ("network", "clock"), "ASSETS": ()}
    if name == "params":
        return {**facts, "YARDSTICK": "denoiser", "USES": ("network",), "ASSETS": ()}
    return {
        **facts,
        "USES": {"fvd": ("fake", "real"), "vqa": ("fake",), "clip": ("fake", "captions")}[name],
        "ASSETS": (),
    }


def table(seeds: Sequence[int] = (0,)) -> TableSpec:
    rows = [
        {
            "label": label,
            "method": method,
            "paper": {m: {"value": v, "source": "Table 1"} for m, v in zip(LABELS, PAPER[label], strict=True)},
        }
        for label, method in METHODS.items()
    ]
    return TableSpec.model_validate(
        {
            "name": "planted",
            "version": 1,
            "title": "A planted table",
            "source": "arXiv:2503.17735, Tables 1 and 8",
            "dataset": "asg",
            "task": "it2v",
            "known_frames": "keep",
            "metrics": tuple(LABELS),
            "seeds": tuple(seeds),
            "controls": CONTROLS,
            "rows": tuple(rows),
        }
    )


def cells(spec: TableSpec, data: DataIdentity = DATA) -> list[Cell]:
    return plan(spec, SCALE, data, {role: "d" * 16 for role in SCALE.assets}, constants)


def score(cell: Cell, metric: str, value: float, without_group: Sequence[float], *, n: int, half: float) -> ScoreRecord:
    return ScoreRecord(
        label=LABELS[metric],
        unit="s" if metric == "seconds" else "",
        higher_is_better=HIGHER[metric],
        version=1,
        yardstick=YARDSTICKS[metric],
        value=value,
        ci_low=value - half,
        ci_high=value + half,
        n=n,
        without_group=tuple(without_group),
        key=cell.score_key(metric),
    )


def record(cell: Cell, scores: Mapping[str, ScoreRecord]) -> Record:
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
        config={},
        data={
            "source": "toy",
            "clips": {"train": 640, "validation": 128, "test": 128},
            "left_out": {"fewer than 8 frames": 3},
            "skipped": [],
            "test": "c" * 16,
        },
        scores=dict(scores),
        components={"base": 1_500_000, "trainable": 61_234, "total": 1_561_234},
        stage_seconds={"fit": 95.2, "sample": 20.0} if cell.kind == "method" else {},
        peak_memory_gib=1.2,
        environment={"torch": "2.15.0", "commit": "0123abcd"},
        created="2026-11-21T08:00:00+00:00",
    )


# (value, what each of four groups adds when it is left out) of the methods and controls, half an interval
QUALITY = {
    "fvd": {
        "Customize-A-Video": 731.2,
        "I2V-Adapter": 702.5,
        "SimDA": 612.4,
        "RDTF": 604.1,
        "static": 890.6,
        "autoencoder": 141.0,
        "noise_floor": 43.7,
    },
    "vqa": {
        "Customize-A-Video": 0.431,
        "I2V-Adapter": 0.452,
        "SimDA": 0.447,
        "RDTF": 0.512,
        "static": 0.561,
        "autoencoder": 0.602,
    },
    "clip": {
        "Customize-A-Video": 0.2311,
        "I2V-Adapter": 0.2412,
        "SimDA": 0.2391,
        "RDTF": 0.2405,
        "static": 0.2501,
        "autoencoder": 0.2608,
    },
}
COST = {
    "params": {"Customize-A-Video": 1_561_234.0, "I2V-Adapter": 1_720_000.0, "SimDA": 1_640_000.0, "RDTF": 574_000.0},
    "seconds": {"Customize-A-Video": 0.0171, "I2V-Adapter": 0.0174, "SimDA": 0.0192, "RDTF": 0.0123},
}
SPREAD = {"fvd": 20.0, "vqa": 0.012, "clip": 0.004}


def all_records(cells: Sequence[Cell], *, n: int = 128) -> dict[str, Record]:
    """Every number of the table. The groups of each row move together, but those of SimDA and RDTF cross, so that
    SimDA - RDTF is lost in its own spread while every other difference is all signal."""
    crossing = {"SimDA": (1.0, -1.0, 1.0, -1.0), "RDTF": (-1.0, 1.0, -1.0, 1.0)}
    found = {}
    for cell in cells:
        scores = {}
        for metric in cell.scores:
            if metric in QUALITY:
                value, spread = QUALITY[metric][cell.label], SPREAD[metric]
                groups = [value + spread * sign for sign in crossing.get(cell.label, (1.0, -1.0, 1.0, -1.0))]
                scores[metric] = score(cell, metric, value, groups, n=n, half=1.96 * spread * 3**0.5)
            else:
                half = 0.0004 if metric == "seconds" else 0.0
                repeats = 30 if metric == "seconds" else 1
                scores[metric] = score(cell, metric, COST[metric][cell.label], (), n=repeats, half=half)
        found[cell.id] = record(cell, scores)
    return found
