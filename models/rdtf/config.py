"""The options of RDTF, with a default for every point on which the paper and the released code differ or are silent."""

from dataclasses import dataclass
from typing import Literal

from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.models.rdtf.dual_mask import Padding
from rdtf_bench.models.rdtf.generation import Guidance
from rdtf_bench.models.rdtf.sti import TemporalLayer


@dataclass(frozen=True, kw_only=True)
class Config:
    """Options of the network, the training and the sampling of RDTF.

    README.md lists what the paper and the released code say on each option, and the reason for its default. The options
    of the network are those of `DFGN`; `dfgn.PAPER_TEXT` holds the values of the paper's text.
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
    # Latent of an unknown frame in the image condition. The released code uses zeros.
    absent_frame: Literal["zeros", "learned"] = "zeros"
    text_map: Literal["t5_mlp", "two_linear"] = "t5_mlp"
    # True hides padding frames from every layer that mixes frames. In the released network these layers see padding.
    isolate_padding: bool = False

    # Number of tokens of each encoder. Table 6 says 77; the released code uses 256.
    clip_length: int = 77
    t5_length: int = 77
    # Probability that a word becomes "#". The paper gives no value; 0.2 is the released one.
    word_mask_probability: float = 0.2

    prediction_type: Literal["epsilon", "v_prediction"] = "epsilon"  # Table 6
    # The released configuration file says "scaled_linear" and Table 6 says "linear". The released training script loads
    # the scheduler of I2VGen-XL instead: "squaredcos_cap_v2" with zero_terminal_snr and v_prediction.
    beta_schedule: Literal["scaled_linear", "linear", "squaredcos_cap_v2"] = "scaled_linear"
    zero_terminal_snr: bool = False

    # Condition masks that training draws from: those of all tasks, or only those of the evaluated task.
    condition_masks: Literal["all", "task"] = "all"
    # How k frames are chosen from a sticker: one per cluster (figure 4), at equal intervals, or among the key frames
    # that the data names, which the authors clustered offline (the released code).
    extraction: Literal["clusters", "intervals", "offline"] = "clusters"
    # What training takes from the autoencoder's posterior. The released code takes a sample.
    latent: Literal["mode", "sample"] = "mode"
    # Smallest and largest number of frames in the loss (Table 6, "range of k").
    k_min: int = 3
    k_max: int = 8
    # Which member of a cluster is taken. The released code takes the first one.
    representative: Literal["random", "first"] = "random"
    # Content of the frames outside the loss: an empty frame (released), or the last frame repeated.
    padding: Padding = "grey"
    # Frames that the loss is averaged over: those in the loss mask, or all of them (released).
    loss_mean_over: Literal["counted", "all"] = "counted"

    curriculum: Literal["none", "linear", "adaptive"] = "adaptive"
    curriculum_variant: Literal["paper", "released"] = "paper"
    # Proportional, integral and derivative gain of the loss controller (Table 6).
    curriculum_gains: tuple[float, float, float] = (5.0, 3.0, 1.3)
    # Weight of the adaptive part: 0 leaves the static part alone, 1 the adaptive part alone.
    curriculum_balance: float = 0.5
    # Window of the running mean of the loss. The released code uses 1000 steps. Eq. 3 integrates over the whole
    # training, and so does every scale of the benchmark.
    curriculum_history_steps: int = 1000

    # Table 6 gives two guidance scales. The released code guides against a negative prompt.
    guidance: Guidance = "two_scales"
    negative_prompt: str = "distorted, discontinuous, ugly, blurry, low resolution, motionless, static, disfigured"
    # Probability of each of three cases in training: no text, no known frame, neither. Two scales need all three.
    condition_dropout: float = 0.1

    def __post_init__(self) -> None:
        """Raise one ProtocolError that names every option from which no network or training can be made."""
        widths, groups = self.block_out_channels, self.norm_num_groups
        faults = {
            f"block_out_channels {list(widths)} must be multiples of norm_num_groups {groups}": any(
                width % groups for width in widths
            ),
            f"attention_head_dim {self.attention_head_dim} is wider than the smallest of block_out_channels "
            f"{list(widths)}": self.attention_head_dim > min(widths),
            f"sti_pool {self.sti_pool} must be 1 or more": self.sti_pool < 1,
            f"zero_terminal_snr does not work with prediction_type {self.prediction_type}: at the last timestep the "
            "input is pure noise, so predicting the noise says nothing about the image. Set prediction_type to "
            "v_prediction": self.zero_terminal_snr and self.prediction_type == "epsilon",
            f"k_min {self.k_min}, k_max {self.k_max} and num_frames {self.num_frames} must be in rising order, and "
            "k_min must be 2 or more": not 2 <= self.k_min <= self.k_max <= self.num_frames,
            f"condition_dropout {self.condition_dropout} must be from 0 to 1/3, because it is the probability of "
            "each of three cases": not (0 <= self.condition_dropout <= 1 / 3),
            f"word_mask_probability {self.word_mask_probability} must be from 0 to 1": not (
                0 <= self.word_mask_probability <= 1
            ),
            f"curriculum_balance {self.curriculum_balance} must be from 0 to 1": not 0 <= self.curriculum_balance <= 1,
            f"curriculum_history_steps {self.curriculum_history_steps} must be 1 or more": (
                self.curriculum_history_steps < 1
            ),
            f"curriculum_gains {list(self.curriculum_gains)} must be 0 or more, and at least one must be above 0": not (
                min(self.curriculum_gains) >= 0 < max(self.curriculum_gains)
            ),
        }
        if found := [fault for fault, is_so in faults.items() if is_so]:
            raise ProtocolError(f"options of rdtf: {'; '.join(found)}")
