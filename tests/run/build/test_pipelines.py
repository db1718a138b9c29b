"""The call of a pipeline is found in its signature, and a clip's noise depends on its id alone."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from rdtf_bench.core.errors import AssetError, InputError, ProtocolError, SamplingError
from rdtf_bench.core.method import Conditions
from rdtf_bench.core.seeds import generator_for, generators_for
from rdtf_bench.run.build import pipelines
from rdtf_bench.run.build.pipelines import PipelineSampler
from rdtf_bench.spec.identities import ClipsIdentity, PipelineSamples
from rdtf_bench.spec.pipeline import PipelineSettings
from rdtf_bench.spec.plan import Cell
from tests import tiny_pipelines

IDS: Sequence[str] = ("clip/a", "clip/b")
CAPTIONS: Sequence[str] = ("a cat", "a dog")
CPU = torch.device("cpu")


def sample(name: str, task: str = "it2v", size_px: int = 32, num_frames: int = 4, **settings: Any) -> PipelineSamples:
    return PipelineSamples(
        pipeline="f",
        pipeline_class=name,
        settings=PipelineSettings(**settings),
        version=1,
        task=task,
        known_frames="keep",
        real=ClipsIdentity(clips="x", num_frames=num_frames, size_px=size_px),
        num_steps=1,
        seed=0,
    )


def cell(asked: PipelineSamples) -> Cell:
    return Cell(
        protocol="table1", label="mine", kind="external", method="mine", seed=0, fit=None, sample=asked, scores={}
    )


def conditions(chosen: slice = slice(None), size_px: int = 32, num_frames: int = 4) -> Conditions:
    frames = torch.zeros(2, num_frames, 3, size_px, size_px)
    frames[:, 0] = torch.rand(2, 3, size_px, size_px, generator=generator_for("frames")) * 2 - 1
    known = torch.eye(num_frames)[:1].expand(2, -1)
    return Conditions(
        clip_ids=tuple(IDS[chosen]), captions=tuple(CAPTIONS[chosen]), frames=frames[chosen], known=known[chosen]
    )


def made(sampler: PipelineSampler, chosen: slice = slice(None)) -> torch.Tensor:
    size_px = sampler.sample.real.size_px
    return sampler.generate(conditions(chosen, size_px), generators_for(0, IDS[chosen], "sample"))


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # a scheduler of diffusers converts a tensor
@pytest.mark.parametrize(
    ("save", "name", "settings", "sees_caption"),
    [
        (tiny_pipelines.save_i2vgen_xl, "I2VGenXLPipeline", {}, True),
        (tiny_pipelines.save_stable_video_diffusion, "StableVideoDiffusionPipeline", {"call": {"fps": 5}}, False),
        (tiny_pipelines.save_ltx, "LTXImageToVideoPipeline", {"height": 32, "width": 64, "resize": "pad"}, True),
    ],
)
def test_a_pipeline_of_any_family_samples_the_clips_of_a_table(
    save: Callable[[Path], Path], name: str, settings: dict[str, Any], sees_caption: bool, tmp_path: Path
) -> None:
    asked = sample(name, **settings)
    pipelines.check([cell(asked)])
    sampler = pipelines.load(save(tmp_path / "mine"), asked, "mine", CPU)
    both = made(sampler)
    assert both.shape == (2, 4, 3, 32, 32)
    assert both.std() > 0
    torch.rand(7)  # what the global generator has drawn does not matter
    assert torch.equal(made(sampler, slice(1, 2))[0], both[1])
    facts = sampler.facts()
    assert (facts["class"], facts["sees_caption"]) == (name, sees_caption)
    counts: Any = facts["components"]
    denoiser = getattr(sampler.pipeline, "unet", None) or sampler.pipeline.transformer
    assert counts["total"] == sum(one.numel() for one in denoiser.parameters())
    assert counts["vae"] > 0


class Recorder:
    """Stands for a pipeline: keeps the arguments of its calls and returns `num_frames` white frames."""

    components: dict[str, Any] = {}  # noqa: RUF012
    vae_scale_factor_temporal = 4
    device = CPU

    def __init__(self, num_made: int | None = None, value: float = 1.0) -> None:
        self.num_made, self.value, self.frames, self.seen = num_made, value, torch.empty(0), dict[str, Any]()

    def __call__(
        self, image: object, prompt: str, num_frames: int, generator: object, height: int = 0, guidance_scale: int = 1
    ) -> "Recorder":
        self.seen = {"image": image, "prompt": prompt, "num_frames": num_frames, "generator": generator}
        self.seen |= {"height": height, "guidance_scale": guidance_scale}
        if guidance_scale == 13:
            raise ValueError("guidance_scale must not be 13.")
        self.frames = torch.full((1, self.num_made or num_frames, 3, 32, 32), self.value)
        return self


def recorded(pipeline: Recorder, **settings: Any) -> torch.Tensor:
    return made(PipelineSampler(pipeline, sample("Recorder", **settings), "mine"), slice(0, 1))


def test_a_pipeline_gets_the_arguments_that_its_call_has() -> None:
    pipeline = Recorder()
    assert (recorded(pipeline, call={"guidance_scale": 7}) == 1).all()
    assert pipeline.seen["image"].size == (32, 32)
    assert isinstance(pipeline.seen["generator"], torch.Generator)
    rest = {name: value for name, value in pipeline.seen.items() if name not in ("image", "generator")}
    # the autoencoder makes 1, 5, 9 ... frames, of which 4 are taken
    assert rest == {"prompt": "a cat", "num_frames": 5, "height": 32, "guidance_scale": 7}
    recorded(pipeline, num_frames=25, height=64)
    assert (pipeline.seen["num_frames"], pipeline.seen["height"], pipeline.seen["image"].size) == (25, 64, (32, 64))


def test_faults_of_a_call_name_its_arguments() -> None:
    with pytest.raises(InputError, match=r"mine: Recorder could not sample: guidance_scale must not be 13\. It was"):
        recorded(Recorder(), call={"guidance_scale": 13})
    with pytest.raises(InputError, match=r"made 3 frames, and clips of this scale have 4\. Set a larger num_frames"):
        recorded(Recorder(num_made=3))
    with pytest.raises(
        SamplingError, match=r"pixels that are not numbers, from the clip clip/a\. Its networks were comp"
    ):
        recorded(Recorder(value=float("nan")))


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        (sample("StableDiffusionPipeline"), "is no image-to-video pipeline: its call has no 'image', 'num_frames'"),
        (sample("CogVideoXPipeline"), "is no image-to-video pipeline: its call has no 'image'. It has prompt,"),
        (sample("AutoencoderKL"), "has no pipeline 'AutoencoderKL'"),
        (sample("LTXImageToVideoPipeline", "t2v"), "'t2v' does not give it. Tasks that do: it2v, i2v"),
        (sample("LTXImageToVideoPipeline", "interpolation"), "needs the first frame of every clip"),
        (sample("LTXImageToVideoPipeline", call={"fps": 3}), "has no 'fps', which `call` gives. It has image, prompt"),
    ],
)
def test_what_cannot_sample_the_table_is_refused(asked: PipelineSamples, fault: str) -> None:
    with pytest.raises(ProtocolError, match=fault) as e:
        pipelines.check([cell(asked)])
    assert str(e.value).startswith("mine: ")


def test_arguments_that_nothing_gives_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Masked:
        def __call__(self, image: object, num_frames: int, generator: object, mask: object, pose: object) -> None: ...

    monkeypatch.setattr(pipelines, "named", lambda *_: Masked)
    with pytest.raises(ProtocolError, match=r"also needs 'mask', 'pose'\. Give them under `call`"):
        pipelines.check([cell(sample("Masked"))])
    pipelines.check([cell(sample("Masked", call={"mask": 1, "pose": 2}))])


def test_a_pipeline_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    folder = tiny_pipelines.save_ltx(tmp_path / "ltx")
    (folder / "transformer" / "diffusion_pytorch_model.safetensors").write_bytes(b"no weights")
    with pytest.raises(AssetError, match=r"mine: diffusers .* cannot load .*ltx"):
        pipelines.load(folder, sample("LTXImageToVideoPipeline"), "mine", CPU)
