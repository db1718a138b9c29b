"""What the tests of RDTF share: a network of a few thousand parameters, five stickers and a training of four steps."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from rdtf_bench.core.method import Training
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.models.rdtf.config import Config
from rdtf_bench.models.rdtf.method import RDTF, build

NETWORK: dict[str, Any] = {
    "block_out_channels": (8, 16),
    "attention_head_dim": 8,
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "transformer_in_heads": 1,
    "sti_heads": 1,
    "sti_head_dim": 8,
}
CONFIG = Config(**NETWORK, clip_length=10, t5_length=16, prediction_type="v_prediction")
TRAINING = Training(
    task="it2v",
    num_frames=8,
    num_steps=4,
    batch_size=3,
    learning_rate=1e-3,
    weight_decay=0.01,
    warmup_steps=1,
    max_grad_norm=1.0,
    ema_decay=0.9,
    checkpoint_every=2,
    seed=0,
)


class Stickers:
    """Five stickers of 3 to 11 frames, smooth in time, with latents of 4x4."""

    ids = tuple(f"sticker{i}" for i in range(5))
    captions = ("red up", "red down", "blue up", "blue down", "green")
    shard_sizes = (5,)

    def __init__(self) -> None:
        self._latents = [
            torch.randn(3 + 2 * i, 4, 4, 4, generator=generator_for("latents", i)).cumsum(0) / 2 for i in range(5)
        ]

    def latents(self, index: int) -> Float[Tensor, "F C H W"]:
        return self._latents[index]

    def features(self, index: int) -> Float[Tensor, "F D"]:
        return self._latents[index].flatten(1)

    def keyframes(self, index: int) -> Sequence[int]:
        return tuple(range(0, len(self._latents[index]), 2))

    def frames(self, index: int, places: Sequence[int]) -> UInt8[Tensor, "F C H W"]:  # noqa: ARG002
        pytest.fail(f"the frames of sticker {index} were read: latents and features are enough")


def make(assets: dict[str, Path], **changed: Any) -> RDTF:
    return build(replace(CONFIG, **changed), assets=assets, device=torch.device("cpu"))
