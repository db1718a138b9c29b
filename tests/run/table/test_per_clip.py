from collections.abc import Sequence

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from rdtf_bench.core.metric import Score
from rdtf_bench.metrics.statistics import mean_without_each_group
from rdtf_bench.run.table.per_clip import distances, values


class Brightness:
    """A metric whose score is the mean over clips of a value that was observed."""

    yardstick = "toy"

    def observe(self, *_: object) -> Float[Tensor, "B 1"]:
        raise AssertionError("observations are in the store")

    def score(
        self, *, fake: Float[Tensor, "N 1"], real: Float[Tensor, "N 1"], captions: Sequence[str], groups: Sequence[int]
    ) -> Score:
        assert len(real) == len(captions)
        per_clip = fake[:, 0].double()
        without = mean_without_each_group(per_clip, groups)
        return Score(value=float(per_clip.mean()), n=len(fake), without_group=without)


def test_the_values_of_a_mean_are_those_of_the_clips() -> None:
    observed = torch.tensor([[0.25], [0.5], [-1.0], [8.0]])
    # sums of four doubles and back: a few units of the last place
    assert values(Brightness(), observed, ["a", "b", "c", "d"]) == pytest.approx([0.25, 0.5, -1.0, 8.0], abs=1e-12)


def test_a_distance_is_that_of_a_clip_to_the_real_clip_of_its_prompt() -> None:
    fake = torch.tensor([[3.0, 4.0], [1.0, 1.0]])
    real = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    assert distances(fake, real) == (5.0, 0.0)
