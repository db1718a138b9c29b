"""What all metrics of clips share: sync with a process that was given no clips, by gloo and not by a stand-in, since
what is sent must agree; and the dtype of networks and states.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from rdtf_bench.core.errors import InputError
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.core.video import VideoU8
from rdtf_bench.metrics import ClipSimilarity, FastVQA, FrechetVideoDistance
from rdtf_bench.metrics.states import ClipMetric

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


CASTS: dict[str, Callable[[ClipMetric], object]] = {
    "to bfloat16": lambda metric: metric.to(torch.bfloat16),
    "to float64": lambda metric: metric.to(torch.float64),
    "half": lambda metric: metric.half(),
    "double": lambda metric: metric.double(),
    "float": lambda metric: metric.float(),
    "bfloat16": lambda metric: metric.bfloat16(),
    "to a device": lambda metric: metric.to("cpu"),
    "to a device and dtype": lambda metric: metric.to("cpu", torch.float16),
    "a module around it": lambda metric: nn.ModuleList([metric]).to(torch.bfloat16),
    "half of a module around it": lambda metric: nn.ModuleList([metric]).half(),
}


def add(metric: ClipMetric, video: VideoU8, captions: list[str]) -> None:
    match metric:
        case FrechetVideoDistance():
            metric.update(video[:1], real=True)
            metric.update(video[1:], real=False)
        case ClipSimilarity():
            metric.update(video, captions)
        case FastVQA():
            metric.update(video, captions)  # as ids


@pytest.mark.parametrize("kind", [FrechetVideoDistance, FastVQA, ClipSimilarity])
def test_a_cast_moves_no_number_and_set_dtype_is_refused(kind: type[ClipMetric]) -> None:
    video = torch.randint(0, 256, (4, 3, 3, 64, 64), generator=generator_for("casts"), dtype=torch.uint8)
    metric, values = kind(), {}
    for name, cast in {"none": lambda _: None, **CASTS}.items():
        metric.reset()
        add(metric, video[:2], ["a", "b"])
        cast(metric)
        add(metric, video[2:], ["c", "d"])
        values[name] = metric.compute()
    assert values == dict.fromkeys(values, values["none"])
    assert {value.dtype for value in values.values()} == {torch.float64}
    with pytest.raises(InputError, match=rf"{kind.__name__}: its dtype cannot be set to torch\.float16"):
        metric.set_dtype(torch.float16)


def test_another_device_is_followed() -> None:
    metric = ClipSimilarity().to("meta", torch.float16)
    assert metric.device.type == "meta"
    assert {(tensor.device.type, tensor.dtype) for tensor in metric.parameters()} == {("meta", torch.float32)}
