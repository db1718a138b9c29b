"""Windows of videos are the frames that decoding from the start gives, bit by bit."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from rdtf_bench.data.reading.decode import decode
from rdtf_bench.data.reading.videos import seeking
from rdtf_bench.data.reading.videos.video import Video
from tests.data.videos import write_video

Pixels = np.ndarray[Any, Any]
OPEN = "open-gop=1:keyint=14:bframes=5:scenecut=0"
ENCODINGS = {
    "b-frames": ("libx264", {"x264-params": "keyint=12:scenecut=0:bframes=3"}),
    "one-key-frame": ("libx264", {"g": "999", "bf": "2"}),
    "open-groups": ("libx264", {"x264-params": OPEN}),
    "no-key-pictures": ("libx264", {"x264-params": "intra-refresh=1:keyint=15"}),
    "mpeg4": ("mpeg4", {"bf": "2", "g": "9", "b": "1M"}),
}


def drawn(count: int = 44) -> list[Pixels]:
    rows, columns = np.mgrid[:32, :48]
    return [
        np.stack((rows * 5 + 3 * number, columns * 5 - 2 * number, rows * 0 + 37 * number), -1).astype(np.uint8)
        for number in range(count)
    ]


def encoded(path: Path, name: str) -> Path:
    codec, options = ENCODINGS[name]
    return write_video(path, drawn(), codec=codec, pixel_format="yuv420p", options=options)


def all_of(path: Path) -> list[Pixels]:
    return [np.asarray(draw()) for draw in Video(path).decoded()]


def window_of(video: Video, first: int, count: int) -> list[Pixels]:
    return [np.asarray(frame) for _, frame in video.chosen(range(first, first + count))]


def wrong_windows(path: Path, whole: Sequence[Pixels], count: int = 8) -> list[int]:
    """Return where the windows begin that differ from the frames of the whole video."""
    video = Video(path)
    return [
        first
        for first in [*range(0, len(whole), 2), len(whole) - 1]
        if [frame.tobytes() for frame in window_of(video, first, count)]
        != [frame.tobytes() for frame in whole[first : first + count]]
    ]


@pytest.fixture
def no_decoding_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Video) -> None:
        raise AssertionError("the window was decoded from the start of the video")

    monkeypatch.setattr(Video, "_checked", refuse)


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_window_is_bit_equal_to_decoding_from_the_start(name: str, tmp_path: Path) -> None:
    path = encoded(tmp_path / "a.mp4", name)
    whole = all_of(path)
    assert len(whole) == len(Video(path).times_us()) == 44
    assert wrong_windows(path, whole) == []


def test_a_window_is_not_decoded_from_the_start(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encoded(tmp_path / "a.mp4", "b-frames")
    whole = all_of(path)
    request.getfixturevalue("no_decoding_from_the_start")
    decoded = []
    numbered = seeking._numbered

    def counted(*given: Any) -> Any:
        for item in numbered(*given):
            decoded.append(item[0])
            yield item

    monkeypatch.setattr(seeking, "_numbered", counted)
    window = window_of(Video(path), 29, 8)
    assert [frame.tobytes() for frame in window] == [frame.tobytes() for frame in whole[29:37]]
    assert decoded == list(range(24, 37))  # from the key frame before


@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".avi", ".mov"])
def test_other_containers_give_the_same_windows(suffix: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / f"a{suffix}", drawn(20))
    assert wrong_windows(path, all_of(path)) == []


def remuxed(source: Path, path: Path, *, earlier: int = 0, options: dict[str, str] | None = None) -> Path:
    """Copy the packets of a video, shown earlier by some frames; an edit list hides those before time 0."""
    with av.open(source) as read, av.open(path, "w", options=options or {}) as written:
        stream = read.streams.video[0]
        copy = written.add_stream_from_template(stream)
        for packet in read.demux(stream):
            if packet.size and packet.pts is not None and packet.dts is not None and packet.duration is not None:
                shift = earlier * packet.duration
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copy
                written.mux(packet)
    return path


def test_frames_that_an_edit_list_hides_have_no_number(tmp_path: Path) -> None:
    source = encoded(tmp_path / "a.mp4", "b-frames")
    path = remuxed(source, tmp_path / "b.mp4", earlier=5, options={"avoid_negative_ts": "disabled"})
    whole = all_of(path)
    assert len(whole) == len(Video(path).times_us()) == 39
    assert wrong_windows(path, whole) == []


def test_fragments_are_read(tmp_path: Path) -> None:
    source = encoded(tmp_path / "a.mp4", "b-frames")
    path = remuxed(source, tmp_path / "b.mp4", options={"movflags": "frag_keyframe+empty_moov"})
    assert wrong_windows(path, all_of(path)) == []


def test_times_are_the_time_stamps_in_the_order_of_being_shown(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    ticks = [0, 1, 2, 5, 6, 12, 13, 14, 20, 21]
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "3"})
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv420p"
        for tick, frame in zip(ticks, drawn(10), strict=True):
            picture = av.VideoFrame.from_ndarray(frame, "rgb24")
            picture.pts, picture.time_base = tick, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    assert Video(path).times_us() == tuple(40_000 * tick for tick in ticks)
    assert wrong_windows(path, all_of(path), 3) == []


def test_a_window_behind_the_end_is_shorter(tmp_path: Path) -> None:
    path = encoded(tmp_path / "a.mp4", "b-frames")
    assert [len(window_of(Video(path), first, 8)) for first in (36, 40, 44, 99)] == [8, 4, 0, 0]


def test_damage_behind_the_key_frame_is_found(tmp_path: Path) -> None:
    path = encoded(tmp_path / "a.mp4", "one-key-frame")
    data = bytearray(path.read_bytes())
    with av.open(path) as container:
        places = [entry.pos for entry in container.streams.video[0].index_entries]
    data[places[10] + 4 : places[14]] = bytes(places[14] - places[10] - 4)
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"Invalid data|damaged"):
        window_of(Video(path), 22, 8)


def test_decode_uses_the_window(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = encoded(tmp_path / "a.mp4", "b-frames")
    whole = np.stack(list(islice(all_of(path), 33, 41)))
    request.getfixturevalue("no_decoding_from_the_start")
    found = decode(path, size_px=None, indices=range(33, 41))
    assert np.array_equal(found.permute(0, 2, 3, 1).numpy(), whole)
