"""A score and a record made up for tests of what is done with them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from rdtf_bench.run.record import Record, ScoreRecord

RESULTS = Path(__file__).parents[1] / "results"
PUBLISHED = sorted(RESULTS.glob(f"*/{'[0-9a-f]' * 16}.json"))
"""The published records of rows. Those of curves and of the metrics' validity are named after their scale."""

SCORE = ScoreRecord(
    label="FVD",
    unit="",
    higher_is_better=False,
    version=1,
    yardstick="enet-lite0 96px",
    value=2.5,
    ci_low=2.0,
    ci_high=3.0,
    n=128,
    without_group=(2.4, 2.6),
    key="score",
)


def score(**changes: Any) -> ScoreRecord:
    """Return a made-up FVD with these fields changed."""
    return replace(SCORE, **changes)


CLIPS = {"num_frames": 8, "size_px": 64}
FIT = {
    "method": "rdtf",
    "version": 1,
    "options": {"curriculum": "adaptive"},
    "assets": {"autoencoder": "a1"},
    "device": "cpu",
    "data": {"train": "toy-asg:train:48", "size_px": 64, "max_frames": 8, "autoencoder": "a1", "frame_features": None},
    "training": {
        **{"task": "it2v", "num_frames": 8, "seed": 0, "num_steps": 400, "batch_size": 4, "learning_rate": 0.002},
        **{"weight_decay": 0.01, "warmup_steps": 2, "lr_schedule": "cosine", "max_grad_norm": 1.0, "ema_decay": 0.98},
        "checkpoint_every": 8,
    },
}
SAMPLE = {
    "fit": "fit",
    "task": "it2v",
    "known_frames": "keep",
    "real": {"clips": "toy-asg:test:50", **CLIPS},
    "sampler": {
        **{"num_steps": 25, "timestep_spacing": "trailing", "eta": 1.0},
        **{"guidance_text": 3.0, "guidance_image": 2.0},
    },
    "batch_size": 16,
    "seed": 0,
}
STATIC = {"control": "static", "version": 1, "task": "it2v", "known_frames": "keep", "real": SAMPLE["real"]}


def control(**changes: Any) -> Record:
    """Return a made-up record of a row that repeats the first frame, with these fields changed."""
    config: dict[str, Any] = {"fit": None, "sample": STATIC, "scores": {"fvd": {}}}
    untrained: dict[str, Any] = {"components": {}, "stage_seconds": {"sample": 1.0}, "peak_memory_gib": None}
    return record(**{"kind": "control", "method": "static", "config": config, **untrained, **changes})


def record(**changes: Any) -> Record:
    """Return a made-up record of a trained row with these fields changed."""
    config = {"fit": FIT, "sample": SAMPLE, "scores": {"fvd": {}}}
    made = Record(
        cell_id="cell",
        protocol="table1",
        protocol_version=1,
        scale="tiny",
        scale_version=1,
        kind="trained",
        method="rdtf",
        dataset="asg",
        task="it2v",
        seed=0,
        config=config,
        data={"source": "toy", "in_use": {"train": 48, "validation": 50, "test": 50}},
        scores={"fvd": SCORE},
        components={"total": 10, "trainable": 4},
        stage_seconds={"fit": 1.5},
        peak_memory_gib=0.5,
        environment={"commit": "abc", "dirty_files": []},
        created="2026-01-01T00:00:00+00:00",
    )
    return replace(made, **changes)
