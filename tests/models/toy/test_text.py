from dataclasses import replace
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, CLIPImageProcessor, CLIPTextModel, CLIPTokenizer, T5EncoderModel

from rdtf_bench.core.seeds import generator_for
from rdtf_bench.models.toy import corpus, text
from rdtf_bench.models.toy.build import VALIDATION_SCENES
from rdtf_bench.models.toy.card import WEIGHTS
from rdtf_bench.models.toy.corpus import Corpus
from rdtf_bench.models.toy.text import EncodersRecipe
from tests.models.toy.cards import read_card

PLACES = {"text": WEIGHTS / "text_encoder", "image": WEIGHTS / "image_encoder", "t5": WEIGHTS / "t5_encoder"}
SMALL = EncodersRecipe(
    width=8, num_layers=1, num_heads=2, num_steps=4, batch_size=3, warmup_steps=1, checkpoint_every=2
)
CAPTIONS = ["a red star spinning", "Crème brûlée, 2 of them!", "the cat's hat", "🎉 party"]


def test_the_cards_are_what_the_shipped_weights_do_on_unseen_scenes() -> None:
    unseen = corpus.scenes(VALIDATION_SCENES, seed=corpus.SCENES_VALIDATION_SEED)
    found = text.measure(**PLACES, sets=[unseen])
    cards = read_card(PLACES["text"]).validation | read_card(PLACES["t5"]).validation
    for name, value in found.items():
        # a clip may tip over between machines
        assert value == pytest.approx(cards[name], abs=1 / VALIDATION_SCENES + 1e-4), name
    assert found["toy-scenes_clip_r_at_1_four_frames"] > 4 * found["toy-scenes_chance"]


@pytest.mark.long
def test_the_cards_are_what_the_shipped_weights_do_on_toy_stickers(tmp_path: Path) -> None:
    found = text.measure(**PLACES, sets=[corpus.toy(tmp_path, split="validation")])
    cards = read_card(PLACES["text"]).validation | read_card(PLACES["t5"]).validation
    for name, value in found.items():
        assert value == pytest.approx(cards[name], abs=1 / 128 + 1e-4), name


def test_four_frames_tell_actions_that_one_frame_cannot() -> None:
    card = read_card(PLACES["text"]).validation
    assert card["toy-asg_clip_r_at_1_first_frame"] > 10 * card["toy-asg_chance"]
    assert card["toy-asg_clip_r_at_1_four_frames"] > 2 * card["toy-asg_clip_r_at_1_first_frame"]


@pytest.mark.parametrize("caption", CAPTIONS)
def test_the_tokenizer_is_openai_s(caption: str) -> None:
    tokenizer = CLIPTokenizer.from_pretrained(PLACES["text"], local_files_only=True)
    tokens = tokenizer([caption], padding="max_length", max_length=77, truncation=True).input_ids[0]
    wanted = open_clip.tokenize([caption])[0]
    length = int((wanted != 0).sum())
    assert tokens[:length] == wanted[:length].tolist()
    assert set(tokens[length:]) == {text.END_TOKEN}  # transformers pads with the end


def test_t5_reads_bytes() -> None:
    tokenizer = AutoTokenizer.from_pretrained(PLACES["t5"], local_files_only=True)
    assert tokenizer("é").input_ids == [0xC3 + 3, 0xA9 + 3, 1]


def test_the_encoders_load_in_float32_however_they_are_loaded() -> None:
    for kind, folder in ((CLIPTextModel, PLACES["text"]), (T5EncoderModel, PLACES["t5"])):
        assert next(kind.from_pretrained(folder, local_files_only=True).parameters()).dtype == torch.float32
    stored = load_file(PLACES["text"] / "model.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {torch.float16}


def test_the_image_processor_does_what_training_did() -> None:
    clips = corpus.scenes(1, seed=3).clips
    processor = CLIPImageProcessor.from_pretrained(PLACES["image"], local_files_only=True)
    assert tuple(processor.image_mean) == pytest.approx(text.PIXEL_MEAN)
    seen: list[torch.Tensor] = []

    class Output:
        image_embeds = torch.zeros(1, 4)

    def remember(pixels: torch.Tensor) -> Output:
        seen.append(pixels)
        return Output()

    text.embed_frames(remember, clips[:, :1])
    pixels = processor(clips[0, 0], return_tensors="pt").pixel_values
    torch.testing.assert_close(pixels, seen[0], atol=1e-4, rtol=0)


def test_equal_captions_are_no_negatives() -> None:
    axes = torch.eye(4)
    same = torch.eye(4, dtype=torch.bool)
    assert float(text.match_loss(axes, axes, same, 0.05)) < 0.01
    twice = axes[[0, 0, 1, 1]]
    shared = twice @ twice.T > 0
    # the best that two equal captions can do is to share: log 2
    assert float(text.match_loss(twice, twice, shared, 0.05)) == pytest.approx(0.6931, abs=1e-3)


def test_retrieval_counts_any_clip_with_the_caption() -> None:
    images = torch.eye(4)
    assert text.retrieval(images, images, ["a", "b", "c", "d"]) == (1.0, 0.25)
    assert text.retrieval(images[[1, 0, 2, 3]], images, ["a", "b", "c", "d"]) == (0.5, 0.25)
    assert text.retrieval(images[[1, 0, 2, 3]], images, ["a", "a", "c", "d"]) == (1.0, 6 / 16)


def test_training_resumes_to_the_same_bits(tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("whole", "parts", "text", "t5")}
    for folder in folders.values():
        folder.mkdir()
    text.write_tokenizers(folders["text"], folders["t5"])
    tokenizers = text.Tokenizers(folders["text"], folders["t5"])
    sets = {
        name: Corpus(
            name=name,
            clips=torch.randint(0, 256, (4, 8, 3, 64, 64), dtype=torch.uint8, generator=generator_for(name)),
            captions=tuple(CAPTIONS),
        )
        for name in ("toy", "scenes", "fluent")
    }
    expected = text.train_encoders(sets, tokenizers, SMALL, folder=folders["whole"], on_progress=lambda *_: None)
    (folders["parts"] / "checkpoint.pt").write_bytes((folders["whole"] / "checkpoint.pt").read_bytes())
    resumed = text.train_encoders(sets, tokenizers, SMALL, folder=folders["parts"], on_progress=lambda *_: None)
    other = text.new_encoders(replace(SMALL, seed=1)).state_dict()
    for name, tensor in expected.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
    assert not torch.equal(other["clip_head.weight"], text.new_encoders(SMALL).clip_head.weight)
