import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from rdtf_bench.core.metric import PartScore, Score
from rdtf_bench.core.store import Store, write_text
from rdtf_bench.core.video import VideoU8
from rdtf_bench.run.progress import Report, Silent
from rdtf_bench.run.table import score as scoring
from rdtf_bench.run.table.finished import score_of
from rdtf_bench.spec.identities import ClipsIdentity, QualityScore

REAL = ClipsIdentity(clips="x", num_frames=2, size_px=4)
IDENTITY = QualityScore(metric="fvd", version=1, options={}, assets={}, fake="samples", real=REAL, clusters="c")
CPU = torch.device("cpu")
IDS = [f"clip {i:02d}" for i in range(20)]
VIDEO = torch.arange(20, dtype=torch.uint8)[:, None, None, None, None].expand(-1, 2, 3, 4, 4)


class Brightness:
    """Difference of mean brightness; keeps how many clips it was given at once."""

    yardstick = "brightness"

    def __init__(self, scale: float = 1.0) -> None:
        self.batches: list[int] = []
        self._scale = scale

    def observe(self, video: VideoU8, clip_ids: Sequence[str]) -> Float[Tensor, "B 1"]:
        self.batches.append(len(clip_ids))
        return video.double().flatten(1).mean(1, keepdim=True) * self._scale

    def score(
        self,
        *,
        fake: Float[Tensor, "N 1"],
        real: Float[Tensor, "M 1"],
        captions: Sequence[str],
        groups: Sequence[int],
    ) -> Score:
        assert len(captions) == len(groups) == len(fake)
        parts = {"motion": PartScore(value=2.0, without_group=(1.0, 3.0))}
        return Score(value=float(fake.mean() - real.mean()), n=len(fake), without_group=(1.0, 3.0), parts=parts)


@pytest.fixture
def metric(monkeypatch: pytest.MonkeyPatch) -> Brightness:
    made = Brightness()
    monkeypatch.setattr(scoring, "build_metric", lambda *_: made)
    return made


def observe(store: Store, of: str | ClipsIdentity, video: VideoU8 = VIDEO) -> str:
    key, report = IDENTITY.observation_key(of), Report(Silent(), "job", "fvd")
    if not scoring.are_observed(store, key, slice(0, len(video))):
        ids = IDS[: len(video)]
        scoring.observe(IDENTITY, key, video, ids, first=0, store=store, assets={}, device=CPU, report=report)
    scoring.finish_observations(store, key, len(video))
    return key


def score(store: Store, *, uses_real: bool) -> None:
    scoring.score(
        IDENTITY,
        uses_real=uses_real,
        clip_ids=IDS,
        captions=IDS,
        clusters=IDS,
        store=store,
        assets={},
        device=CPU,
    )


def test_clips_are_observed_in_batches_and_once(metric: Brightness, tmp_path: Path) -> None:
    store = Store(tmp_path)
    key = observe(store, "samples")
    observe(store, "samples")
    assert metric.batches == [16, 4]
    assert scoring.read_observations(store, key)[:, 0].tolist() == list(range(20))


@pytest.mark.usefixtures("metric")
def test_a_score_has_its_interval_and_what_the_table_says_of_the_metric(tmp_path: Path) -> None:
    store = Store(tmp_path)
    observe(store, "samples")
    observe(store, REAL, VIDEO[:10])
    score(store, uses_real=True)
    found = score_of(store, IDENTITY.key)
    assert (found.value, found.n) == (0.0, 10)  # as many fake clips as there are real ones
    assert found.ci_low < 0 < found.ci_high
    assert (found.label, found.yardstick, found.higher_is_better, found.key) == (
        "FVD",
        "brightness",
        False,
        IDENTITY.key,
    )


@pytest.mark.usefixtures("metric")
def test_a_metric_without_a_real_side_gets_the_fake_clips_twice(tmp_path: Path) -> None:
    store = Store(tmp_path)
    observe(store, "samples")
    score(store, uses_real=False)
    assert (score_of(store, IDENTITY.key).value, score_of(store, IDENTITY.key).n) == (0.0, 20)


def test_a_score_that_was_made_before_parts_were_gets_them_and_stays(metric: Brightness, tmp_path: Path) -> None:
    """The value in the store is changed, so that writing it again would be seen. Each part has a deviation of 1."""
    store = Store(tmp_path)
    observe(store, "samples")
    score(store, uses_real=False)
    (part,) = score_of(store, IDENTITY.key).parts.values()
    assert part.value == 2.0
    assert part.ci_low == pytest.approx(2 - 1.96, abs=1e-4)
    shutil.rmtree(store.path("parts", IDENTITY.key))
    changed = replace(score_of(store, IDENTITY.key), value=9.0)
    write_text(store.path("scores", IDENTITY.key) / "score.json", json.dumps(changed.as_dict()))
    assert score_of(store, IDENTITY.key) == changed
    score(store, uses_real=False)
    assert score_of(store, IDENTITY.key) == replace(changed, parts={"motion": part})
    assert metric.batches == [16, 4]  # the stored observations are enough


def test_a_score_that_is_not_a_number_is_not_stored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(scoring, "build_metric", lambda *_: Brightness(scale=float("inf")))
    store = Store(tmp_path)
    observe(store, "samples", VIDEO + 1)
    with pytest.raises(AssertionError, match="fvd gave nan"):
        score(store, uses_real=False)
    assert not store.has("scores", IDENTITY.key)
