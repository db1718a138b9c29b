from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL

from rdtf_bench.core.seeds import generator_for
from rdtf_bench.core.video import to_unit
from rdtf_bench.data.reading.decode import decode
from rdtf_bench.diffusion.latents import encode
from rdtf_bench.models.toy import autoencoder, corpus
from rdtf_bench.models.toy.autoencoder import AutoencoderRecipe
from rdtf_bench.models.toy.build import VALIDATION_SCENES
from rdtf_bench.models.toy.card import WEIGHTS
from rdtf_bench.models.toy.corpus import Corpus
from tests.models.toy.cards import read_card

FOLDER = WEIGHTS / "autoencoder"
STICKERS = Path(__file__).parents[4] / "shared" / "stickers"
SMALL = AutoencoderRecipe(
    block_out_channels=(4, 4, 8, 8), num_steps=4, batch_size=2, warmup_steps=1, checkpoint_every=2
)
TOLERANCE_DB = 0.02  # of a mean over clips: convolutions differ in the last bits between machines


def clips(seed: int = 0) -> dict[str, torch.Tensor]:
    return {
        name: torch.randint(0, 256, (3, 2, 3, 64, 64), dtype=torch.uint8, generator=generator_for(seed, name))
        for name in ("toy", "scenes", "fluent")
    }


@pytest.mark.long
def test_the_card_is_what_the_shipped_weights_do_on_unseen_scenes() -> None:
    unseen = corpus.scenes(VALIDATION_SCENES, seed=corpus.SCENES_VALIDATION_SEED)
    found = autoencoder.measure(FOLDER, [unseen])
    assert found["toy-scenes_psnr_db"] == pytest.approx(
        read_card(FOLDER).validation["toy-scenes_psnr_db"], abs=TOLERANCE_DB
    )


@pytest.mark.long
def test_the_card_is_what_the_shipped_weights_do_on_toy_stickers(tmp_path: Path) -> None:
    found = autoencoder.measure(FOLDER, [corpus.toy(tmp_path, split="validation")])
    assert found["toy-asg_psnr_db"] == pytest.approx(read_card(FOLDER).validation["toy-asg_psnr_db"], abs=TOLERANCE_DB)


@pytest.mark.skipif(not STICKERS.is_dir(), reason="real stickers are not here")
def test_real_stickers_of_another_source_come_through() -> None:
    paths = sorted((STICKERS / "noto_animated_160").glob("*.gif"))[::30]
    clips = torch.stack([decode(path, size_px=64, indices=[0, 2]) for path in paths])
    found = Corpus(name="part", clips=clips, captions=("",) * len(clips))
    # the card's figure is of all of the folder's sets; the spread between its clips is 3 dB
    assert autoencoder.measure(FOLDER, [found])["part_psnr_db"] > read_card(FOLDER).validation["stickers_psnr_db"] - 3


def test_the_card_reaches_what_the_scale_needs() -> None:
    figures = read_card(FOLDER).validation
    assert figures["toy-asg_psnr_db"] > 24
    assert figures["fluent_psnr_db"] > 22


def test_the_shipped_network_is_f8_with_four_channels_and_unit_latents() -> None:
    network = AutoencoderKL.from_pretrained(FOLDER, local_files_only=True).eval()
    latents = encode(network, to_unit(corpus.scenes(8, seed=5).clips))
    assert latents.dtype == torch.float32
    assert latents.shape == (8, 8, 4, 8, 8)
    # over the training mixture it is 1; scenes alone fill the frame, so theirs is larger
    assert 0.5 < float(latents.std()) < 2.5


def test_training_is_deterministic_and_resumes_to_the_same_bits(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    quiet = {"on_progress": lambda *_: None}
    expected = autoencoder.train_autoencoder(clips(), SMALL, folder=whole, **quiet)
    (parts / "checkpoint.pt").write_bytes((whole / "checkpoint.pt").read_bytes())  # of step 2
    resumed = autoencoder.train_autoencoder(clips(), SMALL, folder=parts, **quiet)
    for name, tensor in expected.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_a_new_network_passes_colour_straight_through() -> None:
    """Expect two different latents of two flat colours: at first it is linear up to the last norms."""
    network = autoencoder.new_autoencoder(AutoencoderRecipe()).eval()
    red, blue = torch.full((1, 3, 64, 64), -1.0), torch.full((1, 3, 64, 64), -1.0)
    red[:, 0], blue[:, 2] = 1, 1
    with torch.no_grad():
        inner = [network.encoder(colour) for colour in (red, blue)]
    assert float((inner[0] - inner[1])[..., 2:-2, 2:-2].abs().max()) > 0.1


def test_seeding_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    first = autoencoder.new_autoencoder(SMALL)
    assert torch.equal(torch.get_rng_state(), before)
    again, other = autoencoder.new_autoencoder(SMALL), autoencoder.new_autoencoder(replace(SMALL, seed=1))
    weight = first.decoder.conv_in.weight
    assert torch.equal(weight, again.decoder.conv_in.weight)
    assert not torch.equal(weight, other.decoder.conv_in.weight)


def test_frames_are_drawn_in_the_recipe_s_shares() -> None:
    flat = {
        name: torch.full((2, 2, 3, 64, 64), level, dtype=torch.uint8)
        for name, level in (("toy", 0), ("scenes", 100), ("fluent", 255))
    }
    frames = autoencoder.draw_frames(flat, SMALL, generator_for("shares"), count=400)
    assert frames.min() == -1
    assert frames.max() == 1
    share = float((frames[:, 0, 0, 0] == -1).float().mean())
    assert share == pytest.approx(SMALL.shares[0], abs=0.1)  # four standard deviations of 400 draws


def test_psnr_is_pooled_over_a_clip() -> None:
    real = torch.zeros(1, 2, 3, 8, 8, dtype=torch.uint8)
    fake = real.clone()
    fake[:, 0] = 51  # one frame off by a fifth of the range, the other perfect: 10 log10(25 * 2)
    assert float(autoencoder.psnr_db(fake=fake, real=real)) == pytest.approx(16.9897, abs=1e-3)
