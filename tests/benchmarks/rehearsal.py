"""Seconds of every command with stand-ins of all official weights, 50 test clips, and FVD, VQA and CLIP at full size.

OMP_NUM_THREADS=1 PYTHONPATH=. python tests/benchmarks/rehearsal.py

Most of the time goes into FAST-VQA: 102 minutes in all on a core of an AMD EPYC that other work shared. Random weights
do not pass the self-test, so the tables carry its warning.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rdtf_bench.run.inputs.datasets import MIN_TEST_CLIPS
from tests import rehearsal


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
        began_s = time.monotonic()
        prepared = rehearsal.prepare(Path(folder), num_clips=MIN_TEST_CLIPS)
        print(f"{time.monotonic() - began_s:8.1f} s  stand-ins and stickers", flush=True)
        for name, arguments in prepared.commands.items():
            command_s = time.monotonic()
            command = [sys.executable, "-m", "rdtf_bench", *arguments]
            subprocess.run(command, env={**os.environ, **prepared.environment}, check=True, stdout=subprocess.DEVNULL)
            print(f"{time.monotonic() - command_s:8.1f} s  {name}", flush=True)
        print(f"{time.monotonic() - began_s:8.1f} s  in all")


if __name__ == "__main__":
    main()
