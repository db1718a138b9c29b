"""The toy text, image and T5 encoders of the generators, and the recipe that trains all three together.

CLIPTextModel, CLIPVisionModelWithProjection and T5EncoderModel (on bytes, as in ByT5) are trained with CLIP's
contrastive loss (Radford et al. 2021). The data are toy stickers, the training split of fluent and toy scenes, because
the encoders of I2VGen-XL and RDTF are general ones. A text is matched with single frames and, through a linear head,
with four frames of the clip in order, so that the encoders also learn words for motion. The CLIP metric uses another
network (clip.py).
"""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from open_clip.tokenizer import bytes_to_unicode
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import (
    AutoTokenizer,
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

from rdtf_bench.core.method import Training
from rdtf_bench.core.seeds import seeded
from rdtf_bench.diffusion.training import of_loss, train
from rdtf_bench.models.toy.autoencoder import OnProgress
from rdtf_bench.models.toy.corpus import Corpus

FRAMES = (0, 2, 4, 6)  # the frames of eight that the clip head uses
HEAD = "training_head.safetensors"
PIXEL_MEAN, PIXEL_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # CLIP's own
END_TOKEN, START_TOKEN, VOCABULARY, POSITIONS = 49407, 49406, 49408, 77
BYTES = 384  # size of ByT5's vocabulary
BYTES_MOST = 64  # captions are truncated to this many bytes in training


@dataclass(frozen=True, kw_only=True)
class EncodersRecipe:
    """Hyperparameters of the networks and their training."""

    seed: int = 0
    size_px: int = 64
    patch_px: int = 8
    width: int = 64
    num_layers: int = 2
    num_heads: int = 4
    num_steps: int = 400
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup_steps: int = 30
    ema_decay: float = 0.99
    max_grad_norm: float = 1.0
    temperature: float = 0.07
    num_extra: int = 1024  # number of additional toy stickers of the training pairs
    num_scenes: int = 600
    shares: tuple[float, float, float] = (0.5, 0.2, 0.3)  # share of the batches: toy stickers, toy scenes, fluent
    checkpoint_every: int = 100


class Encoders(nn.Module):
    """The networks that are trained together. The heads serve training and measurement; no generator uses them."""

    def __init__(self, *, text: Any, image: Any, t5: Any, clip_head: nn.Linear, t5_head: nn.Linear) -> None:
        super().__init__()
        self.text, self.image, self.t5 = text, image, t5
        self.clip_head = clip_head  # maps the embeddings of four frames in order to the embedding of the clip
        self.t5_head = t5_head  # maps the mean T5 state to the embedding of the caption


def new_encoders(recipe: EncodersRecipe) -> Encoders:
    """Initialise the networks from the recipe's random seed. The global generator is left unchanged."""
    with seeded(recipe.seed, "encoders"):
        return Encoders(
            text=_new_text(recipe),
            image=_new_image(recipe),
            t5=_new_t5(recipe),
            clip_head=nn.Linear(len(FRAMES) * recipe.width, recipe.width),
            t5_head=nn.Linear(recipe.width, recipe.width),
        )


def _new_text(recipe: EncodersRecipe) -> Any:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=VOCABULARY,
            hidden_size=recipe.width,
            intermediate_size=4 * recipe.width,
            projection_dim=recipe.width,
            num_hidden_layers=recipe.num_layers,
            num_attention_heads=recipe.num_heads,
            max_position_embeddings=POSITIONS,
            bos_token_id=START_TOKEN,
            eos_token_id=END_TOKEN,
            pad_token_id=END_TOKEN,
        )
    )


def _new_image(recipe: EncodersRecipe) -> Any:
    return CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            image_size=recipe.size_px,
            patch_size=recipe.patch_px,
            hidden_size=recipe.width,
            intermediate_size=4 * recipe.width,
            projection_dim=recipe.width,
            num_hidden_layers=recipe.num_layers,
            num_attention_heads=recipe.num_heads,
        )
    )


def _new_t5(recipe: EncodersRecipe) -> Any:
    return T5EncoderModel(
        T5Config(
            vocab_size=BYTES,
            d_model=recipe.width,
            d_kv=recipe.width // recipe.num_heads,
            d_ff=4 * recipe.width,
            num_layers=recipe.num_layers,
            num_heads=recipe.num_heads,
            feed_forward_proj="gated-gelu",
            dropout_rate=0.0,
            decoder_start_token_id=0,
        )
    )


class Tokenizers:
    """The tokenizers of both text encoders, loaded from their folders."""

    def __init__(self, text: Path, t5: Path) -> None:
        self.clip: Any = CLIPTokenizer.from_pretrained(text, local_files_only=True)
        self.t5: Any = AutoTokenizer.from_pretrained(t5, local_files_only=True)

    def __call__(self, captions: Sequence[str], *, bytes_most: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        clip = self.clip(list(captions), padding=True, truncation=True, max_length=POSITIONS, return_tensors="pt")
        t5 = self.t5(list(captions), padding=True, truncation=True, max_length=bytes_most, return_tensors="pt")
        return dict(clip), dict(t5)


def write_tokenizers(text: Path, t5: Path) -> None:
    """Write OpenAI's byte pair encoding, taken from open_clip's file, and the byte tokenizer of T5."""
    packed = Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz"
    symbols = list(bytes_to_unicode().values())
    ends = [f"{symbol}</w>" for symbol in symbols]
    num_merges = VOCABULARY - 2 * len(symbols) - 2
    merges = gzip.decompress(packed.read_bytes()).decode("utf-8").split("\n")[1 : num_merges + 1]
    words = [*symbols, *ends, *("".join(pair.split()) for pair in merges), "<|startoftext|>", "<|endoftext|>"]
    text.mkdir(parents=True, exist_ok=True)
    (text / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}), encoding="utf-8")
    (text / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    config = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": POSITIONS,
        "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
    }
    (text / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    ByT5Tokenizer().save_pretrained(t5)


def train_encoders(
    sets: Mapping[str, Corpus],
    tokenizers: Tokenizers,
    recipe: EncodersRecipe,
    *,
    folder: Path,
    on_progress: OnProgress,
) -> Encoders:
    """Train on the datasets "toy", "scenes" and "fluent", one of them per batch; `folder` holds the checkpoint."""
    encoders = new_encoders(recipe).train()
    shares = torch.tensor(recipe.shares)

    def loss_at(_step: int, generator: torch.Generator) -> Tensor:
        chosen = sets[("toy", "scenes", "fluent")[int(torch.multinomial(shares, 1, generator=generator))]]
        places = torch.randperm(len(chosen), generator=generator)[: recipe.batch_size]
        captions = [chosen.captions[place] for place in places.tolist()]
        return contrastive_loss(encoders, chosen.clips[places], captions, tokenizers, recipe, generator)

    train(
        dict(encoders.named_parameters()),
        of_loss(loss_at, recipe.seed),
        _training(recipe),
        folder=folder,
        on_step=lambda step, logged: on_progress(step + 1, recipe.num_steps, logged["loss"]),
    )
    return encoders.eval()


def _training(recipe: EncodersRecipe) -> Training:
    given = {name: value for name, value in asdict(recipe).items() if name in Training.__dataclass_fields__}
    return Training(task="retrieval", num_frames=len(FRAMES), **given)


def contrastive_loss(
    encoders: Encoders,
    clips: UInt8[Tensor, "B F C H W"],
    captions: Sequence[str],
    tokenizers: Tokenizers,
    recipe: EncodersRecipe,
    generator: torch.Generator,
) -> Float[Tensor, ""]:
    """Return the mean loss of both texts against one frame and against the clip.

    Equal captions are not negatives of each other.
    """
    tokens, byte_tokens = tokenizers(captions, bytes_most=BYTES_MOST)
    embedded = embed_frames(encoders.image, clips[:, list(FRAMES)])
    whole = encoders.clip_head(embedded.flatten(1))
    one = embedded[torch.arange(len(clips)), torch.randint(len(FRAMES), (len(clips),), generator=generator)]
    text = encoders.text(**tokens).pooler_output
    t5 = encoders.t5_head(mean_state(encoders.t5, byte_tokens))
    same = torch.tensor([[a == b for b in captions] for a in captions])
    pairs = [(text, one), (text, whole), (t5, one), (t5, whole)]
    return torch.stack([match_loss(a, b, same, recipe.temperature) for a, b in pairs]).mean()


def match_loss(
    texts: Float[Tensor, "B D"], images: Float[Tensor, "B D"], same: Bool[Tensor, "B B"], temperature: float
) -> Float[Tensor, ""]:
    """Return CLIP's symmetric cross-entropy, with the target spread evenly over all pairs with the same caption."""
    logits = F.normalize(texts, dim=1) @ F.normalize(images, dim=1).T / temperature
    target = same.float() / same.sum(1, keepdim=True)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def embed_frames(image_encoder: Any, frames: UInt8[Tensor, "B F C H W"]) -> Float[Tensor, "B F D"]:
    """Return the projected CLIP embedding of each frame."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (PIXEL_MEAN, PIXEL_STD))
    embeddings: Tensor = image_encoder((frames.flatten(0, 1).float() / 255 - mean) / std).image_embeds
    return embeddings.view(*frames.shape[:2], -1)


def mean_state(t5: Any, tokens: Mapping[str, Tensor]) -> Float[Tensor, "B D"]:
    """Return the mean T5 state over the tokens that are not padding."""
    states: Tensor = t5(**tokens).last_hidden_state
    real = tokens["attention_mask"][..., None].float()
    return (states * real).sum(1) / real.sum(1)


@torch.no_grad()
def retrieval(
    texts: Float[Tensor, "B D"], images: Float[Tensor, "B D"], captions: Sequence[str]
) -> tuple[float, float]:
    """Return R@1, the share of captions whose nearest image has that caption, and its chance level."""
    nearest = (F.normalize(texts, dim=1) @ F.normalize(images, dim=1).T).argmax(1).tolist()
    hits = [captions[place] == caption for place, caption in zip(nearest, captions, strict=True)]
    chance = sum(captions.count(caption) for caption in captions) / len(captions) ** 2
    return sum(hits) / len(hits), chance


def save_encoders(encoders: Encoders, *, text: Path, image: Path, t5: Path) -> None:
    """Save the weights in half precision; the configurations say float32, so that loading upcasts them."""
    for network, folder in ((encoders.text, text), (encoders.image, image), (encoders.t5, t5)):
        network.half().save_pretrained(folder)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        (folder / "config.json").write_text(json.dumps({**config, "dtype": "float32"}, indent=2) + "\n")
        network.float()
    for head, folder in ((encoders.clip_head, image), (encoders.t5_head, t5)):
        save_file({name: tensor.detach() for name, tensor in head.state_dict().items()}, folder / HEAD)
    size_px = encoders.image.config.image_size
    CLIPImageProcessor(
        size={"shortest_edge": size_px},
        crop_size={"height": size_px, "width": size_px},
        image_mean=PIXEL_MEAN,
        image_std=PIXEL_STD,
    ).save_pretrained(image)


@torch.no_grad()
def measure(*, text: Path, image: Path, t5: Path, sets: Sequence[Corpus]) -> dict[str, float]:
    """Measure R@1 of captions on each dataset with the saved weights, by the first frame and by four in order."""
    encoders = load_encoders(text=text, image=image, t5=t5)
    tokenizers = Tokenizers(text, t5)
    figures: dict[str, float] = {}
    for found in sets:
        tokens, byte_tokens = tokenizers(found.captions, bytes_most=BYTES_MOST)
        texts = {
            "clip": encoders.text(**tokens).pooler_output,
            "t5": encoders.t5_head(mean_state(encoders.t5, byte_tokens)),
        }
        embedded = embed_frames(encoders.image, found.clips[:, list(FRAMES)])
        images = {"first_frame": embedded[:, 0], "four_frames": encoders.clip_head(embedded.flatten(1))}
        for tower, states in texts.items():
            for seen, embeddings in images.items():
                hits, chance = retrieval(states, embeddings, found.captions)
                figures |= {f"{found.name}_{tower}_r_at_1_{seen}": hits, f"{found.name}_chance": chance}
    return figures


def load_encoders(*, text: Path, image: Path, t5: Path) -> Encoders:
    """Load the saved encoders and the linear heads that they were trained with."""
    local: dict[str, Any] = {"dtype": torch.float32, "local_files_only": True}
    return Encoders(
        text=CLIPTextModel.from_pretrained(text, **local),
        image=CLIPVisionModelWithProjection.from_pretrained(image, **local),
        t5=T5EncoderModel.from_pretrained(t5, **local),
        clip_head=_linear(image / HEAD),
        t5_head=_linear(t5 / HEAD),
    ).eval()


def _linear(path: Path) -> nn.Linear:
    weights = load_file(path)
    outputs, inputs = weights["weight"].shape
    layer = nn.Linear(inputs, outputs)
    layer.load_state_dict(weights)
    return layer
