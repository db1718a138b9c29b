from pathlib import Path
from typing import Any

import pytest
import torch
from jaxtyping import Float, UInt8
from safetensors.torch import save_file
from torch import Tensor, nn

from rdtf_bench.core.errors import AssetError, DataError, UnknownNameError
from rdtf_bench.metrics.features import i3d
from rdtf_bench.metrics.features.i3d import I3D, extend, resize


def small(**options: Any) -> I3D:
    """A 16th of the channels on 32 px, random weights of visible size."""
    network = I3D(5, **{"width": 1 / 16, "size_px": 32, **options}).eval()
    generator = torch.Generator().manual_seed(0)
    for name, value in network.state_dict().items():
        if value.ndim > 1:
            value.normal_(std=2 / value[0].numel() ** 0.5, generator=generator)
        elif name.endswith(("bias", "running_mean")):
            value.normal_(std=0.1, generator=generator)
    return network


def clip(frames: int, seed: int = 0, size_px: int = 32) -> Float[Tensor, "1 C T H W"]:
    return torch.rand(1, 3, frames, size_px, size_px, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@torch.inference_mode()
def run(network: nn.Module, video: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B K"]:
    return network(video)


def test_size_of_the_official_network() -> None:
    with torch.device("meta"):
        network = I3D()
        assert network.step_logits(torch.empty(1, 3, 17, 224, 224)).shape == (1, 400, 2)
    # 12.3 M of the trunk and 1024 * 400 + 400 of the classifier, counted from pytorch-i3d's shapes
    assert sum(parameter.numel() for parameter in network.parameters()) == 12_697_264


@pytest.mark.parametrize(("size", "kernel", "stride", "expected"), [(4, 7, 2, 2), (5, 3, 2, 3), (6, 2, 2, 3)])
def test_same_padding_by_hand(size: int, kernel: int, stride: int, expected: int) -> None:
    padded = i3d.pad_same(torch.ones(1, 1, size, 1, 1), (kernel, 1, 1), (stride, 1, 1))[0, 0, :, 0, 0]
    assert (len(padded) - kernel) // stride + 1 == expected
    before, after = int(padded.argmax()), int(padded.flip(0).argmax())
    assert 0 <= after - before <= 1  # an odd pad goes to the end


def test_seventeen_frames_are_two_steps_and_their_mean() -> None:
    network, video = small(), clip(17)
    with torch.inference_mode():
        steps = network.step_logits(video)
    assert steps.shape == (1, 5, 2)
    assert not torch.allclose(steps[..., 0], steps[..., 1])
    torch.testing.assert_close(run(network, video), steps.mean(2))


def test_eight_frames_need_a_rule() -> None:
    with pytest.raises(DataError, match=r"at least 9 frames per clip; these clips have 8.*repeat, loop"):
        run(small(), clip(8))
    assert run(small(), clip(9)).shape == (1, 5)
    assert run(small(pool_steps=1), clip(8)).shape == (1, 5)


def test_one_step_at_a_time_changes_nothing_for_sixteen_frames() -> None:
    # pooling, classifier and mean are linear, so two steps pooled together are their mean
    torch.testing.assert_close(run(small(pool_steps=1), clip(16)), run(small(), clip(16)), rtol=1e-4, atol=1e-5)


def test_frames_of_another_size_are_refused() -> None:
    with pytest.raises(DataError, match="32x32 px; these are 64x64"):
        run(small(), clip(9, size_px=64))


def test_order_of_frames_and_epsilon_matter() -> None:
    video = clip(16)
    found = run(small(), video)
    assert (run(small(), video.flip(2)) - found).abs().max() > 1e-3
    assert (run(small(epsilon=1e-1), video) - found).abs().max() > 1e-3


# ---- frames


def test_tensorflow_1_reads_at_the_corner() -> None:
    # 4 -> 3: places 0, 4/3, 8/3
    row = torch.tensor([0.0, 3, 6, 9]).expand(1, 1, 4, 4)
    assert i3d.tensorflow_1_bilinear(row, 3)[0, 0, 0].tolist() == pytest.approx([0, 4, 8], abs=1e-5)
    # 2 -> 4: places 0, .5, 1, 1.5, the last beyond the border
    assert i3d.tensorflow_1_bilinear(row[..., :2, :2], 4)[0, 0, 0].tolist() == pytest.approx([0, 1.5, 3, 3])


def test_a_wide_frame_is_squashed_or_cropped() -> None:
    frame = torch.zeros(3, 2, 240, 480, dtype=torch.uint8)
    frame[..., 120:360] = 255  # the middle square
    cropped, squashed, reference = (resize(frame, profile=name) for name in ("videogpt", "styleganv", "reference"))
    assert cropped.shape == squashed.shape == reference.shape == (3, 2, 224, 224)
    assert cropped.min() == 1
    assert float(squashed.mean()) == pytest.approx(0, abs=0.01)
    assert float(squashed.min()) == float(reference.min()) == -1


def test_an_unknown_profile_and_rule_are_refused() -> None:
    video = torch.zeros(3, 8, 32, 32, dtype=torch.uint8)
    with pytest.raises(UnknownNameError, match="Did you mean 'reference'"):
        resize(video, profile="referenc")
    with pytest.raises(UnknownNameError, match="Did you mean 'repeat'"):
        extend(video, rule="repeats")


def numbered(frames: int) -> UInt8[Tensor, "1 T 1 1"]:
    return torch.arange(frames, dtype=torch.uint8).view(1, frames, 1, 1)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("repeat", [0, 0, 1, 1, 2, 2, 3, 3]),
        ("loop", [0, 1, 2, 3, 0, 1, 2, 3]),
        ("pingpong", [0, 1, 2, 3, 2, 1, 0, 1]),
        ("linear", [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]),  # at (i + 0.5) / 2 - 0.5
        ("pool1", [0, 1, 2, 3]),
        ("none", [0, 1, 2, 3]),
    ],
)
def test_rules_by_hand(rule: str, expected: list[float]) -> None:
    assert extend(numbered(4), rule=rule, num_frames=8).flatten().tolist() == expected
    assert extend(numbered(9), rule=rule, num_frames=8).flatten().tolist() == list(range(9))


def test_repeat_spreads_what_does_not_divide() -> None:
    assert extend(numbered(6), rule="repeat").flatten().tolist() == [i * 6 // 16 for i in range(16)]


def test_linear_blends_each_pixel_alone() -> None:
    video = torch.randint(0, 256, (3, 8, 2, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    found = extend(video, rule="linear")
    assert found.shape == (3, 16, 2, 5)
    expected = 0.75 * video[2, 3, 1, 4].float() + 0.25 * video[2, 4, 1, 4].float()
    assert float(found[2, 7, 1, 4]) == pytest.approx(float(expected), abs=1e-4)


# ---- files


def test_files_of_weights_are_read(tmp_path: Path) -> None:
    expected = I3D().state_dict()
    without_counts = {key: value for key, value in expected.items() if not key.endswith("num_batches_tracked")}
    torch.save(expected, tmp_path / "a.pt")
    torch.save({"state_dict": without_counts}, tmp_path / "b.pth")
    save_file(without_counts, tmp_path / "c.safetensors")
    for name in ("a.pt", "b.pth", "c.safetensors"):
        assert torch.equal(
            i3d.load(tmp_path / name).state_dict()["logits.conv3d.weight"], expected["logits.conv3d.weight"]
        )


def test_other_weights_are_refused(tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.ones(2)}, tmp_path / "a.pt")
    with pytest.raises(AssetError, match=r"not the weights of this I3D network.*conv1\.weight"):
        i3d.load(tmp_path / "a.pt")
    (tmp_path / "b.pt").write_bytes(b"<html>404</html>")
    with pytest.raises(AssetError, match=r"b\.pt: cannot be read"):
        i3d.load(tmp_path / "b.pt")
    torch.save({**I3D().state_dict(), "logits.conv3d.bias": torch.ones(600)}, tmp_path / "d.pt")
    with pytest.raises(AssetError, match=r"1 faults, such as logits\.conv3d\.bias has shape \(600,\), not \(400,\)"):
        i3d.load(tmp_path / "d.pt")
    torch.save([torch.ones(2)], tmp_path / "c.pt")
    with pytest.raises(AssetError, match="dictionary of tensors"):
        i3d.load(tmp_path / "c.pt")


class Intruder:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, ("raise SystemExit('code in a checkpoint was run')",)


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    torch.save({"weights": Intruder()}, tmp_path / "a.pt")
    with pytest.raises(AssetError, match="weights alone"):
        i3d.load(tmp_path / "a.pt")


class AsStyleGanV(nn.Module):
    """The signature of the program in StyleGAN-V's file."""

    def __init__(self) -> None:
        super().__init__()
        self.classifier = nn.Linear(3, 400)

    def forward(
        self, x: torch.Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False
    ) -> torch.Tensor:
        if rescale:
            x = 2 * x / 255 - 1
        if resize:
            x = x[:, :, :, :224, :224]
        found = self.classifier(x.mean([2, 3, 4]))
        return found if return_features else found.softmax(1)


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")
def test_the_torchscript_file_of_styleganv_is_read(tmp_path: Path) -> None:
    network = AsStyleGanV()
    torch.jit.script(network).save(tmp_path / "i3d_torchscript.pt")  # type: ignore[no-untyped-call]
    loaded = i3d.load(tmp_path / "i3d_torchscript.pt")
    video = clip(9, size_px=224)
    torch.testing.assert_close(run(loaded, video), network(video, return_features=True).detach())
    with pytest.raises(AssetError, match="TorchScript file's network is fixed"):
        i3d.load(tmp_path / "i3d_torchscript.pt", epsilon=1e-5)


# ---- a reduced network's folder


def test_a_reduced_network_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    network = small()
    i3d.save_reduced(network, tmp_path, name="small", options={"num_classes": 5, "width": 1 / 16, "size_px": 32})
    name, loaded = i3d.load_reduced(tmp_path)
    assert name == "small"
    assert torch.equal(run(loaded.eval(), clip(9)), run(network, clip(9)))
    _, other = i3d.load_reduced(tmp_path, epsilon=1e-1, pool_steps=1)
    assert run(other.eval(), clip(8)).shape == (1, 5)
    assert not torch.equal(run(other.eval(), clip(9)), run(network, clip(9)))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ('{"name": "x"}', r"config\.json: is not the description of a reduced I3D.*network"),
        ('{"name": "x", "network": {"breadth": 1}}', "breadth"),
        ('{"name": "", "network": {"num_classes": 5, "width": 0.0625, "size_px": 32}}', "has no name"),
        ('{"name": "x", "network": {"num_classes": 6, "width": 0.0625, "size_px": 32}}', r"shape \(5,\), not \(6,\)"),
        ("not JSON", "JSONDecodeError"),
    ],
)
def test_a_folder_that_is_no_reduced_network_is_refused(tmp_path: Path, config: str, said: str) -> None:
    i3d.save_reduced(small(), tmp_path, name="small", options={})
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(AssetError, match=said):
        i3d.load_reduced(tmp_path)


def test_width_scales_every_channel_and_no_name() -> None:
    with torch.device("meta"):
        full, half = I3D(), I3D(width=0.5)
    assert list(full.state_dict()) == list(half.state_dict())
    for key, value in half.state_dict().items():
        if key.endswith("bn.weight"):
            assert 2 * len(value) == len(full.state_dict()[key])
