"""The fields of a file that describes an image-to-video pipeline of diffusers, for `run TABLE --pipeline FILE`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveInt
from pydantic_core import PydanticCustomError

from rdtf_bench.spec.schema import File, Option, Part

FIELDS = {
    "image": "the given frame of each clip",
    "prompt": "the caption of each clip",
    "generator": "made for each clip",
    "output_type": "chosen by the benchmark",
    "return_dict": "chosen by the benchmark",
    "height": "the field `height`",
    "width": "the field `width`",
    "num_frames": "the field `num_frames`",
    "num_inference_steps": "the field `sampling_steps`",
}
"""Arguments of a pipeline's call that `call` may not give, and what sets each of them."""


Call = dict[str, Option | None]


def _only_others(call: Call) -> Call:
    if taken := [f"{name!r} is {FIELDS[name]}" for name in call if name in FIELDS]:
        said = f"these arguments are set elsewhere: {'; '.join(taken)}"
        raise PydanticCustomError("set_elsewhere", "{said}", {"said": said})
    return call


class PipelineSettings(Part):
    """How a pipeline is called, where it differs from the scale."""

    height: PositiveInt | None = None
    """Height in pixels of the frames that the pipeline makes; default: that of the scale's clips."""
    width: PositiveInt | None = None
    """Width in pixels of the frames that the pipeline makes; default: that of the scale's clips."""
    resize: Literal["stretch", "pad"] = "stretch"
    """How the square frame given becomes height x width: it is stretched, or it is scaled and padded with white. The
    frames that the pipeline makes are stretched back, or the central square is taken."""
    num_frames: PositiveInt | None = None
    """Number of frames that the pipeline makes; default: the smallest number that its autoencoder can make and that is
    not below the scale's."""
    frames: Literal["spread", "first"] = "spread"
    """Which frames are taken if the pipeline makes more than the scale's: at equal intervals, as of real clips, or the
    first ones."""
    sampling_steps: PositiveInt | None = None
    """Number of denoising steps; default: the scale's."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Precision of the weights in memory."""
    call: Annotated[Call, AfterValidator(_only_others)] = Field(default={})
    """Further arguments of the pipeline's call, such as guidance_scale, negative_prompt, fps or motion_bucket_id."""


class PipelineSpec(PipelineSettings, File):
    """An image-to-video pipeline of diffusers as one more row of a table. Its title is the label of the row."""

    path: str
    """Folder that `save_pretrained` wrote, relative to this file, or owner/name on the Hugging Face Hub."""
