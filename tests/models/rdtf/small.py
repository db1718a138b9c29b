"""The network of a few thousand parameters that the tests of RDTF share."""

from typing import Any

from rdtf_bench.models.rdtf.method import Config

NETWORK: dict[str, Any] = {
    "block_out_channels": (8, 16),
    "attention_head_dim": 8,
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "transformer_in_heads": 1,
    "sti_heads": 1,
    "sti_head_dim": 8,
}
CONFIG = Config(**NETWORK, clip_length=10, t5_length=16, prediction_type="v_prediction")
