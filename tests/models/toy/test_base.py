from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler

from rdtf_bench.assets import registry
from rdtf_bench.baselines.i2vgen_xl.parts import BaseOptions, load_parts
from rdtf_bench.baselines.i2vgen_xl.tuning import mark_known
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.models.toy import base, corpus
from rdtf_bench.models.toy.base import BaseRecipe, Encoded
from rdtf_bench.models.toy.build import BASE_DATA, FVD_CLIPS, base_validation
from rdtf_bench.models.toy.card import WEIGHTS
from tests.models.toy.cards import read_card

FOLDER = WEIGHTS / "base"
PARTS = {
    "autoencoder": WEIGHTS / "autoencoder",
    "text": WEIGHTS / "text_encoder",
    "image": WEIGHTS / "image_encoder",
}
SMALL = BaseRecipe(
    block_out_channels=(4, 8), attention_head_dim=4, norm_num_groups=2, cross_attention_dim=8, num_steps=4,
    batch_size=2, warmup_steps=1, checkpoint_every=2,
)  # fmt: skip


def encoded(count: int = 3, width: int = 8) -> Encoded:
    generator = generator_for("encoded", count)

    def draw(*shape: int) -> Any:
        return torch.randn(shape, generator=generator)

    return Encoded(
        latents=draw(count, 4, 8, 8, 8),
        states=draw(count, 5, width),
        no_caption=draw(1, 5, width),
        embeddings=draw(count, width),
    )


@pytest.fixture(scope="module")
def unseen() -> tuple[corpus.Corpus, Encoded]:
    clips = base_validation()
    return clips, base.encode_clips(clips, **PARTS, recipe=BaseRecipe())


@pytest.mark.long
def test_the_card_s_losses_are_those_of_the_shipped_weights(unseen: tuple[corpus.Corpus, Encoded]) -> None:
    card = read_card(FOLDER).validation
    for name, loss in base.losses_by_band(base.load_base(FOLDER), unseen[1], BaseRecipe()).items():
        assert loss == pytest.approx(card[name], rel=0.01), name  # last bits of convolutions


@pytest.mark.long
def test_the_card_s_scenes_are_those_the_shipped_weights_make(unseen: tuple[corpus.Corpus, Encoded]) -> None:
    card = read_card(FOLDER).validation
    found = base.measure(FOLDER, *unseen, PARTS["autoencoder"], BaseRecipe())
    for name in ("generated_psnr_db", "static_psnr_db", "autoencoder_psnr_db"):
        assert found[name] == pytest.approx(card[name], abs=0.1), name


@pytest.mark.long
def test_the_card_s_fvd_is_that_of_the_shipped_weights() -> None:
    card = read_card(FOLDER).validation
    many = base_validation(FVD_CLIPS)
    given = base.encode_clips(many, **PARTS, recipe=BaseRecipe())
    efficientnet = registry.find("efficientnet_lite0").path
    found = base.fvd_against_static(FOLDER, many, given, PARTS["autoencoder"], efficientnet, BaseRecipe())
    for name, value in found.items():
        assert value == pytest.approx(card[name], rel=0.02), name


def test_the_base_is_better_than_standing_still_on_its_own_domain() -> None:
    card = read_card(FOLDER).validation
    assert card["fvd_minus_static_ci_high"] < 0


def test_the_base_learnt_from_scenes_alone() -> None:
    card = read_card(FOLDER)
    assert card.data == BASE_DATA
    # an untrained network predicts zero, whose loss is the variance of the velocity, about 1
    assert card.validation["loss"] < 0.3


def test_the_scheduler_is_the_release_s() -> None:
    config = DDIMScheduler.from_pretrained(FOLDER / "scheduler", local_files_only=True).config
    assert {name: config[name] for name in base.SCHEDULER} == base.SCHEDULER
    assert float(DDIMScheduler.from_config(config).alphas_cumprod[-1]) == pytest.approx(0, abs=1e-9)


def test_the_base_is_conditioned_as_the_baselines_condition_it() -> None:
    recipe = BaseRecipe()
    images = {"image_encoder": PARTS["image"], "text_encoder": PARTS["text"], "autoencoder": PARTS["autoencoder"]}
    conditioning = BaseOptions(text_tokens=recipe.text_tokens, clip_skip=recipe.clip_skip, fps=recipe.fps)
    parts = load_parts({"base": FOLDER, **images}, conditioning, device=torch.device("cpu"))
    scenes = corpus.scenes(2, seed=7)
    given = base.encode_clips(scenes, **PARTS, recipe=recipe)
    states = parts.encode_captions([*scenes.captions, ""], conditioning)
    torch.testing.assert_close(given.states, states[:2])
    torch.testing.assert_close(given.no_caption, states[2:])
    torch.testing.assert_close(given.embeddings, parts.embed_images(scenes.clips[:, 0].float() / 127.5 - 1))
    known = torch.zeros(2, 8)
    known[:, 0] = 1
    torch.testing.assert_close(base.image_latents(given.latents), mark_known(given.latents, known))
    defaults = BaseOptions()
    assert (conditioning.fps, conditioning.clip_skip) == (defaults.fps, defaults.clip_skip)
    assert recipe.condition_dropout == defaults.condition_dropout


def test_a_new_network_says_zero() -> None:
    clips = encoded()
    out = base.velocity(
        base.new_unet(SMALL), clips.latents, torch.tensor([1, 500, 999]), clips, SMALL, dropped=torch.zeros(3)
    )
    assert out.shape == clips.latents.shape
    # what is left is the bias of the output
    assert float(out.detach().std(dim=(0, 2, 3, 4)).max()) == pytest.approx(0, abs=1e-6)


def test_dropping_withholds_caption_and_embedding_alone() -> None:
    clips, unet = encoded(), base.new_unet(SMALL)
    for parameter in unet.parameters():  # zero layers hide everything
        torch.nn.init.normal_(
            parameter, std=0.2, generator=generator_for("dropping", tuple(parameter.shape).__repr__())
        )
    step = torch.tensor([500, 500, 500])

    def out(given: Encoded, dropped: float) -> Any:
        with torch.no_grad():
            return base.velocity(unet, clips.latents, step, given, SMALL, dropped=torch.full((3,), dropped))

    others = replace(clips, states=clips.states.flip(0), embeddings=clips.embeddings.flip(0))
    assert not torch.allclose(out(clips, 0.0), out(others, 0.0), atol=1e-4)
    torch.testing.assert_close(out(clips, 1.0), out(others, 1.0))


def test_training_resumes_to_the_same_bits(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    losses: list[float] = []
    expected = base.train_base(encoded(), SMALL, folder=whole, on_progress=lambda _d, _t, loss: losses.append(loss))
    assert len(losses) == SMALL.num_steps
    (parts / "checkpoint.pt").write_bytes((whole / "checkpoint.pt").read_bytes())  # of step 2
    resumed = base.train_base(encoded(), SMALL, folder=parts, on_progress=lambda *_: None)
    for name, tensor in expected.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_generation_depends_on_a_clip_s_own_place_and_seed() -> None:
    unet, clips = base.new_unet(SMALL), encoded()
    torch.nn.init.normal_(unet.conv_out.weight, std=0.1, generator=generator_for("out"))
    sampler = replace(base.SAMPLER, num_steps=2, guidance_text=2.0)
    together = base.generate(unet, clips, SMALL, sampler=sampler)
    alone = base.generate(unet, clips.pick([0]), SMALL, sampler=sampler)
    torch.testing.assert_close(together[:1], alone, atol=1e-4, rtol=1e-3)
    assert not torch.allclose(together, base.generate(unet, clips, SMALL, sampler=sampler, seed=1), atol=1e-2)
