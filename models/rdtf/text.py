"""Text conditioning: random words of a caption become "#", then a CLIP and a T5 encoder encode the caption."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import AutoTokenizer, CLIPTextModel, CLIPTokenizer, T5EncoderModel

from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.diffusion.freezing import freeze
from rdtf_bench.diffusion.loading import load, load_network

MASK = "#"
MAX_REMEMBERED = 16_384  # number of captions whose states stay in CPU memory; 9 GB at full size
# scripts without spaces between words: Thai, Lao, Burmese, Khmer; kana; Han and its extensions
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


def mask_words(caption: str, probability: float, generator: torch.Generator) -> str:
    """Replace each word by "#" with this probability. The paper gives no value; the authors' code uses 0.2.

    Words are separated by spaces. In a caption without spaces in a script such as Chinese, which has none between
    words, each character counts as a word. DEVIATION: the authors' code splits Chinese into words with jieba.

    >>> mask_words("a red star", 1.0, torch.Generator())
    '# # #'
    >>> mask_words("étoile", 1.0, torch.Generator()), mask_words("红星", 1.0, torch.Generator())
    ('#', '##')
    """
    by_character = " " not in caption.strip() and UNSPACED.search(caption) is not None
    words = list(caption.strip()) if by_character else caption.split()
    hidden = (torch.rand(len(words), generator=generator) < probability).tolist()
    masked = [MASK if hide else word for word, hide in zip(words, hidden, strict=True)]
    return ("" if by_character else " ").join(masked)


@dataclass(frozen=True)
class TextStates:
    """The last hidden states of both text encoders."""

    clip: Float[Tensor, "B L1 D1"]
    t5: Float[Tensor, "B L2 D2"]


class TextEncoders:
    """Encode captions with a frozen CLIP and a frozen T5 encoder, and cache the states of recurring captions.

    A cached caption is encoded in a batch of one, so that its states do not depend on other captions.
    device: the device that the encoders run on. With diffusers' offloading they are moved there when they are called.
    """

    def __init__(
        self,
        clip: Any,
        t5: Any,
        *,
        clip_tokenizer: Any,
        t5_tokenizer: Any,
        clip_length: int,
        t5_length: int,
        device: torch.device,
    ) -> None:
        most = clip.config.max_position_embeddings
        if clip_length > most:
            raise ProtocolError(
                f"options of rdtf: clip_length {clip_length}: the text encoder has {most} positions. Set clip_length "
                f"to {most} or less"
            )
        self.clip = freeze(clip)
        self.t5 = freeze(t5)
        self.clip_tokenizer, self.t5_tokenizer = clip_tokenizer, t5_tokenizer
        self._device = device
        self._lengths = {"clip": clip_length, "t5": t5_length}
        self._remembered: dict[str, TextStates] = {}

    @classmethod
    def read(cls, clip: Path, t5: Path, *, clip_length: int, t5_length: int, device: torch.device) -> "TextEncoders":
        """Load both encoders, in float32, and their tokenizers from folders. Raises AssetError if one is not whole.

        The CLIP tokenizer is in the folder of the encoder or, as in diffusers' releases, in `tokenizer` beside it.
        """
        inside = (clip / "tokenizer_config.json").is_file()
        return cls(
            load_network(CLIPTextModel, clip, dtype=torch.float32).to(device),
            load_network(T5EncoderModel, t5, dtype=torch.float32).to(device),
            clip_tokenizer=load(CLIPTokenizer, clip if inside else clip.parent / "tokenizer"),
            t5_tokenizer=load(AutoTokenizer, t5),
            clip_length=clip_length,
            t5_length=t5_length,
            device=device,
        )

    @property
    def dims(self) -> tuple[int, int]:
        """Return the width of the CLIP states and of the T5 states."""
        return int(self.clip.config.hidden_size), int(self.t5.config.d_model)

    @torch.no_grad()
    def encode(self, captions: Sequence[str]) -> TextStates:
        """Encode all captions in one batch."""
        clip = self.clip(**self._tokens(self.clip_tokenizer, captions, "clip")).last_hidden_state
        t5 = self.t5(**self._tokens(self.t5_tokenizer, captions, "t5")).last_hidden_state
        return TextStates(clip, t5)

    def recall(self, captions: Sequence[str]) -> TextStates:
        """Return the states of recurring captions; each caption is encoded once and then cached."""
        states = [self._recall_one(caption) for caption in captions]
        return TextStates(
            torch.cat([s.clip for s in states]).to(self._device), torch.cat([s.t5 for s in states]).to(self._device)
        )

    def _recall_one(self, caption: str) -> TextStates:
        """Return the states of one caption on the CPU."""
        states = self._remembered.get(caption)
        if states is None:
            encoded = self.encode([caption])
            states = TextStates(encoded.clip.cpu(), encoded.t5.cpu())
            if len(self._remembered) < MAX_REMEMBERED:
                self._remembered[caption] = states
        return states

    def encode_mixed(self, captions: Sequence[str], fresh: Sequence[bool]) -> TextStates:
        """Encode the captions marked as `fresh`, which will not recur, in one batch, and recall the others."""
        places_fresh = [i for i, is_fresh in enumerate(fresh) if is_fresh]
        places_kept = [i for i, is_fresh in enumerate(fresh) if not is_fresh]
        parts = [
            make([captions[i] for i in places])
            for make, places in ((self.encode, places_fresh), (self.recall, places_kept))
            if places
        ]
        order = torch.tensor(places_fresh + places_kept, device=self._device).argsort()
        return TextStates(torch.cat([p.clip for p in parts])[order], torch.cat([p.t5 for p in parts])[order])

    def _tokens(self, tokenizer: Any, captions: Sequence[str], encoder: str) -> dict[str, Tensor]:
        length = self._lengths[encoder]
        tokens = tokenizer(
            list(captions), padding="max_length", truncation=True, max_length=length, return_tensors="pt"
        )
        return {name: tokens[name].to(self._device) for name in ("input_ids", "attention_mask")}
