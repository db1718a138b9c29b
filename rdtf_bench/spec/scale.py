"""The fields of scale files, with their units: how large everything is. Read this file to learn what they may say."""

import math
from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from rdtf_bench.core.dataset import LatentsDtype
from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.spec.schema import ClipShape, File, Method, Metric, Options, Part

CLIPS_OBSERVED_TOGETHER = 16
"""Number of clips that a metric observes at once, at every scale."""


class DataSizes(Part):
    """Maximum number of clips of each split, and of frames of one training clip."""

    train: PositiveInt
    validation: PositiveInt
    test: PositiveInt
    max_frames: PositiveInt
    """Maximum number of frames kept of one training clip, at equal intervals."""
    clips_per_shard: PositiveInt = 256
    """Number of training clips in one file of prepared data. Training shuffles clips within a few of these files."""
    latents_dtype: LatentsDtype = "float32"
    """Type in which latents are stored: float16 takes half the space."""


class Budget(Part):
    """The training budget, the same for every trained row of a table."""

    num_steps: PositiveInt
    """Number of optimizer steps."""
    batch_size: PositiveInt
    """Clips in one step."""
    weight_decay: NonNegativeFloat
    warmup_steps: NonNegativeInt
    """Steps over which the learning rate rises from 0."""
    lr_schedule: Literal["constant_with_warmup", "cosine"] = "constant_with_warmup"
    """What the learning rate does after the warm-up: it stays, or falls to 0 at the end along a cosine."""
    max_grad_norm: PositiveFloat
    """Norm to which gradients are clipped."""
    ema_decay: NonNegativeFloat
    """Decay of the exponential moving average of the weights; 0 switches it off."""
    checkpoint_every: PositiveInt
    """Steps between two checkpoints, from which an interrupted training goes on."""
    mixed_precision: Literal["no", "bf16", "fp16"] = "no"
    """Precision in which the network computes; its weights stay in float32."""
    micro_batch_size: PositiveInt | None = None
    """Clips of one backward pass on one process; the gradients of a step are accumulated over such passes.

    Fewer clips need less memory. By default, a process computes its whole share of the batch at once.
    """
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass, which needs less memory and more time."""
    compile: bool = False
    """Compile the network with torch.compile: minutes before the first step, and other rounding."""
    weights: Literal["float32", "float16"] = "float32"
    """Precision to which the trained weights are rounded at the end, and in which they are stored."""


class Sampling(Part):
    """The sampler's settings that all methods share."""

    num_steps: PositiveInt
    """Number of denoising steps."""
    timestep_spacing: Literal["leading", "trailing"]
    """How the denoising steps are spread over the diffusion steps, as in diffusers' schedulers."""
    batch_size: PositiveInt
    """Clips that are sampled together."""
    clips_per_job: PositiveInt | None = None
    """Clips of one job that samples or observes clips, so that many workers share a row; it decides no number.

    By default, one job samples and another one observes all clips of a row.
    """

    @model_validator(mode="after")
    def _jobs_hold_whole_batches(self) -> "Sampling":
        if self.clips_per_job and self.clips_per_job % math.lcm(self.batch_size, CLIPS_OBSERVED_TOGETHER):
            raise ValueError(
                f"clips_per_job: {self.clips_per_job} must be a multiple of batch_size and of "
                f"{CLIPS_OBSERVED_TOGETHER}, the number of clips that a metric observes together"
            )
        return self


class MethodAtScale(Part):
    """What one method uses at this scale: its size, its learning rate and its sampler."""

    learning_rate: PositiveFloat
    seconds_per_step: PositiveFloat
    """Measured seconds of one training step, for plans and progress bars; it decides no number."""
    eta: NonNegativeFloat
    """Noise of the DDIM sampler: 0 is deterministic, 1 is that of DDPM."""
    guidance_text: NonNegativeFloat
    """Guidance scale of the caption; 1 is no guidance."""
    guidance_image: NonNegativeFloat = 1.0
    """Guidance scale of the given frames; 1 is no guidance."""
    options: Options = Field(default={})
    """Options of the method, such as the widths of its network."""


class Timing(Part):
    """How the denoisers are timed: forward passes with batch size 1 that alternate between the methods."""

    warmup: NonNegativeInt
    """Passes of each method before the timed ones."""
    repeats: PositiveInt
    """Timed passes of each method."""


class ExpectedSeconds(Part):
    """Seconds that one job of each kind takes, as measured. For plans and progress bars; they decide no number."""

    prepare_real: PositiveFloat
    """Decode the clips that are scored."""
    prepare_frames: PositiveFloat
    """Decode the training clips."""
    prepare_latents: PositiveFloat
    """Encode the training frames with the autoencoder."""
    prepare_features: PositiveFloat
    """Compute the features of the training frames."""
    sample: PositiveFloat
    """Sample all clips of one trained row; its training is counted by seconds_per_step."""
    make_control: PositiveFloat
    """Make or read the clips of one row that is not trained."""
    observe_real: PositiveFloat
    """Observe the real clips with one metric."""
    score_cell: PositiveFloat
    """Score the clips of one row with every metric."""
    time_denoisers: PositiveFloat
    """Time the denoisers of all rows."""
    selftest: PositiveFloat
    """Probe the metrics."""


class Scale(File):
    """How large everything is: clips, data, networks, training and sampling. A protocol repeats none of it."""

    version: PositiveInt
    """Raised by every change that can move a number."""
    device: Literal["cpu", "cuda"]
    workers: PositiveInt
    """Number of processes that work side by side."""
    threads_per_worker: PositiveInt
    """Number of CPU threads of each process."""
    clip: ClipShape
    data: DataSizes
    assets: dict[str, str]
    """For each role, such as autoencoder, the weights that fill it: a name that `rdtf-bench assets` lists."""
    training: Budget
    sampling: Sampling
    timing: Timing
    expected_seconds: ExpectedSeconds
    """Measured seconds of one job of each kind, for plans and progress bars; they decide no number."""
    metrics: dict[Metric, Options]
    """Options of each metric, such as its feature network."""
    methods: dict[Method, MethodAtScale]

    def role(self, name: str, user: str) -> str:
        """Return the name of a role that the scale has weights for; ProtocolError, which names its user, for others."""
        if name not in self.assets:
            raise ProtocolError(
                f"scale {self.name}: assets has no {name!r}, which is needed for {user}; it has {sorted(self.assets)}"
            )
        return name

    def asset(self, role: str, user: str) -> str:
        """Return the name of the weights that fill a role; ProtocolError, which names its user, where none do."""
        return self.assets[self.role(role, user)]
