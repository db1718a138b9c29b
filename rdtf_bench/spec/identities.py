"""Identities: what decides the weights, the clips and the scores of a row. Frozen, and pure: no files, no torch.

The key of an identity is the hash of its JSON. Published numbers hang on these keys, so the JSON of a published row
must never change. A field that is added later declares a default, and it stays out of the JSON at that default. A
label, a quoted number or the number of workers is in none of them.

A field that is added to `Budget`, `ClipShape` or `Timing` enters the identities by itself. A field of `Sampling` must
be added to `SamplerIdentity` as well, and one of `ClipShape` to `TrainingSetIdentity`: the plan hands these settings
over whole, and an identity refuses a field that it does not have, so none can be forgotten.
"""

from typing import Any, Literal

from pydantic import NonNegativeInt

from rdtf_bench.core.dataset import Fit, FramesBy, LatentsDtype
from rdtf_bench.core.store import key_of
from rdtf_bench.spec.pipeline import PipelineSettings
from rdtf_bench.spec.scale import Budget, Timing
from rdtf_bench.spec.schema import ClipShape, Options, Part, from_plain


class Identity(Part):
    """Base of all identities."""

    def as_dict(self) -> dict[str, Any]:
        """Return the identity as JSON has it, without the fields that are at their default."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @property
    def key(self) -> str:
        """Return the key of the store entry that this identity decides."""
        return key_of(self.as_dict())


class ClipsIdentity(Identity, ClipShape):
    """Real clips of one split, as they are decoded."""

    clips: str  # fingerprint of the clips in use


class OtherClipsIdentity(ClipsIdentity):
    """Real clips of another split, which are compared with the test clips."""

    split: str
    most: int | None = None  # number of clips that are decoded; None: all of the split


class TrainingSetIdentity(Identity):
    """The prepared training split: the latents and frame features of its clips, and their order."""

    train: str  # fingerprint of the clips in use
    size_px: int
    frames_by: FramesBy = "index"
    fit: Fit = "stretch"
    max_frames: int
    autoencoder: str  # digest of the weights
    frame_features: str | None  # digest of the weights; None where no method needs features
    clips_per_shard: int = 256  # decides the order in which training sees the clips
    latents_dtype: LatentsDtype = "float32"


class TrainingIdentity(Budget):
    """The budget of one fit with what the row and the protocol add: the fields of core.method.Training."""

    num_steps: NonNegativeInt  # 0: a row that is not trained
    task: str
    num_frames: int
    learning_rate: float
    seed: int
    lr_schedule: Literal["constant_with_warmup", "cosine"]  # without a default: it has always been hashed


class NetworkIdentity(Identity):
    """A method as it is configured, with its frozen networks."""

    method: str
    version: int
    options: Options
    assets: dict[str, str]  # role -> digest of the weights


class FitIdentity(NetworkIdentity):
    """What decides the weights of a trained row."""

    training: TrainingIdentity
    data: TrainingSetIdentity
    device: str

    @property
    def network(self) -> NetworkIdentity:
        """Return the part that decides the denoiser before training."""
        return NetworkIdentity(**{name: getattr(self, name) for name in NetworkIdentity.model_fields})


class SamplerIdentity(Identity):
    """The fields of core.method.Sampler."""

    num_steps: int
    timestep_spacing: Literal["leading", "trailing"]
    eta: float
    guidance_text: float
    guidance_image: float


class TrainedSamples(Identity):
    """Clips that a trained row generates."""

    fit: str  # key of the FitIdentity
    task: str
    known_frames: Literal["overwrite", "keep"]
    real: ClipsIdentity
    sampler: SamplerIdentity
    batch_size: int
    seed: int


class ExternalSamples(Identity):
    """Clips that were made elsewhere for the conditions of the table."""

    clips: str  # fingerprint of the files
    task: str
    known_frames: Literal["overwrite", "keep"]
    real: ClipsIdentity


class PipelineIdentity(Identity):
    """A pipeline of diffusers and how it is called."""

    pipeline: str  # fingerprint of its files
    pipeline_class: str
    settings: PipelineSettings


class PipelineSamples(PipelineIdentity):
    """Clips that a pipeline of diffusers generates. Nothing is trained."""

    version: int  # of the code that calls it
    task: str
    known_frames: Literal["overwrite", "keep"]
    real: ClipsIdentity
    num_steps: int
    seed: int

    @property
    def batch_size(self) -> int:
        """Return 1: a pipeline is called for one clip at a time."""
        return 1


class ControlSamples(Identity):
    """Clips of a control row, for which nothing is trained."""

    control: str
    version: int
    real: ClipsIdentity
    other: OtherClipsIdentity | None = None  # for other real clips
    autoencoder: str | None = None  # digest of the weights, for the rows that pass clips through it
    task: str | None = None
    known_frames: Literal["overwrite", "keep"] | None = None


Samples = TrainedSamples | ExternalSamples | PipelineSamples | ControlSamples


class MetricIdentity(Identity):
    """A metric as it is configured, with the networks it looks through."""

    metric: str
    version: int
    options: Options
    assets: dict[str, str]  # role -> digest of the weights

    def observation_key(self, clips: str | ClipsIdentity) -> str:
        """Return the key of what the metric sees in clips: the key of samples, or the identity of real clips."""
        of = clips if isinstance(clips, str) else clips.as_dict()
        metric = MetricIdentity(**{name: getattr(self, name) for name in MetricIdentity.model_fields})
        return key_of({**metric.as_dict(), "of": of})


class QualityScore(MetricIdentity):
    """A score of clips."""

    fake: str  # key of the samples
    real: ClipsIdentity
    clusters: str  # which clips are not independent: it decides intervals, not values


class CostScore(Identity):
    """A score of a network: its size, or the time of a forward pass."""

    metric: str
    version: int
    network: NetworkIdentity
    device: str
    clip: ClipShape | None = None  # for metrics that take time
    timing: Timing | None = None


ScoreIdentity = QualityScore | CostScore


def read_samples(raw: dict[str, Any]) -> Samples:
    """Return the identity that a record or a published table holds as JSON."""
    if "fit" in raw:
        return from_plain(TrainedSamples, raw)
    if "pipeline" in raw:
        return from_plain(PipelineSamples, raw)
    return from_plain(ControlSamples, raw) if "control" in raw else from_plain(ExternalSamples, raw)


def read_score(raw: dict[str, Any]) -> ScoreIdentity:
    """Return the identity that a record or a published table holds as JSON."""
    return from_plain(CostScore, raw) if "network" in raw else from_plain(QualityScore, raw)
