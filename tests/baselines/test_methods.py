"""What holds for each of the three baselines alike."""

import math
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest
import torch
from diffusers import I2VGenXLUNet
from safetensors.torch import load_file
from torch import Tensor

from rdtf_bench.baselines import customize_a_video, i2v_adapter, simda
from rdtf_bench.baselines.i2vgen_xl.tuning import TunedI2VGenXL, noisy_batch, velocity_error
from rdtf_bench.baselines.i2vgen_xl.unet import AdapterI2VGenXLUNet
from rdtf_bench.core.errors import AssetError, ProtocolError
from rdtf_bench.core.method import Method
from rdtf_bench.core.seeds import generators_for
from rdtf_bench.diffusion.freezing import freeze
from tests.baselines.small_base import (
    FIRST,
    MODULES,
    SAMPLER,
    WIDTH,
    Build,
    Clips,
    conditions,
    disturb,
    losses_on_the_same_noise,
    random_inputs,
    training,
    unet,
    write_base,
)

INTERPOLATION = (0, 1, 0, 1, 0, 1, 0, 1)
LAST_SIX = (0, 0, 1, 1, 1, 1, 1, 1)
each_method = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])


def sample(method: TunedI2VGenXL, *masks: tuple[int, ...], first: int = 0) -> Tensor:
    given = conditions(*masks)
    return method.generate(given, generators_for(first, given.clip_ids, "sample"), SAMPLER)


@each_method
@torch.no_grad()
def test_before_training_it_is_the_base(module: ModuleType, build: Build, assets: Mapping[str, Path]) -> None:
    # frozen and of the method's class, so that the same kernels run: an adapter that does nothing moves no bit.
    # test_unet compares the class with diffusers' own
    base = freeze(AdapterI2VGenXLUNet.from_pretrained(assets["base"] / "unet"))
    method = build(module)
    inputs = random_inputs(method)
    expected = base(**inputs).sample
    assert torch.equal(method.denoiser()(**inputs).sample, expected)
    disturb(method)
    assert not torch.equal(method.denoiser()(**inputs).sample, expected)


@each_method
def test_it_is_a_method_of_the_suite(module: ModuleType, build: Build) -> None:
    method = build(module)
    assert isinstance(method, Method)
    counts = method.parameter_counts()
    assert counts["base"] == sum(parameter.numel() for parameter in unet().parameters())
    assert counts["total"] == counts["base"] + counts["trainable"]
    assert not method.denoiser().training


@each_method
def test_every_trained_weight_has_a_gradient_by_the_second_step_and_no_other_ever(
    module: ModuleType, build: Build, assets: Mapping[str, Path], tmp_path: Path
) -> None:
    # four levels as at full size, and 16x16 latents: on 1x1 maps a softmax over one key has no gradient at all
    write_base(tmp_path, unet(widths=(8, 16, 16, 16)))
    method = build(module, given={**assets, "base": tmp_path})
    optimizer = torch.optim.SGD(method.trainable().values(), lr=1.0)
    generator = torch.Generator().manual_seed(0)
    clean = torch.randn(2, 4, 8, 16, 16, generator=generator)
    known = torch.tensor([FIRST, INTERPOLATION], dtype=torch.float32)
    inputs = {
        "encoder_hidden_states": torch.randn(2, 5, WIDTH, generator=generator),
        "image_embeddings": torch.randn(2, WIDTH, generator=generator),
        "fps": torch.full((2,), 16),
    }
    for _ in range(2):
        optimizer.zero_grad()
        counted = method.counted(known, "it2v")
        batch = noisy_batch(method, clean, known, inputs, counted=counted, generators=[generator, generator])
        torch.autograd.backward(velocity_error(method.network, batch) / batch.target.numel())
        optimizer.step()
    trained = method.trainable()
    silent = [name for name, weight in trained.items() if weight.grad is None or not bool(weight.grad.any())]
    assert silent == []
    assert [n for n, p in method.denoiser().named_parameters() if n not in trained and p.grad is not None] == []


@each_method
def test_fitting_leaves_the_base_as_it_was(module: ModuleType, build: Build, clips: Clips, tmp_path: Path) -> None:
    method = build(module)
    before = {name: weight.clone() for name, weight in method.denoiser().named_parameters()}
    method.fit(clips, training(num_steps=2), folder=tmp_path, on_step=lambda *_: None)
    changed = {name for name, weight in method.denoiser().named_parameters() if not torch.equal(weight, before[name])}
    assert changed
    assert {name for name in changed if not _is_adapter(name)} == set()


def _is_adapter(name: str) -> bool:
    return any(part in name for part in (".processor.", "adapter", ".lora_A.", ".lora_B."))


@each_method
def test_steps_on_the_same_noise_lower_its_loss(module: ModuleType, build: Build, clips: Clips) -> None:
    method = build(module)
    losses = losses_on_the_same_noise(method, clips, learning_rate=3e-3)
    assert losses == sorted(losses, reverse=True)


@each_method
def test_built_and_loaded_it_is_in_the_same_state(
    module: ModuleType, build: Build, clips: Clips, tmp_path: Path
) -> None:
    """Torch's kernels depend on it, and so do the last bits."""

    def state(method: TunedI2VGenXL) -> tuple[dict[str, bool], dict[str, bool]]:
        parts = (method.parts.autoencoder, method.parts.text_encoder, method.parts.image_encoder)
        assert not any(parameter.requires_grad for part in parts for parameter in part.parameters())
        assert not any(layer.training for part in parts for layer in part.modules())
        network = method.denoiser()
        gradients = {name: parameter.requires_grad for name, parameter in network.named_parameters()}
        return gradients, {name: layer.training for name, layer in network.named_modules()}

    method, loaded = build(module), build(module)
    built = state(method)
    assert {name for name, needs_gradient in built[0].items() if needs_gradient} == set(method.trainable())
    (tmp_path / "fit").mkdir()
    method.fit(clips, training(num_steps=2), folder=tmp_path / "fit", on_step=lambda *_: None)
    (tmp_path / "saved").mkdir()
    method.save(tmp_path / "saved")
    loaded.load(tmp_path / "saved")
    assert state(method) == state(loaded) == built


@each_method
def test_what_was_saved_makes_the_same_clips(module: ModuleType, build: Build, tmp_path: Path) -> None:
    method = build(module)
    disturb(method)
    method.save(tmp_path)
    fresh = build(module)
    assert not torch.equal(sample(fresh, FIRST), sample(method, FIRST))
    fresh.load(tmp_path)
    assert torch.equal(sample(fresh, FIRST), sample(method, FIRST))
    stored = sum(path.stat().st_size for path in tmp_path.rglob("*.safetensors"))
    size = 4 * method.parameter_counts()["trainable"]
    assert size < stored < size + 40_000  # and the names of the tensors


@each_method
def test_an_adapter_of_another_base_is_refused(
    module: ModuleType, build: Build, assets: Mapping[str, Path], tmp_path: Path
) -> None:
    build(module).save(tmp_path)
    other = unet()
    with torch.no_grad():
        other.conv_in.bias += 1
    write_base(tmp_path / "base", other)
    with pytest.raises(AssetError, match=r"adapter\.json: the adapter was trained for another setting: base is"):
        build(module, given={**assets, "base": tmp_path / "base"}).load(tmp_path)


@each_method
def test_an_adapter_of_another_config_is_refused(module: ModuleType, build: Build, tmp_path: Path) -> None:
    build(module, fps=8).save(tmp_path)
    with pytest.raises(AssetError, match=r"config is .*'fps': 8.*, but .*'fps': 16.* is needed"):
        build(module).load(tmp_path)


@each_method
def test_a_folder_without_an_adapter_is_refused(module: ModuleType, build: Build, tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="holds no adapter"):
        build(module).load(tmp_path)


@each_method
@pytest.mark.parametrize("killed_at", [1, 4])
def test_a_killed_fit_goes_on_to_the_same_bits(
    module: ModuleType, build: Build, clips: Clips, tmp_path: Path, killed_at: int
) -> None:
    options = {"absorber_share": 0.5} if module is customize_a_video else {}
    budget = training(num_steps=6, batch_size=2)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    uninterrupted = build(module, **options)
    uninterrupted.fit(clips, budget, folder=whole, on_step=lambda *_: None)

    class KilledError(Exception):
        pass

    def kill(step: int, _: dict[str, float]) -> None:
        if step == killed_at:
            raise KilledError

    with pytest.raises(KilledError):
        build(module, **options).fit(clips, budget, folder=parts, on_step=kill)
    steps: list[int] = []
    resumed = build(module, **options)
    resumed.fit(clips, budget, folder=parts, on_step=lambda step, _: steps.append(step))
    assert steps == list(range(killed_at, 6))
    expected = uninterrupted.trainable()
    assert all(torch.equal(weight, expected[name]) for name, weight in resumed.trainable().items())


@each_method
def test_a_clip_does_not_depend_on_its_batch(module: ModuleType, build: Build) -> None:
    method = build(module)
    disturb(method)
    masks = (FIRST, INTERPOLATION, (1, 0, 0, 1, 0, 0, 1, 0))
    together = sample(method, *masks)
    given = conditions(*masks)
    for number in range(3):
        one = slice(number, number + 1)
        alone = method.generate(
            type(given)(
                clip_ids=given.clip_ids[one],
                captions=given.captions[one],
                frames=given.frames[one],
                known=given.known[one],
            ),
            generators_for(0, given.clip_ids[one], "sample"),
            SAMPLER,
        )
        # other batch sizes take other kernels, which differ in the last bits; a grey level is 8e-3
        torch.testing.assert_close(alone[0], together[number], atol=1e-3, rtol=0)


@each_method
def test_each_generator_makes_a_clip_of_its_own(module: ModuleType, build: Build) -> None:
    method = build(module)
    once, again = sample(method, FIRST), sample(method, FIRST)
    assert torch.equal(once, again)
    assert once.shape == (1, 8, 3, 64, 64)
    assert bool((once.abs() <= 1).all())
    assert not torch.equal(once, sample(method, FIRST, first=1))


@each_method
def test_a_clip_without_a_known_frame_is_refused(module: ModuleType, build: Build) -> None:
    with pytest.raises(ProtocolError, match="no known frame"):
        sample(build(module), FIRST, (0,) * 8)


@each_method
def test_training_for_text_alone_is_refused(module: ModuleType, build: Build, clips: Clips, tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="'t2v' gives no frame"):
        build(module).fit(clips, training(task="t2v"), folder=tmp_path, on_step=lambda *_: None)


@each_method
@pytest.mark.parametrize("task", ["interpolation", "prediction"])
def test_it_trains_and_samples_where_the_first_frame_is_unknown(
    module: ModuleType, build: Build, clips: Clips, tmp_path: Path, task: str
) -> None:
    method = build(module)
    method.fit(clips, training(task=task, num_steps=2), folder=tmp_path, on_step=lambda *_: None)
    mask, other = {"interpolation": (INTERPOLATION, LAST_SIX), "prediction": (LAST_SIX, INTERPOLATION)}[task]
    assert bool(sample(method, mask).isfinite().all())
    (tmp_path / "saved").mkdir()
    method.save(tmp_path / "saved")
    fresh = build(module)
    fresh.load(tmp_path / "saved")
    with pytest.raises(ProtocolError, match=f"the adapter was trained for {task}, but the mask"):
        sample(fresh, other)


def test_a_base_with_a_missing_part_is_refused(build: Build, assets: Mapping[str, Path], tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"unet/config\.json.*scheduler_config\.json"):
        build(simda, given={**assets, "base": tmp_path})


def test_a_base_for_other_encoders_is_refused(build: Build, assets: Mapping[str, Path], tmp_path: Path) -> None:
    narrow = I2VGenXLUNet(**{**unet().config, "cross_attention_dim": 8})
    write_base(tmp_path, narrow)
    with pytest.raises(AssetError, match=r"have width 16, but .* needs width 8"):
        build(simda, given={**assets, "base": tmp_path})


def test_a_base_that_predicts_noise_is_refused(build: Build, assets: Mapping[str, Path], tmp_path: Path) -> None:
    write_base(tmp_path, unet(), prediction_type="epsilon")
    with pytest.raises(AssetError, match="'epsilon', but I2VGen-XL predicts the velocity"):
        build(i2v_adapter, given={**assets, "base": tmp_path})


def test_lora_files_are_in_pefts_format(build: Build, assets: Mapping[str, Path], tmp_path: Path) -> None:
    from peft import PeftModel

    method = build(customize_a_video)
    disturb(method)
    method.save(tmp_path)
    weights = load_file(tmp_path / "motion" / "adapter_model.safetensors")
    assert sum(tensor.numel() for tensor in weights.values()) == method.parameter_counts()["trainable"]
    plain = freeze(I2VGenXLUNet.from_pretrained(assets["base"] / "unet"))
    loaded = PeftModel.from_pretrained(plain, tmp_path / "motion").eval()
    inputs = random_inputs(method)
    with torch.no_grad():
        expected = method.denoiser()(**inputs).sample
        inputs.pop("known")
        # ours makes keys and values once per clip: a product of another shape, for which a BLAS may take another kernel
        torch.testing.assert_close(loaded(**inputs).sample, expected, rtol=1e-4, atol=1e-5)


@each_method
def test_activations_made_again_give_the_same_weights(
    module: ModuleType, build: Build, clips: Clips, tmp_path: Path
) -> None:
    weights = []
    for again in (False, True):
        method = build(module)
        folder = tmp_path / str(again)
        folder.mkdir()
        method.fit(clips, training(num_steps=5, gradient_checkpointing=again), folder=folder, on_step=lambda *_: None)
        assert all("forward" not in vars(block) for block in method.parts.unet.up_blocks)
        weights.append(method.trainable())
    assert all(torch.equal(weight, weights[1][name]) for name, weight in weights[0].items())


@each_method
@pytest.mark.parametrize("variant", ["faithful", "released"])
def test_in_bfloat16_the_base_alone_is_narrow(
    variant: str, module: ModuleType, build: Build, clips: Clips, tmp_path: Path
) -> None:
    method = build(module, variant=variant, precision="bf16")
    trained = method.trainable()
    kinds = {weight.dtype for name, weight in method.denoiser().named_parameters() if name not in trained}
    assert kinds <= {torch.bfloat16, torch.float32}
    assert method.parts.unet.conv_in.weight.dtype == torch.bfloat16
    assert {weight.dtype for weight in trained.values()} == {torch.float32}
    losses: list[float] = []
    (tmp_path / "fit").mkdir()
    budget = training(num_steps=5)
    method.fit(clips, budget, folder=tmp_path / "fit", on_step=lambda _, said: losses.append(said["loss"]))
    assert all(map(math.isfinite, losses))
    (tmp_path / "saved").mkdir()
    method.save(tmp_path / "saved")
    full = build(module, variant=variant)
    full.load(tmp_path / "saved")  # how it was computed does not make it another adapter
    narrow, wide = sample(method, FIRST), sample(full, FIRST)
    assert not torch.equal(narrow, wide)
    assert float((narrow - wide).abs().mean()) < 0.05  # bfloat16 has 8 bits


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@each_method
def test_it_trains_on_a_gpu_and_samples_on_either_device(
    module: ModuleType, build: Build, assets: Mapping[str, Path], clips: Clips, tmp_path: Path
) -> None:
    config = module.Config(text_tokens=8, precision="bf16")
    method = module.build(config, assets=assets, device=torch.device("cuda"))
    (tmp_path / "fit").mkdir()
    budget = training(num_steps=5, gradient_checkpointing=True)
    method.fit(clips, budget, folder=tmp_path / "fit", on_step=lambda *_: None)
    assert bool(sample(method, FIRST).isfinite().all())
    (tmp_path / "saved").mkdir()
    method.save(tmp_path / "saved")
    on_cpu = build(module)
    on_cpu.load(tmp_path / "saved")
    trained = on_cpu.trainable()
    assert all(torch.equal(weight.cpu(), trained[name]) for name, weight in method.trainable().items())
