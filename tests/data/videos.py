"""Small videos for tests, encoded with PyAV."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import av
import numpy as np

LOSSLESS: Mapping[str, tuple[str, str, Mapping[str, str]]] = {  # codec, pixel format and options by suffix
    ".mp4": ("libx264rgb", "rgb24", {"crf": "0"}),
    ".mov": ("qtrle", "argb", {}),
    ".mkv": ("ffv1", "bgra", {}),
    ".webm": ("libvpx-vp9", "yuva420p", {"lossless": "1"}),
    ".avi": ("mpeg4", "yuv420p", {"b": "4M"}),
}


def write_video(
    path: Path,
    frames: Sequence[np.ndarray[Any, Any]],
    *,
    codec: str | None = None,
    pixel_format: str | None = None,
    options: Mapping[str, str] | None = None,
    rotation: int | None = None,
    container_options: Mapping[str, str] | None = None,
) -> Path:
    """Write frames H W C of bytes, or of 16 bits, with 10 frames a second; as losslessly as the format can."""
    path.parent.mkdir(parents=True, exist_ok=True)
    usual_codec, usual_format, usual_options = LOSSLESS[path.suffix]
    layout = {(3, "uint8"): "rgb24", (4, "uint8"): "rgba", (3, "uint16"): "rgb48le"}[
        frames[0].shape[2], frames[0].dtype.name
    ]
    with av.open(path, "w", options=dict(container_options or {})) as container:
        chosen = dict(usual_options if options is None else options)
        stream = cast(av.VideoStream, container.add_stream(codec or usual_codec, rate=10, options=chosen))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixel_format or usual_format
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), layout)))
        container.mux(stream.encode())
    return path
