import json
from pathlib import Path
from typing import Any

import pytest
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from rdtf_bench.core.errors import AssetError, DataError, ProtocolError
from rdtf_bench.core.metric import Metric
from rdtf_bench.metrics import vqa
from rdtf_bench.metrics.features.fast_vqa import FastVQANetwork
from rdtf_bench.metrics.vqa import Config, FastVQA, Judge, Scale

OPTIONS: dict[str, Any] = {
    "embed_dim": 8,
    "depths": (1, 1, 1, 1),
    "num_heads": (1, 1, 1, 1),
    "window": (4, 4, 4),
    "base_size": (8, 64, 64),
    "grid": (2, 2),
}
NAME = "tiny-test"


def judge(aligned: int = 32) -> Judge:
    network = FastVQANetwork(**OPTIONS)
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.data.normal_(std=0.2, generator=generator)
    return Judge(network, name=NAME, scale=Scale(mean=0.1, std=0.5, aligned=aligned))


def metric(**options: Any) -> FastVQA:
    return FastVQA(judge(), Config(network=NAME, **options))


def clips(count: int, frames: int = 8, side: int = 64, seed: int = 0) -> UInt8[Tensor, "B F C H W"]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, frames, 3, side, side), dtype=torch.uint8, generator=generator)


def ids(count: int) -> list[str]:
    return [f"set/test/{i:05d}" for i in range(count)]


def observed(values: list[float]) -> Float[Tensor, "N 1"]:
    return torch.tensor(values)[:, None]


def test_it_is_a_metric_of_the_suite() -> None:
    assert isinstance(metric(), Metric)
    assert metric().yardstick == "tiny-test 8f 2x2"
    assert metric(draws=3, num_frames=4, grid=1).yardstick == "tiny-test 4f 1x1 3 draws"


def test_score_by_hand() -> None:
    """Raw 0.1 is the mean of the scale (0.5); one and two deviations below give sigmoid(-1) and sigmoid(-2)."""
    found = metric().score(
        fake=observed([0.1, -0.4, -0.9]), real=torch.zeros(3, 1), captions=["a", "b", "c"], groups=[0, 1, 1]
    )
    one, two = 0.2689414213699951, 0.11920292202211755
    assert found.value == pytest.approx((0.5 + one + two) / 3, abs=1e-7)  # raw scores are float32
    assert found.without_group == pytest.approx(((one + two) / 2, 0.5), abs=1e-7)
    assert found.n == 3


def test_draws_are_averaged_before_they_are_rescaled() -> None:
    raw = torch.tensor([[0.1, 1.1]])
    assert float(metric(draws=2).per_clip(raw)) == pytest.approx(0.7310585786300049, abs=1e-6)  # sigmoid(1)


def test_a_higher_raw_score_is_a_better_score() -> None:
    low, high = metric().per_clip(observed([-0.2, 0.3])).tolist()
    assert 0 < low < high < 1
    assert vqa.HIGHER_IS_BETTER
    assert FastVQA.higher_is_better


def test_an_observation_does_not_feel_batch_or_order() -> None:
    found, videos, names = metric(), clips(4), ids(4)
    together = found.observe(videos, names)
    alone = torch.cat([found.observe(videos[i : i + 1], names[i : i + 1]) for i in range(4)])
    assert torch.equal(together, alone)
    order = [2, 0, 3, 1]
    assert torch.equal(found.observe(videos[order], [names[i] for i in order]), together[order])
    assert together.unique().numel() == 4  # type: ignore[no-untyped-call]


def test_a_clip_of_the_grids_size_is_looked_at_whole() -> None:
    """64 px under a grid of 2 cells of 32 px leave no room for offsets: the id does not matter."""
    video = clips(1)
    assert torch.equal(metric().observe(video, ["a"]), metric().observe(video, ["b"]))


def test_fragments_of_a_larger_clip_come_from_its_id() -> None:
    video = clips(1, side=100)
    first, again, other = (metric().observe(video, [name]) for name in ("a", "a", "b"))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_draws_look_at_different_places() -> None:
    raw = metric(draws=3).observe(clips(2, side=100), ids(2))
    assert raw.shape == (2, 3)
    assert torch.equal(raw[:, :1], metric().observe(clips(2, side=100), ids(2)))
    assert (raw.std(1) > 0).all()


def test_without_ids_the_places_come_from_the_content() -> None:
    videos, found = clips(3, side=100), metric()
    found.update(videos)
    turned = metric()
    turned.update(videos.flip(0))
    assert torch.equal(found.raw[0], turned.raw[0].flip(0))


def test_short_clips_loop_and_long_ones_are_thinned() -> None:
    assert vqa.frame_indices(3, 8) == [0, 1, 2, 0, 1, 2, 0, 1]
    assert vqa.frame_indices(8, 8) == list(range(8))
    assert vqa.frame_indices(20, 8) == [0, 2, 5, 7, 10, 12, 15, 17]
    video = clips(1, frames=4)
    looped = video[:, [0, 1, 2, 3, 0, 1, 2, 3]]
    assert torch.equal(metric().observe(video, ["a"]), metric().observe(looped, ["a"]))


def test_frames_share_offsets_in_groups_of_the_networks_length() -> None:
    video = clips(1, side=100)
    grouped = FastVQA(judge(aligned=4), Config(network=NAME)).observe(video, ["a"])
    assert not torch.equal(grouped, metric().observe(video, ["a"]))


def test_small_clips_are_enlarged() -> None:
    assert metric().observe(clips(2, side=40), ids(2)).isfinite().all()


def test_merged_states_equal_one_pass() -> None:
    videos, names = clips(5), ids(5)
    whole, first, second = metric(), metric(), metric()
    whole.update(videos, names)
    first.update(videos[:2], names[:2])
    second.update(videos[2:], names[2:])
    first.merge_state(second)
    # float64 means of the same numbers in another order
    assert float(first.compute()) == pytest.approx(float(whole.compute()), abs=1e-12)
    raw = whole.observe(videos, names)
    scored = whole.score(fake=raw, real=raw, captions=names, groups=[0, 0, 1, 1, 2])
    assert float(whole.compute()) == pytest.approx(scored.value, abs=1e-12)


def test_a_samplers_padding_counts_once() -> None:
    videos, names, once, twice = clips(4), ids(4), metric(), metric()
    once.update(videos, names)
    twice.update(videos[[0, 1, 2, 3, 0]], [*names, names[0]])
    twice.update(videos[1:2], names[1:2])
    assert float(twice.compute()) == float(once.compute())
    without_ids = metric()
    without_ids.update(videos[[0, 1, 2, 3, 0]])
    assert float(without_ids.compute()) != float(once.compute())


def test_the_callers_training_mode_changes_nothing() -> None:
    """Dropout would make scores random."""
    found, video = metric(), clips(1)
    before = found.observe(video, ["a"])
    found.train()
    assert torch.equal(found.observe(video, ["a"]), before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grid": 3}, "grid 3 do not fit"),
        ({"num_frames": 16}, "num_frames 16"),
        ({"num_frames": 0}, "must be at least 1"),
        ({"draws": 0}, "must be at least 1"),
    ],
)
def test_what_the_network_cannot_look_at_is_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        metric(**options)


def test_frames_that_make_no_whole_groups_are_refused() -> None:
    with pytest.raises(ProtocolError, match="multiple of 3"):
        FastVQA(judge(aligned=3), Config(network=NAME))


def test_two_processes_equal_one() -> None:
    videos, names = clips(5), ids(5)
    whole, other = metric(), metric()
    whole.update(videos, names)
    other.update(videos[2:], names[2:])  # its first clip is the other's last, as a sampler pads

    def gather(ours: Tensor, group: object) -> list[Tensor]:
        del group
        return [ours, torch.cat(other.raw if ours.is_floating_point() else other.ids)]

    config = Config(network=NAME)
    one = FastVQA(judge(), config, dist_sync_fn=gather, distributed_available_fn=lambda: True)
    one.update(videos[:3], names[:3])
    assert float(one.compute()) == pytest.approx(float(whole.compute()), abs=1e-12)


def test_a_released_network_looks_at_what_it_was_trained_on() -> None:
    network = FastVQANetwork(**{**OPTIONS, "base_size": (32, 224, 224), "grid": (7, 7)})
    released = Judge(network, name="fast-vqa-b", scale=vqa.RELEASED["fast-vqa-b"])
    assert FastVQA(released).yardstick == "fast-vqa-b 32f 7x7"
    with pytest.raises(ProtocolError, match="the options name 'toy-fast-vqa', but the asset is 'fast-vqa-b'"):
        FastVQA(released, Config())


@pytest.mark.filterwarnings("ignore:The ``compute`` method:UserWarning")  # torchmetrics' own, before our error
def test_missing_ids_and_missing_clips_are_refused() -> None:
    with pytest.raises(DataError, match="2 clips came with 1 ids"):
        metric().observe(clips(2), ids(1))
    with pytest.raises(DataError, match="no clips"):
        metric().compute()
    with pytest.raises(DataError, match="clips of one frame"):
        metric().observe(clips(2, frames=1), ids(2))


def test_a_score_that_is_no_number_is_refused() -> None:
    fake = observed([0.1, float("nan")])
    with pytest.raises(DataError, match="clip 1 is NaN"):
        metric().score(fake=fake, real=fake, captions=["a", "b"], groups=[0, 1])
    found = metric()
    found.update(clips(1))
    found.raw.append(fake[1:])
    found.ids.append(torch.tensor([2]))
    with pytest.raises(DataError, match="clip 1 is NaN"):
        found.compute()


# ---- assets


def test_a_saved_folder_gives_the_same_scores(tmp_path: Path) -> None:
    vqa.save(judge(), tmp_path, OPTIONS)
    config = Config(network=NAME)
    built = vqa.build(config, assets={"vqa": tmp_path}, device=torch.device("cpu"))
    assert torch.equal(built.observe(clips(2), ids(2)), metric().observe(clips(2), ids(2)))
    assert built.judge.scale == judge().scale
    assert FastVQA(tmp_path, config).yardstick == built.yardstick


def test_another_network_than_the_one_named_is_refused(tmp_path: Path) -> None:
    vqa.save(judge(), tmp_path, OPTIONS)
    with pytest.raises(AssetError, match=r"tiny-test.*not 'toy-fast-vqa'"):
        vqa.load(tmp_path, "toy-fast-vqa")


def test_a_broken_folder_is_refused(tmp_path: Path) -> None:
    vqa.save(judge(), tmp_path, OPTIONS)
    config = json.loads((tmp_path / vqa.CONFIG_FILE).read_text())
    (tmp_path / vqa.CONFIG_FILE).write_text(json.dumps({**config, "network": {**OPTIONS, "embed_dim": 16}}))
    with pytest.raises(AssetError, match="not the weights"):
        vqa.load(tmp_path, NAME)
    (tmp_path / vqa.CONFIG_FILE).write_text(json.dumps({**config, "network": "tiny"}))
    with pytest.raises(AssetError, match=r"cannot be read.*Give the folder that"):
        vqa.load(tmp_path, NAME)
    (tmp_path / vqa.WEIGHTS_FILE).unlink()
    with pytest.raises(AssetError, match="cannot be read"):
        vqa.load(tmp_path, NAME)


def test_a_file_needs_the_name_of_a_released_network(tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "a.pth")
    with pytest.raises(AssetError, match="fast-vqa-b, faster-vqa"):
        vqa.load(tmp_path / "a.pth", "toy-fast-vqa")


@pytest.mark.parametrize("name", ["fast-vqa-b", "faster-vqa"])
def test_released_files_are_read_under_their_own_names(tmp_path: Path, name: str) -> None:
    network = FastVQANetwork()
    released = {key.replace(".mlp.0.", ".mlp.fc1.").replace(".mlp.3.", ".mlp.fc2."): value
                for key, value in network.state_dict().items()}  # fmt: skip
    torch.save({"state_dict": released}, tmp_path / "a.pth")
    found = vqa.load(tmp_path / "a.pth", name)
    assert torch.equal(found.network.vqa_head.fc_hid.weight, network.vqa_head.fc_hid.weight)
    assert found.scale == vqa.RELEASED[name]


@pytest.mark.parametrize(("name", "raw", "expected"), [("fast-vqa-b", 0.0, 0.9332323), ("faster-vqa", 0.0, 0.0165467)])
def test_published_constants(name: str, raw: float, expected: float) -> None:
    # sigmoid(0.110198185 / 0.04178565) and sigmoid(-0.14759505 / 0.03613452)
    assert float(vqa.RELEASED[name].rescale(torch.tensor([raw]))) == pytest.approx(expected, abs=2e-5)


def test_a_score_names_frames_grid_and_draws() -> None:
    found = metric(draws=2).score(fake=torch.zeros(3, 2), real=torch.zeros(3, 2), captions=[], groups=[0, 1, 2])
    assert found.name == "vqa[tiny-test, 8 frames, 2x2 of 32 px, draws 2, n 3]"


def test_spread_over_draws_by_hand() -> None:
    # rescaled: sigmoid of (raw - 0.1) / 0.5
    raw = torch.tensor([[0.1, 0.6], [0.1, 0.1]])
    one = 0.7310585786300049
    assert metric(draws=2).draw_deviation(raw) == pytest.approx((one - 0.5) / 2**0.5 / 2, abs=1e-6)
    with pytest.raises(DataError, match="at least 2 of them"):
        metric().draw_deviation(raw[:, :1])


def test_without_a_network_it_is_the_embedded_one() -> None:
    found = FastVQA()
    found.update(clips(2))
    assert found.yardstick == "toy-fast-vqa 8f 2x2"
    assert 0 < float(found.compute()) < 1
