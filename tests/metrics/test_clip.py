import json
import math
from collections.abc import Sequence
from pathlib import Path

import open_clip
import pytest
import torch
from jaxtyping import Float, Int64
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torchvision.transforms import functional as vision

from rdtf_bench.core.errors import AssetError, DataError
from rdtf_bench.core.metric import Metric
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.core.video import VideoU8
from rdtf_bench.metrics import clip
from rdtf_bench.metrics.clip import ClipSimilarity, Config, Similarities
from rdtf_bench.metrics.features import open_clip_model

WORDS = ("red", "green", "blue")


class Colours:
    """Embeds a frame as its mean colour and a caption as the colour it names."""

    name = "colours"
    scale = 2.0

    def __call__(self, video: VideoU8) -> Float[Tensor, "B F D"]:
        return torch.nn.functional.normalize(video.float().mean((3, 4)), dim=-1)

    def tokenize(self, captions: Sequence[str]) -> Int64[Tensor, "N L"]:
        return torch.tensor([[WORDS.index(word or "red")] for word in captions])

    def embed_texts(self, tokens: Int64[Tensor, "N L"]) -> Float[Tensor, "N D"]:
        return torch.eye(3)[tokens[:, 0]]


def flat(*colours: tuple[int, int, int]) -> VideoU8:
    """One clip whose frames have these colours."""
    frames = torch.tensor(colours, dtype=torch.uint8)
    return frames[None, :, :, None, None].expand(1, len(colours), 3, 2, 2)


RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


@pytest.fixture
def by_hand() -> Similarities:
    # clips 0 and 2 share a caption; clip 1's own caption is the worst of three in its one informative frame
    cosines = torch.tensor(
        [[[0.9, 0.1, 0.0], [0.5, 0.5, 0.0]], [[0.6, 0.2, 0.3], [0.2, 0.2, 0.2]], [[0.1, 0.4, 0.4], [0.3, 0.2, 0.2]]],
        dtype=torch.float64,
    )
    return Similarities(cosines=cosines, own=torch.tensor([0, 1, 0]), scale=10.0)


def test_every_figure_by_hand(by_hand: Similarities) -> None:
    e = math.exp
    first = (e(9) / (e(9) + e(1) + 1) + e(5) / (2 * e(5) + 1)) / 2
    second = (e(2) / (e(6) + e(2) + e(3)) + 1 / 3) / 2
    third = (e(1) / (e(1) + 2 * e(4)) + e(3) / (e(3) + 2 * e(2))) / 2
    assert clip.clip_candidates(by_hand).tolist() == pytest.approx([first, second, third], rel=1e-12)
    assert clip.clipsim(by_hand).tolist() == pytest.approx([0.7, 0.2, 0.2])
    # means over frames: .7 .3 0 | .4 .2 .25 | .2 .3 .3
    assert clip.ranks(by_hand).tolist() == [1, 3, 3]
    assert clip.recall(by_hand, 1).tolist() == [1, 0, 0]
    assert clip.recall(by_hand, 5).tolist() == [1, 1, 1]
    assert clip.reciprocal_rank(by_hand).tolist() == pytest.approx([1, 1 / 3, 1 / 3])


def test_a_model_that_sees_nothing_ranks_last_and_gives_chance() -> None:
    blind = Similarities(cosines=torch.full((4, 2, 5), 0.2).double(), own=torch.arange(4), scale=100.0)
    assert clip.ranks(blind).tolist() == [5, 5, 5, 5]
    assert clip.clip_candidates(blind).tolist() == pytest.approx([0.2] * 4)


def test_update_and_compute_by_hand() -> None:
    metric = ClipSimilarity(Colours())
    metric.update(torch.cat([flat(RED, RED), flat(GREEN, RED)]), ["red", "green"])
    sure, wrong = math.exp(2) / (math.exp(2) + 1), 1 / (math.exp(2) + 1)
    assert float(metric.compute()) == pytest.approx((sure + (sure + wrong) / 2) / 2, rel=1e-6)


def test_equal_captions_are_one_candidate() -> None:
    metric = ClipSimilarity(Colours())
    metric.update(torch.cat([flat(RED), flat(RED), flat(BLUE)]), ["red", "red", "blue"])
    found = metric.similarities()
    assert found.cosines.shape == (3, 1, 2)
    # two candidates, not three: each clip is as sure as if its caption came once
    assert float(metric.compute()) == pytest.approx(math.exp(2) / (math.exp(2) + 1), rel=1e-6)


def test_merged_states_order_and_batches_do_not_matter() -> None:
    video = torch.cat([flat(RED, BLUE), flat(GREEN, GREEN), flat(BLUE, GREEN), flat(RED, GREEN)])
    captions = ["red", "green", "blue", "red"]
    whole, parts = ClipSimilarity(Colours()), [ClipSimilarity(Colours()) for _ in range(2)]
    whole.update(video, captions)
    parts[0].update(video[2:], captions[2:])
    parts[1].update(video[1:2], captions[1:2])
    parts[1].update(video[:1], captions[:1])
    parts[0].merge_state(parts[1])
    assert float(parts[0].compute()) == pytest.approx(float(whole.compute()), rel=1e-12)


def test_a_samplers_padding_counts_once() -> None:
    video, captions, names = torch.cat([flat(RED, BLUE), flat(GREEN, GREEN)]), ["red", "green"], ["a", "b"]
    once, twice = ClipSimilarity(Colours()), ClipSimilarity(Colours())
    once.update(video, captions, clip_ids=names)
    for _ in range(2):
        twice.update(video[:1], captions[:1], clip_ids=names[:1])
    twice.update(video, captions, clip_ids=names)
    assert len(twice.similarities().own) == 2
    assert float(twice.compute()) == float(once.compute())
    with pytest.raises(DataError, match="2 clips came with 1 ids"):
        twice.update(video, captions, clip_ids=["a"])


def test_score_keeps_all_candidates_while_groups_are_left_out() -> None:
    metric = ClipSimilarity(Colours())
    video = torch.cat([flat(RED), flat(GREEN), flat(RED)])
    captions = ["red", "green", "blue"]
    seen = metric.observe(video, ["a", "b", "c"])
    found = metric.score(fake=seen, real=seen, captions=captions, groups=[0, 1, 2])
    metric.update(video, captions)
    assert found.value == pytest.approx(float(metric.compute()))
    sure, wrong = math.exp(2) / (math.exp(2) + 2), 1 / (math.exp(2) + 2)
    assert found.without_group == pytest.approx(((sure + wrong) / 2, (sure + wrong) / 2, sure), rel=1e-6)
    assert found.n == 3


def test_captions_must_be_there_one_a_clip() -> None:
    metric = ClipSimilarity(Colours())
    video = torch.cat([flat(RED), flat(GREEN)])
    with pytest.raises(DataError, match="2 clips came with 1 captions"):
        metric.update(video, ["red"])
    with pytest.raises(DataError, match="clips 1 have no caption"):
        metric.update(video, ["red", " "])
    with pytest.raises(DataError, match="same caption"):
        metric.score(fake=metric.observe(video, []), real=torch.zeros(2), captions=["red"] * 2, groups=[0, 1])


def test_clips_of_several_lengths_are_refused() -> None:
    metric = ClipSimilarity(Colours())
    metric.update(flat(RED, RED), ["red"])
    metric.update(flat(GREEN, GREEN, GREEN), ["green"])
    with pytest.raises(DataError, match=r"clips of \[2, 3\] frames"):
        metric.compute()


def test_too_few_clips_and_bad_embeddings_are_refused() -> None:
    metric = ClipSimilarity(Colours())
    with pytest.raises(DataError, match="no clips"):
        metric.similarities()
    metric.update(flat(RED), ["red"])
    with pytest.raises(DataError, match="at least 2 clips"):
        metric.compute()
    bad = torch.ones(3, 2, 3)
    bad[1, 0, 0] = math.nan
    with pytest.raises(DataError, match="clip 1 are NaN"):
        metric.score(fake=bad, real=bad, captions=list(WORDS), groups=[0, 1, 2])


MODEL_CFG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small vision transformer in open_clip's layout, with random weights."""
    path = tmp_path_factory.mktemp("models") / "small-vit"
    path.mkdir()
    (path / open_clip_model.CONFIG).write_text(json.dumps({"model_cfg": MODEL_CFG, "preprocess_cfg": {}}))
    network = open_clip.CLIP(**MODEL_CFG)
    save_file(network.state_dict(), path / open_clip_model.WEIGHTS)
    return path


def pixels(count: int, height: int, width: int) -> VideoU8:
    coarse = torch.rand(2, count, 3, height // 8, width // 8, generator=generator_for("pixels", height, width))
    fine = torch.nn.functional.interpolate(coarse.flatten(0, 1), (height, width), mode="bilinear")
    return (fine * 255).byte().view(2, count, 3, height, width)


def test_a_folder_is_read_as_open_clip_reads_it(folder: Path) -> None:
    network, _, prepare = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    model = open_clip_model.load(folder)
    video = pixels(3, 48, 64)
    with torch.inference_mode():
        images = torch.stack([prepare(vision.to_pil_image(frame)) for frame in video.flatten(0, 1)])
        embedded = network.encode_image(images, normalize=True).view(2, 3, -1)
        texts = network.encode_text(tokenizer(["a cat", "two dogs"]), normalize=True)
    # Pillow and torch round a resized byte differently now and then, one level of 255
    torch.testing.assert_close(model(video), embedded, rtol=0, atol=5e-3)
    # torch's attention has another kernel outside of training
    torch.testing.assert_close(model.embed_texts(model.tokenize(["a cat", "two dogs"])), texts, rtol=0, atol=1e-5)
    assert model.scale == pytest.approx(float(network.logit_scale.detach().exp()))
    assert model.name.startswith("small-vit, unverified sha256 ")


@pytest.mark.parametrize(("height", "width"), [(48, 64), (64, 48), (30, 47), (32, 32), (20, 20)])
def test_preparation_is_pillows_resize_and_centre_crop(folder: Path, height: int, width: int) -> None:
    model = open_clip_model.load(folder)
    frame = pixels(1, 8 * (height // 8), 8 * (width // 8))[0, 0, :, :height, :width]
    image = vision.to_pil_image(frame)
    short = min(image.size)
    size = tuple(32 if side == short else int(32 * side / short) for side in image.size)
    image = image.resize(size, Image.Resampling.BICUBIC)
    expected = vision.pil_to_tensor(vision.center_crop(image, [32, 32])).float()
    found = model.pixels(frame[None])[0] * model.std + model.mean
    assert float((found - expected).abs().max()) < 1.01


def test_a_clips_embeddings_are_the_same_bits_in_any_batch(folder: Path) -> None:
    metric = ClipSimilarity(folder)
    video = pixels(4, 32, 32)
    whole = metric.observe(video, [])
    assert whole.shape == (2, 4, 16)
    assert torch.equal(metric.observe(video[1:], []), whole[1:])
    torch.testing.assert_close(whole.norm(dim=-1), torch.ones(2, 4))


def test_it_fulfils_the_contract(folder: Path) -> None:
    metric = clip.build(Config(), assets={"clip": folder}, device=torch.device("cpu"))
    assert isinstance(metric, Metric)
    assert metric.yardstick == metric.model.name
    assert isinstance(metric.model, open_clip_model.OpenClipModel)
    metric.train()
    assert not any(module.training for module in metric.model.modules())


def test_weights_that_do_not_fit_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"no open_clip_config\.json"):
        open_clip_model.load(tmp_path)
    wider = {**MODEL_CFG, "embed_dim": 17}
    (tmp_path / open_clip_model.CONFIG).write_text(json.dumps({"model_cfg": wider}))
    with pytest.raises(AssetError, match="there are no weights"):
        open_clip_model.load(tmp_path)
    for wrong in ("{", json.dumps({"model_cfg": {"embed_dim": 4}})):
        (tmp_path / open_clip_model.CONFIG).write_text(wrong)
        with pytest.raises(AssetError, match=r"do not fit together: .*Give a folder"):
            open_clip_model.load(tmp_path)
    (tmp_path / open_clip_model.CONFIG).write_text(json.dumps({"model_cfg": wider}))
    (tmp_path / open_clip_model.WEIGHTS).write_bytes((folder / open_clip_model.WEIGHTS).read_bytes())
    with pytest.raises(AssetError, match="do not fit"):
        open_clip_model.load(tmp_path)


def test_quick_gelu_against_gelu_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="Use 'ViT-B-32-quickgelu'"):
        open_clip_model.load_pretrained("ViT-B-32", "openai")
    open_clip_model.require_same_activation("ViT-B-32-quickgelu", "openai")
    open_clip_model.require_same_activation("ViT-B-32", "laion2b_s34b_b79k")
    folder = tmp_path / "vit_base_patch32_clip_224.openai"
    folder.mkdir()
    (folder / open_clip_model.CONFIG).write_text(json.dumps({"model_cfg": MODEL_CFG}))
    with pytest.raises(AssetError, match="QuickGELU"):
        open_clip_model.load(folder)


def test_unknown_pairs_are_refused() -> None:
    with pytest.raises(AssetError, match="no weights 'nobody'"):
        open_clip_model.load_pretrained("ViT-B-32", "nobody")


def test_relative_matching_by_hand(by_hand: Similarities) -> None:
    half = Similarities(cosines=by_hand.cosines / 2, own=by_hand.own, scale=by_hand.scale)
    assert clip.relative_matching(fake=half, real=by_hand).tolist() == pytest.approx([0.5] * 3)
    negative = Similarities(cosines=-by_hand.cosines, own=by_hand.own, scale=by_hand.scale)
    with pytest.raises(DataError, match="real clip 0 has no positive cosine"):
        clip.relative_matching(fake=half, real=negative)


def test_figures_are_means_of_one_tensor(by_hand: Similarities) -> None:
    found = clip.figures(by_hand)
    assert found["clip_candidates"] == pytest.approx(float(clip.clip_candidates(by_hand).mean()))
    assert found["clipsim"] == pytest.approx((0.7 + 0.2 + 0.2) / 3)
    assert found["mrr"] == pytest.approx(5 / 9)
    assert [found[f"r@{k}"] for k in (1, 5, 10)] == pytest.approx([1 / 3, 1, 1])


def test_a_score_names_its_candidates() -> None:
    metric = ClipSimilarity(Colours())
    video = torch.cat([flat(RED), flat(GREEN), flat(RED)])
    seen = metric.observe(video, ["a", "b", "c"])
    found = metric.score(fake=seen, real=seen, captions=["red", "green", "red"], groups=[0, 1, 2])
    assert found.name == "clip[colours, 2 candidates, scale 2, n 3]"


def test_without_a_model_it_is_the_embedded_one() -> None:
    assert ClipSimilarity().yardstick == "toy-clip"
