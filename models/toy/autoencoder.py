"""The toy autoencoder: diffusers' AutoencoderKL at reduced width, and the recipe that trains it.

It follows Rombach et al. 2022, "High-Resolution Image Synthesis with Latent Diffusion Models", sec. 3.1: the latents
are eight times smaller than the frame and have four channels, and the loss has a small KL penalty. The loss has neither
a perceptual nor an adversarial term. These need a pretrained network, and the only one at hand computes the features of
the Fréchet distance.
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
from rdtf_bench.core.video import to_uint8, to_unit
from rdtf_bench.diffusion.latents import load_autoencoder
from rdtf_bench.diffusion.training import of_loss, train
from rdtf_bench.models.toy.corpus import Corpus

OnProgress = Callable[[int, int, float], None]
"""Called after each training step with the number of finished steps, the number of all steps and the loss."""


@dataclass(frozen=True, kw_only=True)
class AutoencoderRecipe:
    """Hyperparameters of the network and its training."""

    seed: int = 0
    size_px: int = 64
    block_out_channels: tuple[int, ...] = (16, 32, 64, 96)
    layers_per_block: int = 1
    norm_num_groups: int = 1  # a group norm removes a mean; with few channels per group, large areas lose their colour
    latent_channels: int = 4
    num_steps: int = 2400
    batch_size: int = 16
    learning_rate: float = 1.5e-3
    weight_decay: float = 1e-4
    warmup_steps: int = 50
    ema_decay: float = 0.995
    max_grad_norm: float = 1.0
    l1_weight: float = 0.2
    coarse_weight: float = 0.5  # weight of the squared error at each of 1/2, 1/4 and 1/8 of the size
    kl_weight: float = 1e-4  # weight of the KL divergence, averaged over latent elements
    recolour: float = 0.25  # share of the frames whose colour channels are permuted
    num_extra: int = 1024  # number of additional toy stickers of the training pairs
    num_scenes: int = 600
    shares: tuple[float, float, float] = (0.4, 0.2, 0.4)  # share of the frames: toy stickers, toy scenes, fluent
    checkpoint_every: int = 100


def new_autoencoder(recipe: AutoencoderRecipe) -> AutoencoderKL:
    """Initialise the network from the recipe's random seed, as a linear map. The global generator is left unchanged."""
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
    """Initialise residual branches to zero, and the path beside them so that it keeps the variance.

    With torch's defaults the normalised branches dominate that path. It carries the colour of large areas, which group
    norms remove, so such an autoencoder outputs grey for a thousand steps.
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
    """Train on frames of the datasets "toy", "scenes" and "fluent"; `folder` holds the checkpoint."""
    autoencoder = new_autoencoder(recipe).train()

    def loss_at(_step: int, generator: torch.Generator) -> Tensor:
        frames = draw_frames(clips, recipe, generator, count=recipe.batch_size)
        return reconstruction_loss(autoencoder, frames, recipe, generator)

    train(
        dict(autoencoder.named_parameters()),
        of_loss(loss_at, recipe.seed),
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
    """Draw random frames of random datasets in [-1, 1]; half are mirrored, and some have permuted colour channels."""
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
    """Return the squared and absolute error of the reconstruction from a posterior sample, plus the KL divergence."""
    with torch.autocast("cpu", torch.bfloat16):  # a third faster; the rounding error is far below the remaining error
        posterior = autoencoder.encode(frames).latent_dist
        latents = posterior.sample(generator=generator)
        decoded = autoencoder.decode(latents).sample
    error = decoded.float() - frames
    divergence = posterior.kl().mean() / latents[0].numel()
    # the colour of large areas is most visible, and a small network learns it last
    coarse = sum(F.avg_pool2d(error, side).square().mean() for side in (2, 4, 8))
    fine = error.square().mean() + recipe.l1_weight * error.abs().mean()
    return fine + recipe.coarse_weight * coarse + recipe.kl_weight * divergence


@torch.no_grad()
def set_scaling_factor(autoencoder: AutoencoderKL, frames: Float[Tensor, "B C H W"]) -> None:
    """Set the scaling factor that gives latents unit standard deviation (Rombach et al. 2022, appendix G)."""
    latents = torch.cat([autoencoder.encode(batch).latent_dist.mode() for batch in torch.split(frames, 64)])
    autoencoder.register_to_config(scaling_factor=1 / float(latents.std()))


def save_autoencoder(autoencoder: AutoencoderKL, folder: Path) -> None:
    """Save the weights in half precision; loading them gives float32."""
    autoencoder.half().save_pretrained(folder)
    autoencoder.float()


def measure(folder: Path, sets: Sequence[Corpus]) -> dict[str, float]:
    """Return the mean PSNR over the clips of each dataset, in dB, measured with the saved weights."""
    autoencoder = load_autoencoder(folder, torch.device("cpu"))
    return {
        f"{found.name}_psnr_db": float(psnr_db(fake=reconstruct(autoencoder, found.clips), real=found.clips).mean())
        for found in sets
    }


@torch.no_grad()
def reconstruct(autoencoder: AutoencoderKL, clips: UInt8[Tensor, "N F C H W"]) -> UInt8[Tensor, "N F C H W"]:
    """Reconstruct the clips from the mode of the autoencoder's posterior."""
    frames = clips.flatten(0, 1)
    decoded = [
        autoencoder.decode(autoencoder.encode(to_unit(batch[None])[0]).latent_dist.mode()).sample
        for batch in torch.split(frames, 64)
    ]
    return to_uint8(torch.cat(decoded).view(clips.shape))


def psnr_db(*, fake: UInt8[Tensor, "N F C H W"], real: UInt8[Tensor, "N F C H W"]) -> Float[Tensor, " N"]:
    """Return the PSNR of each clip, pooled over its frames."""
    squared = (fake.double() - real.double()).square().flatten(1).mean(1)
    return 10 * (255.0**2 / squared).log10()
