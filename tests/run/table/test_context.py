from dataclasses import replace
from pathlib import Path

from rdtf_bench.core.store import Store
from rdtf_bench.run.inputs.datasets import Dataset
from rdtf_bench.run.table.context import Bench, cells_of, find_assets, make_bench, plan_cells, roles_of
from rdtf_bench.run.table.external.clips import ExternalClips
from rdtf_bench.spec.load import load_protocol, load_scale
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import DataSizes, Scale
from tests.data.clips import clip_of
from tests.plans import DATA

SPEC, TINY = load_protocol("table1"), load_scale("tiny")


def bench(scale: Scale, controls: tuple[str, ...] = SPEC.controls) -> Bench:
    return make_bench(controls, scale, Dataset(identity=DATA, clips={}), find_assets(scale), Store(Path("store")))


def test_every_role_of_the_scale_has_its_network() -> None:
    assert find_assets(TINY).keys() == TINY.assets.keys()


def test_rows_that_are_trained_need_networks_that_control_rows_do_not(planned: tuple[Bench, list[Cell]]) -> None:
    _, cells = planned
    assert {"autoencoder", "frame_features", "text_encoder"} <= set(roles_of(cells))
    static = next(cell for cell in cells if cell.method == "static")
    assert {"frame_features", "text_encoder"}.isdisjoint(roles_of([static]))
    assert roles_of([replace(static, scores={})]) == ["autoencoder"]


def test_clips_made_elsewhere_are_one_more_row() -> None:
    external = {"mine": ExternalClips(folder=Path("clips"), fingerprint="abc", clips={}, other_kinds={})}
    without = plan_cells(SPEC, TINY, DATA, find_assets(TINY))
    (added,) = [cell for cell in plan_cells(SPEC, TINY, DATA, find_assets(TINY), external) if cell not in without]
    assert (added.label, added.fit, added.sample.as_dict()["clips"]) == ("mine", None, "abc")


def test_a_plan_writes_nothing(tmp_path: Path) -> None:
    data, cells = cells_of(SPEC, TINY, None, tmp_path)
    assert {cell.label for cell in cells} >= {"RDTF", "static"}
    assert data.identity.source == "toy"
    assert list(tmp_path.iterdir()) == []


def test_other_real_clips_alone_need_a_second_split() -> None:
    assert bench(TINY, ("static",)).real.keys() == {"test"}
    assert bench(TINY, ("static", "other_real_clips")).real.keys() == {"test", "validation"}


def test_prepared_training_data_have_a_key_of_what_decides_them() -> None:
    ours = bench(TINY)
    other_frames = TINY.data.model_copy(update={"max_frames": TINY.data.max_frames + 1})
    assert isinstance(other_frames, DataSizes)
    longer = bench(TINY.model_copy(update={"data": other_frames}))
    assert ours.training.identity.key != longer.training.identity.key
    assert ours.real == longer.real
    assert ours.training == bench(TINY.model_copy(update={"workers": 9})).training


def test_jobs_carry_no_more_training_clips_than_are_scored() -> None:
    train = tuple(clip_of(Path(f"data/{number}.gif"), 8, split="train") for number in range(600))
    few = replace(DATA, num_validation=3)
    data = Dataset(identity=few, clips={"train": train, "validation": (), "test": ()}, root=Path("data"))
    made = make_bench(("other_real_clips",), TINY, data, find_assets(TINY), Store(Path("store")))
    assert made.clips["train"] == train[: few.num_test]
    assert len(made.training.shards) == 3
