import dataclasses
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL
from jaxtyping import UInt8
from safetensors import safe_open
from torch import Tensor

from rdtf_bench.core.store import sha256_of
from rdtf_bench.data.toy import stickers as toy_stickers
from rdtf_bench.metrics.vqa import WEIGHTS_FILE, Config, FastVQA
from rdtf_bench.models.toy import corpus, fast_vqa
from rdtf_bench.models.toy.card import WEIGHTS
from rdtf_bench.models.toy.corpus import Corpus
from rdtf_bench.models.toy.distortions import DISTORTIONS
from rdtf_bench.models.toy.fast_vqa import FastVQARecipe, Generated, Ladder, draw, ladders, ranking_loss, srocc
from tests.models.toy.cards import LARGEST_BYTES, read_card

FOLDER = WEIGHTS / "vqa"
STICKERS = Path(__file__).parents[4] / "shared" / "stickers"
SMALL = FastVQARecipe(embed_dim=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 1, 1), contents=2, versions=3, num_steps=4)
UNSEEN = ("freeze", "banding")  # said on the card
SEEN = [name for name in (*DISTORTIONS, fast_vqa.GENERATED) if name not in UNSEEN]


@pytest.fixture(scope="module")
def shipped() -> FastVQA:
    return FastVQA(FOLDER)


@pytest.fixture(scope="module")
def autoencoder() -> AutoencoderKL:
    return AutoencoderKL.from_pretrained(WEIGHTS / "autoencoder").eval()


@pytest.fixture(scope="module")
def validation(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Toy stickers that nothing was trained on."""
    folder = tmp_path_factory.mktemp("toy")
    toy_stickers.write(folder / "toy", counts={"validation": 128})
    return corpus.stickers(folder / "toy", name=toy_stickers.NAME, split="validation", data=folder)


def some(count: int, seed: int = 0) -> UInt8[Tensor, "N F C H W"]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 8, 3, 64, 64), dtype=torch.uint8, generator=generator)


def first(found: Corpus, count: int) -> Corpus:
    return dataclasses.replace(found, clips=found.clips[:count], captions=found.captions[:count])


# ---- the shipped weights


@pytest.mark.parametrize("name", SEEN)
def test_the_mean_score_falls_with_each_level_of_what_it_sees(
    shipped: FastVQA, autoencoder: AutoencoderKL, validation: Corpus, name: str
) -> None:
    ladder = ladders(shipped, first(validation, 12), autoencoder, [name])[name]
    # three levels: strengths 0, 0.5 and 1 against none
    means = [float(ladder.raw[level].mean()) for level in (0, 1, 3, 5)]
    assert all(worse < better for better, worse in pairwise(means)), means


@pytest.mark.long
def test_the_card_is_what_the_shipped_weights_do(
    shipped: FastVQA, autoencoder: AutoencoderKL, validation: Corpus
) -> None:
    found = fast_vqa.spread(validation, fast_vqa.MEASURED_CLIPS)
    ladder = ladders(shipped, found, autoencoder, ("warp",))["warp"]
    # of 384 scores a few change places between machines
    assert srocc([ladder]) == pytest.approx(read_card(FOLDER).validation[f"{found.name}_warp_srocc"], abs=0.005)


def test_files_are_those_of_the_card() -> None:
    card = read_card(FOLDER)
    for name, digest in card.sha256.items():
        assert sha256_of(FOLDER / name) == digest
        assert (FOLDER / name).stat().st_size < LARGEST_BYTES
    with safe_open(FOLDER / WEIGHTS_FILE, framework="pt") as weights:
        assert all(weights.get_tensor(key).dtype == torch.float32 for key in weights.keys())  # noqa: SIM118


def test_the_tiny_scales_yardstick(shipped: FastVQA) -> None:
    assert shipped.yardstick == "toy-fast-vqa 8f 2x2"
    assert Config() == Config(network="toy-fast-vqa", num_frames=8, grid=2, draws=1)


def test_a_good_clip_scores_above_half_and_a_broken_one_below(shipped: FastVQA, validation: Corpus) -> None:
    ids = [str(i) for i in range(8)]
    good = shipped.per_clip(shipped.observe(validation.clips[:8], ids))
    broken = shipped.per_clip(shipped.observe(some(8), ids))
    assert good.mean() > 0.6
    assert broken.mean() < 0.3


# ---- the recipe


def test_loss_by_hand() -> None:
    """Perfect order costs nothing, the exact reverse 1 plus the mean gap of pairs in the wrong order."""
    target = torch.tensor([0.0, 1.0])
    assert float(ranking_loss(7 * target + 3, target, 0.3)) == pytest.approx(0, abs=1e-4)
    # normalised to -1 and 1: (1 - -1) / 2 + 0.3 * (0 + 2 + 2 + 0) / 4
    assert float(ranking_loss(-target, target, 0.3)) == pytest.approx(1.3, abs=1e-3)


def test_rank_correlation_by_hand() -> None:
    ladder = Ladder(raw=torch.tensor([[3.0, 4.0], [2.0, 1.0]]), qualities=(1.0, 0.5))
    # ranks of scores 2 3 1 0 against 2.5 2.5 0.5 0.5: covariance 4 of roots 5 and 4
    assert srocc([ladder]) == pytest.approx(4 / 20**0.5)
    upside_down = dataclasses.replace(ladder, raw=-ladder.raw)
    assert srocc([upside_down]) == pytest.approx(-4 / 20**0.5)


def test_a_pristine_clip_counts_once_over_all_faults() -> None:
    ladder = Ladder(raw=torch.tensor([[3.0], [2.0]]), qualities=(1.0, 0.5))
    other = Ladder(raw=torch.tensor([[3.0], [1.0]]), qualities=(1.0, 0.2))
    assert srocc([ladder, other]) == pytest.approx(1.0)


def test_batches_hold_versions_of_few_clips_and_depend_on_the_generator_alone() -> None:
    generated = Generated(clips=some(2, seed=1), qualities=(0.8, 0.3))
    batches = [draw([some(3)], generated, SMALL, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    (video, target), (again, _), (other, _) = batches
    assert video.shape == (6, 8, 3, 64, 64)
    assert torch.equal(video, again)
    assert not torch.equal(video, other)
    assert ((target > 0) & (target <= 1)).all()


def test_what_is_untouched_has_full_quality() -> None:
    recipe = dataclasses.replace(SMALL, pristine_share=1.0, recolour=0.0)
    clips = some(1)
    video, target = draw([clips], Generated(clips=clips, qualities=(0.5,)), recipe, torch.Generator().manual_seed(0))
    assert (target == 1).all()
    assert all(torch.equal(clip, clips[0]) or torch.equal(clip, clips[0].flip(-1)) for clip in video)


def test_an_interrupted_training_ends_in_the_same_weights(tmp_path: Path) -> None:
    recipe = dataclasses.replace(SMALL, checkpoint_every=2)
    clips, generated = [some(4)], Generated(clips=some(2, seed=1), qualities=(0.8, 0.3))

    def stop(step: int, loss: float) -> None:
        del loss
        if step == 2:
            raise KeyboardInterrupt

    def go_on(step: int, loss: float) -> None:
        del step, loss

    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with pytest.raises(KeyboardInterrupt):
        fast_vqa.train_fast_vqa(clips, generated, recipe, folder=tmp_path / "a", on_step=stop)
    resumed = fast_vqa.train_fast_vqa(clips, generated, recipe, folder=tmp_path / "a", on_step=go_on)
    whole = fast_vqa.train_fast_vqa(clips, generated, recipe, folder=tmp_path / "b", on_step=go_on)
    for name, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value)


def test_a_finished_folder_is_scaled_to_its_first_set(
    tmp_path: Path, autoencoder: AutoencoderKL, validation: Corpus
) -> None:
    found, network = first(validation, 1), fast_vqa.new_network(SMALL).eval()
    fast_vqa.finish(tmp_path, network, SMALL, autoencoder, [found])
    measured = ladders(FastVQA(tmp_path), found, autoencoder)
    rescaled = [FastVQA(tmp_path).per_clip(ladder.raw.flatten()[:, None]) for ladder in measured.values()]
    assert float(torch.logit(torch.cat(rescaled)).mean()) == pytest.approx(0, abs=1e-3)
    assert float(torch.logit(torch.cat(rescaled)).std()) == pytest.approx(1, abs=1e-3)


@pytest.mark.long
@pytest.mark.skipif(not STICKERS.is_dir(), reason="real stickers are not here")
def test_the_card_is_what_the_shipped_weights_do_on_real_stickers(
    shipped: FastVQA, autoencoder: AutoencoderKL, tmp_path: Path
) -> None:
    found = corpus.stickers(STICKERS, name="stickers", split=None, data=tmp_path)
    spread = fast_vqa.spread(found, fast_vqa.MEASURED_CLIPS)
    ladder = ladders(shipped, spread, autoencoder, ("blotches",))["blotches"]
    assert srocc([ladder]) == pytest.approx(read_card(FOLDER).validation["stickers_blotches_srocc"], abs=0.005)
