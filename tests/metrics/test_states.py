"""Metrics over processes of which one was given no clips, by gloo and not by a stand-in: what is sent must agree."""

import subprocess
import sys
from pathlib import Path

import pytest

WORKER = """
import sys
import torch
from rdtf_bench.metrics import ClipSimilarity, FastVQA

class Colours:
    name, scale = "colours", 2.0
    def __call__(self, video):
        return torch.nn.functional.normalize(video.float().mean((3, 4)), dim=-1)
    def tokenize(self, captions):
        return torch.tensor([[len(caption)] for caption in captions])
    def embed_texts(self, tokens):
        return torch.eye(3)[tokens[:, 0] % 3]

folder, rank, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if size > 1:
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=size)
vqa, clip = FastVQA(), ClipSimilarity(Colours())
if rank == 0:
    clips = torch.randint(0, 256, (3, 8, 3, 64, 64), generator=torch.Generator().manual_seed(0)).byte()
    vqa.update(clips, ["a", "b", "c"])
    clip.update(clips, ["a", "bb", "ccc"], clip_ids=["a", "b", "c"])
print(repr(float(vqa.compute())), repr(float(clip.compute())))
if size > 1:
    torch.distributed.destroy_process_group()
"""


def start(folder: Path, rank: int, size: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-W", "ignore", "-c", WORKER, str(folder), str(rank), str(size)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_process_without_clips_changes_nothing(tmp_path: Path) -> None:
    told = []
    for worker in [start(tmp_path, 0, 1), start(tmp_path, 0, 2), start(tmp_path, 1, 2)]:
        said, complaint = worker.communicate(timeout=600)
        assert worker.returncode == 0, complaint
        told.append([float(value) for value in said.split()])
    alone, first, second = told
    assert first == second == pytest.approx(alone, abs=1e-12)
