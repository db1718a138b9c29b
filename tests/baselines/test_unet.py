"""The denoiser with known frames is diffusers' own where only the first frame is known."""

import copy

import pytest
import torch
from diffusers import I2VGenXLUNet
from jaxtyping import Float
from torch import Tensor

from rdtf_bench.baselines.i2vgen_xl.tuning import keep_known, mark_known
from rdtf_bench.baselines.i2vgen_xl.unet import AdapterI2VGenXLUNet, find_known
from tests.baselines.small_base import WIDTH, unet

SIZE = 8


@pytest.fixture(scope="module")
def plain() -> I2VGenXLUNet:
    return unet()


@pytest.fixture(scope="module")
def adapted(plain: I2VGenXLUNet) -> AdapterI2VGenXLUNet:
    network = AdapterI2VGenXLUNet(**plain.config)
    network.load_state_dict(plain.state_dict(), strict=True)
    return network.eval()


def inputs(batch_size: int = 2) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = {
        "sample": (batch_size, 4, 8, SIZE, SIZE),
        "image_latents": (batch_size, 4, 8, SIZE, SIZE),
        "image_embeddings": (batch_size, WIDTH),
        "encoder_hidden_states": (batch_size, 5, WIDTH),
    }
    drawn = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    return {**drawn, "timestep": torch.arange(batch_size) * 400 + 7, "fps": torch.full((batch_size,), 16)}


def known(*masks: tuple[int, ...]) -> Float[Tensor, "B F"]:
    return torch.tensor(masks, dtype=torch.float32)


@torch.no_grad()
def test_with_the_first_frame_known_it_computes_what_diffusers_network_does(
    plain: I2VGenXLUNet, adapted: AdapterI2VGenXLUNet
) -> None:
    first = known((1, 0, 0, 0, 0, 0, 0, 0), (1, 0, 0, 0, 0, 0, 0, 0))
    expected = plain(**inputs()).sample
    made = adapted(**inputs()).sample
    # keys and values are made once per clip: a product of another shape, for which a BLAS may take another kernel
    torch.testing.assert_close(made, expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(adapted(**inputs(), known=first).sample, made)


@torch.no_grad()
def test_the_local_tokens_come_from_the_first_known_frame(adapted: AdapterI2VGenXLUNet) -> None:
    seen: list[Tensor] = []
    watch = adapted.image_latents_context_embedding[0].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    given = inputs()
    adapted(**given, known=known((0, 0, 1, 1, 0, 0, 0, 0), (0, 1, 0, 1, 0, 0, 0, 0)))
    watch.remove()
    assert torch.equal(seen[0], torch.stack([given["image_latents"][0, :, 2], given["image_latents"][1, :, 1]]))


@torch.no_grad()
def test_a_copy_has_a_context_of_its_own(adapted: AdapterI2VGenXLUNet) -> None:
    twin = copy.deepcopy(adapted)
    third = known(*[(0, 0, 1, 0, 0, 0, 0, 0)] * 2)
    expected = adapted(**inputs(), known=third).sample
    adapted(**inputs())  # the original goes on to something else
    assert torch.equal(twin(**inputs(), known=third).sample, expected)
    assert adapted.context.known.places.tolist() == [[0], [0]]


def test_known_frames_are_found_and_padded_to_the_longest_list() -> None:
    found = find_known(known((0, 1, 0, 1), (0, 0, 1, 0)))
    assert found.places[0].tolist() == [1, 3]
    assert found.places[1, 0] == 2
    assert found.padding is not None
    assert found.padding.tolist() == [[False, False], [False, True]]
    assert find_known(known((0, 1, 0, 1), (1, 0, 1, 0))).padding is None


def test_image_latents_hold_known_frames_and_positions() -> None:
    latents = torch.full((1, 1, 5, 1, 1), 9.0)
    marked = mark_known(latents, known((0, 1, 0, 1, 0)))
    assert marked.flatten().tolist() == [0.0, 9.0, 0.5, 9.0, 1.0]


def test_known_frames_are_put_back() -> None:
    latents, clean = torch.zeros(1, 1, 3, 1, 1), torch.ones(1, 1, 3, 1, 1)
    assert keep_known(latents, clean, known((0, 1, 0))).flatten().tolist() == [0.0, 1.0, 0.0]
