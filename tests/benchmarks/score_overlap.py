"""What decoding costs in `rdtf-bench score`: the whole of it against the networks' forward passes alone.

    python tests/benchmarks/score_overlap.py [--clips 8] [--tiny]

Decoding overlaps with the networks, so the whole should cost at most 15 % more: through I3D and FAST-VQA-B at full size
(random weights). The embedded networks (`--tiny`) take less time than decoding does. Run it on a quiet machine.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image

from rdtf_bench.core.seeds import generator_for
from rdtf_bench.data.reading.decode import decode_animation
from rdtf_bench.data.reading.folders.animations import common_shape, read
from rdtf_bench.metrics.features.fast_vqa import FastVQANetwork
from rdtf_bench.metrics.features.i3d import I3D
from rdtf_bench.run.build import instruments
from rdtf_bench.run.compare import compare
from rdtf_bench.run.progress import Silent
from rdtf_bench.spec.load import load_scale
from rdtf_bench.spec.scale import CLIPS_OBSERVED_TOGETHER, Scale

METRICS = ("fvd", "vqa")


def full_size(assets: Path) -> Scale:
    """The metrics of the scale `gpu`, on the CPU and with random weights in the files of the official ones."""
    os.environ["RDTF_BENCH_ASSETS"] = str(assets)
    assets.mkdir()
    torch.save(I3D().state_dict(), assets / "i3d-k400")
    torch.save({"state_dict": FastVQANetwork().state_dict()}, assets / "fast-vqa-b")
    return load_scale("gpu").model_copy(update={"device": "cpu"})


def write_clips(root: Path, count: int, *, size_px: int) -> None:
    """WebP animations of 24 frames: smooth colours that move, so that they are neither trivial nor noise to decode."""
    root.mkdir()
    for number in range(count):
        coarse = torch.rand((24, 3, 6, 6), generator=generator_for(root.name, number))
        frames = torch.nn.functional.interpolate(coarse, size=(size_px, size_px), mode="bicubic").clamp(0, 1)
        images = [Image.fromarray((255 * frame).byte().permute(1, 2, 0).numpy()) for frame in frames]
        images[0].save(root / f"{number}.webp", save_all=True, append_images=images[1:], duration=60)


def forward_alone(root: Path, scale: Scale) -> float:
    """Seconds of the networks on clips that are decoded already: fake through all metrics, real through FVD."""
    loaded = instruments.load(scale, METRICS)
    total_s = 0.0
    for name, metrics in (("fake", METRICS), ("real", ("fvd",))):
        clips = read(root / name).clips
        shape = common_shape(clips, num_frames=8, size_px=scale.clip.size_px)
        for start in range(0, len(clips), CLIPS_OBSERVED_TOGETHER):
            part = clips[start : start + CLIPS_OBSERVED_TOGETHER]
            video = torch.stack([decode_animation(clip, shape) for clip in part])
            began_s = time.monotonic()
            for metric in metrics:
                loaded[metric].metric.observe(video, [clip.id for clip in part])
            total_s += time.monotonic() - began_s
    return total_s


def whole(root: Path, scale: Scale) -> float:
    """Seconds of the comparison without loading the networks, which both sides would pay alike."""
    began_s = time.monotonic()
    instruments.load(scale, METRICS)
    loading_s = time.monotonic() - began_s
    began_s = time.monotonic()
    compare(
        scale,
        fake=root / "fake",
        real=root / "real",
        captions=None,
        metrics=METRICS,
        num_frames=8,
        size_px=scale.clip.size_px,
        sink=Silent(),
    )
    return time.monotonic() - began_s - loading_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=8, help="in each folder")
    parser.add_argument("--tiny", action="store_true", help="through the embedded networks")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scale = load_scale("tiny") if given.tiny else full_size(Path(folder) / "assets")
        for name in ("fake", "real"):
            write_clips(Path(folder) / name, given.clips, size_px=2 * scale.clip.size_px)
        forward_alone(Path(folder), scale)  # warm
        forward_s, whole_s = forward_alone(Path(folder), scale), whole(Path(folder), scale)
    print(f"forward passes alone {forward_s:.1f} s, the whole {whole_s:.1f} s: {whole_s / forward_s - 1:+.0%}")


if __name__ == "__main__":
    main()
