"""A score and a record made up for tests of what is done with them."""

from dataclasses import replace
from typing import Any

from rdtf_bench.run.record import Record, ScoreRecord

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


def record(**changes: Any) -> Record:
    """Return a made-up record of a trained row with these fields changed."""
    config = {"fit": {"options": {"curriculum": "adaptive"}}, "sample": {"batch_size": 16}, "scores": {"fvd": {}}}
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
        data={"source": "toy"},
        scores={"fvd": SCORE},
        components={"total": 10},
        stage_seconds={"fit": 1.5},
        peak_memory_gib=0.5,
        environment={"commit": "abc", "dirty_files": []},
        created="2026-01-01T00:00:00+00:00",
    )
    return replace(made, **changes)
