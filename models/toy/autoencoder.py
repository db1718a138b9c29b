"""The autoencoder of the embedded scale: diffusers' AutoencoderKL at reduced width, and the recipe that trains it.

Rombach et al. 2022, "High-Resolution Image Synthesis with Latent Diffusion Models", sec. 3.1: eight times smaller maps
of four channels under a slight KL penalty. No perceptual or adversarial term: the networks behind those would have to
be pretrained, and the one at hand is the yardstick of the Frechet distance.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from rdtf_bench.core.method import Training
from rdtf_bench.core.seeds import generator_for, seeded
from rdtf_bench.diffusion.freezing import freeze
from rdtf_bench.diffusion.training import train
from rdtf_bench.models.toy.corpus import Corpus

OnProgress = Callable[[int, int, float], None]
"""Told after each step: how many are done, of how many, and the loss."""


@dataclass(frozen=True, kw_only=True)
class AutoencoderRecipe:
    seed: int = 0
    size_px: int = 64
    block_out_channels: tuple[int, ...] = (16, 32, 64, 96)
    layers_per_block: int = 1
    norm_num_groups: int = 1  # each removes a mean: with few channels a group, an area's colour is lost
    latent_channels: int = 4
    num_steps: int = 2400
    batch_size: int = 16
    learning_rate: float = 1.5e-3
    weight_decay: float = 1e-4
    warmup_steps: int = 50
    ema_decay: float = 0.995
    max_grad_norm: float = 1.0
    l1_weight: float = 0.2
    coarse_weight: float = 0.5  # of the squared error at a half, a quarter and an eighth of the size, each
    kl_weight: float = 1e-4  # on the mean over latent elements
    recolour: float = 0.25  # share of the frames whose colour channels are permuted
    num_extra: int = 1024  # more toy stickers of the training pairs
    num_scenes: int = 600
    shares: tuple[float, float, float] = (0.4, 0.2, 0.4)  # of the frames: toy stickers, toy scenes, fluent
    checkpoint_every: int = 100


def new_autoencoder(recipe: AutoencoderRecipe) -> AutoencoderKL:
    """Random from the recipe's seed, and a linear map at first; the global generator is left as it was."""
    levels = len(recipe.block_out_channels)
    with seeded(recipe.seed, "autoencoder"):
        autoencoder = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * levels,
            up_block_types=("UpDecoderBlock2D",) * levels,
            block_out_channels=recipe.block_out_channels,
            layers_per_block=recipe.layers_per_block,
            latent_channels=recipe.latent_channels,
            norm_num_groups=recipe.norm_num_groups,
            sample_size=recipe.size_px,
            scaling_factor=1.0,
        )
        _start_linear(autoencoder)
    return autoencoder


def _start_linear(autoencoder: AutoencoderKL) -> None:
    """Residual branches begin at zero and the path beside them keeps the variance.

    Under torch's defaults the normalised branches drown that path, and with it the colour of large areas, which no
    group norm lets through: such an autoencoder stays grey for a thousand steps.
    """
    for module in autoencoder.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
            nn.init.zeros_(_bias(module))
    for module in autoencoder.modules():
        if isinstance(module, ResnetBlock2D):
            nn.init.zeros_(module.conv2.weight)
        elif isinstance(module, Attention):
            nn.init.zeros_(module.to_out[0].weight)


def _bias(module: nn.Conv2d) -> Tensor:
    assert module.bias is not None  # all of diffusers' convolutions here have one
    return module.bias


def train_autoencoder(
    clips: Mapping[str, UInt8[Tensor, "_ F C H W"]],
    recipe: AutoencoderRecipe,
    *,
    folder: Path,
    on_progress: OnProgress,
) -> AutoencoderKL:
    """Train on frames of the sets "toy", "scenes" and "fluent"; `folder` keeps the checkpoint."""
    autoencoder = new_autoencoder(recipe).train()

    def loss_at(_step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        frames = draw_frames(clips, recipe, generator, count=recipe.batch_size)
        return reconstruction_loss(autoencoder, frames, recipe, generator), {}

    train(
        dict(autoencoder.named_parameters()),
        loss_at,
        _training(recipe),
        folder=folder,
        on_step=lambda step, logged: on_progress(step + 1, recipe.num_steps, logged["loss"]),
    )
    autoencoder.eval()
    generator = generator_for(recipe.seed, "scale")
    set_scaling_factor(autoencoder, draw_frames(clips, recipe, generator, count=512))
    return autoencoder


def _training(recipe: AutoencoderRecipe) -> Training:
    given = {name: value for name, value in asdict(recipe).items() if name in Training.__dataclass_fields__}
    return Training(task="reconstruction", num_frames=1, **given)


def draw_frames(
    clips: Mapping[str, UInt8[Tensor, "_ F C H W"]],
    recipe: AutoencoderRecipe,
    generator: torch.Generator,
    *,
    count: int,
) -> Float[Tensor, "B C H W"]:
    """Random frames of random sets in [-1, 1], half of them mirrored, some with their colours permuted."""
    frames = []
    for place in torch.multinomial(torch.tensor(recipe.shares), count, replacement=True, generator=generator).tolist():
        chosen = clips[("toy", "scenes", "fluent")[place]]
        clip, frame = (int(torch.randint(size, (), generator=generator)) for size in chosen.shape[:2])
        picture = chosen[clip, frame]
        mirror, recolour = torch.rand(2, generator=generator).tolist()
        if mirror < 0.5:
            picture = picture.flip(-1)
        if recolour < recipe.recolour:
            picture = picture[torch.randperm(3, generator=generator)]
        frames.append(picture)
    return torch.stack(frames).float() / 127.5 - 1


def reconstruction_loss(
    autoencoder: AutoencoderKL,
    frames: Float[Tensor, "B C H W"],
    recipe: AutoencoderRecipe,
    generator: torch.Generator,
) -> Float[Tensor, ""]:
    """Squared and absolute error through a sample of the posterior, plus its divergence from a unit Gaussian."""
    with torch.autocast("cpu", torch.bfloat16):  # a third faster, and far finer than the error that is left
        posterior = autoencoder.encode(frames).latent_dist
        latents = posterior.sample(generator=generator)
        decoded = autoencoder.decode(latents).sample
    error = decoded.float() - frames
    divergence = posterior.kl().mean() / latents[0].numel()
    # large areas first: their colour is most of what a viewer sees and the last thing a small network learns
    coarse = sum(F.avg_pool2d(error, side).square().mean() for side in (2, 4, 8))
    fine = error.square().mean() + recipe.l1_weight * error.abs().mean()
    return fine + recipe.coarse_weight * coarse + recipe.kl_weight * divergence


@torch.no_grad()
def set_scaling_factor(autoencoder: AutoencoderKL, frames: Float[Tensor, "B C H W"]) -> None:
    """So that latents have unit standard deviation (Rombach et al. 2022, appendix G)."""
    latents = torch.cat([autoencoder.encode(batch).latent_dist.mode() for batch in torch.split(frames, 64)])
    autoencoder.register_to_config(scaling_factor=1 / float(latents.std()))


def save_autoencoder(autoencoder: AutoencoderKL, folder: Path) -> None:
    """In half precision; loading it gives float32."""
    autoencoder.half().save_pretrained(folder)
    autoencoder.float()


def measure(folder: Path, sets: Sequence[Corpus]) -> dict[str, float]:
    """Mean PSNR over the clips of each set, in dB, from the shipped weights."""
    autoencoder = freeze(AutoencoderKL.from_pretrained(folder, torch_dtype=torch.float32, local_files_only=True))
    return {
        f"{found.name}_psnr_db": float(psnr_db(fake=reconstruct(autoencoder, found.clips), real=found.clips).mean())
        for found in sets
    }


@torch.no_grad()
def reconstruct(autoencoder: AutoencoderKL, clips: UInt8[Tensor, "N F C H W"]) -> UInt8[Tensor, "N F C H W"]:
    """The clips through the autoencoder, from the mode of its posterior."""
    frames = clips.flatten(0, 1)
    decoded = [
        autoencoder.decode(autoencoder.encode(batch.float() / 127.5 - 1).latent_dist.mode()).sample
        for batch in torch.split(frames, 64)
    ]
    pixels = ((torch.cat(decoded) + 1) * 127.5).round().clamp(0, 255).byte()
    return pixels.view(clips.shape)


def psnr_db(*, fake: UInt8[Tensor, "N F C H W"], real: UInt8[Tensor, "N F C H W"]) -> Float[Tensor, " N"]:
    """Of each clip, pooled over its frames."""
    squared = (fake.double() - real.double()).square().flatten(1).mean(1)
    return 10 * (255.0**2 / squared).log10()
