"""A base of random weights in the layout of the release, small enough for a forward pass in milliseconds."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, I2VGenXLUNet
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from transformers import (
    ByT5Tokenizer,
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    T5Config,
    T5EncoderModel,
)

from rdtf_bench.baselines import customize_a_video, i2v_adapter, simda
from rdtf_bench.baselines.i2vgen_xl.examples import Examples
from rdtf_bench.baselines.i2vgen_xl.tuning import ConditionedUNet, TunedI2VGenXL, TuningStep
from rdtf_bench.core.method import Conditions, Sampler, Training
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.core.video import to_unit
from rdtf_bench.diffusion.latents import encode
from rdtf_bench.diffusion.objective import Drawn

WIDTH = 16  # of the context
MODULES = (i2v_adapter, simda, customize_a_video)

Build = Callable[..., TunedI2VGenXL]
"""A baseline from its module and options."""


def randomise(network: nn.Module, name: str) -> None:
    """Every weight from a named seed, the zero-initialised ones too: a zero would hide a layer that is never called."""
    generator = generator_for(0, name)
    for path, parameter in network.named_parameters():
        if parameter.ndim > 1:
            nn.init.xavier_uniform_(parameter, generator=generator)
        elif "norm" not in path:
            nn.init.uniform_(parameter, -0.1, 0.1, generator=generator)


def unet(widths: tuple[int, ...] = (8, 16)) -> I2VGenXLUNet:
    crossed = len(widths) - 1
    network = I2VGenXLUNet(
        sample_size=8,
        block_out_channels=widths,
        down_block_types=("CrossAttnDownBlock3D",) * crossed + ("DownBlock3D",),
        up_block_types=("UpBlock3D",) + ("CrossAttnUpBlock3D",) * crossed,
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
    )
    randomise(network, "unet")
    return network.eval()


def write_text_encoder(folder: Path, tokenizer: Path) -> None:
    letters = [chr(letter) for letter in range(ord("a"), ord("z") + 1)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    CLIPTokenizer(vocab=vocabulary, merges=[]).save_pretrained(tokenizer)
    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=WIDTH,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        bos_token_id=vocabulary["<|startoftext|>"],
        eos_token_id=vocabulary["<|endoftext|>"],
    )
    network = CLIPTextModel(config)
    randomise(network, "text")
    network.save_pretrained(folder)


def write_image_encoder(folder: Path, processor: Path, size_px: int = 32, width: int = WIDTH) -> None:
    config = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        projection_dim=width,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=size_px,
        patch_size=16,
    )
    network = CLIPVisionModelWithProjection(config)
    randomise(network, "image")
    network.save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": size_px}, crop_size=size_px).save_pretrained(processor)


def write_t5_encoder(folder: Path) -> None:
    ByT5Tokenizer().save_pretrained(folder)
    network = T5EncoderModel(T5Config(d_model=8, d_kv=4, d_ff=16, num_layers=1, num_heads=2, vocab_size=384))
    randomise(network, "t5")
    network.save_pretrained(folder)


def write_base(folder: Path, network: I2VGenXLUNet, **scheduler: Any) -> None:
    network.save_pretrained(folder / "unet")
    settings = {
        "prediction_type": "v_prediction",
        "beta_schedule": "squaredcos_cap_v2",
        "rescale_betas_zero_snr": True,
        "timestep_spacing": "leading",
        "steps_offset": 1,
        "clip_sample": False,
    }
    DDIMScheduler(**{**settings, **scheduler}).save_pretrained(folder / "scheduler")


def write_assets(root: Path) -> dict[str, Path]:
    write_base(root / "base", unet())
    write_text_encoder(root / "text_encoder", root / "text_encoder")
    write_image_encoder(root / "image_encoder", root / "image_encoder")
    write_t5_encoder(root / "t5_encoder")
    write_autoencoder(root / "autoencoder")
    return {role: root / role for role in ("autoencoder", "text_encoder", "image_encoder", "base", "t5_encoder")}


def write_release(root: Path) -> Path:
    """A base in the folders of the ali-vilab/i2vgen-xl release."""
    write_base(root, unet())
    write_text_encoder(root / "text_encoder", root / "tokenizer")
    write_image_encoder(root / "image_encoder", root / "feature_extractor")
    write_autoencoder(root / "vae")
    return root


def write_autoencoder(folder: Path) -> None:
    autoencoder = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(4, 4, 4, 4),
        latent_channels=4,
        norm_num_groups=2,
        mid_block_add_attention=False,
    )
    randomise(autoencoder, "autoencoder")
    autoencoder.save_pretrained(folder)


class Clips:
    """Stickers of 3 to 12 random frames; the latents come from the base's own autoencoder."""

    def __init__(self, autoencoder: AutoencoderKL) -> None:
        self.ids = tuple(f"clip/{number}" for number in range(10))
        self.shard_sizes = (10,)
        self.captions = tuple("a cat runs" if number % 2 else "a dog" for number in range(10))
        self._latents = [encode(autoencoder, to_unit(self._frames(number)[None]))[0] for number in range(10)]

    def frames(self, index: int, places: Sequence[int]) -> UInt8[Tensor, "F C H W"]:
        return self._frames(index)[list(places)]

    def _frames(self, index: int) -> UInt8[Tensor, "F C H W"]:
        shape = (3 + index, 3, 64, 64)
        return torch.randint(256, shape, generator=generator_for(0, self.ids[index])).byte()

    def latents(self, index: int) -> Float[Tensor, "F C H W"]:
        return self._latents[index]

    def keyframes(self, index: int) -> Sequence[int]:  # noqa: ARG002
        return ()

    def features(self, index: int) -> Float[Tensor, "F D"]:  # noqa: ARG002
        raise AssertionError("the baselines take frames at equal intervals")


def training(**changed: Any) -> Training:
    settings: dict[str, Any] = {
        "task": "it2v",
        "num_frames": 8,
        "num_steps": 4,
        "batch_size": 2,
        "learning_rate": 1e-2,
        "weight_decay": 0.01,
        "warmup_steps": 0,
        "max_grad_norm": 1.0,
        "ema_decay": 0.9,
        "checkpoint_every": 1,
        "seed": 0,
    }
    return Training(**{**settings, **changed})


def drawn(*indices: int) -> list[Drawn]:
    """Return these clips as a training step draws them."""
    return [Drawn(index=index, generator=generator_for(0, "clip", index)) for index in indices]


def conditions(*masks: tuple[int, ...]) -> Conditions:
    known = torch.tensor(masks, dtype=torch.float32)
    frames = torch.rand(len(masks), 8, 3, 64, 64, generator=generator_for(0, "frames")) * 2 - 1
    return Conditions(
        clip_ids=tuple(f"clip/{number}" for number in range(len(masks))),
        captions=("a cat runs", "a dog", "a fish", "a cat runs")[: len(masks)],
        frames=frames * known[:, :, None, None, None],
        known=known,
    )


FIRST = (1, 0, 0, 0, 0, 0, 0, 0)
SAMPLER = Sampler(num_steps=2, timestep_spacing="leading", eta=0.0, guidance_text=2.0, guidance_image=2.0)


def disturb(method: ConditionedUNet) -> None:
    """Move every adapter weight away from its initial value, as a training does."""
    with torch.no_grad():
        for name, parameter in method.trainable().items():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator_for(1, name)))


def random_inputs(method: ConditionedUNet) -> dict[str, Tensor]:
    given = method.denoiser_inputs(batch_size=2, num_frames=8, size_px=64)
    generator = torch.Generator().manual_seed(0)
    drawn = {
        name: torch.randn(tensor.shape, generator=generator)
        for name, tensor in given.items()
        if tensor.is_floating_point() and name != "known"
    }
    return {**given, **drawn, "timestep": torch.tensor([7, 900])}


def losses_on_the_same_noise(method: ConditionedUNet, clips: Clips, *, learning_rate: float) -> list[float]:
    """Take six steps on one batch, whose noise stays the same, and return their losses."""
    step = TuningStep(method, Examples(method.parts, method.config, clips, training()))
    method.task = "it2v"
    optimizer = torch.optim.Adam(method.trainable().values(), lr=learning_rate)
    losses = []
    for _ in range(6):
        optimizer.zero_grad()
        batch = step.batch(drawn(0, 3), 0.0)
        loss = step.error(method.network, batch) / step.count(batch)
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    return losses
