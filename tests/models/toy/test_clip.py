import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from rdtf_bench.core.seeds import generator_for
from rdtf_bench.data.toy import stickers as toy_stickers
from rdtf_bench.metrics.clip import ClipSimilarity
from rdtf_bench.metrics.features import efficientnet
from rdtf_bench.metrics.features.open_clip_model import WEIGHTS, OpenClipModel, load
from rdtf_bench.models.toy import clip, corpus
from rdtf_bench.models.toy.card import WEIGHTS as TOY_WEIGHTS
from rdtf_bench.models.toy.clip import Cached, ClipRecipe, contrastive_loss, new_clip, retrieval, train_clip
from tests.models.toy.cards import LARGEST_BYTES, read_card

FOLDER = TOY_WEIGHTS / "clip"
STICKERS = Path(__file__).parents[4] / "shared" / "stickers"
SMALL = ClipRecipe(num_steps=4, batch_size=8, warmup_steps=1, checkpoint_every=2)


@pytest.fixture(scope="module")
def shipped() -> ClipSimilarity:
    return ClipSimilarity(load(FOLDER))


def network_of(metric: ClipSimilarity) -> Any:
    assert isinstance(metric.model, OpenClipModel)
    return metric.model.network


def cached(count: int, name: str) -> Cached:
    generator = generator_for(name)
    tokens = torch.zeros(count, SMALL.context_length, dtype=torch.long)
    tokens[:, :3] = torch.stack(
        [
            torch.full((count,), 49406),
            torch.randint(1, 40_000, (count,), generator=generator),
            torch.full((count,), 49407),
        ]
    ).T
    return Cached(features=torch.rand(count, 8, 1280, generator=generator), tokens=tokens)


@pytest.mark.long
def test_the_card_is_what_the_shipped_weights_do_on_toy_stickers(shipped: ClipSimilarity, tmp_path: Path) -> None:
    toy_stickers.write(tmp_path / "toy", counts={"validation": 128})
    found = corpus.stickers(tmp_path / "toy", name=toy_stickers.NAME, split="validation", data=tmp_path)
    card = read_card(FOLDER).validation
    figures = retrieval(shipped, found)
    for name, value in figures.items():
        # a clip of 128 may tip over between machines
        assert value == pytest.approx(card[f"{toy_stickers.NAME}_{name}"], abs=1 / 128 + 1e-4), name
    assert figures["r_at_1"] > 50 * figures["chance"]


@pytest.mark.long
@pytest.mark.skipif(not STICKERS.is_dir(), reason="real stickers are not here")
def test_real_stickers_are_found_far_above_chance(shipped: ClipSimilarity, tmp_path: Path) -> None:
    # every seventh, by links: checking and decoding all that the card was measured on takes a minute
    lines = (STICKERS / "metadata.jsonl").read_text(encoding="utf-8").splitlines()[::7]
    part = tmp_path / "part"
    for name in (json.loads(line)["file_name"] for line in lines):
        (part / name).parent.mkdir(parents=True, exist_ok=True)
        (part / name).symlink_to(STICKERS / name)
    (part / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = corpus.stickers(part, name="stickers", split=None, data=tmp_path)
    assert len(found) > 100
    figures = retrieval(shipped, found)
    assert figures["r_at_1"] > 5 * figures["chance"]
    assert figures["candidates"] > 5 * figures["chance"]


def test_the_shipped_file_is_small_and_without_the_trunk(shipped: ClipSimilarity) -> None:
    values = load_file(FOLDER / WEIGHTS)
    assert (FOLDER / WEIGHTS).stat().st_size < LARGEST_BYTES
    assert not [name for name in values if name.startswith("visual.trunk.")]
    assert {value.dtype for value in values.values()} == {torch.float16}
    trunk = network_of(shipped).visual.trunk
    expected = efficientnet.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in trunk.state_dict().items())
    assert {parameter.dtype for parameter in trunk.parameters()} == {torch.float32}


def test_cached_features_lead_to_the_same_embedding_as_frames(shipped: ClipSimilarity) -> None:
    generator = generator_for("frames")
    video = torch.randint(0, 256, (1, 4, 3, 64, 64), generator=generator, dtype=torch.uint8)
    features = efficientnet.load().features(video[0], size_px=64, after_head=True)
    network = network_of(shipped)
    with torch.inference_mode():
        embedded = torch.nn.functional.normalize(network.visual.head(features), dim=-1)
    torch.testing.assert_close(shipped.observe(video, ["a"])[0], embedded, rtol=0, atol=1e-4)


def test_saved_and_read_again(tmp_path: Path) -> None:
    network = new_clip(SMALL)
    clip.save(network, SMALL, tmp_path)
    found = load(tmp_path)
    assert found.name == "toy-clip"
    trained = clip.trained_parameters(network)
    read = dict(found.network.named_parameters())
    # float16 keeps 11 bits
    assert all(torch.allclose(read[name], value, rtol=1e-3, atol=1e-6) for name, value in trained.items())


def test_training_learns_and_is_the_same_twice(tmp_path: Path) -> None:
    sets = {"toy": cached(16, "toy"), "fluent": cached(12, "fluent")}
    losses: tuple[list[float], list[float]] = ([], [])
    recipe = ClipRecipe(num_steps=12, batch_size=8, warmup_steps=1, feature_noise=0.0, checkpoint_every=100)
    for place, seen in enumerate(losses):
        folder = tmp_path / str(place)
        folder.mkdir()

        def remember(step: int, loss: float, seen: list[float] = seen) -> None:
            del step
            seen.append(loss)

        trained = train_clip(sets, recipe, folder=folder, on_step=remember)
    assert losses[0] == losses[1]
    assert sum(losses[0][-3:]) < sum(losses[0][:3])
    before = efficientnet.state_dict()
    assert all(torch.equal(value, before[name]) for name, value in trained.visual.trunk.state_dict().items())


def test_loss_merges_equal_captions_by_hand() -> None:
    network = new_clip(SMALL)
    found = cached(3, "loss")
    tokens = found.tokens[[0, 1, 0]]
    features = found.features[:, 0]
    images = torch.nn.functional.normalize(network.visual.head(features), dim=-1)
    texts = network.encode_text(found.tokens[:2], normalize=True)
    logits = network.logit_scale.exp() * images @ texts.T
    to_text = -(logits[0].log_softmax(0)[0] + logits[1].log_softmax(0)[1] + logits[2].log_softmax(0)[0]) / 3
    first, second = logits.T.log_softmax(1)
    to_image = -((first[0] + first[2]) / 2 + second[1]) / 2
    torch.testing.assert_close(contrastive_loss(network, features, tokens), (to_text + to_image) / 2)


def test_other_seeds_make_other_weights() -> None:
    one, same, other = (new_clip(ClipRecipe(seed=seed)).text.token_embedding.weight for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
