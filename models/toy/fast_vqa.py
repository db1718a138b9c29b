"""The toy FAST-VQA of the VQA metric: the real network at reduced width, and the recipe that trains it.

There are no human ratings of toy stickers, so the network is trained on distortions of known strength: those of
distortions.py, and reconstructions by the toy autoencoder with noise in the latents, which resemble the faults of a
generator. The loss is that of the released training: linear correlation and monotonicity within a batch
(VQAssessment/FAST-VQA-and-FasterVQA, arXiv:2207.02595 sec. 4.1).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

from rdtf_bench.core.method import Training
from rdtf_bench.core.seeds import generator_for, seeded
from rdtf_bench.core.video import VideoU8, to_uint8, to_unit
from rdtf_bench.diffusion.latents import decode, encode, load_autoencoder
from rdtf_bench.diffusion.training import of_loss, train
from rdtf_bench.metrics.features.fast_vqa import FastVQANetwork, normalise
from rdtf_bench.metrics.vqa import Config, FastVQA, Judge, Scale, save
from rdtf_bench.models.toy import corpus
from rdtf_bench.models.toy.card import WEIGHTS, Card, write_card
from rdtf_bench.models.toy.corpus import Corpus, OnProgress
from rdtf_bench.models.toy.distortions import DISTORTIONS, distorted, quality

NAME = "toy-fast-vqa"
GENERATED = "autoencoder"  # the distortion that needs a network: reconstruction from noisy latents
GENERATED_HARM = (0.2, 0.8)  # quality that the reconstruction costs, and that full noise costs in addition
LATENT_NOISE = 1.2  # standard deviation of the noise at full strength; that of the latents is about 1
LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)  # strengths at which distortions are measured
MEASURED_CLIPS = 64  # number of clips of each dataset, at equal intervals
NOTES = (
    "The network ranks distortions like those of its training. <set>_<fault>_srocc is Spearman's rank correlation of "
    "score and quality over clips at six levels, and <set>_srocc is the same over all distortions. `stickers` are real "
    "stickers that were not in the training. The network detects neither freezing (a sticker may rest) nor banding (a "
    "sticker has few colours). Ghosting, blocks, jitter and warps change the mean of many clips but hardly separate "
    "single clips. The autoencoder alone costs little quality. The score does not depend on the caption. No human "
    "rating was used; how much each distortion costs is our judgement."
)


@dataclass(frozen=True, kw_only=True)
class FastVQARecipe:
    """Hyperparameters of the network and its training."""

    seed: int = 0
    embed_dim: int = 24
    depths: tuple[int, ...] = (2, 2, 2, 1)
    num_heads: tuple[int, ...] = (1, 2, 4, 8)
    window: tuple[int, int, int] = (4, 4, 4)
    num_frames: int = 8
    grid: int = 2
    num_generated: int = 600  # number of reconstructed clips, half from each dataset
    contents: int = 4  # number of different clips in a batch
    versions: int = 6  # number of versions of each clip, undistorted or distorted
    pristine_share: float = 0.15
    second_fault_share: float = 0.25
    generated_share: float = 0.15
    recolour: float = 0.25  # share of the clips whose colour channels are permuted
    monotonicity_weight: float = 0.3  # weight relative to the linear correlation, as released
    num_steps: int = 1500
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.05
    warmup_steps: int = 50
    ema_decay: float = 0.995
    max_grad_norm: float = 1.0
    checkpoint_every: int = 100


@dataclass(frozen=True, kw_only=True)
class Generated:
    """Clips reconstructed by the autoencoder, and their remaining quality."""

    clips: UInt8[Tensor, "N F C H W"]
    qualities: tuple[float, ...]


def network_options(recipe: FastVQARecipe) -> dict[str, Any]:
    """Return the arguments of FastVQANetwork for this recipe."""
    side = 32 * recipe.grid
    return {
        "embed_dim": recipe.embed_dim,
        "depths": recipe.depths,
        "num_heads": recipe.num_heads,
        "window": recipe.window,
        "base_size": (recipe.num_frames, side, side),
        "grid": (recipe.grid, recipe.grid),
        "head_dropout": 0.0,
    }


def new_network(recipe: FastVQARecipe) -> FastVQANetwork:
    """Return the network with random weights, which the seed of the recipe decides."""
    with seeded(recipe.seed, NAME):
        return FastVQANetwork(**network_options(recipe))


def train_fast_vqa(
    clips: Sequence[UInt8[Tensor, "_ F C H W"]],
    generated: Generated,
    recipe: FastVQARecipe,
    *,
    folder: Path,
    on_step: Callable[[int, float], None],
) -> FastVQANetwork:
    """Train on datasets of undistorted clips, which are drawn equally often; `folder` holds the checkpoint."""
    network = new_network(recipe).train()

    def loss_at(_: int, generator: torch.Generator) -> Tensor:
        batch, target = draw(clips, generated, recipe, generator)
        with torch.autocast("cpu", torch.bfloat16):  # a quarter faster; the metric itself is float32
            scores = network(to_fragments(batch))
        raw = scores.float().mean((1, 2, 3, 4))
        return ranking_loss(raw, target, recipe.monotonicity_weight)

    train(
        dict(network.named_parameters()),
        of_loss(loss_at, recipe.seed),
        _training(recipe),
        folder=folder,
        on_step=lambda step, logged: on_step(step, logged["loss"]),
    )
    return network.eval()


def _training(recipe: FastVQARecipe) -> Training:
    given = {name: value for name, value in asdict(recipe).items() if name in Training.__dataclass_fields__}
    return Training(task="quality", batch_size=recipe.contents * recipe.versions, **given)


def to_fragments(video: VideoU8) -> Float[Tensor, "B C F H W"]:
    """Normalise the clips. A clip of exactly the size of the grid is its own fragments."""
    return normalise(video.movedim(2, 1).float())


def ranking_loss(
    raw: Float[Tensor, " B"], target: Float[Tensor, " B"], monotonicity_weight: float
) -> Float[Tensor, ""]:
    """Return (1 - linear correlation) / 2 plus a penalty for pairs in the wrong order; the scale of `raw` is free."""
    raw, target = (functional.layer_norm(values, values.shape) for values in (raw, target))
    linear = (1 - (raw * target).mean()) / 2
    wrong_way = (raw[None] - raw[:, None]) * (target[:, None] - target[None]).sign()
    return linear + monotonicity_weight * wrong_way.relu().mean()


def draw(
    clips: Sequence[UInt8[Tensor, "_ F C H W"]],
    generated: Generated,
    recipe: FastVQARecipe,
    generator: torch.Generator,
) -> tuple[UInt8[Tensor, "B F C H W"], Float[Tensor, " B"]]:
    """Draw a batch of a few clips in several versions each, and return it with the quality of each version."""
    versions, qualities = [], []
    for _ in range(recipe.contents):
        chosen = clips[int(torch.randint(len(clips), (), generator=generator))]
        clip = _augmented(chosen[int(torch.randint(len(chosen), (), generator=generator))], recipe, generator)
        for _ in range(recipe.versions):
            version, left = _spoilt(clip, generated, recipe, generator)
            versions.append(version)
            qualities.append(left)
    return torch.stack(versions), torch.tensor(qualities)


def _spoilt(
    clip: UInt8[Tensor, "F C H W"], generated: Generated, recipe: FastVQARecipe, generator: torch.Generator
) -> tuple[UInt8[Tensor, "F C H W"], float]:
    kind, second, *strengths = torch.rand(4, generator=generator).tolist()
    if kind < recipe.pristine_share:
        return clip, 1.0
    left = 1.0
    if kind < recipe.pristine_share + recipe.generated_share:
        place = int(torch.randint(len(generated.clips), (), generator=generator))
        clip, left = generated.clips[place], generated.qualities[place]
        strengths = strengths[:1]
        faults = 1 if second < recipe.second_fault_share else 0
    else:
        faults = 2 if second < recipe.second_fault_share else 1
    names = list(DISTORTIONS)
    for strength in strengths[:faults]:
        name = names[int(torch.randint(len(names), (), generator=generator))]
        clip, left = distorted(clip, name, strength, generator), left * quality(name, strength)
    return clip, left


def _augmented(
    clip: UInt8[Tensor, "F C H W"], recipe: FastVQARecipe, generator: torch.Generator
) -> UInt8[Tensor, "F C H W"]:
    mirror, recolour = torch.rand(2, generator=generator).tolist()
    if mirror < 0.5:
        clip = clip.flip(-1)
    if recolour < recipe.recolour:
        clip = clip[:, torch.randperm(3, generator=generator)]
    return clip


def through_autoencoder(
    autoencoder: AutoencoderKL, video: VideoU8, strength: float, generator: torch.Generator
) -> VideoU8:
    """Reconstruct a clip with noise in its latents. Strength 0 leaves the reconstruction error of the autoencoder."""
    latents = encode(autoencoder, to_unit(video))
    noise = torch.randn(latents.shape, generator=generator)
    return to_uint8(decode(autoencoder, latents + LATENT_NOISE * strength * noise))


def generated_quality(strength: float) -> float:
    """Return the remaining quality of a clip after `through_autoencoder`."""
    alone, noise = GENERATED_HARM
    return 1 - alone - noise * strength


def generate(
    autoencoder: AutoencoderKL,
    clips: Sequence[UInt8[Tensor, "_ F C H W"]],
    recipe: FastVQARecipe,
    on_progress: OnProgress,
) -> Generated:
    """Reconstruct clips at random strengths once, because decoding costs more than a training step."""
    generator = generator_for(recipe.seed, NAME, GENERATED)
    made, qualities = [], []
    for done in range(recipe.num_generated):
        chosen = clips[done % len(clips)]
        clip = chosen[int(torch.randint(len(chosen), (), generator=generator))]
        strength = float(torch.rand((), generator=generator)) ** 2  # mostly weak, as in clips of a trained method
        made.append(through_autoencoder(autoencoder, clip[None], strength, generator)[0])
        qualities.append(generated_quality(strength))
        on_progress("vqa: clips through the autoencoder", done + 1, recipe.num_generated)
    return Generated(clips=torch.stack(made), qualities=tuple(qualities))


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """Raw scores of clips under one distortion at every level, undistorted first, and the remaining quality."""

    raw: Float[Tensor, "L N"]
    qualities: tuple[float, ...]


def ladders(
    metric: FastVQA, found: Corpus, autoencoder: AutoencoderKL, names: Sequence[str] = (*DISTORTIONS, GENERATED)
) -> dict[str, Ladder]:
    """Score a corpus under every distortion. The random seed of a distortion is the place of the clip."""
    ids = [f"{found.name}/{i}" for i in range(len(found))]
    pristine = metric.observe(found.clips, ids).mean(1)
    measured = {}
    for name in names:
        rungs, qualities = [pristine], [1.0]
        for level in LEVELS:
            spoilt = [_rung(clip[None], name, level, i, autoencoder) for i, clip in enumerate(found.clips)]
            rungs.append(metric.observe(torch.cat(spoilt), ids).mean(1))
            qualities.append(generated_quality(level) if name == GENERATED else quality(name, level))
        measured[name] = Ladder(raw=torch.stack(rungs), qualities=tuple(qualities))
    return measured


def _rung(video: VideoU8, name: str, level: float, place: int, autoencoder: AutoencoderKL) -> VideoU8:
    generator = generator_for(place, name, "ladder")
    if name == GENERATED:
        return through_autoencoder(autoencoder, video, level, generator)
    return distorted(video[0], name, level, generator)[None]


def srocc(found: Sequence[Ladder]) -> float:
    """Return Spearman's rank correlation of score and quality over all clips and levels.

    An undistorted clip counts once.
    """
    raw = [found[0].raw[0], *(ladder.raw[1:].flatten() for ladder in found)]
    levels = [torch.tensor(ladder.qualities)[1:, None].expand(-1, ladder.raw.shape[1]).flatten() for ladder in found]
    target = torch.cat([torch.ones(found[0].raw.shape[1]), *levels])
    ranks = torch.stack([_ranks(torch.cat(raw)), _ranks(target)])
    return float(torch.corrcoef(ranks)[0, 1])


def _ranks(values: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
    """Return the ranks, starting at 0; equal values share their mean rank."""
    _, which, counts = torch.unique(values, return_inverse=True, return_counts=True)
    return (counts.cumsum(0) - (counts + 1) / 2).double()[which]


def figures(found: Corpus, measured: Mapping[str, Ladder]) -> dict[str, float]:
    """Return the rank correlation over all distortions and that of each distortion."""
    each = {f"{found.name}_{name}_srocc": srocc([ladder]) for name, ladder in measured.items()}
    return {f"{found.name}_srocc": srocc(list(measured.values())), **each}


def scale_of(measured: Mapping[str, Ladder]) -> Scale:
    """Return mean and standard deviation of the raw scores over all clips, as described for the released constants."""
    raw = torch.cat([ladder.raw.flatten() for ladder in measured.values()]).double()
    return Scale(mean=float(raw.mean()), std=float(raw.std()), aligned=32)


def metric_of(judge: Judge, recipe: FastVQARecipe) -> FastVQA:
    """Return the metric that judges clips with this network."""
    return FastVQA(judge, Config(network=NAME, num_frames=recipe.num_frames, grid=recipe.grid))


def build(
    folder: Path,
    *,
    data: Path,
    fluent: Path | None,
    stickers: Path | None = None,
    autoencoder: Path = WEIGHTS / "autoencoder",
    recipe: FastVQARecipe | None = None,
    on_progress: OnProgress,
) -> Card:
    """Train the network and write its folder and card. `stickers`: a folder of real stickers for measurement only."""
    recipe = recipe or FastVQARecipe()
    through = load_autoencoder(autoencoder, torch.device("cpu"))
    clips = [
        corpus.toy(data, split="train", on_progress=on_progress).clips,
        corpus.fluent(fluent, split="train", data=data, on_progress=on_progress).clips,
    ]
    work = data / "training" / "vqa"
    work.mkdir(parents=True, exist_ok=True)
    network = train_fast_vqa(
        clips,
        generate(through, clips, recipe, on_progress),
        recipe,
        folder=work,
        on_step=lambda step, _: on_progress("vqa: training", step + 1, recipe.num_steps),
    )
    measured = [
        corpus.toy(data, split="validation", on_progress=on_progress),
        corpus.fluent(fluent, split="validation", data=data, on_progress=on_progress),
    ]
    if stickers is not None:
        measured.append(corpus.stickers(stickers, name="stickers", split=None, data=data, on_progress=on_progress))
    return finish(folder, network, recipe, through, [spread(found, MEASURED_CLIPS) for found in measured])


def finish(
    folder: Path, network: FastVQANetwork, recipe: FastVQARecipe, autoencoder: AutoencoderKL, sets: Sequence[Corpus]
) -> Card:
    """Measure the network, then write its weights, with the score scale of the first dataset, and its card."""
    metric = metric_of(Judge(network, name=NAME, scale=Scale(mean=0.0, std=1.0, aligned=32)), recipe)
    measured = [ladders(metric, found, autoencoder) for found in sets]
    validation: dict[str, float] = {}
    for found, of_set in zip(sets, measured, strict=True):
        validation |= figures(found, of_set)
    folder.mkdir(parents=True, exist_ok=True)
    save(Judge(network, name=NAME, scale=scale_of(measured[0])), folder, network_options(recipe))
    return write_card(
        folder,
        name=NAME,
        module=__name__,
        recipe=recipe,
        data=["toy stickers (training split)", "fluent (training split)", "both through the toy autoencoder"],
        validation=validation,
        notes=NOTES,
    )


def spread(found: Corpus, most: int) -> Corpus:
    """Return at most this many clips, at equal intervals over the dataset."""
    places = [i * len(found) // most for i in range(most)] if len(found) > most else list(range(len(found)))
    return Corpus(name=found.name, clips=found.clips[places], captions=tuple(found.captions[place] for place in places))
