"""FAST-VQA against the released program: fragments to the bit, score maps, position gates, rescaled scores."""

from functools import cache
from typing import Any

import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn

from rdtf_bench.metrics import vqa
from rdtf_bench.metrics.features import fast_vqa
from rdtf_bench.metrics.features.fast_vqa import FastVQANetwork, draw_offsets, fragments, normalise
from tests.parity import recipe
from tests.parity.reference import load

STAGES, SHIFTS = (0, 1, 2), ((0, 0, 0), (4, 3, 3))


@cache
def upstream_weights() -> dict[str, Tensor]:
    facts = load("fast_vqa").facts
    return {key: recipe.fast_vqa_value(facts["seed"], key, tuple(shape)) for key, shape in facts["shapes"].items()}


@cache
def official() -> FastVQANetwork:
    network = FastVQANetwork().eval()
    network.load_upstream(upstream_weights())
    return network


@torch.inference_mode()
def run(network: nn.Module, video: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B 1 t h w"]:
    return network(video)


def eight_frames() -> Float[Tensor, "1 C T H W"]:
    case = load("fast_vqa").facts["cases"]["B_t8_224"]
    video = recipe.fast_vqa_input(recipe.video_u8(case["video_seed"], *case["size"]))
    assert recipe.digest(video) == case["input_digest"]
    return video


def test_score_map_of_eight_frames_is_the_released_one() -> None:
    expected = load("fast_vqa").tensors["B_t8_224.score_map"]
    # 1e-4 is the tolerance of the vectors; float32 differs by about 5e-7
    torch.testing.assert_close(run(official(), eight_frames()), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_looped_sticker_gives_the_released_fragments_and_score_map() -> None:
    name = "B_sticker_t8_loop32"
    case = load("fast_vqa").facts["cases"][name]
    looped = recipe.video_u8(case["video_seed"], *case["size"]).repeat(1, 4, 1, 1)
    down, right = draw_offsets(256, 256, generator=torch.Generator().manual_seed(case["offsets_seed"]))
    spliced = fragments(looped, offsets_h=down, offsets_w=right)
    assert recipe.digest(spliced) == case["fragments_digest"]
    given = normalise(spliced[None])
    assert recipe.digest(given) == case["input_digest"]
    expected = load("fast_vqa").tensors[f"{name}.score_map"]
    torch.testing.assert_close(run(official(), given), expected, rtol=1e-4, atol=1e-5)


def test_upstream_weights_arrive_under_their_names() -> None:
    renamed = {fast_vqa.own_name(key): key for key in upstream_weights()}
    state = official().state_dict()
    assert state.keys() == renamed.keys()
    released = {renamed[key]: value for key, value in state.items()}
    assert recipe.state_digest(released) == load("fast_vqa").facts["state_digest"]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("shift", SHIFTS)
def test_gate_values_are_the_released_ones(stage: int, shift: tuple[int, int, int]) -> None:
    gates = load("fast_vqa").facts["gate_values"]
    (expected,) = (gate for gate in gates if (gate["stage"], tuple(gate["shift"])) == (stage, shift))
    side = 56 >> stage
    distance = fast_vqa.fragment_distance((16, side, side), (8, 7, 7), shift, (7, 7))
    assert list(distance.shape) == expected["shape"]
    assert distance.flatten()[expected["index"]].tolist() == expected["value"]
    assert distance.flatten().long().bincount().tolist() == expected["histogram"]


@pytest.mark.parametrize("name", ["256_t32_a32", "224_t8_a8", "256_t8_a8"])
def test_fragments_are_bit_identical_to_the_released_ones(name: str) -> None:
    case: dict[str, Any] = load("fast_vqa").facts["fragments"][name]
    video = recipe.video_u8(case["video_seed"], *case["size"])
    assert recipe.digest(video) == case["video_digest"]
    down, right = torch.tensor(case["offsets_down"]), torch.tensor(case["offsets_right"])
    spliced = fragments(video, aligned=case["frames_per_group"], offsets_h=down, offsets_w=right)
    assert spliced.dtype == torch.float32
    assert recipe.digest(spliced) == case["fragments_digest"]
    groups = case["size"][0] // case["frames_per_group"]
    generator = torch.Generator().manual_seed(case["offsets_seed"])
    drawn_down, drawn_right = draw_offsets(*case["size"][1:], groups=groups, generator=generator)
    assert torch.equal(drawn_down, down)
    assert torch.equal(drawn_right, right)


def test_the_released_map_tells_a_binary_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    released = load("fast_vqa").tensors["B_t8_224.score_map"]
    distance = fast_vqa.fragment_distance
    monkeypatch.setattr(fast_vqa, "fragment_distance", lambda *given: distance(*given).clamp(max=1))
    assert (run(official(), eight_frames()) - released).norm() > 0.1 * released.norm()


def test_the_released_scales_give_the_released_scores() -> None:
    for case in load("fast_vqa").facts["cases"].values():
        raw = torch.tensor([case["score"]])
        for name, released in (("fast-vqa-b", "FAST-VQA"), ("faster-vqa", "FasterVQA")):
            assert float(vqa.RELEASED[name].rescale(raw)) == pytest.approx(case["rescaled"][released], rel=1e-5)
