import dataclasses
from pathlib import Path

import pytest
import torch

from rdtf_bench.core.store import sha256_of
from rdtf_bench.data.toy import movers as toy_movers
from rdtf_bench.data.toy import scenes as toy_scenes
from rdtf_bench.data.toy import stickers as toy_stickers
from rdtf_bench.metrics.features.clip_networks import load_i3d
from rdtf_bench.metrics.features.i3d import load_reduced, save_reduced
from rdtf_bench.models.toy import i3d
from rdtf_bench.models.toy.card import WEIGHTS
from rdtf_bench.models.toy.i3d import ACTIONS, THINGS, I3DRecipe, Labelled
from tests.models.toy.cards import read_card

FOLDER = WEIGHTS / "i3d"
SMALL = I3DRecipe(width=1 / 16, num_clips=3, num_validation=2, num_steps=4, batch_size=4, batches_of_statistics=2)


def silent(what: str, done: int, total: int) -> None:
    del what, done, total


@pytest.fixture(scope="module")
def few() -> list[Labelled]:
    return i3d.labelled(3, training=True, on_progress=silent)


# ---- the shipped weights


def test_the_shipped_network_is_the_real_class_on_eight_frames() -> None:
    network = load_i3d(FOLDER)
    assert network.yardstick == "toy-i3d"
    assert network.full_name(8) == "toy-i3d, 8>16 repeat, 64 bilinear"
    assert network.num_features == len(ACTIONS) + len(THINGS) == 52
    video = torch.randint(0, 256, (2, 8, 3, 64, 64), generator=torch.Generator().manual_seed(0)).byte()
    found = network(video)
    assert found.shape == (2, 52)
    assert not torch.allclose(found, load_i3d(FOLDER, rule="loop")(video))
    # the batch statistics are the profile's: another epsilon is another network
    assert not torch.allclose(found, load_i3d(FOLDER, profile="videogpt")(video))


@pytest.mark.long
def test_the_card_is_what_the_shipped_weights_do() -> None:
    card, name = read_card(FOLDER), toy_scenes.NAME
    found = i3d.drawn(name, i3d.draws(training=False)[name], card.recipe["num_validation"], silent)
    _, network = load_reduced(FOLDER)
    action, thing = i3d.top1(network.eval(), found)
    # of 100 clips one or two change places between machines
    assert action == pytest.approx(card.validation[f"{name}_action_top1"], abs=0.025)
    assert thing == pytest.approx(card.validation[f"{name}_thing_top1"], abs=0.025)


def test_actions_need_time() -> None:
    """A clip's middle frame, repeated, tells a sticker's action half as often as its frames do."""
    figures = read_card(FOLDER).validation
    assert figures[f"{toy_stickers.NAME}_action_top1"] > 0.9
    assert figures[f"{toy_stickers.NAME}_still_action_top1"] < 0.5


def test_the_weights_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1.5e6


# ---- the recipe


def test_labels_are_those_of_the_captions(few: list[Labelled]) -> None:
    assert [found.name for found in few] == ["toy-asg", "toy-movers", "toy-scenes"]
    draw = toy_stickers.sticker("train", 1, seed=i3d.TRAINING_SEED)
    action, thing = few[0].labels[1].tolist()
    assert (ACTIONS[action], THINGS[thing]) == (draw.action, draw.shape)
    for found, source in zip(few[1:], (toy_movers, toy_scenes), strict=True):
        _, caption = source.clip(2, seed=i3d.TRAINING_SEED)
        action, thing = found.labels[2].tolist()
        assert ACTIONS[action].replace(" {scene}", "") in caption
        assert THINGS[thing] in caption
    assert len(set(ACTIONS)) == len(ACTIONS)
    assert len(set(THINGS)) == len(THINGS)


def test_clips_have_sixteen_frames_that_differ(few: list[Labelled]) -> None:
    for found in few:
        assert found.clips.shape == (3, 16, 3, 64, 64)
        assert int((found.clips.diff(dim=1) != 0).flatten(2).any(2).sum()) == 3 * 15


def test_loss_by_hand() -> None:
    """Logits that say nothing cost the logarithms of both counts; certain ones nothing."""
    labels = torch.tensor([[1, 2]])
    logits = torch.zeros(1, len(ACTIONS) + len(THINGS))
    assert float(i3d.loss(logits, labels)) == pytest.approx(float(torch.tensor([32.0, 20.0]).log().sum()), rel=1e-6)
    logits[0, 1] = logits[0, len(ACTIONS) + 2] = 100.0
    assert float(i3d.loss(logits, labels)) == pytest.approx(0, abs=1e-6)


@pytest.mark.long
def test_an_interrupted_training_ends_in_the_same_bytes(few: list[Labelled], tmp_path: Path) -> None:
    recipe = dataclasses.replace(SMALL, checkpoint_every=2)

    def train(folder: Path, *, stop_at: int | None = None) -> Path:
        folder.mkdir(exist_ok=True)

        def on_step(step: int, _: float) -> None:
            if step == stop_at:
                raise KeyboardInterrupt

        network = i3d.train_i3d(few, recipe, folder=folder, on_step=on_step)
        save_reduced(network, folder, name="x", options=i3d.network_options(recipe))
        return folder / "model.safetensors"

    whole = train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "parts", stop_at=3)
    assert sha256_of(train(tmp_path / "parts")) == sha256_of(whole)


def test_building_writes_a_folder_that_loads(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    card = i3d.build(tmp_path / "i3d", work=tmp_path / "work", recipe=SMALL, on_progress=silent)
    assert set(card.sha256) == {"config.json", "model.safetensors"}
    assert len(card.validation) == 9
    assert load_i3d(tmp_path / "i3d").num_features == 52
