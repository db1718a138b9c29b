"""I3D and the resize in front of it against pytorch-i3d, VideoGPT's copy, and the programs that compute FVD."""

import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn

from rdtf_bench.metrics.features.i3d import I3D, extend, resize
from tests.parity import recipe
from tests.parity.reference import load

CASES = ("t16", "t9", "t8_repeat2")
PROFILES = {
    "reference": "tf1_reference",
    "styleganv": "cdfvd_squash",
    "videogpt": "styleganv_common_metrics_crop",
}


@torch.inference_mode()
def run(network: nn.Module, video: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B K"]:
    return network(video)


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    facts = load("i3d").facts
    filled = recipe.fill(I3D().state_dict(), recipe.i3d_value, facts["seed"])
    assert recipe.names_digest(filled) == facts["names_digest"]
    assert recipe.state_digest(filled) == facts["state_digest"]
    return filled


@pytest.fixture(scope="module")
def official(weights: dict[str, Tensor]) -> I3D:
    network = I3D().eval()
    network.load_upstream(weights)
    return network.to(memory_format=torch.channels_last_3d)


def video_of(name: str) -> Float[Tensor, "1 C T H W"]:
    case = load("i3d").facts["cases"][name]
    video = recipe.video_u8(case["video_seed"], case["frames"], 224, 224)
    # nine frames are enough for the network, eight are not
    made = recipe.i3d_input(video if case["frames"] >= 9 else extend(video, rule="repeat"))
    assert recipe.digest(made) == case["input_digest"]
    return made


@pytest.mark.parametrize("name", CASES)
def test_features_are_those_of_the_original(name: str, official: I3D) -> None:
    expected = load("i3d").tensors[f"{name}.feature"]
    # the tolerance of the vectors; float32 differs by about 2e-6
    torch.testing.assert_close(run(official, video_of(name))[0], expected, rtol=1e-4, atol=1e-4)


def test_the_epsilon_of_videogpt_is_another_network(weights: dict[str, Tensor]) -> None:
    network = I3D(epsilon=1e-5).eval()
    network.load_upstream(weights)
    found = run(network, video_of("t9"))[0]
    tensors = load("i3d").tensors
    torch.testing.assert_close(found, tensors["t9.feature_at_epsilon_1e-5"], rtol=1e-4, atol=1e-4)
    assert (found - tensors["t9.feature"]).norm() > 0.01 * tensors["t9.feature"].norm()


@pytest.mark.parametrize("size", ["256", "224"])
@pytest.mark.parametrize("profile", PROFILES)
def test_frames_are_resized_as_the_original_does(profile: str, size: str) -> None:
    case, tensors = load("i3d").facts["resize"][size], load("i3d").tensors
    video = recipe.video_u8(case["video_seed"], *case["size"])
    assert recipe.digest(video) == case["video_digest"]
    found = resize(video, profile=profile)
    assert list(found.shape) == case["output_shape"]
    probes = found.flatten()[tensors[f"resize.{size}.{PROFILES[profile]}.index"]].double()
    expected = tensors[f"resize.{size}.{PROFILES[profile]}.value"]
    torch.testing.assert_close(probes, expected, rtol=0, atol=1e-6)  # float32 in [-1, 1]
