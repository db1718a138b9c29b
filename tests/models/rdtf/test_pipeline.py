"""The diffusers pipeline: the same clips as the benchmark's method, saved, loaded, and asked for what cannot be."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate.hooks import CpuOffload
from diffusers.utils import export_to_gif
from PIL import Image
from torch import nn

from rdtf_bench.core.errors import BenchError, InputError, SamplingError
from rdtf_bench.core.method import Conditions, Sampler
from rdtf_bench.core.video import to_uint8
from rdtf_bench.models.rdtf import RDTFPipeline
from rdtf_bench.models.rdtf import pipeline as module
from rdtf_bench.models.rdtf.method import build
from rdtf_bench.models.rdtf.pipeline import RDTFPipelineOutput
from tests.models.rdtf.small import CONFIG

SIZE_PX = 16
SAMPLER = Sampler(num_steps=2, timestep_spacing="trailing", eta=1.0, guidance_text=2.0, guidance_image=3.0)


@pytest.fixture(scope="module")
def pipeline(assets: dict[str, Path]) -> RDTFPipeline:
    return new_pipeline(assets)


def new_pipeline(assets: dict[str, Path]) -> RDTFPipeline:
    return build(CONFIG, assets=assets, device=torch.device("cpu")).pipeline(size_px=SIZE_PX, sampler=SAMPLER)


def picture(seed: int = 0, size_px: int = SIZE_PX, mode: str = "RGB") -> Image.Image:
    pixels = torch.randint(256, (size_px, size_px, 3), generator=torch.Generator().manual_seed(seed))
    return Image.fromarray(pixels.to(torch.uint8).numpy()).convert(mode)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def made_by(pipeline: RDTFPipeline, **asked: Any) -> Any:
    """One entry a prompt."""
    output = pipeline(**asked)
    assert isinstance(output, RDTFPipelineOutput)
    return output.frames


def pixels(frames: list[Image.Image]) -> torch.Tensor:
    return torch.stack([torch.from_numpy(np.asarray(frame).copy()) for frame in frames]).int()


def test_gives_the_methods_clips(assets: dict[str, Path], pipeline: RDTFPipeline) -> None:
    method = build(CONFIG, assets=assets, device=torch.device("cpu"))
    known = torch.tensor([[1.0, 0, 0, 0, 0, 0, 0, 0]])
    frames = torch.zeros(1, 8, 3, SIZE_PX, SIZE_PX)
    frames[0, 0] = pixels([picture()])[0].movedim(-1, 0) / 127.5 - 1
    given = Conditions(clip_ids=("a",), captions=("red up",), frames=frames, known=known)
    expected = to_uint8(method.generate(given, [seeded()], SAMPLER))[0].movedim(1, -1)
    made = made_by(pipeline, prompt="red up", image=picture(), generator=seeded())[0]
    assert (pixels(made) - expected).abs().max() <= 1  # diffusers rounds in float


def test_the_first_k_frames_come_back_and_make_a_looping_gif(pipeline: RDTFPipeline, tmp_path: Path) -> None:
    whole = made_by(pipeline, prompt="red up", image=picture(), generator=seeded())[0]
    first = made_by(pipeline, prompt="red up", image=picture(), num_frames=5, generator=seeded())[0]
    assert (len(whole), len(first)) == (8, 5)
    torch.testing.assert_close(pixels(first), pixels(whole)[:5])
    path = export_to_gif(first, str(tmp_path / "sticker.gif"))
    with Image.open(path) as gif:
        assert (gif.info["loop"], gif.size) == (0, (SIZE_PX, SIZE_PX))


def test_saved_and_loaded_it_makes_the_same(pipeline: RDTFPipeline, tmp_path: Path) -> None:
    pipeline.save_pretrained(tmp_path)
    again = RDTFPipeline.from_pretrained(tmp_path)
    asked: dict[str, Any] = {"prompt": "blue down", "output_type": "pt"}
    expected = made_by(pipeline, **asked, generator=seeded())
    for name in ("unet", "vae", "text_encoder", "text_encoder_2"):
        weights = getattr(again, name).state_dict()
        assert all(torch.equal(weights[key], weight) for key, weight in getattr(pipeline, name).state_dict().items())
    # loaded weights lie at other addresses in memory, for which a BLAS may take another kernel; pixels are in 0..1
    torch.testing.assert_close(made_by(again, **asked, generator=seeded()), expected, rtol=0, atol=1e-4)
    assert expected.shape == (1, 8, 3, SIZE_PX, SIZE_PX)
    assert (again.config.clip_length, again.config.num_inference_steps) == (10, 2)


def test_in_half_precision_it_makes_about_the_same(pipeline: RDTFPipeline, tmp_path: Path) -> None:
    pipeline.save_pretrained(tmp_path)
    half = RDTFPipeline.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert {half.unet.dtype, half.vae.dtype, half.text_encoder.dtype} == {torch.bfloat16}
    asked: dict[str, Any] = {"prompt": "blue down", "image": picture(), "output_type": "pt"}
    expected = made_by(pipeline, **asked, generator=seeded())
    made = made_by(half, **asked, generator=seeded())
    assert made.dtype == torch.float32
    # bfloat16 has 8 bits: a level of 256 at each rounding, of which there are many
    assert (made - expected).abs().mean() < 4 / 256


def test_with_offloading_each_network_is_fetched_before_it_is_called(
    assets: dict[str, Path], pipeline: RDTFPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    pre_forward = CpuOffload.pre_forward

    def noted(hook: CpuOffload, module: nn.Module, *given: Any, **options: Any) -> Any:
        fetched.append(type(module).__name__)
        return pre_forward(hook, module, *given, **options)

    monkeypatch.setattr(CpuOffload, "pre_forward", noted)
    offloading = new_pipeline(assets)
    offloading.enable_model_cpu_offload(device="cpu")
    asked: dict[str, Any] = {"prompt": "blue down", "image": picture(), "output_type": "pt"}
    made = made_by(offloading, **asked, generator=seeded())
    torch.testing.assert_close(made, made_by(pipeline, **asked, generator=seeded()), rtol=0, atol=0)
    # the frame; both captions, the empty one too; their keys, then two steps; the clip
    texts = ["CLIPTextModel", "T5EncoderModel"] * 2
    assert fetched == ["AutoencoderKL", *texts, *["DFGN"] * 2, *["DFGN"] * SAMPLER.num_steps, "AutoencoderKL"]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("how", ["enable_model_cpu_offload", "enable_sequential_cpu_offload"])
def test_offloading_runs_on_a_gpu(assets: dict[str, Path], pipeline: RDTFPipeline, how: str) -> None:
    offloading = new_pipeline(assets)
    getattr(offloading, how)()
    asked: dict[str, Any] = {"prompt": "blue down", "image": picture(), "output_type": "pt"}
    expected = made_by(pipeline, **asked, generator=seeded())
    torch.testing.assert_close(made_by(offloading, **asked, generator=seeded()), expected, rtol=1e-3, atol=1e-3)


class OnAGPU(torch.Generator):
    device = torch.device("cuda")


def test_a_call_may_ask_for_another_sampler(pipeline: RDTFPipeline) -> None:
    made = [
        pixels(made_by(pipeline, image=picture(), generator=seeded(), num_inference_steps=steps, eta=0.0)[0])
        for steps in (2, 3)
    ]
    assert (made[0] - made[1]).abs().max() > 0


@pytest.mark.parametrize("known", [[0, 1, 0, 1, 0, 1, 0, 1], [0, 0, 1, 1, 1, 1, 1, 1], [1] * 8])
def test_any_mask_takes_its_frames_in_order_or_one_a_frame(pipeline: RDTFPipeline, known: list[int]) -> None:
    clip = [picture(seed) for seed in range(8)]
    in_order = [frame for frame, is_known in zip(clip, known, strict=True) if is_known]
    made = [pixels(made_by(pipeline, image=images, known=known, generator=seeded())[0]) for images in (clip, in_order)]
    torch.testing.assert_close(*made)


def test_prompts_are_a_batch_and_differ(pipeline: RDTFPipeline) -> None:
    generators = [seeded(), seeded()]
    made = made_by(pipeline, prompt=["red up", "blue down"], image=picture(), generator=generators)
    alone = made_by(pipeline, prompt="blue down", image=picture(), generator=seeded())[0]
    assert (pixels(made[1]) - pixels(alone)).abs().max() <= 1
    assert (pixels(made[0]) - pixels(made[1])).abs().max() > 0


def test_pictures_of_other_sizes_and_with_transparency_are_taken(pipeline: RDTFPipeline) -> None:
    clear = Image.new("RGBA", (40, 30), (255, 0, 0, 0))
    white = Image.new("RGB", (40, 30), (255, 255, 255))
    made = [pixels(made_by(pipeline, image=image, generator=seeded())[0]) for image in (clear, white)]
    torch.testing.assert_close(*made)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"prompt": "x", "num_frames": 9}, "9 frames were asked for, but this network makes 1 to 8"),
        ({"prompt": "x", "num_frames": 0}, "0 frames were asked for"),
        ({"image": picture(), "known": [1, 0, 0]}, "the mask has 3 values but the clip has 8 frames"),
        (
            {"image": picture(), "known": [1] + [0] * 7, "num_frames": 4},
            "the mask has 8 values but the clip has 4 frames",
        ),
        ({"image": picture(), "known": [2] + [0] * 7}, "is not a mask"),
        ({}, "neither a known frame nor a text"),
        ({"prompt": []}, "an empty list was given"),
        ({"prompt": ["x", " "]}, "neither a known frame nor a text"),
        (
            {"prompt": "x", "known": [1, 1] + [0] * 6, "image": picture()},
            "1 images were given, but the mask has 2 known",
        ),
        ({"prompt": "x", "known": [0] * 8, "image": [picture()] * 8}, "8 images were given, but the mask has 0 known"),
        ({"image": [picture()] * 9}, "9 images were given for a clip of 8 frames"),
        ({"prompt": "x", "output_type": "gif"}, "there is no 'gif'; give pil, np or pt"),
        ({"prompt": "x", "num_inference_steps": 0}, "0 steps were asked for; give 1 to 1000"),
        ({"image": picture(), "known": torch.tensor([0.5] + [0] * 7)}, "is not a mask"),
        ({"prompt": "x", "generator": [seeded()] * 2}, "2 generators were given for 1 prompts"),
        ({"prompt": "x", "generator": OnAGPU()}, "its device is cuda, but noise is drawn on the CPU"),
    ],
)
def test_what_cannot_be_made_is_said_before_any_work(
    pipeline: RDTFPipeline, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], said: str
) -> None:
    monkeypatch.setattr(pipeline.unet, "forward", lambda *_, **__: pytest.fail("the network was called"))
    with pytest.raises(InputError, match=said) as e:
        pipeline(**asked)
    assert isinstance(e.value, BenchError)
    assert e.value.exit_status == 2


def test_a_network_that_diverged_makes_no_black_frames(pipeline: RDTFPipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "generate", lambda *_, **__: torch.full((1, 8, 3, 16, 16), float("nan")))
    with pytest.raises(SamplingError, match="1 of 1 clips have values that are not finite"):
        pipeline("x")
