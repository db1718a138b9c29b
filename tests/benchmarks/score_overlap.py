"""What decoding costs in `rdtf-bench score`: the whole of it against the networks' forward passes alone.

    python tests/benchmarks/score_overlap.py --clips 64

Decoding overlaps with the networks, so the whole should cost at most 15 % more. Run it on a quiet machine.
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image

from rdtf_bench.core.seeds import generator_for
from rdtf_bench.data.animations import common_shape, decode, find
from rdtf_bench.run import instruments
from rdtf_bench.run.compare import compare
from rdtf_bench.run.progress import Silent
from rdtf_bench.run.score import CLIPS_AT_ONCE
from rdtf_bench.spec.load import load_scale

METRICS = ("fvd", "vqa")


def write_clips(root: Path, count: int, *, size_px: int) -> None:
    """WebP animations of 24 frames: smooth colours that move, so that they are neither trivial nor noise to decode."""
    root.mkdir()
    for number in range(count):
        coarse = torch.rand((24, 3, 6, 6), generator=generator_for(root.name, number))
        frames = torch.nn.functional.interpolate(coarse, size=(size_px, size_px), mode="bicubic").clamp(0, 1)
        images = [Image.fromarray((255 * frame).byte().permute(1, 2, 0).numpy()) for frame in frames]
        images[0].save(root / f"{number}.webp", save_all=True, append_images=images[1:], duration=60)


def forward_alone(root: Path) -> float:
    """Seconds of the networks on clips that are decoded already: fake through all metrics, real through FVD."""
    loaded = instruments.load(load_scale("tiny"), METRICS)
    total_s = 0.0
    for name, metrics in (("fake", METRICS), ("real", ("fvd",))):
        clips = find(root / name)
        shape = common_shape(clips, num_frames=8, size_px=64)
        for start in range(0, len(clips), CLIPS_AT_ONCE):
            part = clips[start : start + CLIPS_AT_ONCE]
            video = torch.stack([decode(clip, shape) for clip in part])
            began_s = time.monotonic()
            for metric in metrics:
                loaded[metric].metric.observe(video, [clip.id for clip in part])
            total_s += time.monotonic() - began_s
    return total_s


def whole(root: Path) -> float:
    """Seconds of the comparison without loading the networks, which both sides would pay alike."""
    began_s = time.monotonic()
    instruments.load(load_scale("tiny"), METRICS)
    loading_s = time.monotonic() - began_s
    began_s = time.monotonic()
    compare(
        load_scale("tiny"),
        fake=root / "fake",
        real=root / "real",
        captions=None,
        metrics=METRICS,
        num_frames=8,
        size_px=64,
        sink=Silent(),
    )
    return time.monotonic() - began_s - loading_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=64, help="in each folder")
    parser.add_argument("--size-px", type=int, default=128, help="of the files; the networks see 64")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("fake", "real"):
            write_clips(Path(folder) / name, given.clips, size_px=given.size_px)
        forward_alone(Path(folder))  # warm
        forward_s, whole_s = forward_alone(Path(folder)), whole(Path(folder))
    print(f"forward passes alone {forward_s:.1f} s, the whole {whole_s:.1f} s: {whole_s / forward_s - 1:+.0%}")


if __name__ == "__main__":
    main()
