"""I2VGen-XL as the authors of RDTF changed it for their baselines (mails9523/mails9523.github.io@de717c7).

STI layers replace the temporal convolutions, so the pretrained weights of these are lost: 22 layers have random weights
and do not start as the identity, and no adapter trains them. The T5 states go through a linear map and are added to the
CLIP states.
"""

from diffusers.models.modeling_utils import ModelMixin
from torch import nn

from rdtf_bench.core.seeds import seeded
from rdtf_bench.diffusion.freezing import freeze
from rdtf_bench.models.rdtf.sti import STI

NUM_FRAMES = 8
"""Number of frames of the base. It is fixed, because an STI layer uses the frames as channels of its convolutions."""

T5_DIM, TEXT_DIM = 768, 1024
"""Input and output width of the authors' linear map, which do not depend on the width of the network."""


def release(unet: ModelMixin, *, t5_dim: int = T5_DIM, text_dim: int = TEXT_DIM) -> None:
    """Change an I2VGen-XL in place, with the released parameter names.

    New layers are initialised from a fixed random seed. They are a part of the base and the same for every method and
    every training seed.
    """
    with seeded("released base"):
        replaced = replace_temporal_convs(unet)
        unet.context_T5_clip_embedding = nn.Linear(t5_dim, text_dim).to(device=unet.device, dtype=unet.dtype)
    for layer in (*replaced, unet.context_T5_clip_embedding):
        freeze(layer)


def replace_temporal_convs(unet: ModelMixin, *, num_heads: int = 8) -> list[STI]:
    """Put a new STI layer into the place of each temporal convolution, behind every resnet. Return the new layers."""
    replaced = []
    for block in (*unet.down_blocks, unet.mid_block, *unet.up_blocks):
        layers = [
            STI(resnet.out_channels, NUM_FRAMES, num_groups=unet.config.norm_num_groups, num_heads=num_heads)
            for resnet in block.resnets
        ]
        block.temp_convs = nn.ModuleList(layers).to(device=unet.device, dtype=unet.dtype)
        replaced += layers
    return replaced
