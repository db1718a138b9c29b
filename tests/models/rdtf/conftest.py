"""What the tests of RDTF share: a network of a few thousand parameters."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL
from transformers import ByT5Tokenizer, CLIPTextConfig, CLIPTextModel, CLIPTokenizer, T5Config, T5EncoderModel

from tests.models.rdtf.small import NETWORK


@pytest.fixture
def small_options() -> dict[str, Any]:
    """Options of a DFGN small enough for a test."""
    return {**NETWORK, "cross_attention_dim": 12, "t5_dim": 10}


@pytest.fixture(scope="session")
def assets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders that RDTF needs, with random networks of the real classes at the smallest sizes."""
    root = tmp_path_factory.mktemp("assets")
    folders = {role: root / role for role in ("autoencoder", "text_encoder", "t5_encoder")}
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            block_out_channels=(4, 4, 8),
            norm_num_groups=2,
            latent_channels=4,
            layers_per_block=1,
        ).save_pretrained(folders["autoencoder"])
        clip = CLIPTextConfig(
            vocab_size=len(_characters()),
            hidden_size=12,
            intermediate_size=24,
            num_hidden_layers=1,
            num_attention_heads=2,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=1,
        )
        CLIPTextModel(clip).save_pretrained(folders["text_encoder"])
        t5 = T5Config(vocab_size=384, d_model=10, d_kv=5, d_ff=16, num_layers=1, num_heads=2)
        T5EncoderModel(t5).save_pretrained(folders["t5_encoder"])
    (root / "vocab.json").write_text(json.dumps(_characters()))
    (root / "merges.txt").write_text("#version: 0.2\n")
    CLIPTokenizer(str(root / "vocab.json"), str(root / "merges.txt")).save_pretrained(folders["text_encoder"])
    ByT5Tokenizer().save_pretrained(folders["t5_encoder"])
    return folders


def _characters() -> dict[str, int]:
    letters = [chr(code) for code in range(33, 127)]
    tokens = ["<|startoftext|>", "<|endoftext|>", *letters, *(letter + "</w>" for letter in letters)]
    return {token: number for number, token in enumerate(tokens)}
