"""CPU seconds of decoding 16 clips of 64 px with freed memory given back to the kernel and kept, in turns.

OMP_NUM_THREADS=1 PYTHONPATH=. python tests/benchmarks/kept_memory.py
"""

import hashlib
import multiprocessing
import time
from statistics import median

import torch

from rdtf_bench.core.seeds import generator_for
from rdtf_bench.diffusion.latents import decode, load_autoencoder
from rdtf_bench.run import process
from rdtf_bench.run.table.context import find_assets
from rdtf_bench.spec.load import load_scale

ROUNDS = 5


def decoding(is_kept: bool) -> tuple[float, str]:
    """Return the CPU seconds of the second of two passes, and the hash of its clips."""
    torch.set_num_threads(1)
    if is_kept:
        process.keep_memory()
    autoencoder = load_autoencoder(find_assets(load_scale("tiny"))["autoencoder"].path, torch.device("cpu"))
    latents = torch.randn(16, 8, 4, 8, 8, generator=generator_for("benchmark"))
    decode(autoencoder, latents)
    began_s = time.process_time()
    clips = decode(autoencoder, latents)
    return time.process_time() - began_s, hashlib.sha256(clips.numpy().tobytes()).hexdigest()


def main() -> None:
    context = multiprocessing.get_context("spawn")  # what malloc is told once holds for the whole process
    taken: dict[bool, list[float]] = {False: [], True: []}
    hashes = set()
    for _ in range(ROUNDS):
        for is_kept, values in taken.items():
            with context.Pool(1) as pool:
                seconds, found = pool.apply(decoding, (is_kept,))
            values.append(seconds)
            hashes.add(found)
    assert len(hashes) == 1, "the clips differ"
    given_back, kept = median(taken[False]), median(taken[True])
    print(f"given back {given_back:.2f} s, kept {kept:.2f} s: {kept / given_back:.2f} times as long, equal bits")


if __name__ == "__main__":
    main()
