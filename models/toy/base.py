"""The toy I2VGen-XL (arXiv 2311.04145): diffusers' I2VGenXLUNet at reduced width, pretrained on scenes and movers.

It is trained without stickers, so the baselines adapt it to a new domain, just as the real network was trained on
natural video. Its conditions are those of the release: text states one layer below the last, the CLIP embedding of the
first frame, the latents of the first frame followed by constant planes k / (F - 1), and the frame rate. It predicts the
velocity, with zero terminal SNR.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, I2VGenXLUNet
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.transformers.transformer_temporal import TransformerTemporalModel
from jaxtyping import Float
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer, CLIPVisionModelWithProjection

from rdtf_bench.core import intervals
from rdtf_bench.core.method import Sampler, Training
from rdtf_bench.core.seeds import generator_for, generators_for, seeded
from rdtf_bench.core.video import VideoU8, to_uint8, to_unit
from rdtf_bench.diffusion import guidance
from rdtf_bench.diffusion.freezing import freeze
from rdtf_bench.diffusion.latents import decode, encode, load_autoencoder
from rdtf_bench.diffusion.order import batch_indices
from rdtf_bench.diffusion.sampling import Latents, sample_latents
from rdtf_bench.diffusion.training import of_loss, train
from rdtf_bench.metrics import fvd, statistics
from rdtf_bench.models.toy.autoencoder import OnProgress, psnr_db
from rdtf_bench.models.toy.corpus import Corpus
from rdtf_bench.models.toy.text import embed_frames

# from ali-vilab/i2vgen-xl, scheduler/scheduler_config.json
SCHEDULER = {
    "num_train_timesteps": 1000,
    "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "leading",
    "steps_offset": 1,
    "set_alpha_to_one": True,
    "clip_sample": False,
}
SAMPLER = Sampler(
    num_steps=10, eta=0.0, guidance_text=1.0, guidance_image=1.0, timestep_spacing="trailing"
)  # the sampler that measures the figures of the card
AT_ONCE = 64  # batch size of the encoders
BANDS = 4  # of timesteps, over which the validation loss is told


@dataclass(frozen=True, kw_only=True)
class BaseRecipe:
    """Hyperparameters of the network and its training."""

    seed: int = 0
    latent_size: int = 8
    block_out_channels: tuple[int, ...] = (16, 32, 64)
    layers_per_block: int = 1
    norm_num_groups: int = 4
    attention_head_dim: int = 8
    cross_attention_dim: int = 64
    num_scenes: int = 2000
    num_movers: int = 3000
    num_steps: int = 5500
    batch_size: int = 16
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.01
    warmup_steps: int = 50
    ema_decay: float = 0.999
    max_grad_norm: float = 1.0
    condition_dropout: float = 0.1  # probability that caption and image embedding are dropped together
    text_tokens: int = 16
    clip_skip: int = 1
    fps: int = 16
    checkpoint_every: int = 250


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """Clips and captions, encoded by the frozen networks."""

    latents: Float[Tensor, "N C F H W"]
    states: Float[Tensor, "N L E"]
    no_caption: Float[Tensor, "1 L E"]
    embeddings: Float[Tensor, "N E"]  # CLIP embeddings of the first frames

    def pick(self, places: Sequence[int]) -> "Encoded":
        """Return the clips at these places."""
        at = list(places)
        return Encoded(
            latents=self.latents[at],
            states=self.states[at],
            no_caption=self.no_caption,
            embeddings=self.embeddings[at],
        )


def new_unet(recipe: BaseRecipe) -> Any:
    """Initialise the network from the recipe's random seed, with zero residual branches and zero output.

    Zero initialisation follows Dhariwal & Nichol 2021.
    """
    above = len(recipe.block_out_channels) - 1
    with seeded(recipe.seed, "base"):
        unet = I2VGenXLUNet(
            sample_size=recipe.latent_size,
            down_block_types=("CrossAttnDownBlock3D",) * above + ("DownBlock3D",),
            up_block_types=("UpBlock3D",) + ("CrossAttnUpBlock3D",) * above,
            block_out_channels=recipe.block_out_channels,
            layers_per_block=recipe.layers_per_block,
            norm_num_groups=recipe.norm_num_groups,
            attention_head_dim=recipe.attention_head_dim,
            cross_attention_dim=recipe.cross_attention_dim,
        )
    for module in unet.modules():
        if isinstance(module, ResnetBlock2D):
            nn.init.zeros_(module.conv2.weight)
        elif isinstance(module, Transformer2DModel | TransformerTemporalModel):
            nn.init.zeros_(module.proj_out.weight)
    nn.init.zeros_(unet.conv_out.weight)
    # eval mode during training too: the dropout of the temporal convolutions draws from the global generator
    return unet.eval()


def new_scheduler() -> DDIMScheduler:
    """Return the scheduler with which the base is trained and sampled."""
    return DDIMScheduler(**SCHEDULER)


@torch.no_grad()
def encode_clips(corpus: Corpus, *, autoencoder: Path, text: Path, image: Path, recipe: BaseRecipe) -> Encoded:
    """Encode a corpus with the frozen networks of these folders."""
    network = load_autoencoder(autoencoder, torch.device("cpu"))
    tower = freeze(CLIPVisionModelWithProjection.from_pretrained(image, dtype=torch.float32, local_files_only=True))
    parts = torch.split(corpus.clips, AT_ONCE)
    different = sorted({*corpus.captions, ""})
    states = encode_captions(different, text=text, recipe=recipe)
    return Encoded(
        latents=torch.cat([encode(network, to_unit(part)) for part in parts]).movedim(2, 1),
        states=states[[different.index(caption) for caption in corpus.captions]],
        no_caption=states[different.index("")][None],
        embeddings=torch.cat([embed_frames(tower, part[:, :1])[:, 0] for part in parts]),
    )


@torch.no_grad()
def encode_captions(captions: Sequence[str], *, text: Path, recipe: BaseRecipe) -> Float[Tensor, "B L E"]:
    """Return the states `clip_skip` layers below the last, through the final norm, as in I2VGen-XL's pipeline."""
    network: Any = freeze(CLIPTextModel.from_pretrained(text, dtype=torch.float32, local_files_only=True))
    tokenizer = CLIPTokenizer.from_pretrained(text, local_files_only=True)
    tokens = tokenizer(
        list(captions), padding="max_length", max_length=recipe.text_tokens, truncation=True, return_tensors="pt"
    )
    states = network(tokens.input_ids, output_hidden_states=True).hidden_states[-(recipe.clip_skip + 1)]
    return network.final_layer_norm(states)


def image_latents(clean: Latents) -> Latents:
    """Return the latents of the first frame, then a plane with the constant k / (F - 1) for every other frame k."""
    planes = torch.linspace(0, 1, clean.shape[2]).to(clean)[:, None, None].expand_as(clean).clone()
    planes[:, :, 0] = clean[:, :, 0]
    return planes


def velocity(
    unet: Any,
    noisy: Latents,
    timesteps: Tensor,
    given: Encoded,
    recipe: BaseRecipe,
    *,
    dropped: Float[Tensor, " B"],
) -> Latents:
    """Return the prediction of the base; clips with `dropped` 1 get neither caption nor image embedding."""
    without = dropped.bool()
    output: Tensor = unet(
        noisy,
        timesteps,
        fps=torch.full((len(noisy),), recipe.fps),
        image_latents=image_latents(given.latents),
        image_embeddings=torch.where(without[:, None], torch.zeros_like(given.embeddings), given.embeddings),
        encoder_hidden_states=torch.where(without[:, None, None], given.no_caption, given.states),
    ).sample
    return output


def train_base(clips: Encoded, recipe: BaseRecipe, *, folder: Path, on_progress: OnProgress) -> Any:
    """Pretrain on encoded clips; `folder` holds the checkpoint."""
    unet, scheduler, training = new_unet(recipe), new_scheduler(), _training(recipe)

    def loss_at(step: int, generator: torch.Generator) -> Tensor:
        given = clips.pick(batch_indices([len(clips.latents)], training, step))
        timesteps = torch.randint(scheduler.config.num_train_timesteps, (len(given.latents),), generator=generator)
        dropped = (torch.rand(len(given.latents), generator=generator) < recipe.condition_dropout).float()
        return velocity_errors(unet, scheduler, given, timesteps, recipe, generator, dropped=dropped).mean()

    train(
        dict(unet.named_parameters()),
        of_loss(loss_at, training.seed),
        training,
        folder=folder,
        on_step=lambda step, logged: on_progress(step + 1, recipe.num_steps, logged["loss"]),
    )
    return unet


def _training(recipe: BaseRecipe) -> Training:
    given = {name: value for name, value in asdict(recipe).items() if name in Training.__dataclass_fields__}
    return Training(task="it2v", num_frames=8, **given)


def velocity_errors(
    unet: Any,
    scheduler: DDIMScheduler,
    given: Encoded,
    timesteps: Tensor,
    recipe: BaseRecipe,
    generator: torch.Generator,
    *,
    dropped: Float[Tensor, " B"],
) -> Float[Tensor, " B"]:
    """Return the mean squared error of the velocity (Salimans & Ho 2022, app. D) of each clip, over all frames."""
    noise = torch.randn(given.latents.shape, generator=generator)
    noisy = scheduler.add_noise(given.latents, noise, timesteps)
    target = scheduler.get_velocity(given.latents, noise, timesteps)
    output = velocity(unet, noisy, timesteps, given, recipe, dropped=dropped)
    return (output - target).square().flatten(1).mean(1)


@torch.no_grad()
def losses_by_band(unet: Any, given: Encoded, recipe: BaseRecipe) -> dict[str, float]:
    """Return the validation loss in bands of timesteps of equal width, and the mean over the bands.

    Each clip gets one random timestep per band.
    """
    scheduler, count = new_scheduler(), len(given.latents)
    width = int(scheduler.config.num_train_timesteps) // BANDS
    found = {}
    for band in range(BANDS):
        generator = generator_for(recipe.seed, "validation", band)
        timesteps = band * width + torch.randint(width, (count,), generator=generator)
        errors = velocity_errors(unet, scheduler, given, timesteps, recipe, generator, dropped=torch.zeros(count))
        found[f"loss_t{band * width}_{(band + 1) * width - 1}"] = float(errors.mean())
    return {"loss": sum(found.values()) / BANDS, **found}


@torch.no_grad()
def generate(unet: Any, given: Encoded, recipe: BaseRecipe, *, sampler: Sampler, seed: int = 0) -> Latents:
    """Sample clips from their first frames and captions, with the text guidance scale alone."""
    count = len(given.latents)
    branches = guidance.one_scale(text=sampler.guidance_text)
    copies = given.pick([*range(count)] * len(branches))
    dropped = torch.tensor([0.0 if branch.text else 1.0 for branch in branches]).repeat_interleave(count)

    def denoise(latents: Latents, timestep: int) -> Latents:
        timesteps = torch.full((len(dropped),), timestep)
        noisy = latents.repeat(len(branches), 1, 1, 1, 1)
        return guidance.combine(velocity(unet, noisy, timesteps, copies, recipe, dropped=dropped), branches)

    names = [str(place) for place in range(count)]
    return sample_latents(
        denoise,
        given.latents,
        scheduler=new_scheduler(),
        generators=generators_for(seed, names, "base validation"),
        sampler=sampler,
    )


@torch.no_grad()
def to_pixels(autoencoder: AutoencoderKL, latents: Float[Tensor, "B c F h w"]) -> VideoU8:
    """Decode latents to frames."""
    return to_uint8(decode(autoencoder, latents.movedim(2, 1)))


def save_base(unet: Any, folder: Path) -> None:
    """Save the network in the layout of ali-vilab/i2vgen-xl in half precision; loading it gives float32."""
    unet.half().save_pretrained(folder / "unet")
    unet.float()
    new_scheduler().save_pretrained(folder / "scheduler")


def load_base(folder: Path) -> Any:
    """Return the frozen network of a folder in float32."""
    return freeze(I2VGenXLUNet.from_pretrained(folder / "unet", torch_dtype=torch.float32, local_files_only=True))


@torch.no_grad()
def measure(folder: Path, corpus: Corpus, given: Encoded, autoencoder: Path, recipe: BaseRecipe) -> dict[str, float]:
    """Measure the PSNR of generated clips against the true clips, in dB, and the denoising loss by timestep.

    `given` is the corpus encoded by `encode_clips`. "static" repeats the first frame, and "autoencoder" is the true
    clip, both decoded by the autoencoder.
    """
    unet = load_base(folder)
    network = load_autoencoder(autoencoder, torch.device("cpu"))
    made = {
        "generated": generate(unet, given, recipe, sampler=SAMPLER),
        "static": given.latents[:, :, :1].expand_as(given.latents),
        "autoencoder": given.latents,
    }
    psnr = {
        f"{name}_psnr_db": float(psnr_db(fake=to_pixels(network, latents), real=corpus.clips).mean())
        for name, latents in made.items()
    }
    return {**losses_by_band(unet, given, recipe), **psnr}


@torch.no_grad()
def fvd_against_static(
    folder: Path, corpus: Corpus, given: Encoded, autoencoder: Path, efficientnet: Path, recipe: BaseRecipe
) -> dict[str, float]:
    """Measure the FVD (EfficientNet-Lite0) of generated clips and of repeated first frames against the true clips.

    The difference has a 95 % interval, paired over the clips. Below 0, the base is better than standing still.
    """
    network = load_autoencoder(autoencoder, torch.device("cpu"))
    metric = fvd.build(fvd.Config(size_px=64), assets={"efficientnet": efficientnet}, device=torch.device("cpu"))
    names = [str(place) for place in range(len(corpus.captions))]
    groups = statistics.groups(names, names)
    real = metric.observe(corpus.clips, names)
    made = {
        "fvd": generate(load_base(folder), given, recipe, sampler=SAMPLER),
        "static_fvd": given.latents[:, :, :1].expand_as(given.latents),
    }
    scores = {}
    for name, latents in made.items():
        fake = metric.observe(to_pixels(network, latents), names)
        scores[name] = metric.score(fake=fake, real=real, captions=corpus.captions, groups=groups)
    ours, static = scores["fvd"], scores["static_fvd"]
    found = intervals.difference(
        ours.value, ours.without_group, minus=static.value, minus_without_group=static.without_group
    )
    return {
        **{name: score.value for name, score in scores.items()},
        "fvd_minus_static": found.value,
        "fvd_minus_static_ci_low": found.ci_low,
        "fvd_minus_static_ci_high": found.ci_high,
    }
