from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from rdtf_bench.run.inputs.streamed import save_stacked


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_parts_come_back_as_one_tensor(dtype: torch.dtype, tmp_path: Path) -> None:
    parts = [torch.arange(24 * n).view(n, 4, 6).to(dtype).transpose(1, 2) for n in (1, 3, 2)]
    save_stacked(iter(parts), "frames", tmp_path / "frames.safetensors")
    assert torch.equal(load_file(tmp_path / "frames.safetensors")["frames"], torch.cat(parts))
    with safe_open(tmp_path / "frames.safetensors", framework="pt") as file:
        assert torch.equal(file.get_slice("frames")[1:4], parts[1])


def test_parts_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frames: a part is"):
        save_stacked([torch.zeros(1, 2), torch.zeros(1, 3)], "frames", tmp_path / "f")
    with pytest.raises(ValueError, match="no part"):
        save_stacked([], "frames", tmp_path / "f")
