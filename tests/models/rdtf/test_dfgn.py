"""The network: against the authors' outputs and parameter counts, and by its properties."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from rdtf_bench.core.errors import StoreError
from rdtf_bench.models.rdtf import DFGN, PRESETS
from rdtf_bench.spec.load import load_protocol


def inputs(options: dict[str, Any], *, batch: int = 2, num_frames: int = 8, size: int = 8) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(2, batch, 4, num_frames, size, size, generator=generator)
    return {
        "sample": latents[0],
        "image_latents": latents[1],
        "timestep": torch.arange(batch) * 300 + 10,
        "clip_hidden_states": torch.randn(batch, 5, options["cross_attention_dim"], generator=generator),
        "t5_hidden_states": torch.randn(batch, 7, options["t5_dim"], generator=generator),
    }


def on_meta(**options: Any) -> DFGN:
    with torch.device("meta"):
        return DFGN(**options)


def count(network: DFGN, *, without: str = "\0") -> int:
    return sum(p.numel() for name, p in network.named_parameters() if without not in name)


def test_gives_the_released_networks_output(reference: dict[str, Any], recipe: ModuleType) -> None:
    case, seed = reference["cases"]["a"], reference["meta"]["weight_seed"]
    network = DFGN(**case["config"]).eval()
    # strict: the parameter names are the released ones
    network.load_state_dict({key: recipe.dfgn_value(seed, key, shape) for key, shape in case["keys"].items()})
    config = case["config"]
    given = recipe.dfgn_inputs(
        case["input_seed"],
        case["batch"],
        8,
        case["size"],
        case["clip_tokens"],
        case["t5_tokens"],
        config["cross_attention_dim"],
        config["t5_dim"],
        case["timesteps"],
    )
    with torch.no_grad():
        output = network(**given).sample
    torch.testing.assert_close(output, case["output"], rtol=1e-5, atol=1e-5)


def test_has_the_released_size() -> None:
    # 5.2 M fewer or 4.9 M more would print as another figure in Table 8 (0.96 B)
    assert count(on_meta()) == 960_118_452


def test_has_the_sizes_of_the_variants() -> None:
    assert count(on_meta(block_out_channels=(320, 640, 1280, 1280))) == 1_168_787_892
    assert count(on_meta(temporal_layer="temporal_conv")) == 1_172_162_568


def test_the_papers_text_has_its_size() -> None:
    # UNet2DConditionModel of these widths with 8 input channels, 865,922,244, and 16 STI layers of 6 d^2 + 1039 d + 2
    assert count(on_meta(**PRESETS["paper_text"]), without="context_") == 865_922_244 + 87_309_152


def test_has_sti_layers_in_22_or_16_places() -> None:
    def places(network: DFGN) -> int:
        return sum(name.endswith("to_out.0.bias") and ".attn" not in name for name, _ in network.named_parameters())

    assert places(on_meta()) == 22
    assert places(on_meta(**PRESETS["paper_text"])) == 16


@pytest.mark.parametrize(
    "variant",
    [
        {},
        {"temporal_layer": "temporal_conv"},
        {"temporal_layer": "detail_only"},
        {"temporal_layer": "semantic_only"},
        {"temporal_layer": "conv3d"},
        {"temporal_layer": "none"},
        {"num_frames": 5},
        {key: value for key, value in PRESETS["paper_text"].items() if key != "block_out_channels"},
    ],
    ids=lambda variant: ",".join(map(str, variant.values())) or "released",
)
def test_runs_and_reaches_every_parameter(small_options: dict[str, Any], variant: dict[str, Any]) -> None:
    network = DFGN(**small_options, **variant)
    given = inputs(small_options, num_frames=variant.get("num_frames", 8))
    with torch.no_grad():  # the zeros at the start would hide a path
        for parameter in network.parameters():
            parameter.add_(0.02)
    output = network(**given).sample
    assert output.shape == given["sample"].shape
    output.square().mean().backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize("size", [4, 6, 7])
def test_takes_maps_that_do_not_halve_evenly(small_options: dict[str, Any], size: int) -> None:
    options = {**small_options, "block_out_channels": (8, 16, 16)}
    given = inputs(options, size=size)
    assert DFGN(**options)(**given).sample.shape == given["sample"].shape


def test_clips_do_not_mix(small_options: dict[str, Any]) -> None:
    network, given = DFGN(**small_options).eval(), inputs(small_options, batch=3)
    with torch.no_grad():
        together = network(**given).sample
        alone = network(**{key: value[1:2] for key, value in given.items()}).sample
    torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["clip_hidden_states", "t5_hidden_states", "image_latents", "timestep"])
def test_every_input_matters(small_options: dict[str, Any], name: str) -> None:
    network, given = DFGN(**small_options).eval(), inputs(small_options)
    with torch.no_grad():
        before = network(**given).sample
        after = network(**{**given, name: given[name] + 1}).sample
    assert (after - before).abs().max() > 1e-5


def test_text_keys_made_once_give_the_same_output(small_options: dict[str, Any]) -> None:
    network, given = DFGN(**small_options).eval(), inputs(small_options)
    with torch.no_grad():
        expected = network(**given).sample
        keys = network.text_keys(given.pop("clip_hidden_states"), given.pop("t5_hidden_states"))
        torch.testing.assert_close(network(**given, text_keys=keys).sample, expected, rtol=0, atol=0)


def test_no_text_at_all_is_a_fault(small_options: dict[str, Any]) -> None:
    given = inputs(small_options)
    del given["t5_hidden_states"]
    with pytest.raises(TypeError, match="text_keys"):
        DFGN(**small_options)(**given)


def test_gradient_checkpointing_keeps_fewer_activations_and_gives_equal_gradients(
    small_options: dict[str, Any],
) -> None:
    network, given = DFGN(**small_options), inputs(small_options)

    def gradients() -> tuple[dict[str, torch.Tensor], int]:
        kept = 0

        def count(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal kept
            kept += tensor.numel()
            return tensor

        network.zero_grad()
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            loss = network(**given).sample.square().mean()
        loss.backward()
        return {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}, kept

    plain, kept_plain = gradients()
    network.enable_gradient_checkpointing()
    checkpointed, kept_checkpointed = gradients()
    assert plain.keys() == checkpointed.keys()
    for name, gradient in plain.items():
        torch.testing.assert_close(checkpointed[name], gradient, rtol=1e-5, atol=1e-7)
    assert kept_checkpointed < 0.4 * kept_plain


def test_saves_and_loads_the_diffusers_way(small_options: dict[str, Any], tmp_path: Path) -> None:
    network, given = DFGN(**small_options, sti_pool=1).eval(), inputs(small_options)
    network.save_pretrained(tmp_path)
    again = DFGN.from_pretrained(tmp_path).eval()
    assert again.config.sti_pool == 1
    weights = again.state_dict()
    assert all(torch.equal(weights[name], weight) for name, weight in network.state_dict().items())
    with torch.no_grad():
        # loaded weights lie at other addresses in memory, for which a BLAS may take another kernel
        torch.testing.assert_close(again(**given).sample, network(**given).sample, rtol=1e-4, atol=1e-5)


def test_a_checkpoint_of_another_configuration_is_refused(small_options: dict[str, Any], tmp_path: Path) -> None:
    DFGN(**small_options).save_pretrained(tmp_path)
    config = tmp_path / "config.json"
    saved = json.loads(config.read_text())
    config.write_text(json.dumps({**saved, "sti_heads": 2}))
    with pytest.raises(StoreError, match=r"transformer_blocks.*\[8, 8\] in the weights, \[16, 8\] by config\.json"):
        DFGN.from_pretrained(tmp_path)
    config.write_text(json.dumps({**saved, "temporal_layer": "none"}))
    with pytest.raises(StoreError, match=r"in the weights, absent by config\.json"):
        DFGN.from_pretrained(tmp_path)


@pytest.mark.parametrize("layer", ["temporal_conv", "conv3d", "semantic_only", "none"])
def test_layers_without_a_fixed_number_of_frames_take_any(small_options: dict[str, Any], layer: str) -> None:
    network = DFGN(**small_options, temporal_layer=layer).eval()
    for num_frames in (1, 3, 11):
        given = inputs(small_options, num_frames=num_frames)
        with torch.no_grad():
            assert network(**given).sample.shape == given["sample"].shape


def test_the_papers_network_is_one_row_of_paper_or_code() -> None:
    (whole,) = [row for row in load_protocol("ablate-paper-or-code").rows if row.label == "paper: the whole network"]
    assert {**whole.options, "block_out_channels": (320, 640, 1280, 1280)} == PRESETS["paper_text"]
