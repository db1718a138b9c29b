import zipfile
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models.video import swin3d_t

from rdtf_bench.core.errors import AssetError, InputError
from rdtf_bench.metrics.features import fast_vqa
from rdtf_bench.metrics.features.fast_vqa import FastVQANetwork, draw_offsets, fragments, normalise


def small(**changes: Any) -> FastVQANetwork:
    """Random weights of visible size; every table matters."""
    options: dict[str, Any] = {
        "embed_dim": 8,
        "depths": (2, 2, 2, 1),
        "num_heads": (1, 2, 2, 2),
        "window": (4, 4, 4),
        "base_size": (8, 64, 64),
        "grid": (2, 2),
    }
    network = FastVQANetwork(**(options | changes)).eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        drawn = torch.randn(parameter.shape, generator=generator)
        parameter.data = drawn / parameter[0].numel() ** 0.5 if parameter.ndim > 1 else 1 + 0.1 * drawn
    return network


def clip(*shape: int, seed: int = 0) -> Float[Tensor, "..."]:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@torch.inference_mode()
def run(network: nn.Module, video: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B 1 t h w"]:
    return network(video)


def test_size_of_the_official_network() -> None:
    with torch.device("meta"):
        network = FastVQANetwork()
    assert sum(parameter.numel() for parameter in network.parameters()) == 28_127_901


def test_equal_tables_make_it_torchvisions_swin() -> None:
    """fragment + distance * (relative - fragment) is the relative bias alone where both tables are equal."""
    network = FastVQANetwork(base_size=(8, 224, 224)).eval()
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, fast_vqa.GatedWindowAttention):
            module.relative_position_bias_table.data.normal_(generator=generator)
            if module.fragment_position_bias_table is not None:
                module.fragment_position_bias_table.data.copy_(module.relative_position_bias_table)
    backbone = network.fragments_backbone
    reference = swin3d_t(weights=None).eval()
    layers: list[nn.Module] = []
    for layer in backbone.layers:
        assert isinstance(layer, fast_vqa.GatedStage)
        layers += [layer.blocks, layer.downsample] if layer.downsample is not None else [layer.blocks]
    reference.patch_embed.load_state_dict(backbone.patch_embed.state_dict())
    for ours, theirs in zip(layers, reference.features, strict=True):
        theirs.load_state_dict(ours.state_dict(), strict=False)
    video = clip(1, 3, 8, 224, 224)
    with torch.inference_mode():
        expected = reference.norm(reference.features(reference.patch_embed(video))).movedim(-1, 1)
        torch.testing.assert_close(backbone(video), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["fragment_position_bias_table", "relative_position_bias_table"])
def test_each_table_matters(name: str) -> None:
    network, video = small(), clip(1, 3, 8, 64, 64)
    before = run(network, video)
    for key, parameter in network.named_parameters():
        if key.endswith(name):
            parameter.data.zero_()
    assert (run(network, video) - before).abs().max() > 1e-2 * before.std()


def test_kept_biases_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    network, made = small(), 0
    compute = fast_vqa.GatedWindowAttention.gated_bias

    def counted(self: fast_vqa.GatedWindowAttention, *given: Any) -> Float[Tensor, "S A N N"]:
        nonlocal made
        made += 1
        return compute(self, *given)

    videos = [clip(1, 3, 8, 64, 64), clip(1, 3, 8, 64, 64, seed=1), clip(1, 3, 4, 32, 64)]
    anew = [run(network, video) for video in videos]
    network.keep_biases()
    monkeypatch.setattr(fast_vqa.GatedWindowAttention, "gated_bias", counted)
    for video, expected in zip(videos, anew, strict=True):
        assert torch.equal(run(network, video), expected)
    assert made == 2 * 7  # once per block and size, not per clip


def test_kept_biases_follow_new_weights_and_stay_out_of_copies() -> None:
    network, other, video = small().keep_biases(), small(), clip(1, 3, 8, 64, 64)
    for parameter in other.parameters():
        parameter.data = parameter.flip(0)
    run(network, video)
    copied = deepcopy(network)
    assert all(m._kept is None for m in copied.modules() if isinstance(m, fast_vqa.GatedWindowAttention))
    assert torch.equal(run(copied, video), run(network, video))
    network.load_state_dict(other.state_dict())
    assert torch.equal(run(network, video), run(other, video))
    assert torch.equal(run(network.double(), video.double()), run(other.double(), video.double()))


def test_swapped_tables_change_the_map() -> None:
    network, video = small(), clip(1, 3, 8, 64, 64)
    before = run(network, video)
    for module in network.modules():
        if isinstance(module, fast_vqa.GatedWindowAttention) and module.fragment_position_bias_table is not None:
            tables = module.relative_position_bias_table, module.fragment_position_bias_table
            tables[0].data, tables[1].data = tables[1].data, tables[0].data
    assert (run(network, video) - before).abs().max() > 1e-2 * before.std()


def test_a_binary_gate_changes_the_map_where_fragments_are_two_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    network, video = small(grid=(8, 8)), clip(1, 3, 8, 64, 64)
    before = run(network, video)
    distance = fast_vqa.fragment_distance
    monkeypatch.setattr(fast_vqa, "fragment_distance", lambda *given: distance(*given).clamp(max=1))
    assert (run(network, video) - before).abs().max() > 1e-2 * before.std()


def test_gate_by_hand() -> None:
    """4x4 tokens, 2x2 fragments of 2x2 tokens, windows of 2x2 shifted by one: the corners of four fragments meet."""
    straight = fast_vqa.fragment_distance((1, 4, 4), (1, 2, 2), (0, 0, 0), (2, 2))
    assert torch.equal(straight, torch.zeros(4, 4, 4))
    shifted = fast_vqa.fragment_distance((1, 4, 4), (1, 2, 2), (0, 1, 1), (2, 2))
    assert torch.equal(shifted[0], torch.tensor([[0.0, 1, 1, 2], [1, 0, 2, 1], [1, 2, 0, 1], [2, 1, 1, 0]]))


def test_shift_regions_by_hand() -> None:
    """Six tokens in windows of 3 shifted by 1: the last window holds two neighbours and one from the other end."""
    regions = fast_vqa.shift_regions((1, 1, 6), (1, 1, 3), (0, 0, 1))
    assert len(set(regions[0].tolist())) == 1
    assert (regions[1] == regions[1][0]).tolist() == [True, True, False]


@pytest.mark.parametrize("tokens", [(4, 8, 8), (2, 4, 12)])
def test_windows_are_put_back_where_they_were(tokens: tuple[int, int, int]) -> None:
    hidden = clip(2, *tokens, 3)
    windows = fast_vqa.partition(hidden, (2, 4, 4))
    assert torch.equal(windows[0, 0], hidden[0, :2, :4, :4].flatten(0, 2))
    assert torch.equal(fast_vqa.unpartition(windows, tokens, (2, 4, 4)), hidden)


def test_a_clip_does_not_feel_its_batch() -> None:
    network, videos = small(), clip(3, 3, 8, 64, 64)
    alone = torch.cat([run(network, video[None]) for video in videos])
    torch.testing.assert_close(run(network, videos), alone, rtol=1e-4, atol=1e-5)  # kernels differ in the last bits


def test_order_of_frames_matters() -> None:
    network, video = small(), clip(1, 3, 8, 64, 64)
    before = run(network, video)
    assert (run(network, video.flip(2)).flip(2) - before).abs().max() > 1e-2 * before.std()


@pytest.mark.parametrize(("frames", "side"), [(8, 224), (5, 160), (16, 96), (32, 32)])
def test_map_has_a_score_every_two_frames_and_32_pixels(frames: int, side: int) -> None:
    network = small(window=(8, 7, 7), base_size=(32, 224, 224), grid=None)
    assert run(network, clip(1, 3, frames, side, side)).shape == (1, 1, -(-frames // 2), side // 32, side // 32)


@pytest.mark.parametrize("shape", [(8, 256, 224), (33, 224, 224), (3, 224, 224)])
def test_an_input_that_no_trained_window_fits_is_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(InputError, match="at most the base size"):
        run(small(window=(8, 7, 7), base_size=(32, 224, 224)), clip(1, 3, *shape))


def test_foreign_weights_are_refused() -> None:
    weights = small().state_dict()
    weights["vqa_head.fc_extra.weight"] = torch.zeros(1)
    with pytest.raises(AssetError, match="fc_extra"):
        small().load_upstream(weights)


# ---- checkpoint files


@pytest.mark.parametrize("number", [np.float64(0.8), np.float32(0.8), np.int64(3)])
def test_a_training_checkpoint_with_numpy_scalars_is_read(tmp_path: Path, number: np.generic) -> None:
    weights = small().state_dict()
    torch.save({"state_dict": weights, "validation_results": (number, 0.7)}, tmp_path / "a.pth")
    read = fast_vqa.read_checkpoint(tmp_path / "a.pth")
    assert all(torch.equal(read[key], value) for key, value in weights.items())


def test_scalars_that_numpy_1_wrote_are_read(tmp_path: Path) -> None:
    """NumPy 2 renamed the module that a pickled scalar names."""
    torch.save({"state_dict": {"weight": torch.ones(2)}, "best": np.float64(0.8)}, tmp_path / "new.pth")
    with zipfile.ZipFile(tmp_path / "new.pth") as new, zipfile.ZipFile(tmp_path / "old.pth", "w") as old:
        contents = {name: new.read(name) for name in new.namelist()}
        (pickled,) = (name for name in contents if name.endswith("data.pkl"))
        assert b"numpy._core.multiarray" in contents[pickled]
        contents[pickled] = contents[pickled].replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
        for name, content in contents.items():
            old.writestr(name, content)
    assert torch.equal(fast_vqa.read_checkpoint(tmp_path / "old.pth")["weight"], torch.ones(2))


class Intruder:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, ("raise SystemExit('code in a checkpoint was run')",)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "extra": Intruder()}, tmp_path / "a.pth")
    with pytest.raises(AssetError, match="weights alone"):
        fast_vqa.read_checkpoint(tmp_path / "a.pth")


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(b"no archive")
    with pytest.raises(AssetError, match=r"a\.pth"):
        fast_vqa.read_checkpoint(tmp_path / "a.pth")
    torch.save({"weight": torch.ones(2)}, tmp_path / "b.pth")
    with pytest.raises(AssetError, match="state_dict"):
        fast_vqa.read_checkpoint(tmp_path / "b.pth")


# ---- fragments


def numbered(height: int, width: int, frames: int = 1) -> Float[Tensor, "1 T H W"]:
    return torch.arange(float(frames * height * width)).view(1, frames, height, width)


def test_fragments_by_hand() -> None:
    """6x6 pixels, a 2x2 grid of cells of 3, fragments of 2: offset 1 skips the first row or column of a cell."""
    down = torch.tensor([[[0], [1]], [[1], [0]]])
    right = torch.tensor([[[1], [0]], [[0], [0]]])
    spliced = fragments(numbered(6, 6), offsets_h=down, offsets_w=right, grid=2, size=2)
    expected = [[1, 2, 9, 10], [7, 8, 15, 16], [24, 25, 21, 22], [30, 31, 27, 28]]
    assert spliced[0, 0].tolist() == expected


def test_groups_of_frames_have_their_own_offsets() -> None:
    down = torch.tensor([[[0, 1]]])
    spliced = fragments(numbered(3, 2, frames=4), offsets_h=down, offsets_w=0 * down, grid=1, size=2, aligned=2)
    assert spliced[0, :, 0, 0].tolist() == [0, 6, 12 + 2, 18 + 2]


def test_frames_of_the_grids_size_are_left_as_they_are() -> None:
    video = torch.randint(0, 256, (3, 8, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    down, right = draw_offsets(64, 64, grid=2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(fragments(video, offsets_h=down, offsets_w=right, grid=2), video.float())


@pytest.mark.parametrize(
    ("frame", "enlarged"), [((128, 128), (224, 224)), ((100, 80), (280, 224)), ((300, 224), (300, 224))]
)
def test_small_frames_are_enlarged_until_they_hold_the_grid(frame: tuple[int, int], enlarged: tuple[int, int]) -> None:
    assert fast_vqa.fits_grid(*frame, grid=7, size=32) == enlarged


def test_the_whole_of_a_small_frame_is_looked_at() -> None:
    video = torch.zeros(1, 1, 16, 16)
    video[..., 12:, 12:] = 255  # the bottom right corner
    down, right = draw_offsets(16, 16, grid=2, generator=torch.Generator().manual_seed(0))
    spliced = fragments(video, offsets_h=down, offsets_w=right, grid=2)
    assert spliced[0, 0, -1, -1] == 255
    assert spliced.mean() == pytest.approx(255 / 16, rel=0.02)


def test_offsets_stay_inside_their_cells_and_come_from_the_generator() -> None:
    draws = [draw_offsets(300, 448, groups=4, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(draws[0][0], draws[1][0])
    assert not torch.equal(draws[0][0], draws[2][0])
    down, right = draws[0]
    assert down.shape == (7, 7, 4)
    assert (int(down.min()), int(down.max())) == (0, 300 // 7 - 32 - 1)
    assert (int(right.min()), int(right.max())) == (0, 448 // 7 - 32 - 1)


def test_offsets_for_other_groups_are_refused() -> None:
    zeros = torch.zeros(2, 2, 1, dtype=torch.long)
    with pytest.raises(InputError, match="multiple of the group"):
        fragments(numbered(64, 64, frames=8), offsets_h=zeros, offsets_w=zeros, grid=2, aligned=4)


def test_normalisation_by_hand() -> None:
    pixel = torch.tensor([123.675 + 58.395, 116.28, 103.53 - 2 * 57.375]).view(1, 3, 1, 1, 1)
    torch.testing.assert_close(normalise(pixel).flatten(), torch.tensor([1.0, 0.0, -2.0]), rtol=0, atol=1e-6)
