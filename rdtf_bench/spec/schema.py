"""The fields of protocol files, with their units. Read this file to learn what they may say. Scales are in scale.py."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from rdtf_bench.core.dataset import Fit, FramesBy
from rdtf_bench.core.errors import unknown_name

Place = tuple[str | int, ...]
"""The keys and list positions that lead to a value of a file, as pydantic writes them: ("rows", 2, "method")."""


def _known(kind: str) -> AfterValidator:
    """Refuse a name that is not in the validation context's list of this kind; without a list, accept any name."""

    def check(name: str, info: Any) -> str:  # a ValidationInfo, which cannot be checked at run time
        known = (info.context or {}).get(kind)
        if known is not None and name not in known:
            raise PydanticCustomError("unknown_name", "{said}", {"said": str(unknown_name(kind, name, known))})
        return name

    return AfterValidator(check)


def _refuse(faults: Sequence[tuple[Place, str]]) -> None:
    """Raise one error for all faults that a check over several fields found; each keeps its own place."""
    if faults:
        said = "; ".join(said for _, said in faults)
        raise PydanticCustomError("misplaced", "{said}", {"said": said, "faults": list(faults)})


Name = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Name of the file's content, in letters, digits, '.', '_' and '-'. Results are stored under it. A "
        "file that extends another states a name of its own; the package's names are taken.",
    ),
]
RENAMED_CONTROLS = {"noise_floor": "other_real_clips"}
"""Names of control rows in older protocols and published tables, and what they are called now."""
Control = Annotated[
    str,
    BeforeValidator(lambda name: RENAMED_CONTROLS.get(name, name) if isinstance(name, str) else name),
    _known("control"),
]
Dataset = Annotated[str, _known("dataset")]
Method = Annotated[str, _known("method")]
Metric = Annotated[str, _known("metric")]
ScaleName = Annotated[str, _known("scale")]
TableName = Annotated[str, _known("table")]

Option = int | float | str | bool | tuple[int, ...] | tuple[float, ...] | tuple[str, ...]
Options = dict[str, Option]


class Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


Kind = TypeVar("Kind", bound=Part)


def from_plain(kind: type[Kind], raw: object, context: Mapping[str, Any] | None = None) -> Kind:
    """Return what plain values say, as JSON or YAML holds them; raises pydantic's ValidationError."""
    # through JSON: strict mode then still takes a list for a tuple. A value that JSON does not know becomes text, and
    # such a key is left out, so that a faulty file is not our crash.
    return kind.model_validate_json(json.dumps(raw, default=str, skipkeys=True), context=context)


class File(Part):
    """The fields that every kind of file has."""

    name: Name
    title: str
    """One line for lists and headings."""
    _path: str | None = PrivateAttr(default=None)

    @property
    def as_argument(self) -> str:
        """What a command that is typed in a shell calls this file: its name, or the path by which it was loaded."""
        return shlex.quote(self._path or self.name)


class PaperValue(Part):
    """A number as the paper prints it, and where it is printed."""

    value: Annotated[str, Field(pattern=r"^-?\d+(\.\d+)?( [MB])?$")]
    """The number in quotes, so that "22.10" keeps its digits; "0.96 B" is in billions, "12.5 M" in millions."""
    source: str
    """Table, row and column of the paper."""

    @property
    def number(self) -> float:
        """Return the printed value as a number, with M for millions and B for billions."""
        digits, _, unit = self.value.partition(" ")
        return float(digits) * {"": 1.0, "M": 1e6, "B": 1e9}[unit]


GridSetting = Literal["learning_rate", "eta", "guidance_text", "guidance_image", "sampling_steps", "known_frames"]
"""A setting that a grid may vary: a field of Settings."""


class Settings(Part):
    """What a row trains and samples with instead of the settings of its method at the scale."""

    learning_rate: PositiveFloat | None = None
    training_steps: NonNegativeInt | None = None
    """Number of training steps; 0 leaves a network as it is initialised, which for an adapter is the base itself."""
    eta: NonNegativeFloat | None = None
    """Noise of the DDIM sampler: 0 is deterministic, 1 is that of DDPM."""
    guidance_text: NonNegativeFloat | None = None
    """Guidance scale of the caption; 1 is no guidance."""
    guidance_image: NonNegativeFloat | None = None
    """Guidance scale of the given frames, for methods that have one."""
    sampling_steps: PositiveInt | None = None
    """Number of denoising steps."""
    known_frames: Literal["overwrite", "keep"] | None = None
    """Whether the given frames replace the generated ones before scoring, instead of what the table says."""


class Row(Part):
    """One row of a table: a method, and what it does differently from the scale's settings."""

    label: str
    """Text of the row's first column."""
    method: Method
    """A method of `rdtf-bench list`."""
    options: Options = {}
    """Options of the method; they go before those of the scale."""
    settings: Settings = Settings()
    """Settings of training and sampling that go before those of the scale."""
    paper: dict[str, PaperValue] = {}
    """The paper's number for each metric that the table measures."""


class Panel(Part):
    """Training losses that are drawn in one plot."""

    title: str
    rows: tuple[str, ...]
    """Labels of the rows."""


class TableSpec(File):
    """One table: which methods are compared, on which dataset, by which metrics, and what the paper printed."""

    version: PositiveInt
    """Raised by every change that can move a number."""
    source: str
    """Where the paper prints this table."""
    dataset: Dataset
    """A dataset of `rdtf-bench list`."""
    dataset_options: Options = {}
    """How clips are cut, for nuscenes: cameras, stride and keyframes_only. They are part of the data's identity."""
    task: Literal["it2v", "i2v", "t2v", "interpolation", "prediction"]
    """Which inputs are given: it2v the first frame and the caption, i2v the frame alone, t2v the caption alone;
    interpolation and prediction the caption and several frames."""
    known_frames: Literal["overwrite", "keep"]
    """Whether the given frames replace the generated ones before scoring (overwrite) or not (keep)."""
    metrics: tuple[Metric, ...]
    """Metrics of `rdtf-bench list`, one column for each."""
    seeds: tuple[NonNegativeInt, ...]
    """Random seeds; every row is trained and sampled once for each."""
    controls: tuple[Control, ...]
    """Rows that no method makes, such as static: real clips, or clips that are derived from them."""
    rows: tuple[Row, ...]
    grid: dict[GridSetting, tuple[int | float | str, ...]] = {}
    """Settings whose every combination is a row for each of the rows."""
    default_scale: ScaleName = "tiny"
    """Scale of the commands that are given no `--scale`."""
    scored: Literal["test", "validation"] = "test"
    """The split whose clips are generated and scored. `validation` is for the choice of settings: the footer names the
    best of each method, and no test clip has a part in it."""
    panels: tuple[Panel, ...] = ()
    """Panels of the loss plot; without any, all trained rows share one."""
    notes: tuple[str, ...] = ()
    """Sentences that are printed below the table."""

    @model_validator(mode="after")
    def panels_and_paper_values_belong_to_rows_and_metrics(self) -> "TableSpec":
        faults: list[tuple[Place, str]] = [*self._faults_of_grid()]
        labels = {row.label for row in self.rows}
        for i, panel in enumerate(self.panels):
            if stray := sorted(set(panel.rows) - labels):
                said = f"panel {panel.title!r} draws {stray}, which are no rows; there are {sorted(labels)}"
                faults.append((("panels", i, "rows"), said))
        for i, row in enumerate(self.rows):
            if stray := sorted(set(row.paper) - set(self.metrics)):
                said = f"row {row.label!r} quotes {stray}, which this protocol does not measure"
                faults.append((("rows", i, "paper"), said))
        _refuse(faults)
        return self

    def _faults_of_grid(self) -> Iterator[tuple[Place, str]]:
        for name, values in self.grid.items():
            for i, value in enumerate(values):
                try:
                    Settings.model_validate({name: value})
                except ValidationError as error:
                    yield ("grid", name, i), f"{value!r} is no {name}: {error.errors()[0]['msg']}"


class TableSet(File):
    """Tables that the paper prints as one: each is a protocol of its own, and they are run and shown in turn."""

    tables: tuple[TableName, ...]
    """Names of tables, in the order in which they are shown."""


class ClipShape(Part):
    """Number of frames of a clip, how they are chosen, and their size."""

    num_frames: PositiveInt
    size_px: PositiveInt
    """Width and height of a frame, in pixels."""
    frames_by: FramesBy = "index"
    """Choose frames at equal intervals of their numbers, as the paper's released loader does, or of time. These differ
    if frames are shown for different times, as in two of five animated stickers."""
    fit: Fit = "stretch"
    """Stretch frames to a square, as the paper's released loader does, or take the central square."""

    @property
    def fewest_frames(self) -> int:
        """The fewest frames that a file needs; by time, a frame may repeat."""
        return self.num_frames if self.frames_by == "index" else 2


class Reading(Part):
    """An explanation of a printed parameter count: a network of ours that has the same size."""

    label: str
    counts_as: str
    """The network that is counted, in words."""
    method: Method
    options: Options = {}
    paper: PaperValue


class CostSpec(File):
    """The cost of one pass through each denoiser, with random weights."""

    version: PositiveInt
    """Raised by every change that can move a number."""
    source: str
    """Where the paper prints this table."""
    scale: ScaleName
    """The scale whose networks are measured; `--scale` does not change it."""
    clip: ClipShape
    precisions: tuple[Literal["fp32", "bf16"], ...]
    repeats: PositiveInt
    """Number of timed passes for each row and precision."""
    max_seconds: PositiveInt
    """Limit of the time for measuring, in seconds: with slow passes there are fewer repeats, but at least one."""
    rows: tuple[Row, ...]
    readings: tuple[Reading, ...]
    notes: tuple[str, ...] = ()
    """Sentences for the footer of the table."""


class ShortClips(Part):
    """FVD of some frames of each clip by every extension rule, compared with the FVD of all its frames."""

    num_frames: PositiveInt
    """Number of frames of the clips to which the faults are applied."""
    shown: PositiveInt
    """Number of these frames that are scored, at equal intervals."""
    rules: tuple[str, ...]
    """Rules that extend the shown frames to the length that the feature network needs."""

    @model_validator(mode="after")
    def frames_are_shown_at_equal_intervals(self) -> "ShortClips":
        if self.num_frames % self.shown or self.num_frames == self.shown:
            raise ValueError(
                f"of {self.num_frames} frames {self.shown} cannot be shown at equal intervals of 2 or more"
            )
        return self


class ValiditySpec(File):
    """The response of each metric to faults of growing strength in real clips."""

    version: PositiveInt
    """Raised by every change that can move a number."""
    dataset: Dataset
    """A dataset of `rdtf-bench list`."""
    source: str | None = None
    """The built-in data to use where `--data` names none; default: that of the dataset."""
    num_clips: PositiveInt
    """Number of test clips to which the faults are applied."""
    metrics: tuple[Metric, ...]
    networks: dict[str, tuple[str, ...]] = {}
    """For a metric, the feature networks that are compared; default: that of the scale alone."""
    faults: tuple[str, ...]
    strengths: tuple[Annotated[float, Field(ge=0, le=1)], ...]
    """Strengths of each fault, from 0 (its weakest form, not its absence) to 1."""
    short_clips: ShortClips | None = None
    """Compares extension rules for short clips; needs exactly one metric and one network for it."""

    @model_validator(mode="after")
    def networks_belong_to_metrics(self) -> "ValiditySpec":
        if stray := sorted(set(self.networks) - set(self.metrics)):
            _refuse([(("networks",), f"networks are named for {stray}, which this protocol does not measure")])
        return self

    @model_validator(mode="after")
    def rules_are_compared_with_one_network(self) -> "ValiditySpec":
        if self.short_clips and [len(self.networks.get(metric, ())) for metric in self.metrics] != [1]:
            said = "rules for short clips are compared for one metric and one network of it"
            _refuse([(("short_clips",), said)])
        return self


class Setting(Part):
    """A hyperparameter: where its value in force is found, and what the two sources say, as printed."""

    label: str
    here: Annotated[str, Field(pattern=r"^(option \S+|scale \S+|asset \S+ \S+|fixed \S.*)$")]
    """`option NAME` of the method, `scale PLACE`, `asset ROLE KEY`, or `fixed VALUE`."""
    paper: str
    released: str
    """What the released code says."""


class PrintedMask(Part):
    """A condition mask as the paper prints it."""

    family: str
    text: bool
    """Whether the caption is given."""
    known: Annotated[str, Field(pattern=r"^[01]+$")]
    """One digit for each frame: 1 where the frame is given."""
    source: str


class Sheet(File):
    """A table of the paper for which nothing is measured: hyperparameters, or condition masks."""

    version: PositiveInt
    source: str
    """Where the paper prints this table."""
    method: Method
    """The method whose hyperparameters are listed."""
    settings: tuple[Setting, ...] = ()
    printed: tuple[PrintedMask, ...] = ()


class FrameCounts(Part):
    """A published histogram of the number of frames, beside which that of a data folder is drawn."""

    label: str
    """The dataset of the published histogram."""
    published: str
    """Where the histogram is printed, and how its values were read."""
    largest: tuple[PositiveInt, ...]
    """The largest number of frames of each bin, from 2 frames on; one more bin holds longer clips."""
    thousands: tuple[PositiveFloat, ...]
    """Thousands of clips in each bin."""

    @model_validator(mode="after")
    def bins_rise_and_have_one_value_each(self) -> "FrameCounts":
        if list(self.largest) != sorted(set(self.largest)):
            _refuse([(("largest",), "the bins must rise")])
        if len(self.thousands) != len(self.largest) + 1:
            said = f"{len(self.largest)} bins and that of longer clips need {len(self.largest) + 1} values"
            _refuse([(("thousands",), f"{said}, and there are {len(self.thousands)}")])
        return self


class FrameExtraction(Part):
    """Frames that clustering takes from clips, beside frames at equal intervals."""

    num_clips: PositiveInt
    """Number of training clips, each of more frames than the largest k."""
    max_frames: PositiveInt
    """Maximum number of frames kept of one clip, at equal intervals."""
    k: tuple[PositiveInt, ...]
    """Numbers of frames that are taken."""
    draws: PositiveInt
    """Number of clusterings of each clip, over which the coverage is averaged."""
    tolerance: PositiveFloat
    """Root mean square of the differences of the pixels, of 255, up to which two frames show the same content."""
    shown_clips: PositiveInt
    shown_k: PositiveInt
    """Number of clips in the picture, and of frames that are marked in each."""


class SimulatedLoss(Part):
    """A training loss that falls exponentially from one value towards another, with noise in proportion."""

    num_steps: PositiveInt
    start: PositiveFloat
    end: PositiveFloat
    noise: NonNegativeFloat
    """Standard deviation of the noise, as a share of the loss."""


class CurriculumCourse(Part):
    """Shares of the cases that a curriculum draws in each part of a training."""

    table: TableName
    """The table whose training log gives the losses that the curriculum follows, if the store holds it."""
    row: str
    """Label of the row of the table."""
    parts: PositiveInt
    """Number of equal parts of the training."""
    simulated: SimulatedLoss
    """The losses that the curriculum follows where the store holds no training log of the row."""


class FigureSpec(File):
    """A figure of the paper that is drawn from a data folder or a curriculum; it has exactly one of three parts."""

    version: PositiveInt
    """Raised by every change that can move a number."""
    source: str
    """Where the paper prints this figure."""
    dataset: Dataset
    """A dataset of `rdtf-bench list`."""
    frame_counts: FrameCounts | None = None
    extraction: FrameExtraction | None = None
    curriculum: CurriculumCourse | None = None
    notes: tuple[str, ...] = ()
    """Sentences that are printed below the figure's table."""

    @model_validator(mode="after")
    def one_thing_is_drawn(self) -> "FigureSpec":
        if sum(part is not None for part in (self.frame_counts, self.extraction, self.curriculum)) != 1:
            raise ValueError("a figure has exactly one of frame_counts, extraction and curriculum")
        return self


class Criterion(Part):
    """One question of a user study, by which raters rank the clips of all rows."""

    name: Name
    label: str
    question: str
    """The question that raters answer, a whole sentence."""
    about_text: bool = False
    """Whether the question is about the caption. It is left out for tables whose methods are given none."""


class ArenaSpec(File):
    """A user study: raters rank the clips of a table's trained rows, without knowing which row made which clip."""

    version: PositiveInt
    """Raised by every change that can move a number."""
    source: str
    """Where the paper prints this table."""
    table: TableName
    """The table whose rows are ranked."""
    num_clips: PositiveInt
    """Number of test clips that each rater sees."""
    criteria: tuple[Criterion, ...]
    paper: dict[str, dict[str, PaperValue]] = {}
    """The paper's number for each row, by its label, and each criterion."""
    notes: tuple[str, ...] = ()
    """Sentences that are printed below the table."""

    @model_validator(mode="after")
    def paper_values_belong_to_criteria(self) -> "ArenaSpec":
        known = [criterion.name for criterion in self.criteria]
        faults: list[tuple[Place, str]] = [
            (("paper", row, name), str(unknown_name("criterion", name, known)))
            for row, values in self.paper.items()
            for name in values
            if name not in known
        ]
        _refuse(faults)
        return self
