from collections.abc import Sequence

import pytest
import torch
from jaxtyping import Float
from safetensors.torch import save_file
from torch import Tensor

from rdtf_bench.core.metric import Score
from rdtf_bench.core.store import Store
from rdtf_bench.metrics.statistics import mean_without_each_group
from rdtf_bench.run.build import instruments
from rdtf_bench.run.build.instruments import Instrument
from rdtf_bench.run.per_clip import distances, of_table, values
from rdtf_bench.run.table.context import Bench
from rdtf_bench.spec.identities import ClipsIdentity, MetricIdentity, QualityScore
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import Scale


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


def quality(cell: Cell, metric: str) -> QualityScore:
    found = cell.scores[metric]
    assert isinstance(found, QualityScore)
    return found


def observe(store: Store, of: QualityScore, clips: str | ClipsIdentity, observed: Tensor) -> None:
    key = of.observation_key(clips)
    store.make("observations", key, lambda folder: save_file({"observed": observed}, folder / "observed.safetensors"))


def test_a_table_has_the_scores_of_the_rows_that_were_observed(
    planned: tuple[Bench, list[Cell]], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, cells = planned
    rdtf, simda = (next(cell for cell in cells if cell.label == label) for label in ("RDTF", "SimDA"))
    vqa, fvd = quality(rdtf, "vqa"), quality(rdtf, "fvd")
    identity = MetricIdentity(metric="vqa", version=vqa.version, options=vqa.options, assets=vqa.assets)

    def load(scale: Scale, names: Sequence[str]) -> dict[str, Instrument]:
        assert (scale, names) == (bench.scale, ["vqa"])
        return {"vqa": Instrument(identity=identity, metric=Brightness())}

    monkeypatch.setattr(instruments, "load", load)
    observe(bench.store, vqa, vqa.fake, torch.tensor([[0.5], [0.25]]))
    observe(bench.store, fvd, fvd.fake, torch.tensor([[3.0, 4.0], [1.0, 1.0]]))
    observe(bench.store, fvd, fvd.real, torch.tensor([[0.0, 0.0], [1.0, 1.0]]))
    found = {scores.metric: scores for scores in of_table([rdtf, simda], bench.scale, ["a", "b"], bench.store)}
    assert set(found) == {"fvd", "vqa"}
    assert found["fvd"].rows == {"RDTF": (5.0, 0.0)}
    assert (found["fvd"].label, found["fvd"].higher_is_better) == ("FVD distance", False)
    assert found["vqa"].rows == {"RDTF": (0.5, 0.25)}


def test_scores_through_networks_that_have_changed_are_left_out(
    planned: tuple[Bench, list[Cell]], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, cells = planned
    vqa = quality(cells[0], "vqa")
    other = MetricIdentity(metric="vqa", version=vqa.version, options=vqa.options, assets={"vqa": "of another network"})
    monkeypatch.setattr(instruments, "load", lambda *_: {"vqa": Instrument(identity=other, metric=Brightness())})
    observe(bench.store, vqa, vqa.fake, torch.tensor([[0.5], [0.25]]))
    assert of_table(cells[:1], bench.scale, ["a", "b"], bench.store) == []
