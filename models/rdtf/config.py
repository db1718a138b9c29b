"""The options of RDTF."""

from dataclasses import dataclass
from typing import Literal

from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.models.rdtf.dual_mask import Padding
from rdtf_bench.models.rdtf.generation import Guidance
from rdtf_bench.models.rdtf.sti import TemporalLayer


@dataclass(frozen=True, kw_only=True)
class Config:
    """Every point on which paper and released code differ or are silent; README.md lists them with our reasons.

    The network's fields are those of `DFGN`; `dfgn.PAPER_TEXT` has the values of the paper's text.
    """

    block_out_channels: tuple[int, ...] = (320, 640, 1024, 1280)
    layers_per_block: int = 2
    attention_head_dim: int = 64
    norm_num_groups: int = 32
    transformer_in_heads: int = 8
    num_frames: int = 8
    temporal_layer: TemporalLayer = "sti"
    temporal_attention: bool = True
    sti_place: Literal["after_resnets", "after_spatial_attention"] = "after_resnets"
    sti_heads: int = 8
    sti_head_dim: int = 32
    sti_pool: int = 2
    sti_detail: Literal["frames_as_channels", "temporal_convs"] = "frames_as_channels"
    sti_fusion: Literal["scalars", "gate"] = "scalars"
    sti_residual: bool = False
    image_path: Literal["encoder", "latents"] = "encoder"
    absent_frame: Literal["zeros", "learned"] = "zeros"  # the latent of a frame that is not known; released: zeros
    text_map: Literal["t5_mlp", "two_linear"] = "t5_mlp"
    isolate_padding: bool = False  # True: padding reaches no layer that mixes frames; released: the network sees it

    clip_length: int = 77  # tokens; Table 6. Released: 256
    t5_length: int = 77  # tokens
    word_mask_probability: float = 0.2  # the released value; the paper gives none

    prediction_type: Literal["epsilon", "v_prediction"] = "epsilon"  # Table 6
    # released; Table 6 says linear. What the released training loads is I2VGen-XL's own: "squaredcos_cap_v2" with
    # zero_terminal_snr and v_prediction
    beta_schedule: Literal["scaled_linear", "linear", "squaredcos_cap_v2"] = "scaled_linear"
    zero_terminal_snr: bool = False

    condition_masks: Literal["all", "task"] = "all"  # "task": those of the evaluated task alone
    extraction: Literal["clusters", "intervals"] = "clusters"  # which frames: figure 4, or at equal intervals
    latent: Literal["mode", "sample"] = "mode"  # of the autoencoder's posterior, in training; released: a sample
    k_min: int = 3  # Table 6, "range of k"
    k_max: int = 8
    representative: Literal["random", "first"] = "random"  # of a cluster; released: first
    padding: Padding = "grey"  # the frames that do not count: an empty frame (released) or the last one again
    loss_mean_over: Literal["counted", "all"] = "counted"  # released: all

    curriculum: Literal["none", "linear", "adaptive"] = "adaptive"
    curriculum_variant: Literal["paper", "released"] = "paper"
    curriculum_gains: tuple[float, float, float] = (5.0, 3.0, 1.3)  # Table 6
    curriculum_balance: float = 0.5  # 0: the static part alone, 1: the adaptive part alone
    curriculum_history_steps: int = 1000  # the released window; eq. 3 has the whole training, and so have the scales

    guidance: Guidance = "two_scales"  # Table 6; released: a negative prompt
    negative_prompt: str = "distorted, discontinuous, ugly, blurry, low resolution, motionless, static, disfigured"
    condition_dropout: float = 0.1  # odds of each: no text, no image, neither. Two scales need all of them

    gradient_checkpointing: bool = False  # activations are made again in the backward pass; changes no number

    def __post_init__(self) -> None:
        """ProtocolError for what no network or training can be made of, all of it at once."""
        widths, groups = self.block_out_channels, self.norm_num_groups
        faults = {
            f"block_out_channels {list(widths)} must be multiples of norm_num_groups {groups}": any(
                width % groups for width in widths
            ),
            f"attention_head_dim {self.attention_head_dim} is wider than the narrowest of block_out_channels "
            f"{list(widths)}": self.attention_head_dim > min(widths),
            f"sti_pool {self.sti_pool} must be 1 or more": self.sti_pool < 1,
            f"zero_terminal_snr with prediction_type {self.prediction_type}: of the last step's noise no picture can "
            "be told. Set prediction_type to v_prediction": self.zero_terminal_snr
            and self.prediction_type == "epsilon",
            f"k_min {self.k_min}, k_max {self.k_max} and num_frames {self.num_frames} must be in rising order, k_min "
            "2 or more": not 2 <= self.k_min <= self.k_max <= self.num_frames,
            f"condition_dropout {self.condition_dropout} must be 0 to 1/3, the share of each of three cases": not (
                0 <= self.condition_dropout <= 1 / 3
            ),
            f"word_mask_probability {self.word_mask_probability} must be 0 to 1": not (
                0 <= self.word_mask_probability <= 1
            ),
            f"curriculum_balance {self.curriculum_balance} must be 0 to 1": not 0 <= self.curriculum_balance <= 1,
            f"curriculum_history_steps {self.curriculum_history_steps} must be 1 or more": (
                self.curriculum_history_steps < 1
            ),
            f"curriculum_gains {list(self.curriculum_gains)} must be 0 or more, one of them more": not (
                min(self.curriculum_gains) >= 0 < max(self.curriculum_gains)
            ),
        }
        if found := [fault for fault, is_so in faults.items() if is_so]:
            raise ProtocolError(f"options of rdtf: {'; '.join(found)}")
