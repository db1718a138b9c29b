import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest

from rdtf_bench.data.reading.folders.inspection import inspect
from rdtf_bench.data.reading.media import Unreadable, reading
from rdtf_bench.data.reading.videos.video import Video
from tests.data.videos import write_video

Pixels = np.ndarray[Any, Any]


def drawn(alpha: int = 255) -> list[Pixels]:
    """Eight frames 24x32 with a bright moving square; outside of it they are red with this alpha."""
    frames = []
    for number in range(8):
        frame = np.zeros((24, 32, 4), np.uint8)
        frame[:] = (200, 0, 0, alpha)
        frame[2 : 2 + number + 4, 4:12] = (0, 200, 40, 255)
        frames.append(frame)
    return frames


def on_white(frames: Sequence[Pixels]) -> Pixels:
    video = np.stack(frames).astype(float)
    share = video[..., 3:] / 255
    return video[..., :3] * share + 255 * (1 - share)


def read(path: Path) -> Pixels:
    return np.stack([np.asarray(draw()) for draw in Video(path).decoded()]).astype(float)


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format", "options"),
    [
        ("a.mov", "qtrle", "argb", {}),
        ("a.mov", "png", "rgba", {}),
        ("a.mov", "prores_ks", "yuva444p10le", {"profile": "4444"}),
        ("a.mkv", "ffv1", "bgra", {}),
        ("a.avi", "ffv1", "yuva420p", {}),
        ("a.webm", "libvpx-vp9", "yuva420p", {"lossless": "1"}),
        ("a.mkv", "libvpx-vp9", "yuva420p", {"lossless": "1"}),
        ("a.webm", "libvpx", "yuva420p", {"crf": "4", "b": "4M", "auto-alt-ref": "0"}),
    ],
)
def test_an_alpha_channel_is_composited_on_white(
    name: str, codec: str, pixel_format: str, options: dict[str, str], tmp_path: Path
) -> None:
    frames = drawn(alpha=64)
    found = read(write_video(tmp_path / name, frames, codec=codec, pixel_format=pixel_format, options=options))
    assert found.shape == (8, 24, 32, 3)
    assert np.abs(found - on_white(frames)).mean() < 3  # colours at half the resolution, for some
    assert np.abs(found - on_white(drawn(alpha=255))).mean() > 50


@pytest.mark.parametrize(("rotation", "quarters"), [(0, 0), (90, 1), (180, 2), (-90, 3)])
@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_a_video_is_turned_upright(rotation: int, quarters: int, suffix: str, tmp_path: Path) -> None:
    frames = drawn()
    path = write_video(tmp_path / f"a{suffix}", frames, rotation=rotation)
    found = read(path)
    assert np.abs(found - np.rot90(on_white(frames), quarters, axes=(1, 2))).max() <= 2
    assert (inspect(path).height_px, inspect(path).width_px) == found.shape[1:3]


def with_matrix(path: Path, a: int, b: int, c: int, d: int) -> Path:
    """Write an MP4 with this display matrix."""
    data = write_video(path, drawn(), rotation=180).read_bytes()
    at = data.index(struct.pack(">5i", -(1 << 16), 0, 0, 0, -(1 << 16)))
    path.write_bytes(data[:at] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30) + data[at + 36 :])
    return path


def test_a_mirrored_video_is_turned_upright(tmp_path: Path) -> None:
    found = read(with_matrix(tmp_path / "a.mp4", -(1 << 16), 0, 0, 1 << 16))
    assert np.abs(found - on_white(drawn())[:, :, ::-1]).max() <= 2


@pytest.mark.parametrize("matrix", [(0, 0, 0, 0), (1 << 16, 900, -900, 1 << 16)])
def test_a_matrix_that_hardly_turns_is_none(matrix: tuple[int, int, int, int], tmp_path: Path) -> None:
    assert np.abs(read(with_matrix(tmp_path / "a.mp4", *matrix)) - on_white(drawn())).max() <= 2


def test_a_video_that_is_turned_by_half_a_right_angle_is_named(tmp_path: Path) -> None:
    path = with_matrix(tmp_path / "a.mp4", 46340, 46340, -46340, 46340)
    assert "turned by no multiple of 90 degrees" in (inspect(path).why_broken or "")


def test_an_attached_picture_is_not_the_video(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(path, "w") as container:
        picture = container.add_stream("mjpeg", rate=1)
        picture.width = picture.height = 300
        picture.pix_fmt = "yuvj420p"
        picture.disposition = av.stream.Disposition.attached_pic
        moving = container.add_stream("libx264rgb", rate=10, options={"crf": "0"})
        moving.height, moving.width, moving.pix_fmt = 24, 32, "rgb24"
        container.mux(picture.encode(av.VideoFrame.from_ndarray(np.full((300, 300, 3), 9, np.uint8), "rgb24")))
        container.mux(picture.encode())
        for frame in drawn():
            container.mux(moving.encode(av.VideoFrame.from_ndarray(frame, "rgba")))
        container.mux(moving.encode())
    assert np.abs(read(path) - on_white(drawn())).max() <= 2


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [("a.mkv", "ffv1", "gbrp16le"), ("a.mkv", "libx264", "yuv444p10le"), ("a.mp4", "libx264", "yuv422p10le")],
)
def test_more_than_8_bits_are_scaled(name: str, codec: str, pixel_format: str, tmp_path: Path) -> None:
    frames = [frame[..., :3].astype(np.uint16) * 257 for frame in drawn()]
    options = {"crf": "0"} if codec == "libx264" else {}
    found = read(write_video(tmp_path / name, frames, codec=codec, pixel_format=pixel_format, options=options))
    assert np.abs(found - on_white(drawn())).mean() < 2


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".avi", ".mov"])
def test_a_video_that_is_cut_off_anywhere_is_named(suffix: str, tmp_path: Path) -> None:
    noise = (np.arange(8 * 24 * 32 * 4, dtype=np.uint64) * 2654435761 >> 13).astype(np.uint8)  # hard to compress
    path = write_video(tmp_path / f"a{suffix}", list(noise.reshape(8, 24, 32, 4)))
    data = path.read_bytes()
    assert inspect(path).num_frames == 8
    for share in (0.02, 0.2, 0.4, 0.6, 0.8, 0.95, 0.999):
        path.write_bytes(data[: int(share * len(data))])
        assert inspect(path).why_broken, f"{share} of the file"


def test_an_index_that_promises_more_frames_than_decode_is_a_fault(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", drawn())
    data = path.read_bytes()
    media = data.index(b"mdat") + 4
    path.write_bytes(data[: media + 900] + bytes(400) + data[media + 1300 :])
    assert inspect(path).why_broken


@pytest.mark.parametrize("suffix", [".webm", ".mkv"])
def test_damage_in_the_structure_of_a_matroska_file_is_named(suffix: str, tmp_path: Path) -> None:
    """FFmpeg jumps over what it cannot read and would return a shorter clip."""
    path = write_video(tmp_path / f"a{suffix}", drawn())
    data = bytearray(path.read_bytes())
    cluster = data.index(b"\x1f\x43\xb6\x75")
    blocks = [at for at in range(cluster, len(data)) if data[at] in (0xA0, 0xA3)]
    outcomes = set()
    for at in blocks[:40]:
        changed = bytearray(data)
        changed[at] ^= 0x10
        path.write_bytes(changed)
        facts = inspect(path)
        outcomes.add(facts.num_frames)
    assert outcomes <= {0, 8}
    assert 0 in outcomes


def test_a_live_recording_without_sizes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.webm"
    write_video(path, drawn(), container_options={"live": "1"})
    assert inspect(path).num_frames == 8


def test_frames_of_different_sizes_are_one_clear_error(tmp_path: Path) -> None:
    first, second = tmp_path / "1.webm", tmp_path / "2.webm"
    write_video(first, drawn()[:4], codec="libvpx", pixel_format="yuv420p", options={})
    write_video(second, [frame[:16, :16] for frame in drawn()[:4]], codec="libvpx", pixel_format="yuv420p", options={})
    joined = tmp_path / "joined.webm"
    with av.open(joined, "w") as out, av.open(first) as one, av.open(second) as two:
        stream = out.add_stream_from_template(one.streams.video[0])
        time = 0
        for part in (one, two):
            for packet in part.demux(video=0):
                if packet.size:
                    packet.stream, packet.pts, packet.dts = stream, time, time
                    time += 100
                    out.mux(packet)
    with (
        pytest.raises(
            Unreadable, match=r"joined.webm: its frames differ in size: the first is 32x24, frame 4 is 16x16"
        ),
        reading(joined) as source,
    ):
        source.check()


def write_at(path: Path, times: Sequence[int], *, codec: str, pixel_format: str, options: dict[str, str]) -> Path:
    """Write a frame at each of these tenths of a second."""
    with av.open(path, "w") as container:
        stream = cast(av.VideoStream, container.add_stream(codec, rate=10, options=options))
        stream.height, stream.width, stream.pix_fmt = 24, 32, pixel_format
        for time, frame in zip(times, drawn(), strict=True):
            picture = av.VideoFrame.from_ndarray(frame, "rgba")
            picture.pts = time
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format", "options"),
    [
        ("a.mkv", "ffv1", "bgra", {}),
        (
            "a.mp4",
            "libx264",
            "yuv420p",
            {"x264-params": "b-adapt=0:bframes=3:b-pyramid=none:scenecut=0"},
        ),  # the last packet is not that of the last frame
        ("a.avi", "mjpeg", "yuvj420p", {}),  # empty packets fill the gaps
    ],
)
def test_durations_come_from_the_time_stamps(
    name: str, codec: str, pixel_format: str, options: dict[str, str], tmp_path: Path
) -> None:
    times = [0, 1, 2, 7, 8, 12, 13, 14]
    path = write_at(tmp_path / name, times, codec=codec, pixel_format=pixel_format, options=options)
    assert [us // 100_000 for us in Video(path).durations_us] == [1, 1, 5, 1, 4, 1, 1, 1]
    facts = inspect(path)
    assert (facts.num_frames, facts.is_uneven) == (8, True)


def test_frames_of_an_avi_file_with_b_frames_are_evenly_apart(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", drawn(), codec="libx264", options={"bf": "2"})
    assert Video(path).durations_us == (100_000,) * 8


def test_frames_without_times_are_evenly_apart(tmp_path: Path) -> None:
    with av.open(write_video(tmp_path / "a.avi", drawn(), codec="libx264", options={})) as container:
        raw = b"".join(bytes(packet) for packet in container.demux(video=0))
    (tmp_path / "a.mp4").write_bytes(raw)  # a raw stream
    assert Video(tmp_path / "a.mp4").durations_us == (100_000,) * 8


@pytest.mark.parametrize("suffix", [".avi", ".mp4"])
def test_a_packet_that_repeats_the_frame_before_is_no_damage(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"repeated{suffix}"
    with av.open(write_video(tmp_path / "a.avi", drawn())) as source, av.open(path, "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(video=0)):
            if packet.size:
                # an MPEG-4 picture that is not coded: type P, time, vop_coded 0
                kept = av.Packet(b"\x00\x00\x01\xb6" + bytes([0b01010101, 0b10011111])) if number == 5 else packet
                kept.pts, kept.dts, kept.time_base, kept.stream = packet.pts, packet.dts, packet.time_base, stream
                out.mux(kept)
    assert [us // 100_000 for us in Video(path).durations_us] == [1, 1, 1, 1, 2, 1, 1]


def test_what_is_no_video_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_text("hello, this is a text and no video")
    assert "cannot be decoded" in (inspect(path).why_broken or "")
    with av.open(path, "w") as container:
        stream = container.add_stream("aac", rate=8000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate = 8000
        container.mux(stream.encode(silence))
        container.mux(stream.encode())
    assert inspect(path).why_broken == "holds no video stream"
