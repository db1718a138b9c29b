"""Curves of metrics over the severity of faults: which ones a protocol asks for, and their files in the store.

Imports no torch.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rdtf_bench import catalog
from rdtf_bench.assets import registry
from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.store import Store, key_of, write_text
from rdtf_bench.run.inputs import datasets
from rdtf_bench.run.protocols import known_names
from rdtf_bench.spec.command import command, data_option
from rdtf_bench.spec.load import load_validity
from rdtf_bench.spec.plan import DataIdentity, asset_roles, other_clips_split
from rdtf_bench.spec.scale import DataSizes, Scale
from rdtf_bench.spec.schema import ClipShape, Options, ShortClips, ValiditySpec

KIND = "curves"
FILE = "curve.json"


@dataclass(frozen=True, kw_only=True)
class CurveRecord:
    """Values of one metric over the severity of one fault."""

    metric: str
    label: str
    yardstick: str
    higher_is_better: bool
    fault: str
    strengths: tuple[float, ...]
    values: tuple[float, ...]  # of intact clips, then of each strength
    rank_correlation: float  # Spearman's, of severity and value (negated if higher is better)
    is_seen: bool
    n: int
    without_group: tuple[tuple[float, ...], ...] = ()  # for each value: the values with each group of clips left out


@dataclass(frozen=True, kw_only=True)
class Look:
    """A metric with all of its options, as it is applied to clips."""

    name: str  # in a plan, such as "fvd i3d"
    metric: str
    options: Options
    every: int = 1  # the metric sees every so many frames
    said: str = ""  # is appended to the yardstick of the metric


@dataclass(frozen=True, kw_only=True)
class PlannedCurve:
    """One curve to be measured; `key` is its entry in the store."""

    look: Look
    fault: str
    key: str


def load(name: str) -> ValiditySpec:
    """Return the protocol of this name; every name in it that is not in the catalog is a fault with its line."""
    return load_validity(name, known_names())


def looks(spec: ValiditySpec, scale: Scale) -> list[Look]:
    """Return every metric as the scale configures it, or once for each network that the protocol names.

    If the protocol compares rules for short clips, return the metric on all frames, then once for each rule on fewer.
    """
    found = []
    for metric in spec.metrics:
        options = dict(scale.metrics.get(metric, {}))
        if metric not in spec.networks:
            found.append(Look(name=metric, metric=metric, options=options))
        for network in spec.networks.get(metric, ()):
            found.append(Look(name=f"{metric} {network}", metric=metric, options={**options, "network": network}))
    return found if spec.short_clips is None else _by_rule(found[0], spec.short_clips)


def _by_rule(look: Look, short: ShortClips) -> list[Look]:
    def by(rule: str, frames: int, said: str) -> Look:
        options = {**look.options, "rule": rule, "num_frames": frames}
        every = short.num_frames // frames
        return Look(name=f"{look.metric} {said}", metric=look.metric, options=options, every=every, said=said)

    whole = by("none", short.num_frames, f"{short.num_frames} frames")
    return [whole, *(by(rule, short.shown, f"{short.shown} {rule}") for rule in short.rules)]


def shape(spec: ValiditySpec, scale: Scale) -> ClipShape:
    """Return the shape of the clips that get the faults."""
    if spec.short_clips is None:
        return scale.clip
    return scale.clip.model_copy(update={"num_frames": spec.short_clips.num_frames})


def sizes(spec: ValiditySpec, scale: Scale) -> DataSizes:
    """Return the number of clips per split: the same number, that of the protocol, for each."""
    return scale.data.model_copy(update=dict.fromkeys(("train", "validation", "test"), spec.num_clips))


def plan(spec: ValiditySpec, scale: Scale, source: str | None, root: Path) -> list[PlannedCurve]:
    """Return every curve with its key, which depends on the metric, the clips and the fault."""
    frames = shape(spec, scale).num_frames
    # where validation is too small, training clips stand in for it
    data = datasets.identify(spec.dataset, source, sizes(spec, scale), frames, store=root, min_train_frames=frames)
    return [
        PlannedCurve(look=look, fault=fault, key=_key(spec, scale, data.identity, look, fault))
        for look in looks(spec, scale)
        for fault in spec.faults
    ]


def read(store: Store, key: str) -> CurveRecord:
    """Return a measured curve."""
    raw = json.loads((store.path(KIND, key) / FILE).read_text(encoding="utf-8"))
    lists = {name: tuple(raw[name]) for name in ("strengths", "values")}
    return CurveRecord(**{**raw, **lists, "without_group": tuple(map(tuple, raw.get("without_group", ())))})


def read_all(spec: ValiditySpec, scale: Scale, source: str | None, root: Path) -> list[CurveRecord]:
    """Return every curve of the protocol. Raises StoreError if one has not been measured."""
    store, planned = Store(root), plan(spec, scale, source, root)
    if missing := [curve for curve in planned if not store.has(KIND, curve.key)]:
        raise StoreError(
            f"{root}: {len(missing)} of {len(planned)} curves of {spec.name} have not been measured at scale "
            f"{scale.name} on this data. Run: {command('run', spec, scale, data_option(spec.dataset, source))}"
        )
    return [read(store, curve.key) for curve in planned]


def write(record: CurveRecord, folder: Path) -> None:
    """Write a curve into an entry of the store."""
    write_text(folder / FILE, json.dumps(asdict(record), indent=1, allow_nan=False) + "\n")


def _key(spec: ValiditySpec, scale: Scale, data: DataIdentity, look: Look, fault: str) -> str:
    facts = catalog.constants("metric", look.metric)
    roles = asset_roles(facts, look.options)
    other = {"train": data.train, "validation": data.validation}[other_clips_split(data)]
    identity: dict[str, object] = {
        "version": spec.version,
        "metric": look.metric,
        "metric_version": facts["VERSION"],
        "options": look.options,
        "assets": {role: registry.find(scale.asset(role, look.name)).digest for role in roles},
        "fault": fault,
        "strengths": spec.strengths,
        "clips": {"test": data.test, "other": other, "shape": shape(spec, scale).model_dump(exclude_defaults=True)},
    }
    if look.every > 1:
        identity["every"] = look.every
    return key_of(identity)
