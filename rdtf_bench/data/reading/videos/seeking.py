"""Decode a part of an MP4 or MOV file from the key frame before it.

Frames are numbered as by decoding from the start: the number of a frame is how many frames are shown before it. All
packets before a key frame in the file are shown before it, and the index of the file counts them without being decoded.
Behind the key frame, the time stamps of the packets tell, because packets stand in the order of decoding.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream


def frames_from(
    container: "InputContainer", stream: "VideoStream", decoder: "VideoCodecContext", first: int
) -> "Iterator[VideoFrame]":
    """Yield the frames from number `first` on; none if no key frame is found from which it can be decoded.

    Raises ValueError if a later frame is missing.
    """
    from av import FFmpegError

    keys = _keys(stream, first)
    # some frames need an earlier key frame: those that are shown before it but stored behind it, and those of
    # encoders that refresh the picture part by part instead of storing whole ones
    for _, time in reversed(keys.values()):
        container.seek(time, stream=stream, backward=True)
        decoder.flush_buffers()
        wanted = first
        try:
            for number, frame in _numbered(container, stream, decoder, keys):
                if number == wanted:
                    yield frame
                    wanted += 1
                elif number > wanted > first:
                    raise ValueError(f"the file is damaged: frame {wanted} does not decode")
                elif number > wanted:
                    break
        except FFmpegError:
            if wanted > first:
                raise
        if wanted > first:
            return


def _keys(stream: "VideoStream", first: int) -> dict[int, tuple[int, int]]:
    """Return the key frames that may lie before a frame, by their place in the file in bytes, in the order of the file.

    The values are how many frames are stored before the key frame, and the time to seek to it.
    """
    keys: dict[int, tuple[int, int]] = {}
    shown, places = 0, set()
    delay: int | None = None  # of the first frame, between being decoded and being shown
    for entry in stream.index_entries:
        if shown > first:
            break
        delay = max(-entry.timestamp, 0) if delay is None else delay
        if entry.pos in places:  # an edit list shows a part twice, so a place does not tell a number
            return {}
        places.add(entry.pos)
        if entry.is_keyframe:
            keys[entry.pos] = (shown, entry.timestamp + delay)
        shown += not entry.is_discard
    return keys


def _numbered(
    container: "InputContainer",
    stream: "VideoStream",
    decoder: "VideoCodecContext",
    keys: Mapping[int, tuple[int, int]],
) -> "Iterator[tuple[int, VideoFrame]]":
    """Yield the frames from the key frame at which the container stands, with their numbers."""
    before, start = -1, 0
    times: list[int] = []  # of the packets so far, in the order of being shown
    for packet in container.demux(stream):
        is_last = packet.dts is None and packet.size == 0  # the packet that makes the decoder return its rest
        if packet.size == 0 and not is_last:
            continue
        if packet.is_corrupt:
            raise ValueError("the file is damaged: FFmpeg reports a corrupt packet")
        if before < 0:
            if packet.pos is None or packet.pos not in keys or packet.pts is None:
                return
            before, start = keys[packet.pos][0], packet.pts
        if packet.pts is not None and not packet.is_discard:
            insort(times, packet.pts)
        for frame in decoder.decode(None if is_last else packet):
            if frame.pts is not None and frame.pts >= start:
                yield before + bisect_left(times, frame.pts), frame
