"""Alarms that the self-test raises on metrics that are as shipped, over runs with other clips each.

OMP_NUM_THREADS=1 python tests/benchmarks/clean_runs.py [--runs 100] [--probes fvd_shuffle ...]
"""

import argparse
import dataclasses
import time
from pathlib import Path

import rdtf_bench.models.toy
from rdtf_bench.metrics import clip, fvd, vqa
from rdtf_bench.metrics.features import efficientnet
from rdtf_bench.metrics.features.clip_networks import EfficientNetClips
from rdtf_bench.metrics.trials import selftest


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--probes", nargs="+", help="default: all")
    given = parser.parse_args()
    weights = Path(rdtf_bench.models.toy.__file__).parent / "weights"
    instruments = selftest.Instruments(
        fvd=fvd.FrechetVideoDistance(EfficientNetClips(efficientnet.load(), size_px=64)),
        vqa=vqa.FastVQA(weights / "vqa"),
        clip=clip.ClipSimilarity(weights / "clip"),
    )
    began, alarms = time.process_time(), 0
    for seed in range(given.runs):
        for outcome in selftest.run(dataclasses.replace(instruments, seed=seed), given.probes):
            if not outcome.passed:
                alarms += 1
                print(f"run {seed}: {outcome.probe}: {outcome.fault}", flush=True)
    print(f"{given.runs} runs, {alarms} alarms, {(time.process_time() - began) / given.runs:.1f} CPU seconds a run")


if __name__ == "__main__":
    main()
