"""The shape of protocols/*.yaml and protocols/scales/*.yaml. Read this file to learn what they may say."""

from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

Option = int | float | str | bool | tuple[int, ...] | tuple[float, ...] | tuple[str, ...]
Options = dict[str, Option]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class PaperValue(Part):
    """A number as printed, so `22.10` keeps its digits, and where it is printed. "0.96 B" is in billions."""

    value: Annotated[str, Field(pattern=r"^-?\d+(\.\d+)?( [MB])?$")]
    source: str

    @property
    def number(self) -> float:
        digits, _, unit = self.value.partition(" ")
        return float(digits) * {"": 1.0, "M": 1e6, "B": 1e9}[unit]


class Row(Part):
    """One line of the table."""

    label: str
    method: str
    options: Options = {}
    paper: dict[str, PaperValue] = {}


class Panel(Part):
    """Training losses to be drawn in one picture, by the labels of their rows."""

    title: str
    rows: tuple[str, ...]


class TableSpec(Part):
    """One table: who is compared, on what, by which metrics, and what the paper printed."""

    name: str
    version: PositiveInt
    title: str
    source: str
    dataset: str
    task: str
    known_frames: Literal["overwrite", "keep"]
    metrics: tuple[str, ...]
    seeds: tuple[NonNegativeInt, ...]
    controls: tuple[str, ...]
    rows: tuple[Row, ...]
    panels: tuple[Panel, ...] = ()  # of the loss plot; none: all trained rows in one
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def panels_are_of_our_rows(self) -> "TableSpec":
        labels = {row.label for row in self.rows}
        for panel in self.panels:
            if stray := sorted(set(panel.rows) - labels):
                raise ValueError(f"panel {panel.title!r} draws {stray}, which are no rows; there are {sorted(labels)}")
        return self

    @model_validator(mode="after")
    def paper_values_are_of_our_metrics(self) -> "TableSpec":
        for row in self.rows:
            if stray := sorted(set(row.paper) - set(self.metrics)):
                raise ValueError(f"row {row.label!r} quotes {stray}, which this protocol does not measure")
        return self


class TableSet(Part):
    """Tables that the paper prints as one: each is a protocol of its own, and they are run and shown in turn."""

    name: str
    title: str
    tables: tuple[str, ...]


class ClipShape(Part):
    num_frames: PositiveInt
    size_px: PositiveInt


class Reading(Part):
    """How a printed size may have come about: what of ours counts as much."""

    label: str
    counts_as: str
    method: str
    options: Options = {}
    paper: PaperValue


class CostSpec(Part):
    """What one pass through each denoiser costs, with random weights."""

    name: str
    version: PositiveInt
    title: str
    source: str
    scale: str
    clip: ClipShape
    precisions: tuple[Literal["fp32", "bf16"], ...]
    repeats: PositiveInt
    max_seconds: PositiveInt
    rows: tuple[Row, ...]
    readings: tuple[Reading, ...]


class ShortClips(Part):
    """FVD of a part of each clip's frames, by every rule, beside FVD of all of them."""

    num_frames: PositiveInt  # of the clips that get the faults
    shown: PositiveInt  # of them, at equal intervals
    rules: tuple[str, ...]

    @model_validator(mode="after")
    def frames_are_shown_at_equal_intervals(self) -> "ShortClips":
        if self.num_frames % self.shown or self.num_frames == self.shown:
            raise ValueError(
                f"of {self.num_frames} frames {self.shown} cannot be shown at equal intervals of 2 or more"
            )
        return self


class ValiditySpec(Part):
    """Real clips through faults of growing strength: what each metric sees of them."""

    name: str
    version: PositiveInt
    title: str
    dataset: str
    source: str | None = None  # of the data set, where --data names none
    num_clips: PositiveInt
    metrics: tuple[str, ...]
    networks: dict[str, tuple[str, ...]] = {}  # of a metric: each is tried; else the scale's own alone
    faults: tuple[str, ...]
    strengths: tuple[Annotated[float, Field(ge=0, le=1)], ...]
    short_clips: ShortClips | None = None  # with one metric and one network, whose rules are compared

    @model_validator(mode="after")
    def networks_are_of_our_metrics(self) -> "ValiditySpec":
        if stray := sorted(set(self.networks) - set(self.metrics)):
            raise ValueError(f"networks are named for {stray}, which this protocol does not measure")
        return self

    @model_validator(mode="after")
    def rules_are_of_one_network(self) -> "ValiditySpec":
        if self.short_clips and [len(self.networks.get(metric, ())) for metric in self.metrics] != [1]:
            raise ValueError("rules for short clips are compared for one metric and one network of it")
        return self


class Setting(Part):
    """A hyperparameter: where its value in force stands, and what the two sources say, as printed."""

    label: str
    here: Annotated[str, Field(pattern=r"^(option|scale|asset|fixed) \S")]
    paper: str
    released: str


class PrintedMask(Part):
    """A condition mask as the paper prints it, 1 where the frame is known."""

    family: str
    text: bool
    known: Annotated[str, Field(pattern=r"^[01]+$")]
    source: str


class Sheet(Part):
    """A table of the paper that nothing is measured for: hyperparameters, or masks."""

    name: str
    version: PositiveInt
    title: str
    source: str
    method: str
    settings: tuple[Setting, ...] = ()
    printed: tuple[PrintedMask, ...] = ()


class DataSizes(Part):
    """Clips at most of each split; frames at most kept of one training sticker, at equal intervals."""

    train: PositiveInt
    validation: PositiveInt
    test: PositiveInt
    max_frames: PositiveInt


class Budget(Part):
    """What every trained row of a table pays alike."""

    num_steps: PositiveInt
    batch_size: PositiveInt
    weight_decay: NonNegativeFloat
    warmup_steps: NonNegativeInt
    lr_schedule: Literal["constant_with_warmup", "cosine"] = "constant_with_warmup"  # cosine: down to 0 at the end
    max_grad_norm: PositiveFloat
    ema_decay: NonNegativeFloat
    checkpoint_every: PositiveInt


class Sampling(Part):
    """Of every method alike."""

    num_steps: PositiveInt
    timestep_spacing: Literal["leading", "trailing"]
    batch_size: PositiveInt


class MethodAtScale(Part):
    """What one method uses at this scale: its size, its learning rate, its sampler."""

    learning_rate: PositiveFloat
    seconds_per_step: PositiveFloat  # of training, measured; for the plan and the progress bar, decides no number
    eta: NonNegativeFloat
    guidance_text: NonNegativeFloat
    guidance_image: NonNegativeFloat = 1.0
    options: Options = {}


class Timing(Part):
    """Denoiser seconds: forward passes at batch 1, interleaved over the methods."""

    warmup: NonNegativeInt
    repeats: PositiveInt


class ExpectedSeconds(Part):
    """Seconds that one job of each kind takes, as measured. For plans and progress bars; they decide no number."""

    prepare_real: PositiveFloat  # decode the clips that are scored
    prepare_frames: PositiveFloat  # decode the training clips
    prepare_latents: PositiveFloat  # encode the training frames with the autoencoder
    prepare_features: PositiveFloat  # compute the features of the training frames
    sample: PositiveFloat  # sample all clips of one trained row; its training is counted by seconds_per_step
    make_control: PositiveFloat  # make or read the clips of one row that is not trained
    observe_real: PositiveFloat  # observe the real clips with one metric
    score_cell: PositiveFloat  # score the clips of one row with every metric
    time_denoisers: PositiveFloat  # time the denoisers of all rows, in turns
    selftest: PositiveFloat  # probe the metrics


class Scale(Part):
    """How large everything is; a protocol never repeats any of it."""

    name: str
    version: PositiveInt
    title: str
    device: Literal["cpu", "cuda"]
    workers: PositiveInt
    threads_per_worker: PositiveInt
    clip: ClipShape
    data: DataSizes
    assets: dict[str, str]
    training: Budget
    sampling: Sampling
    timing: Timing
    expected_seconds: ExpectedSeconds
    metrics: dict[str, Options]
    methods: dict[str, MethodAtScale]
