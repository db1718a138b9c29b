from pathlib import Path

import pytest

from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.spec import load
from rdtf_bench.spec.identities import ClipsIdentity, PipelineSamples, read_samples
from rdtf_bench.spec.pipeline import PipelineSettings

WHOLE = """kind: pipeline
name: mine
title: My model
path: checkpoints/mine
height: 576
width: 1024
resize: pad
num_frames: 25
frames: first
sampling_steps: 25
dtype: bfloat16
call: {fps: 7, max_guidance_scale: 2.5, negative_prompt: null}
"""


def test_a_file_holds_everything_that_differs(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(WHOLE)
    spec = load.load_pipeline(str(file))
    assert (spec.title, spec.path, spec.height, spec.width, spec.resize) == (
        "My model",
        "checkpoints/mine",
        576,
        1024,
        "pad",
    )
    assert (spec.num_frames, spec.frames, spec.sampling_steps, spec.dtype) == (25, "first", 25, "bfloat16")
    assert spec.call == {"fps": 7, "max_guidance_scale": 2.5, "negative_prompt": None}


def test_every_wrong_field_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    wrong = WHOLE.replace("height: 576", "heigth: 576").replace("frames: first", "frames: last")
    file.write_text(wrong.replace("fps: 7", "num_inference_steps: 7"))
    with pytest.raises(ProtocolError) as e:
        load.load_pipeline(str(file))
    assert "mine.yaml:5: heigth: there is no such key. Did you mean 'height'?" in str(e.value)
    assert "mine.yaml:9: frames: Input should be 'spread' or 'first'" in str(e.value)
    assert "mine.yaml:12: call: these arguments are set elsewhere: 'num_inference_steps' is the field `s" in str(
        e.value
    )


def test_a_pipeline_in_place_of_a_protocol_says_where_it_belongs(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(WHOLE)
    assert load.is_pipeline(str(file))
    with pytest.raises(ProtocolError, match="is a pipeline and a protocol is needed here"):
        load.kind_of(str(file))


def test_samples_of_a_pipeline_are_read_back_from_a_record() -> None:
    samples = PipelineSamples(
        pipeline="f",
        pipeline_class="P",
        settings=PipelineSettings(height=576, call={"fps": 7, "sigmas": (1.0, 0.5), "negative_prompt": None}),
        version=1,
        task="it2v",
        known_frames="keep",
        real=ClipsIdentity(clips="x", num_frames=8, size_px=64),
        num_steps=3,
        seed=0,
    )
    assert read_samples(samples.as_dict()) == samples
    again = samples.model_copy(update={"settings": PipelineSettings()})
    assert again.key != samples.key
    assert again.as_dict()["settings"] == {}
