"""The baselines as the authors of RDTF released them: their network's outputs and sizes, and what differs from ours."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from diffusers import I2VGenXLUNet
from diffusers.models.resnet import TemporalConvLayer
from torch import Tensor

from rdtf_bench.baselines import customize_a_video, i2v_adapter, simda
from rdtf_bench.baselines.i2v_adapter import released_unet
from rdtf_bench.baselines.i2vgen_xl.released import release
from rdtf_bench.baselines.i2vgen_xl.unet import AdapterI2VGenXLUNet
from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.core.seeds import generators_for
from rdtf_bench.models.rdtf.sti import STI
from tests.baselines.small_base import FIRST, MODULES, SAMPLER, Build, Clips, conditions, disturb, training, unet

PARITY = Path(__file__).parents[3] / "shared" / "parity"
each_method = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])

RELEASED_BASE = 1_175_122_324  # spec: the T5 map is 768 x 1024 + 1024 = 787,456 of them
FULL_SIZE: dict[str, dict[str, Any]] = {
    "base": {"sample_size": 32},
    "t5_encoder": {"d_model": 768, "num_layers": 1, "vocab_size": 1},
    "text_encoder": {"num_hidden_layers": 1, "vocab_size": 1},
    "image_encoder": {"num_hidden_layers": 1},
    "autoencoder": {},
}


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    path = PARITY / "recipe.py"
    if not path.is_file():
        pytest.skip("the recipe of the reference outputs is not here")
    spec = importlib.util.spec_from_file_location("parity_recipe", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@torch.no_grad()
def test_the_released_i2v_adapter_gives_the_authors_output(recipe: ModuleType) -> None:
    reference = torch.load(PARITY / "released_i2v_adapter.pt", weights_only=True)
    case = reference["cases"]["a"]
    network = released_unet(**case["config"])
    weights = {
        key: recipe.dfgn_value(reference["meta"]["weight_seed"], key, shape) for key, shape in case["keys"].items()
    }
    assert recipe.state_digest(weights) == case["state_digest"]
    network.load_state_dict(weights, strict=True)
    size, width = case["size"], case["config"]["cross_attention_dim"]
    shapes = {
        "sample": (1, 4, 8, size, size),
        "image_latents": (1, 4, 8, size, size),
        "image_embeddings": (1, width),
        "encoder_hidden_states": (1, case["tokens"], width),
    }
    inputs: dict[str, Tensor] = {name: recipe.normal(case["input_seed"], name, shape) for name, shape in shapes.items()}
    output = network(**inputs, timestep=torch.tensor([case["timestep"]]), fps=torch.tensor([7])).sample
    torch.testing.assert_close(output, case["output"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("module", "options", "trainable", "total"),
    [
        (i2v_adapter, {}, 12_902_400, 1_318_050_004),
        (simda, {}, 24_855_680, RELEASED_BASE + 24_855_680),
        (simda, {"places": "all"}, 34_712_960, RELEASED_BASE + 34_712_960),
        (customize_a_video, {}, 831_488, RELEASED_BASE + 831_488),
    ],
    ids=["i2v_adapter", "simda", "simda-all", "customize_a_video"],
)
def test_sizes_on_the_released_base(module: ModuleType, options: dict[str, Any], trainable: int, total: int) -> None:
    counts = module.sizes(module.Config(variant="released", **options), FULL_SIZE)
    assert (counts["base"], counts["trainable"], counts["total"]) == (RELEASED_BASE, trainable, total)


@pytest.mark.parametrize(
    ("module", "trainable"), [(i2v_adapter, 24_793_280), (simda, 24_855_680), (customize_a_video, 831_488)]
)
def test_sizes_of_the_faithful_methods(module: ModuleType, trainable: int) -> None:
    counts = module.sizes(module.Config(), FULL_SIZE)
    assert counts["base"] == 1_420_469_224
    assert (counts["trainable"], counts["total"]) == (trainable, 1_420_469_224 + trainable)


def test_what_is_counted_on_the_meta_device_is_what_the_method_says(build: Build) -> None:
    configs = {
        "base": dict(unet().config),
        "t5_encoder": {"d_model": 8, "d_kv": 4, "d_ff": 16, "num_layers": 1, "num_heads": 2, "vocab_size": 384},
    }
    for module in MODULES:
        method = build(module, variant="released")
        roles = {
            "text_encoder": method.parts.text_encoder,
            "image_encoder": method.parts.image_encoder,
            "autoencoder": method.parts.autoencoder,
        }
        given = {**configs, **{role: _plain(network.config) for role, network in roles.items()}}
        assert module.sizes(method.config, given) == method.parameter_counts()


def _plain(config: Any) -> dict[str, Any]:
    return dict(config.to_dict() if hasattr(config, "to_dict") else config)


def test_the_base_loses_its_temporal_convolutions_and_nothing_else() -> None:
    before = AdapterI2VGenXLUNet(**unet().config)
    before.load_state_dict(unet().state_dict())
    weights = before.state_dict()
    release(before)
    assert not any(isinstance(module, TemporalConvLayer) for module in before.modules())
    assert sum(isinstance(module, STI) for module in before.modules()) == 2 + 2 + 4  # after each resnet
    after = before.state_dict()
    kept = {name for name in weights if ".temp_convs." not in name}
    assert kept == {name for name in after if ".temp_convs." not in name and "T5" not in name}
    assert all(torch.equal(after[name], weights[name]) for name in kept)


def test_the_new_layers_are_the_same_for_every_method_and_seed() -> None:
    first, second = (AdapterI2VGenXLUNet(**unet().config) for _ in range(2))
    release(first)
    torch.rand(3)  # the global random stream has no say
    release(second)
    drawn = {name: weight for name, weight in first.named_parameters() if ".temp_convs." in name or "T5" in name}
    others = dict(second.named_parameters())
    assert drawn
    assert all(torch.equal(weight, others[name]) for name, weight in drawn.items())
    assert not any(weight.requires_grad for weight in drawn.values())


@each_method
@torch.no_grad()
def test_before_training_it_is_not_the_base(module: ModuleType, build: Build, assets: Mapping[str, Path]) -> None:
    base = I2VGenXLUNet.from_pretrained(assets["base"] / "unet").eval()
    method = build(module, variant="released")
    inputs = method.denoiser_inputs(batch_size=1, num_frames=8, size_px=64)
    expected = base(**{name: tensor for name, tensor in inputs.items() if name != "known"}).sample
    assert not torch.allclose(method.denoiser()(**inputs).sample, expected)


@each_method
def test_only_the_adapter_is_trained_and_it_comes_back(
    module: ModuleType, build: Build, clips: Clips, tmp_path: Path
) -> None:
    method = build(module, variant="released")
    before = {name: weight.clone() for name, weight in method.denoiser().named_parameters()}
    (tmp_path / "fit").mkdir()
    method.fit(clips, training(num_steps=5), folder=tmp_path / "fit", on_step=lambda *_: None)
    changed = {name for name, weight in method.denoiser().named_parameters() if not torch.equal(weight, before[name])}
    assert set(method.trainable()) <= changed
    assert not any("temp_convs" in name and "adapter" not in name for name in changed)
    disturb(method)
    (tmp_path / "saved").mkdir()
    method.save(tmp_path / "saved")
    fresh = build(module, variant="released")
    fresh.load(tmp_path / "saved")
    given = conditions(FIRST)
    one, other = (m.generate(given, generators_for(0, given.clip_ids, "sample"), SAMPLER) for m in (method, fresh))
    assert torch.equal(one, other)


def test_the_copies_queries_start_as_the_originals_and_alone_are_trained(build: Build) -> None:
    method = build(i2v_adapter, variant="released")
    weights = dict(method.denoiser().named_parameters())
    assert {name.rpartition(".transformer_blocks.0.")[2] for name in method.trainable()} == {
        "attn1.to_q.weight",
        "attn2.to_q.weight",
    }
    for name, weight in method.trainable().items():
        assert torch.equal(weight, weights[name.replace("attentions_cp", "attentions")])
    disturb(method)
    method.reset(1)
    for name, weight in method.trainable().items():
        assert torch.equal(weight, weights[name.replace("attentions_cp", "attentions")])


def test_t5_is_added_to_clip(build: Build) -> None:
    method, faithful = build(simda, variant="released"), build(simda)
    captions = ["a cat runs", "a dog"]
    added = method.parts.encode_captions(captions, method.config) - faithful.parts.encode_captions(
        captions, faithful.config
    )
    assert method.parts.t5 is not None
    tokens = method.parts.t5.tokenizer(
        captions, padding="max_length", max_length=8, truncation=True, return_tensors="pt"
    )
    with torch.no_grad():
        expected = method.parts.unet.context_T5_clip_embedding(method.parts.t5.encoder(**tokens).last_hidden_state)
    torch.testing.assert_close(added, expected, atol=1e-5, rtol=0)  # the sum is rounded


@each_method
def test_another_number_of_frames_is_refused(module: ModuleType, build: Build, clips: Clips, tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="6 frames, but the released base needs 8"):
        build(module, variant="released").fit(clips, training(num_frames=6), folder=tmp_path, on_step=lambda *_: None)
