"""DFGN, STI and the released I2V-Adapter against the networks that the authors of RDTF published."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rdtf_bench.baselines.i2v_adapter import released_unet
from rdtf_bench.models.rdtf import DFGN, STI
from tests.parity import recipe
from tests.parity.reference import load

NUM_FRAMES = 8


def fill(network: nn.Module, weight_seed: int, facts: dict[str, Any]) -> None:
    """Give a network the weights of the vectors; its parameters have the names and shapes of the released ones."""
    weights = recipe.fill(network.state_dict(), recipe.rdtf_value, weight_seed)
    assert recipe.names_digest(weights) == facts["names_digest"]
    assert recipe.state_digest(weights) == facts["state_digest"]
    network.load_state_dict(weights)


@torch.no_grad()
def test_dfgn_gives_the_released_networks_output() -> None:
    vectors = load("rdtf")
    case, config = vectors.facts["dfgn"], vectors.facts["dfgn"]["config"]
    network = DFGN(**config).eval()
    fill(network, vectors.facts["weight_seed"], case)
    known = torch.zeros(1, 1, NUM_FRAMES, 1, 1)
    known[:, :, case["known_frames"]] = 1
    latents = (case["batch"], 4, NUM_FRAMES, case["size"], case["size"])
    shapes = {
        "sample": latents,
        "image_latents": latents,
        "clip_hidden_states": (case["batch"], case["clip_tokens"], config["cross_attention_dim"]),
        "t5_hidden_states": (case["batch"], case["t5_tokens"], config["t5_dim"]),
    }
    given = {name: recipe.normal(case["input_seed"], name, shape) for name, shape in shapes.items()}
    given["image_latents"] *= known
    output = network(**given, timestep=torch.tensor(case["timesteps"])).sample
    # the kernels of some processors round differently: 1.4e-5 has been seen, of outputs up to 2.3
    torch.testing.assert_close(output, vectors.tensors["dfgn.output"], rtol=1e-5, atol=5e-5)


@torch.no_grad()
def test_sti_gives_the_released_layers_output() -> None:
    vectors = load("rdtf")
    case = vectors.facts["sti"]
    layer = STI(channels=case["channels"], num_frames=NUM_FRAMES).eval()
    fill(layer, vectors.facts["weight_seed"], case)
    shape = (case["batch"] * NUM_FRAMES, case["channels"], case["size"], case["size"])
    output = layer(recipe.normal(case["input_seed"], "hidden_states", shape), NUM_FRAMES)
    expected = vectors.tensors["sti.output_at_every_fifth_pixel"]  # 0, 5, 10, 15: corners and edges among them
    torch.testing.assert_close(output[..., ::5, ::5], expected, rtol=1e-5, atol=1e-5)
    assert float(output.double().mean()) == pytest.approx(case["output_mean"], abs=1e-5)
    assert float(output.double().std()) == pytest.approx(case["output_std"], abs=1e-5)


@torch.no_grad()
def test_the_released_i2v_adapter_gives_the_authors_output() -> None:
    vectors = load("i2v_adapter")
    case = vectors.facts
    network = released_unet(**case["config"])
    fill(network, case["weight_seed"], case)
    latents, width = (1, 4, NUM_FRAMES, case["size"], case["size"]), case["config"]["cross_attention_dim"]
    shapes = {
        "sample": latents,
        "image_latents": latents,
        "image_embeddings": (1, width),
        "encoder_hidden_states": (1, case["tokens"], width),
    }
    given: dict[str, Tensor] = {name: recipe.normal(case["input_seed"], name, shape) for name, shape in shapes.items()}
    output = network(**given, timestep=torch.tensor([case["timestep"]]), fps=torch.tensor([case["fps"]])).sample
    torch.testing.assert_close(output, vectors.tensors["output"], rtol=1e-4, atol=1e-4)
