import pytest
import torch
from torch.backends import cudnn

from rdtf_bench.metrics.features.precision import full_precision


def test_only_tf32_and_autocast_are_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """cuDNN itself, its benchmark mode and what the caller asked of determinism stay as they were."""
    for flag, value in (("allow_tf32", True), ("deterministic", True), ("benchmark", True)):
        monkeypatch.setattr(cudnn, flag, value)
    before = cudnn.enabled, torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    with full_precision(torch.device("cuda")):
        assert (cudnn.enabled, cudnn.deterministic, cudnn.benchmark) == (before[0], True, True)
        assert not cudnn.allow_tf32
        assert torch.get_float32_matmul_precision() == "highest"
        assert torch.is_inference_mode_enabled()
    assert cudnn.allow_tf32
    assert torch.get_float32_matmul_precision() == "high"
    torch.set_float32_matmul_precision(before[1])
