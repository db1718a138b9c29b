"""Read videos with PyAV as a player shows them: the right stream, its alpha channel on white, upright."""

import struct
from collections.abc import Iterator
from functools import cached_property, partial
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, cast

from PIL import Image

from rdtf_bench.data.reading.images import stills
from rdtf_bench.data.reading.source import INSTEAD_US, MAX_PIXELS, Draw, Source
from rdtf_bench.data.reading.videos import containers, matroska, seeking

if TYPE_CHECKING:
    from av import VideoFrame
    from av.buffer import Buffer
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Decoders of streams whose alpha channel is a side stream. FFmpeg's own decoders of these formats ignore it."""

LARGEST_REPEAT = 16  # bytes of a packet of MPEG-4 that only says that the picture before is shown again
WITH_UNSHOWN = ("vp8", "vp9", "mpeg4")
"""Formats some of whose packets make no frame: references that are not shown, and repetitions of the frame before."""

# by the signs of a, b, c and d of the display matrix, by which x' = ax + cy and y' = bx + dy
UPRIGHT = {
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
}


class Video(Source):
    """A video file. Raises ValueError if it is cut off, is damaged or holds no video."""

    def __init__(self, path: Path) -> None:
        containers.require_whole(path)
        with path.open("rb") as file:
            is_matroska = matroska.is_matroska(file.read(4))
        self._counts = matroska.frame_counts(path) if is_matroska else ()
        self._path = path
        self._end_s = 0.0  # where the stream ends, known once it is decoded; 0 if the file does not say so

    @property
    def size(self) -> tuple[int, int]:  # type: ignore[override]
        return self._facts[0]

    @property
    def durations_us(self) -> tuple[int, ...]:  # type: ignore[override]
        return self._facts[1]

    def check(self) -> None:
        """Decode every frame."""
        _ = self._facts

    def decoded(self) -> Iterator[Draw]:
        return self.decoded_from(0)

    def decoded_from(self, first: int) -> Iterator[Draw]:
        return (partial(_picture, frame) for frame in self._decoded(first))

    def times_us(self) -> tuple[int, ...]:
        """Return when each frame is shown, in microseconds, by the time stamps in the file. Nothing is decoded.

        Packets of the formats WITH_UNSHOWN that make no frame are counted as well.
        """
        import av

        try:
            with av.open(self._path) as container:
                stream = _shown(container)
                times = []
                for packet in container.demux(stream):
                    if packet.is_corrupt or (packet.size and packet.pts is None):
                        raise ValueError("the file is damaged: not every frame has a time stamp")
                    if packet.size and not packet.is_discard:
                        times.append(packet.pts or 0)
                unit_us = (stream.time_base or 0) * 1_000_000
                return tuple(round(time * unit_us) for time in sorted(times))
        except av.FFmpegError as fault:
            raise ValueError(fault.strerror) from fault

    @cached_property
    def _facts(self) -> tuple[tuple[int, int], tuple[int, ...]]:
        """Decode the whole video for its size and the durations, because headers lack frames or are wrong."""
        size, own_s = (0, 0), 0.0
        shown_at_s: list[float] = []
        num_frames = 0
        for frame in self._decoded():
            size = size if num_frames else _picture(frame).size
            num_frames += 1
            if frame.pts is not None:
                shown_at_s.append(frame.pts * float(frame.time_base or 0))
            own_s = (frame.duration or 0) * float(frame.time_base or 0)
        # without all times, as in raw streams, frames are as far apart as in any other video
        if len(shown_at_s) < num_frames or not any(shown_at_s):
            return size, (INSTEAD_US,) * num_frames
        shown_at_s.sort()  # for AVI, FFmpeg gives times in the order of decoding
        between = [after - before for before, after in pairwise(shown_at_s)]
        last = next((time for time in (self._end_s - shown_at_s[-1], own_s, *reversed(between)) if time > 0), 0)
        return size, tuple(round(time * 1_000_000) for time in (*between, last))

    def _decoded(self, first: int = 0) -> "Iterator[VideoFrame]":
        """Yield the frames as they are stored, from number `first` on."""
        from av import FFmpegError

        try:
            was_sought = False
            for frame in self._sought(first):
                was_sought = True
                yield frame
            if not was_sought:
                yield from islice(self._checked(), first, None)
        except FFmpegError as fault:
            raise ValueError(fault.strerror) from fault

    def _sought(self, first: int) -> "Iterator[VideoFrame]":
        """Yield the frames from number `first` on, decoded from the key frame before; none if that is not possible."""
        import av

        with av.open(self._path) as container:
            if not first or "mp4" not in container.format.name:  # the index of other files does not name every frame
                return
            stream = _shown(container)
            decoder = _decoder(stream)
            if decoder.codec.canonical_name not in WITH_UNSHOWN:
                yield from seeking.frames_from(container, stream, decoder, first)

    def _checked(self) -> "Iterator[VideoFrame]":
        """Yield the frames; raise ValueError if their sizes differ or some that the file promises are missing."""
        import av

        with av.open(self._path) as container:
            stream = _shown(container)
            decoder = _decoder(stream)
            codec = decoder.codec.canonical_name
            is_avi = container.format.name == "avi"
            first, packets, decodable, decoded = None, 0, 0, 0
            for packet in container.demux(stream):
                if packet.is_corrupt:
                    raise ValueError("the file is damaged: FFmpeg reports a corrupt packet")
                is_last = packet.dts is None and packet.size == 0  # the packet that makes the decoder return its rest
                if packet.size == 0 and not is_last:
                    continue
                # AVI fills gaps with empty packets, which FFmpeg counts as time
                packets = packet.dts + 1 if is_avi and packet.dts is not None else packets + (not is_last)
                repeats = codec == "mpeg4" and packet.size <= LARGEST_REPEAT
                decodable += not (is_last or packet.is_discard or repeats)
                for frame in decoder.decode(None if is_last else packet):
                    first = first or frame
                    if (frame.width, frame.height) != (first.width, first.height):
                        raise ValueError(
                            f"its frames differ in size: the first is {first.width}x{first.height}, frame {decoded} is "
                            f"{frame.width}x{frame.height}"
                        )
                    decoded += 1
                    frame.time_base = stream.time_base  # the decoder's last frames have none
                    yield frame
            promised = self._counts[stream.index] if stream.index < len(self._counts) else _promised(container, stream)
            must_show = promised and not self._counts and codec not in WITH_ALPHA  # VP8 and VP9 have hidden frames
            if packets < promised or (must_show and decoded < decodable):
                raise ValueError(f"the file is damaged: its index promises {promised} frames, and {decoded} decode")
            if not decoded:
                raise ValueError("holds no frame")
            if stream.duration and stream.time_base:
                # a frame's own duration is that of the packet before it in the file
                self._end_s = float(((stream.start_time or 0) + stream.duration) * stream.time_base)


def _shown(container: "InputContainer") -> "VideoStream":
    """Return the stream that a player shows: the best one that is not an attached picture, such as a cover."""
    from av.stream import Disposition

    moving = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not moving:
        raise ValueError("holds no video stream")
    best = container.streams.best("video")
    return next((stream for stream in moving if stream is best), moving[0])


def _decoder(stream: "VideoStream") -> "VideoCodecContext":
    from av import CodecContext

    decoder: VideoCodecContext | None = stream.codec_context
    if decoder is None:
        raise ValueError("holds a video stream of a format that is not known")
    has_alpha = any(key.lower() == "alpha_mode" and value == "1" for key, value in stream.metadata.items())
    if has_alpha and decoder.name in WITH_ALPHA:
        with_alpha = cast("VideoCodecContext", CodecContext.create(WITH_ALPHA[decoder.name], "r"))
        with_alpha.extradata, decoder = decoder.extradata, with_alpha
    decoder.thread_type = "AUTO"
    # else FFmpeg fills damaged parts of a frame with what it thinks was there
    decoder.options = {"err_detect": "explode", "max_pixels": str(MAX_PIXELS)}
    return decoder


def _promised(container: "InputContainer", stream: "VideoStream") -> int:
    """Return the number of frames by the index of the file; 0 for formats whose index names key frames only."""
    if "mp4" in container.format.name:
        return len(stream.index_entries)  # after edit lists, unlike the header's count
    return stream.frames if container.format.name == "avi" else 0


def _picture(frame: "VideoFrame") -> Image.Image:
    has_alpha = frame.format.name == "pal8" or any(component.is_alpha for component in frame.format.components)
    layout = "rgba" if has_alpha else "rgb24"
    picture = stills.on_white(Image.fromarray(frame.to_ndarray(format=layout)))
    turn = _turn(frame)
    return picture if turn is None else picture.transpose(turn)


def _turn(frame: "VideoFrame") -> Image.Transpose | None:
    """Return what makes the frame upright, by its display matrix; None if it has none or is upright."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return None
    a, b, _, c, d = struct.unpack_from("=5i", memoryview(cast("Buffer", matrix)))
    least = max(map(abs, (a, b, c, d))) / 50  # players take less than one degree for none
    signs = tuple((value > least) - (value < -least) for value in (a, b, c, d))
    if signs in ((1, 0, 0, 1), (0, 0, 0, 0)):  # a matrix of zeros turns nothing
        return None
    if signs not in UPRIGHT:
        raise ValueError(f"its frames are turned by no multiple of 90 degrees: display matrix {a}, {b}, {c}, {d}")
    return UPRIGHT[signs]
