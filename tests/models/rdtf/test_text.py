"""Word replacement and the caption states."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import CLIPTextModel, T5EncoderModel

from rdtf_bench.core.errors import AssetError, ProtocolError
from rdtf_bench.models.rdtf.text import TextEncoders, mask_words


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def encoders(assets: dict[str, Path]) -> TextEncoders:
    cpu = torch.device("cpu")
    return TextEncoders.read(assets["text_encoder"], assets["t5_encoder"], clip_length=9, t5_length=14, device=cpu)


def test_no_word_is_replaced_at_zero_and_each_at_one() -> None:
    assert mask_words("a red star", 0.0, generator()) == "a red star"
    assert mask_words("a red star", 1.0, generator()) == "# # #"


def test_words_are_replaced_at_the_rate_asked_for() -> None:
    masked = mask_words(" ".join(["word"] * 5000), 0.2, generator()).split()
    assert masked.count("#") / 5000 == pytest.approx(0.2, abs=0.023)  # four standard deviations


def test_text_without_spaces_is_replaced_by_characters() -> None:
    masked = mask_words("红色的星星在跳", 0.5, generator(1))
    assert len(masked) == 7
    assert 0 < masked.count("#") < 7
    assert mask_words("star", 0.0, generator()) == "star"


@pytest.mark.parametrize("word", ["étoile", "звезда", "별"])
def test_one_word_of_a_script_with_spaces_is_a_word(word: str) -> None:
    assert mask_words(word, 1.0, generator()) == "#"
    assert mask_words(word, 0.0, generator()) == word


def test_lengths_and_widths_are_those_asked_for(assets: dict[str, Path]) -> None:
    text = encoders(assets)
    states = text.encode(["a star", "a very long caption that is cut"])
    assert states.clip.shape == (2, 9, text.dims[0])
    assert states.t5.shape == (2, 14, text.dims[1])


def test_mixed_captions_come_back_in_their_order(assets: dict[str, Path]) -> None:
    text, captions = encoders(assets), ["a", "b #", "c", "# d"]
    mixed = text.encode_mixed(captions, [False, True, False, True])
    expected = text.encode(captions)
    torch.testing.assert_close(mixed.clip, expected.clip)
    torch.testing.assert_close(mixed.t5, expected.t5)


def test_a_recalled_caption_does_not_depend_on_what_was_asked_before(assets: dict[str, Path]) -> None:
    first, second = encoders(assets), encoders(assets)
    second.recall(["x y z", "q"])
    torch.testing.assert_close(first.recall(["a", "b"]).clip, second.recall(["b", "a"]).clip.flip(0), rtol=0, atol=0)


def test_more_tokens_than_the_encoder_has_positions_are_refused(assets: dict[str, Path]) -> None:
    cpu = torch.device("cpu")
    with pytest.raises(ProtocolError, match="clip_length 78: the text encoder has 77 positions"):
        TextEncoders.read(assets["text_encoder"], assets["t5_encoder"], clip_length=78, t5_length=14, device=cpu)


def test_encoders_whose_weights_do_not_match_are_refused(assets: dict[str, Path], tmp_path: Path) -> None:
    for role, field, lacking in (
        ("text_encoder", "num_hidden_layers", r"encoder\.layers\.1"),
        ("t5_encoder", "num_layers", r"encoder\.block\.1"),
    ):
        folder = Path(shutil.copytree(assets[role], tmp_path / role))
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, field: 2}))
        with pytest.raises(AssetError, match=f"{role}: the weights do not match .*: they lack {lacking}"):
            encoders({**assets, role: folder})


def test_encoders_stored_in_half_precision_run_in_float32(assets: dict[str, Path], tmp_path: Path) -> None:
    kept = {}
    for role, kind in (("text_encoder", CLIPTextModel), ("t5_encoder", T5EncoderModel)):
        kept[role] = Path(shutil.copytree(assets[role], tmp_path / role))
        kind.from_pretrained(assets[role]).half().save_pretrained(kept[role])
    states = encoders(kept).encode(["a star"])
    assert states.clip.dtype == states.t5.dtype == torch.float32
