"""Parameters at full size, on the meta device: the sizes that the methods' papers and code imply."""

import pytest
import torch
from diffusers.models.transformers.transformer_temporal import TransformerTemporalModel
from peft import PeftModel
from torch import nn

from rdtf_bench.baselines import customize_a_video, i2v_adapter, simda
from rdtf_bench.baselines.i2vgen_xl.unet import AdapterI2VGenXLUNet


@pytest.fixture
def full_size() -> AdapterI2VGenXLUNet:
    with torch.device("meta"):
        return AdapterI2VGenXLUNet(sample_size=32).requires_grad_(False)


def trained(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def test_the_base(full_size: AdapterI2VGenXLUNet) -> None:
    assert sum(parameter.numel() for parameter in full_size.parameters()) == 1_420_469_224
    assert sum(isinstance(module, TransformerTemporalModel) for module in full_size.modules()) == 17


def test_i2v_adapter(full_size: AdapterI2VGenXLUNet) -> None:
    """Sum of 2 d^2 + d over the 16 spatial self-attentions: d is 320 five times, 640 five times, 1280 six times."""
    i2v_adapter.add_adapter(full_size)
    widths = [320] * 5 + [640] * 5 + [1280] * 6
    assert trained(full_size) == sum(2 * d**2 + d for d in widths) == 24_793_280


@pytest.mark.parametrize(("places", "size"), [("attention", 24_855_680), ("all", 34_712_960)])
def test_simda(full_size: AdapterI2VGenXLUNet, places: str, size: int) -> None:
    simda.add_adapter(full_size, simda.Config(places=places))  # type: ignore[arg-type]
    assert trained(full_size) == size


@pytest.mark.parametrize(("places", "size"), [("TEMPORAL", 831_488), ("SPATIAL", 829_952)])
def test_lora_of_rank_4(full_size: AdapterI2VGenXLUNet, places: str, size: int) -> None:
    lora = customize_a_video.lora(getattr(customize_a_video, places), 4)
    with torch.device("meta"):
        assert trained(PeftModel(full_size, lora)) == size
