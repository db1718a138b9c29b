"""TableSpec + Scale + what the data and weights are -> the cells to measure. Pure: no files, no torch, no clock.

Three identities nest: what decides the weights (fit), what decides the clips (sample), what decides a score. Each is a
plain dictionary; its key is its hash. A label, a quoted number or the worker count is in none of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.core.store import key_of
from rdtf_bench.spec.schema import Options, Row, Scale, TableSpec

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


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One row of a table at one seed: everything that decides its numbers."""

    protocol: str
    label: str
    kind: str  # method | control
    method: str
    seed: int
    fit: dict[str, Any] | None  # None: nothing is trained
    sample: dict[str, Any]
    scores: dict[str, dict[str, Any]]  # metric -> identity

    @property
    def name(self) -> str:
        """The label; of the further seeds of a line with the seed."""
        return f"{self.label}, seed {self.seed}" if self.seed else self.label

    @property
    def fit_key(self) -> str:
        return key_of(self.fit)

    @property
    def sample_key(self) -> str:
        return key_of(self.sample)

    @property
    def id(self) -> str:
        """The clips' identity: a renamed row keeps its record, a new metric is added to it."""
        return self.sample_key

    def score_key(self, metric: str) -> str:
        return key_of(self.scores[metric])


def plan(
    spec: TableSpec,
    scale: Scale,
    data: DataIdentity,
    digests: Mapping[str, str],
    constants: Constants,
    outside: Mapping[str, str] = MappingProxyType({}),
) -> list[Cell]:
    """`digests` maps the scale's asset roles to the hash of their weights, `outside` the names of rows whose clips were
    made elsewhere to the fingerprints of these clips."""
    if taken := sorted(set(outside) & {*spec.controls, *(row.label for row in spec.rows)}):
        raise ProtocolError(f"{spec.name} has a row {taken[0]!r} already: give these clips another name")
    planner = _Planner(spec, scale, data, digests, constants)
    cells = [planner.method_cell(row, seed) for seed in spec.seeds for row in spec.rows]
    cells += [planner.outside_cell(label, clips) for label, clips in outside.items()]
    cells += [planner.control_cell(name) for name in spec.controls]
    ids = [cell.id for cell in cells]
    if twice := sorted({cell.label for cell in cells if ids.count(cell.id) > 1}):
        raise ProtocolError(f"{spec.name}: rows {twice} would measure the same thing twice")
    return cells


def training_set(scale: Scale, data: DataIdentity, digests: Mapping[str, str]) -> dict[str, Any]:
    """The identity of the prepared training split: its frames, latents and frame features."""
    return {
        "train": data.train,
        "size_px": scale.clip.size_px,
        "max_frames": scale.data.max_frames,
        "autoencoder": digests["autoencoder"],
        "frame_features": digests["frame_features"],
    }


def clips_in_use(scale: Scale, data: DataIdentity, split: str) -> dict[str, Any]:
    """The identity of the real clips of the test or validation split."""
    fingerprint = {"test": data.test, "validation": data.validation, "train": data.train}[split]
    return {"clips": fingerprint, "num_frames": scale.clip.num_frames, "size_px": scale.clip.size_px}


def noise_floor_split(data: DataIdentity) -> str:
    """Where the noise floor's real clips come from: validation, or train where that is too small for the test's n."""
    return "validation" if data.num_validation >= data.num_test else "train"


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


def _plain(options: Options) -> dict[str, Any]:
    """As JSON has them, so that a record reads back as it was."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}


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
        network = {
            "method": row.method,
            "version": facts["VERSION"],
            "options": _plain(options),
            "assets": {role: self._digest(role, row.method) for role in asset_roles(facts, options)},
        }
        fit = {
            **network,
            "training": {
                "task": EVERY_TASK if _serves_every_task(facts, options) else self.spec.task,
                "num_frames": self.scale.clip.num_frames,
                "learning_rate": at_scale.learning_rate,
                "seed": seed,
                **self.scale.training.model_dump(),
            },
            "data": training_set(self.scale, self.data, self.digests),
            "device": self.scale.device,
        }
        sample = {
            "fit": key_of(fit),
            "task": self.spec.task,
            "known_frames": self.spec.known_frames,
            "real": clips_in_use(self.scale, self.data, "test"),
            "sampler": {
                "num_steps": self.scale.sampling.num_steps,
                "timestep_spacing": self.scale.sampling.timestep_spacing,
                "eta": at_scale.eta,
                "guidance_text": at_scale.guidance_text,
                "guidance_image": at_scale.guidance_image,
            },
            "batch_size": self.scale.sampling.batch_size,
            "seed": seed,
        }
        return self._cell(row.label, "method", row.method, seed, fit, sample, network)

    def outside_cell(self, label: str, clips: str) -> Cell:
        """A row of clips that somebody made for the conditions of this table."""
        sample = {
            "clips": clips,
            "task": self.spec.task,
            "known_frames": self.spec.known_frames,
            "real": clips_in_use(self.scale, self.data, "test"),
        }
        return self._cell(label, "method", label, self.spec.seeds[0], None, sample, None)

    def control_cell(self, name: str) -> Cell:
        sample: dict[str, Any] = {
            "control": name,
            "version": self.constants("control", name)["VERSION"],
            "real": clips_in_use(self.scale, self.data, "test"),
        }
        if name == "noise_floor":
            split = noise_floor_split(self.data)
            sample["other"] = {"split": split, **clips_in_use(self.scale, self.data, split)}
        else:
            sample["autoencoder"] = self._digest("autoencoder", name)
            sample |= {"task": self.spec.task, "known_frames": self.spec.known_frames}
        return self._cell(name, "control", name, self.spec.seeds[0], None, sample, None)

    def _cell(
        self,
        label: str,
        kind: str,
        method: str,
        seed: int,
        fit: dict[str, Any] | None,
        sample: dict[str, Any],
        network: dict[str, Any] | None,
    ) -> Cell:
        scores = {}
        for metric in self.spec.metrics:
            facts = self.constants("metric", metric)
            if "network" in facts["USES"]:
                if network is not None:
                    scores[metric] = self._cost(metric, facts, network)
            elif method != "noise_floor" or "real" in facts["USES"]:  # real clips have no caption of the test to match
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

    def _quality(self, metric: str, facts: dict[str, Any], sample: dict[str, Any]) -> dict[str, Any]:
        options = self.scale.metrics.get(metric, {})
        return {
            "metric": metric,
            "version": facts["VERSION"],
            "options": _plain(options),
            "assets": {role: self._digest(role, metric) for role in asset_roles(facts, options)},
            "fake": key_of(sample),
            "real": sample["real"],
            "clusters": self.data.test_clusters,
        }

    def _cost(self, metric: str, facts: dict[str, Any], network: dict[str, Any]) -> dict[str, Any]:
        identity = {"metric": metric, "version": facts["VERSION"], "network": network, "device": self.scale.device}
        if "clock" in facts["USES"]:
            identity |= {"clip": self.scale.clip.model_dump(), "timing": self.scale.timing.model_dump()}
        return identity

    def _digest(self, role: str, wanted_by: str) -> str:
        if role not in self.digests:
            raise ProtocolError(
                f"scale {self.scale.name}: assets has no {role!r}, which {wanted_by!r} needs; it has "
                f"{sorted(self.digests)}"
            )
        return self.digests[role]
