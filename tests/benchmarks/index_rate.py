"""Seconds until a data folder that did not change is read again, by the number of its files.

    python -m tests.benchmarks.index_rate [--files 200000]

The files are empty and their index is made up, so that nothing is decoded: what is left are one `stat` call for each
file, and the bookkeeping.
"""

import argparse
import hashlib
import tempfile
import time
from pathlib import Path

from rdtf_bench.data import asg
from rdtf_bench.data.reading.folders import index
from rdtf_bench.data.reading.folders.inspection import Facts
from rdtf_bench.data.reading.folders.walk import walk
from rdtf_bench.data.reading.suffixes import ANIMATION_SUFFIXES

PER_FOLDER = 1_000


def write(root: Path, num_files: int) -> dict[str, Path]:
    for number in range(num_files):
        path = root / f"{number // PER_FOLDER:04d}" / f"sticker {number:07d}.gif"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return dict(walk(root, ANIMATION_SUFFIXES).files)


def facts_of(at: str) -> Facts:
    digest = hashlib.sha256(at.encode()).hexdigest()
    return Facts(sha256=digest, num_frames=26, width_px=240, height_px=240, duration_us=2_600_000, look=digest)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=200_000)
    num_files = parser.parse_args().files
    with tempfile.TemporaryDirectory() as folder:
        root, cache = Path(folder) / "stickers", Path(folder) / "index.parquet"
        files = write(root, num_files)
        entries = {at: (index.stamp(path), facts_of(at)) for at, path in files.items()}
        began_s = time.perf_counter()
        index._write(cache, entries)
        print(f"write the index: {time.perf_counter() - began_s:.1f} s, {cache.stat().st_size / 1e6:.0f} MB")
        began_s = time.perf_counter()
        index.inspect_all(files, cache, None)
        print(f"check {num_files:,} files that did not change: {time.perf_counter() - began_s:.1f} s")
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        place = Path(folder) / "indexes"
        key = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]
        place.mkdir()
        cache.rename(place / f"asg-{key}.parquet")
        found = asg.read(root, cache=place)
        print(
            f"read the folder with {len(found.clips):,} clips: {time.perf_counter() - began_s:.1f} s "
            f"({time.process_time() - began_cpu_s:.1f} CPU s)"
        )


if __name__ == "__main__":
    main()
