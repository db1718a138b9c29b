"""A frozen network is in one state however it was made: torch's kernels depend on it, and so do the last bits."""

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from diffusers import AutoencoderKL
from PIL import Image
from torch import nn

from rdtf_bench.core.method import Sampler
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.core.store import Store
from rdtf_bench.models.rdtf import RDTFPipeline
from rdtf_bench.models.rdtf.method import build
from rdtf_bench.run.inputs.clips import RealClips
from rdtf_bench.run.inputs.shards import Networks, make_shard
from rdtf_bench.run.inputs.training_set import training_set, write_list
from rdtf_bench.run.progress import Report, Silent
from rdtf_bench.run.table import work
from rdtf_bench.run.table.context import Bench
from rdtf_bench.spec.identities import ClipsIdentity, ControlSamples, TrainingSetIdentity
from rdtf_bench.spec.plan import Cell
from tests.data.clips import clip_of
from tests.models.rdtf.small import CONFIG

CPU = torch.device("cpu")
SAMPLER = Sampler(num_steps=1, timestep_spacing="leading", eta=0.0, guidance_text=1.0, guidance_image=1.0)

State = tuple[set[bool], set[bool]]
"""(training modes of the layers, `requires_grad` of the parameters)."""
FROZEN: State = ({False}, {False})
READY: State = ({False}, {True})


def state(network: nn.Module) -> State:
    layers, parameters = network.modules(), network.parameters()
    return {layer.training for layer in layers}, {parameter.requires_grad for parameter in parameters}


@pytest.fixture
def encoding(monkeypatch: pytest.MonkeyPatch) -> list[State]:
    """The state of the autoencoder at each call of its encoder."""
    seen: list[State] = []
    encode = AutoencoderKL.encode

    def noted(autoencoder: AutoencoderKL, *given: Any, **options: Any) -> Any:
        seen.append(state(autoencoder))
        return encode(autoencoder, *given, **options)

    monkeypatch.setattr(AutoencoderKL, "encode", noted)
    return seen


def video(num_clips: int = 1) -> torch.Tensor:
    return torch.randint(0, 256, (num_clips, 8, 3, 16, 16), generator=generator_for("video")).byte()


def test_the_methods_pipeline_and_a_loaded_one_are_in_the_same_state(assets: dict[str, Path], tmp_path: Path) -> None:
    method = build(CONFIG, assets=assets, device=CPU)
    built = method.pipeline(size_px=16, sampler=SAMPLER)
    built.save_pretrained(tmp_path)
    loaded = RDTFPipeline.from_pretrained(tmp_path)
    for pipeline in (built, loaded):
        frozen = [pipeline.vae, pipeline.text_encoder, pipeline.text_encoder_2]
        assert [state(network) for network in frozen] == [FROZEN] * 3
        assert state(pipeline.unet) == READY
    assert state(method.network) == READY  # the pipeline shares it, and training may go on


def test_a_pipeline_freezes_networks_that_it_is_given_in_training_mode(assets: dict[str, Path]) -> None:
    parts = build(CONFIG, assets=assets, device=CPU).pipeline(size_px=16, sampler=SAMPLER).components
    frozen = ("vae", "text_encoder", "text_encoder_2")
    for name in frozen:
        parts[name].train().requires_grad_(True)
    pipeline = RDTFPipeline(**parts)
    assert [state(getattr(pipeline, name)) for name in frozen] == [FROZEN] * 3


def test_the_harness_makes_latents_with_a_frozen_autoencoder(
    assets: dict[str, Path], encoding: list[State], tmp_path: Path
) -> None:
    first, *others = [Image.fromarray(frame.permute(1, 2, 0).numpy()) for frame in video()[0]]
    first.save(tmp_path / "0.png", save_all=True, append_images=others)
    clips = [clip_of(tmp_path / "0.png", 8)]
    identity = TrainingSetIdentity(train="t", size_px=16, max_frames=8, autoencoder="a", frame_features=None)
    training, store = training_set(identity, tmp_path, 1, clips), Store(tmp_path / "store")
    write_list(store, training, clips)
    networks = Networks(autoencoder=assets["autoencoder"], features=None, device=CPU)
    make_shard(store, training, 0, networks, Report(Silent(), "job", "encoding"))
    assert encoding == [FROZEN]


@pytest.mark.parametrize("control", ["static", "autoencoder"])
def test_the_harness_makes_controls_with_a_frozen_autoencoder(
    assets: dict[str, Path], encoding: list[State], monkeypatch: pytest.MonkeyPatch, control: str
) -> None:
    monkeypatch.setattr(work, "real_clips", lambda *_: RealClips(ids=("a",), captions=("",), video=video()))
    monkeypatch.setattr(work, "_device", lambda _: CPU)
    bench, cell = Mock(spec=Bench), Mock(spec=Cell)
    bench.assets, bench.scale = assets, Mock()
    bench.scale.sampling.batch_size = 1
    cell.method = control
    cell.sample = ControlSamples(
        control=control,
        version=1,
        real=ClipsIdentity(clips="x", num_frames=8, size_px=16),
        autoencoder="a",
        task="it2v",
        known_frames="keep",
    )
    assert work._control_video(bench, cell).shape == video().shape
    assert encoding == [FROZEN]
