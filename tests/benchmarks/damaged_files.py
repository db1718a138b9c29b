"""Read thousands of damaged animations and videos: no traceback, no hang, and no file that is neither read nor named.

    python tests/benchmarks/damaged_files.py --count 5000

A whole file of each kind is made, and copies of it are damaged by rules that the seed chooses: bytes are changed, cut
out, repeated, inserted or zeroed, or the end is cut off. Every damaged file is inspected under a time limit, and what
passes is decoded in both ways of choosing frames.
"""

import argparse
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from PIL import Image

from tests.data.videos import write_video

LIMIT_S = 20
SUFFIXES = (".gif", ".webp", ".png", ".mp4", ".webm", ".mov", ".mkv", ".avi")


def whole(folder: Path, suffix: str) -> bytes:
    """Make a sound file: a square that moves over a transparent ground."""
    path = folder / f"whole{suffix}"
    frames = []
    for number in range(8):
        frame = np.zeros((48, 48, 4), np.uint8)
        frame[4 + 3 * number : 20 + 3 * number, 10:30] = (200, 40 + 10 * number, 90, 255)
        frame[30:40, 5 : 15 + 3 * number] = (0, 80, 200, 128)
        frames.append(frame)
    if suffix in (".gif", ".webp", ".png"):
        pictures = [Image.fromarray(frame) for frame in frames]
        pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[70, *[100] * 7], disposal=2)
    else:
        write_video(path, frames)
    return path.read_bytes()


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Damage the data by one to four rules."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(len(changed) or 1)
        length = chance.choice((1, 1, 2, 8, 64, 512))
        match chance.choice(("flip", "flip", "flip", "cut", "repeat", "insert", "zero", "end")):
            case "flip":
                for place in range(at, min(at + min(length, 8), len(changed))):
                    changed[place] = chance.randrange(256)
            case "cut":
                del changed[at : at + length]
            case "repeat":
                changed[at:at] = changed[at : at + length]
            case "insert":
                changed[at:at] = chance.randbytes(length)
            case "zero":
                changed[at : at + length] = bytes(len(changed[at : at + length]))
            case "end":
                del changed[at:]
    return bytes(changed)


def work(tasks: Connection) -> None:
    """Inspect and decode the files that come, and answer with what became of each."""
    import av

    from rdtf_bench.core.errors import DataError
    from rdtf_bench.data.reading.decode import decode, numbers_by_time
    from rdtf_bench.data.reading.folders.inspection import inspect

    av.logging.set_level(None)
    while True:
        try:
            path = tasks.recv()
        except EOFError:  # no more files
            return
        facts = inspect(path)
        if facts.why_broken:
            tasks.send(("named", facts.why_broken))
            continue
        try:
            frames = decode(path, size_px=32, indices=range(facts.num_frames))
            decode(path, size_px=None, indices=numbers_by_time(path, count=8))
            whole = len(frames) == facts.num_frames > 0
            tasks.send((f"read, {len(frames)} frames" if whole else "other length", ""))
        except DataError as fault:  # inspected as sound, and then not decodable
            tasks.send(("passed, then failed", str(fault)))


class Worker:
    """A process that is replaced if it dies or takes too long."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        here, there = get_context("spawn").Pipe()
        self._connection = here
        self._process = get_context("spawn").Process(target=work, args=(there,), daemon=True)
        self._process.start()
        there.close()

    def ask(self, path: Path) -> tuple[str, str]:
        self._connection.send(path)
        try:
            if self._connection.poll(LIMIT_S):
                answer: tuple[str, str] = self._connection.recv()
                return answer
            outcome = "hang"
        except EOFError:
            outcome = "traceback"
        self._process.kill()
        self._process.join()
        self._start()
        return outcome, ""


def cases(folder: Path, count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    chance = random.Random(seed)
    sources: dict[str, bytes] = {suffix: whole(folder, suffix) for suffix in SUFFIXES}
    for number in range(count):
        suffix = SUFFIXES[number % len(SUFFIXES)]
        yield suffix, damaged(sources[suffix], chance)


def main(say: Callable[[str], None] = print) -> int:
    """Print what became of the files, by kind; return 1 if any of them ended in another way than read or named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="Keep the files that ended badly in this folder.")
    given = parser.parse_args()
    outcomes: dict[str, Counter[str]] = {suffix: Counter() for suffix in SUFFIXES}
    bad = 0
    started_s, slowest_s = time.monotonic(), 0.0
    with tempfile.TemporaryDirectory() as name:
        folder, worker = Path(name), Worker()
        for number, (suffix, data) in enumerate(cases(folder, given.count, given.seed)):
            path = folder / f"damaged{suffix}"
            path.write_bytes(data)
            before_s = time.monotonic()
            outcome, told = worker.ask(path)
            slowest_s = max(slowest_s, time.monotonic() - before_s)
            outcomes[suffix][outcome] += 1
            if not outcome.startswith(("read", "named")):
                bad += 1
                say(f"file {number} {suffix}: {outcome} {told}")
                if given.keep:
                    given.keep.mkdir(parents=True, exist_ok=True)
                    (given.keep / f"{number}{suffix}").write_bytes(data)
    for suffix, found in outcomes.items():
        say(f"{suffix:6} {sum(found.values()):5} files: {dict(sorted(found.items()))}")
    say(f"{given.count} files, {bad} that ended badly, {time.monotonic() - started_s:.0f} s, slowest {slowest_s:.1f} s")
    return int(bad > 0)


if __name__ == "__main__":
    raise SystemExit(main())
