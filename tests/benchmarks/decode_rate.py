"""Frames a second of CPU time that are read from a folder of GIF files, beside Pillow's own composition of them.

    OMP_NUM_THREADS=1 python tests/benchmarks/decode_rate.py FOLDER [--files 300]

Both read every frame as RGB on white. Files are read in turns, so that a busy machine slows both alike. Frames in which
the two differ are counted.
"""

import argparse
import io
import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from rdtf_bench.data.reading.images.gif import Gif
from rdtf_bench.data.reading.images.stills import WHITE


def by_pillow(data: bytes) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    with Image.open(io.BytesIO(data)) as image:
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            drawn = image.convert("RGBA")
            page = Image.new("RGBA", drawn.size, (*WHITE, 255))
            page.alpha_composite(drawn)
            yield np.asarray(page.convert("RGB"))


def by_browsers_rules(data: bytes) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    for draw in Gif(data).decoded():
        yield np.asarray(draw())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, help="Read a random choice of this many files.")
    given = parser.parse_args()
    paths = sorted(given.folder.rglob("*.gif"))
    if given.files:
        paths = random.Random(0).sample(paths, min(given.files, len(paths)))
    readers = {"Pillow": by_pillow, "rdtf_bench": by_browsers_rules}
    spent_s = dict.fromkeys(readers, 0.0)
    frames = differing = 0
    for path in paths:
        data = path.read_bytes()
        found = []
        for name, read in readers.items():
            began_s = time.process_time()
            found.append(list(read(data)))
            spent_s[name] += time.process_time() - began_s
        frames += len(found[1])
        differing += sum(one.shape != two.shape or bool((one != two).any()) for one, two in zip(*found, strict=True))
    for name, seconds in spent_s.items():
        print(f"{name:12} {frames / seconds:8,.0f} frames/s")
    print(f"ratio {spent_s['Pillow'] / spent_s['rdtf_bench']:.2f}")
    print(f"{differing} of {frames:,} frames in {len(paths):,} files differ")


if __name__ == "__main__":
    main()
