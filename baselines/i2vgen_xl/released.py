"""I2VGen-XL as the authors of RDTF changed it for their baselines (mails9523/mails9523.github.io@de717c7).

STI layers stand in the place of the temporal convolutions, whose pretrained weights are dropped: 22 layers start random
and not as identity, and no adapter trains them. T5's states go through a linear map and are added to CLIP's.
"""

from diffusers.models.modeling_utils import ModelMixin
from torch import nn

from rdtf_bench.core.seeds import seeded
from rdtf_bench.diffusion.freezing import freeze
from rdtf_bench.models.rdtf.sti import STI

NUM_FRAMES = 8
"""An STI layer's frames are the channels of its convolutions, so their number is fixed."""

T5_DIM, TEXT_DIM = 768, 1024
"""Of the authors' map, which does not follow the width of the network."""


def release(unet: ModelMixin, *, t5_dim: int = T5_DIM, text_dim: int = TEXT_DIM) -> None:
    """Change an I2VGen-XL in place, with the released parameter names. What is new is drawn from a fixed seed: it is a
    part of the base, the same for every method and every training seed."""
    with seeded("released base"):
        for block in (*unet.down_blocks, unet.mid_block, *unet.up_blocks):
            block.temp_convs = nn.ModuleList(
                _frozen(STI(resnet.out_channels, NUM_FRAMES, num_groups=unet.config.norm_num_groups), unet)
                for resnet in block.resnets
            )
        unet.context_T5_clip_embedding = _frozen(nn.Linear(t5_dim, text_dim), unet)


def _frozen(layer: nn.Module, unet: ModelMixin) -> nn.Module:
    return freeze(layer.to(device=unet.device, dtype=unet.dtype))
