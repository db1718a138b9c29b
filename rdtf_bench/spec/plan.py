"""TableSpec + Scale + what the data and weights are -> the cells to measure. Pure: no files, no torch, no clock."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.spec import identities
from rdtf_bench.spec.identities import (
    ClipsIdentity,
    ControlSamples,
    CostScore,
    ExternalSamples,
    FitIdentity,
    NetworkIdentity,
    OtherClipsIdentity,
    PipelineIdentity,
    PipelineSamples,
    QualityScore,
    SamplerIdentity,
    Samples,
    ScoreIdentity,
    TrainedSamples,
    TrainingIdentity,
    TrainingSetIdentity,
)
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import RENAMED_CONTROLS, Options, Row, TableSpec, from_plain

Constants = Callable[[str, str], dict[str, Any]]
"""(kind, name) -> the module's constants; catalog.constants, or a fake in tests."""


EVERY_TASK = "every task"
"""What a method that serves all tasks with one set of weights is trained for: the same fit in every table."""


@dataclass(frozen=True, kw_only=True)
class DataIdentity:
    """A data set as the plan knows it: fingerprints of the clips in use, and how many they are."""

    dataset: str
    source: str  # "toy", "fluent" or the folder as given
    train: str
    validation: str
    test: str
    test_clusters: str  # which of the test clips are not independent: it decides intervals, not values
    num_train: int
    num_validation: int
    num_test: int


RowKind = Literal["trained", "external", "control"]
"""Whether a row is trained here, a control, or neither: of clips from elsewhere, or of a pipeline that was trained
elsewhere."""

PIPELINE_VERSION = 1
"""Number that is raised when the clips of a pipeline can change, because it is called in another way."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One row of a table at one random seed, with the identities of everything that decides its numbers."""

    protocol: str
    label: str
    kind: RowKind
    method: str
    seed: int
    fit: FitIdentity | None  # None: nothing is trained
    sample: Samples
    scores: Mapping[str, ScoreIdentity]  # by metric

    @property
    def name(self) -> str:
        """Return the label, with the seed where it is not the first."""
        return f"{self.label}, seed {self.seed}" if self.seed else self.label

    @property
    def is_control(self) -> bool:
        """Return whether the row is a control."""
        return self.kind == "control"

    @property
    def trained(self) -> FitIdentity:
        """Return what decides the weights; only a trained row has it."""
        assert self.fit is not None, self.label
        return self.fit

    @property
    def fit_key(self) -> str:
        """Return the key of the trained weights; only a trained row has them."""
        return self.trained.key

    @property
    def sample_key(self) -> str:
        """Return the key of the sampled clips."""
        return self.sample.key

    @property
    def id(self) -> str:
        """Return the key of the clips: a renamed row keeps its record, and a new metric is added to it."""
        return self.sample_key

    def score_key(self, metric: str) -> str:
        """Return the key of the score of a metric."""
        return self.scores[metric].key

    def as_dict(self) -> dict[str, Any]:
        """Return the cell as JSON has it."""
        named = {name: getattr(self, name) for name in ("protocol", "label", "kind", "method", "seed")}
        return {
            **named,
            "fit": None if self.fit is None else self.fit.as_dict(),
            "sample": self.sample.as_dict(),
            "scores": {metric: identity.as_dict() for metric, identity in self.scores.items()},
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "Cell":
        """Return the cell that JSON holds. Older files call trained and external rows "method"."""
        fit = None if raw["fit"] is None else from_plain(FitIdentity, raw["fit"])
        kind: RowKind = "control" if raw["kind"] == "control" else "external" if fit is None else "trained"
        method = RENAMED_CONTROLS.get(raw["method"], raw["method"]) if kind == "control" else raw["method"]
        return cls(
            protocol=raw["protocol"],
            label=_label(method) if kind == "control" else raw["label"],
            kind=kind,
            method=method,
            seed=raw["seed"],
            fit=fit,
            sample=identities.read_samples(raw["sample"]),
            scores={metric: identities.read_score(identity) for metric, identity in raw["scores"].items()},
        )


def plan(
    spec: TableSpec,
    scale: Scale,
    data: DataIdentity,
    digests: Mapping[str, str],
    constants: Constants,
    external: Mapping[str, str | PipelineIdentity] = MappingProxyType({}),
) -> list[Cell]:
    """`digests` maps the scale's asset roles to the hash of their weights, `external` the names of further rows to
    the fingerprint of clips that were made elsewhere, or to a pipeline."""
    if taken := sorted(set(external) & {*map(_label, spec.controls), *(row.label for row in spec.rows)}):
        raise ProtocolError(f"{spec.name} has a row {taken[0]!r} already: give the new row another name")
    planner = _Planner(spec, scale, data, digests, constants)
    cells = [planner.method_cell(row, seed) for seed in spec.seeds for row in spec.rows]
    for label, given in external.items():
        if isinstance(given, str):
            cells.append(planner.external_cell(label, given))
        else:
            cells += [planner.pipeline_cell(label, given, seed) for seed in spec.seeds]
    cells += [planner.control_cell(name) for name in spec.controls]
    ids = [cell.id for cell in cells]
    if twice := sorted({cell.label for cell in cells if ids.count(cell.id) > 1}):
        raise ProtocolError(f"{spec.name}: rows {twice} would measure the same thing twice")
    return cells


def training_set(scale: Scale, data: DataIdentity, digests: Mapping[str, str]) -> TrainingSetIdentity:
    """Return the identity of the prepared training split."""
    return TrainingSetIdentity(
        train=data.train,
        **scale.clip.model_dump(exclude={"num_frames"}),  # a training clip keeps all its frames
        **scale.data.model_dump(include={"max_frames", "clips_per_shard", "latents_dtype"}),
        autoencoder=digests[scale.role("autoencoder", "the training clips")],
        frame_features=digests[scale.role("frame_features", "the training clips")],
    )


def clips_in_use(scale: Scale, data: DataIdentity, split: str) -> ClipsIdentity:
    """Return the identity of the real clips of a split."""
    fingerprint = {"test": data.test, "validation": data.validation, "train": data.train}[split]
    return ClipsIdentity(clips=fingerprint, **scale.clip.model_dump())


def other_clips_split(data: DataIdentity) -> str:
    """Return the split of the other real clips: validation, or train where that is scored or has too few clips."""
    is_free = data.validation != data.test  # a choice of settings scores the validation clips
    return "validation" if is_free and data.num_validation >= data.num_test else "train"


def other_clips(scale: Scale, data: DataIdentity) -> OtherClipsIdentity:
    """Return the identity of the other real clips. Of a training split, no more are decoded than there are to test."""
    split = other_clips_split(data)
    most = data.num_test if split == "train" and data.num_train > data.num_test else None
    return OtherClipsIdentity(split=split, most=most, **clips_in_use(scale, data, split).model_dump())


def _says_something(row: str, uses: Collection[str]) -> bool:
    """Return whether a metric of clips is measured for a row, which may be a control."""
    if row == "real":
        return "real" not in uses  # its distance from itself is 0
    return row != "other_real_clips" or "real" in uses  # these clips have no caption of the test to match


def _label(control: str) -> str:
    return control.replace("_", " ")


def asset_roles(facts: Mapping[str, Any], options: Options) -> list[str]:
    """The networks a method needs: ASSETS, and those of MORE_ASSETS whose option has the value that asks for them."""
    more = facts.get("MORE_ASSETS", {}).items()
    return [
        *facts["ASSETS"],
        *(role for (option, value), roles in more if options.get(option) == value for role in roles),
    ]


def _serves_every_task(facts: Mapping[str, Any], options: Options) -> bool:
    if "SERVES_EVERY_TASK_UNLESS" not in facts:
        return False
    option, value = facts["SERVES_EVERY_TASK_UNLESS"]
    return bool(options.get(option) != value)


@dataclass(frozen=True)
class _Planner:
    spec: TableSpec
    scale: Scale
    data: DataIdentity
    digests: Mapping[str, str]
    constants: Constants

    def method_cell(self, row: Row, seed: int) -> Cell:
        at_scale = self.scale.methods.get(row.method)
        if at_scale is None:
            raise ProtocolError(
                f"scale {self.scale.name}: methods has no {row.method!r}, which row {row.label!r} of "
                f"{self.spec.name} needs; it has {sorted(self.scale.methods)}"
            )
        facts = self.constants("method", row.method)
        options = {**at_scale.options, **row.options}
        network = NetworkIdentity(
            method=row.method,
            version=facts["VERSION"],
            options=options,
            assets={role: self._digest(role, row.method) for role in asset_roles(facts, options)},
        )
        own = {name: value for name, value in row.settings.model_dump().items() if value is not None}
        training = TrainingIdentity(
            task=EVERY_TASK if _serves_every_task(facts, options) else self.spec.task,
            num_frames=self.scale.clip.num_frames,
            learning_rate=own.get("learning_rate", at_scale.learning_rate),
            seed=seed,
            **{
                **self.scale.training.model_dump(),
                "num_steps": own.get("training_steps", self.scale.training.num_steps),
            },
        )
        fit = FitIdentity(
            **network.model_dump(),
            training=training,
            data=training_set(self.scale, self.data, self.digests),
            device=self.scale.device,
        )
        sample = TrainedSamples(
            fit=fit.key,
            task=self.spec.task,
            known_frames=own.get("known_frames", self.spec.known_frames),
            real=clips_in_use(self.scale, self.data, "test"),
            sampler=SamplerIdentity(
                **{
                    **self.scale.sampling.model_dump(exclude={"batch_size", "clips_per_job"}),
                    "num_steps": own.get("sampling_steps", self.scale.sampling.num_steps),
                },
                eta=own.get("eta", at_scale.eta),
                guidance_text=own.get("guidance_text", at_scale.guidance_text),
                guidance_image=own.get("guidance_image", at_scale.guidance_image),
            ),
            batch_size=self.scale.sampling.batch_size,
            seed=seed,
        )
        return self._cell(row.label, "trained", row.method, seed, fit, sample)

    def external_cell(self, label: str, clips: str) -> Cell:
        """Return the row of clips that somebody made for the conditions of this table."""
        sample = ExternalSamples(
            clips=clips,
            task=self.spec.task,
            known_frames=self.spec.known_frames,
            real=clips_in_use(self.scale, self.data, "test"),
        )
        return self._cell(label, "external", label, self.spec.seeds[0], None, sample)

    def pipeline_cell(self, label: str, pipeline: PipelineIdentity, seed: int) -> Cell:
        """Return the row of a pipeline of diffusers, which samples the conditions of this table."""
        sample = PipelineSamples(
            **{name: getattr(pipeline, name) for name in PipelineIdentity.model_fields},
            version=PIPELINE_VERSION,
            task=self.spec.task,
            known_frames=self.spec.known_frames,
            real=clips_in_use(self.scale, self.data, "test"),
            num_steps=pipeline.settings.sampling_steps or self.scale.sampling.num_steps,
            seed=seed,
        )
        network = NetworkIdentity(
            method=pipeline.pipeline_class,
            version=PIPELINE_VERSION,
            options={},
            assets={"pipeline": pipeline.pipeline},
        )
        cell = self._cell(label, "external", label, seed, None, sample)
        return replace(cell, scores={**cell.scores, **self._sizes(network)})

    def _sizes(self, network: NetworkIdentity) -> dict[str, ScoreIdentity]:
        """Return the scores of a network that its parameters alone decide."""
        facts = {metric: self.constants("metric", metric) for metric in self.spec.metrics}
        counted = {metric: of for metric, of in facts.items() if "network" in of["USES"] and "clock" not in of["USES"]}
        return {metric: self._cost(metric, of, network) for metric, of in counted.items()}

    def control_cell(self, name: str) -> Cell:
        version = self.constants("control", name)["VERSION"]
        real = clips_in_use(self.scale, self.data, "test")
        if name == "other_real_clips":
            other = other_clips(self.scale, self.data)
            # the name under which the row was first published; it decides the id
            sample = ControlSamples(control="noise_floor", version=version, real=real, other=other)
        elif name == "real":
            sample = ControlSamples(control=name, version=version, real=real)
        else:
            sample = ControlSamples(
                control=name,
                version=version,
                real=real,
                autoencoder=self._digest("autoencoder", name),
                task=self.spec.task,
                known_frames=self.spec.known_frames,
            )
        return self._cell(_label(name), "control", name, self.spec.seeds[0], None, sample)

    def _cell(
        self, label: str, kind: RowKind, method: str, seed: int, fit: FitIdentity | None, sample: Samples
    ) -> Cell:
        scores: dict[str, ScoreIdentity] = {}
        for metric in self.spec.metrics:
            facts = self.constants("metric", metric)
            if "network" in facts["USES"]:
                if fit is not None:
                    scores[metric] = self._cost(metric, facts, fit.network)
            elif _says_something(method, facts["USES"]):
                scores[metric] = self._quality(metric, facts, sample)
        return Cell(
            protocol=self.spec.name,
            label=label,
            kind=kind,
            method=method,
            seed=seed,
            fit=fit,
            sample=sample,
            scores=scores,
        )

    def _quality(self, metric: str, facts: dict[str, Any], sample: Samples) -> QualityScore:
        options = self.scale.metrics.get(metric, {})
        return QualityScore(
            metric=metric,
            version=facts["VERSION"],
            options=options,
            assets={role: self._digest(role, metric) for role in asset_roles(facts, options)},
            fake=sample.key,
            real=sample.real,
            clusters=self.data.test_clusters,
        )

    def _cost(self, metric: str, facts: dict[str, Any], network: NetworkIdentity) -> CostScore:
        takes_time = "clock" in facts["USES"]
        return CostScore(
            metric=metric,
            version=facts["VERSION"],
            network=network,
            device=self.scale.device,
            clip=self.scale.clip if takes_time else None,
            timing=self.scale.timing if takes_time else None,
        )

    def _digest(self, role: str, wanted_by: str) -> str:
        return self.digests[self.scale.role(role, wanted_by)]
