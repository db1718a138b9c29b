"""Computes the row of a record again from what the record says alone, in a store of its own. Imports no torch.

Everything that the record names and this machine lacks is told before any work: weights, data, versions of methods and
metrics, and the device.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console

from rdtf_bench import catalog
from rdtf_bench.assets import registry
from rdtf_bench.core.errors import AssetError, DataError, ProtocolError, StoreError, UnknownNameError
from rdtf_bench.run import environment
from rdtf_bench.run.protocols import load_scale
from rdtf_bench.run.record import Record, digests_of
from rdtf_bench.run.table import execute
from rdtf_bench.run.table.context import cells_of
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import TableSpec, from_plain

BUILT_IN = "toy"
SPLITS = ("test", "validation")
MACHINE = ("processor", "gpu", "packages")
"""Facts of a record's environment that must be equal for equal bits."""


@dataclass(frozen=True, kw_only=True)
class Replayable:
    """A record with the table of one row that makes it again."""

    record: Record
    spec: TableSpec
    scale: Scale
    source: str | None
    expects_bits: bool  # whether this machine must make the same clips, bit by bit


def prepare(record: Record, *, row: str, metrics: tuple[str, ...], source: str | None, root: Path) -> Replayable:
    """Return what makes a record again; StoreError with everything that this machine lacks for it.

    `source` is the data folder, for a record that was not made from built-in data. `root` is an empty store.
    """
    scale, faults = _scale(record)
    faults += [*_kind(record), *_source(record, source), *_weights(record, scale)]
    if scale is not None and not faults:
        planned = _planned(record, row, metrics, scale, source, root)
        if isinstance(planned, TableSpec):
            return Replayable(
                record=record,
                spec=planned,
                scale=scale,
                source=source,
                expects_bits=_is_same_machine(record, scale),
            )
        faults += planned
    told = "\n".join(f"  {fault}" for fault in faults)
    raise StoreError(f"the record of {row} cannot be replayed here:\n{told}\n{_advice(record)}")


def run(planned: Replayable, *, root: Path, console: Console, quiet: bool) -> Record:
    """Make the row again in the store at `root` and return its new record."""
    outcome = execute.run(
        planned.spec,
        planned.scale,
        source=planned.source,
        root=root,
        skip_broken=bool(planned.record.data.get("skipped_broken")),
        console=console,
        quiet=quiet,
        command=environment.command_line(),
        retrain=True,  # a row that ships with the package would be no replay
    )
    return outcome.records[planned.record.cell_id]


def is_timed(metric: str) -> bool:
    """Return whether a metric measures time, which no machine repeats."""
    return "clock" in catalog.constants("metric", metric)["USES"]


def _advice(record: Record) -> str:
    commit = record.environment.get("commit")
    at = f" git checkout {commit} has the code of the record." if commit else ""
    return f"Get what is missing, or check out the code that made the record.{at}"


def _scale(record: Record) -> tuple[Scale | None, list[str]]:
    """Return the scale as it was, or the one of its name and version for a record that did not keep it."""
    if record.resolved_scale is not None:
        try:
            return from_plain(Scale, record.resolved_scale), []
        except ValidationError as fault:
            return None, [f"scale {record.scale}: has another format than this version of rdtf-bench reads: {fault}"]
    try:
        scale = load_scale(record.scale)
    except UnknownNameError as fault:
        return None, [f"scale {record.scale}: the record did not keep it, and {fault}"]
    if scale.version != record.scale_version:
        told = f"version {record.scale_version} in the record, version {scale.version} here"
        return None, [f"scale {record.scale}: the record did not keep it. {told}"]
    return scale, []


def _kind(record: Record) -> Iterator[str]:
    if "pipeline" in record.config["sample"]:
        yield "pipeline: a record does not hold it. Run its table again, in another store: run TABLE --pipeline NAME"
    elif record.kind != "control" and record.config["fit"] is None:
        yield "clips: they were made elsewhere, and a record does not hold them. Score them: run TABLE --with NAME=DIR"


def _source(record: Record, source: str | None) -> Iterator[str]:
    made_from = record.data.get("source", BUILT_IN)
    if made_from != BUILT_IN and source is None:
        yield f"data {record.dataset}: made from {made_from}. Name its folder: --data {record.dataset}=DIR"


def _weights(record: Record, scale: Scale | None) -> Iterator[str]:
    """Yield the networks of the record that are absent here, or are here with other bytes."""
    names = {} if scale is None else scale.assets
    config = record.config
    for role, digest in digests_of(config["fit"] or {}, config["sample"], config["scores"].values()).items():
        name = names.get(role)
        if name is None:
            continue
        try:
            asset = registry.find(name)
        except AssetError as fault:
            yield f"weights {name}: {fault}"
            continue
        if asset.absent():
            yield f"weights {name}: absent. Get them: rdtf-bench assets fetch {name}"
        elif faults := asset.faults():
            yield f"weights {name}: {'; '.join(faults)}"
        elif asset.digest != digest:
            yield f"weights {name}: {digest} in the record, {asset.digest} here"


def _planned(
    record: Record, row: str, metrics: tuple[str, ...], scale: Scale, source: str | None, root: Path
) -> TableSpec | list[str]:
    """Return the table whose only row is planned as the record was made, or else what is planned in another way."""
    faults: list[str] = []
    for scored in SPLITS:
        try:
            spec = _table(record, row, metrics, scored)
            _, (cell,) = cells_of(spec, scale, source, root)
        except (DataError, ProtocolError) as fault:
            return [*faults, str(fault)]
        differing = list(_differences(record, cell, metrics))
        if not differing:
            return spec
        faults = faults or differing  # those of the test clips, which most tables score
    return faults


def _table(record: Record, row: str, metrics: tuple[str, ...], scored: str) -> TableSpec:
    sample, is_control = record.config["sample"], record.kind == "control"
    raw = {
        "name": record.protocol,
        "version": record.protocol_version,
        "title": f"{row}, made again",
        "source": "a record",
        "dataset": record.dataset,
        "dataset_options": record.data.get("options", {}),
        "task": record.task,
        "known_frames": sample.get("known_frames") or "keep",
        "metrics": metrics,
        "seeds": (record.seed,),
        "controls": (record.method,) if is_control else (),
        "rows": () if is_control else (_row(record, row),),
        "scored": scored,
    }
    try:
        return from_plain(TableSpec, raw)
    except ValidationError as fault:
        raise ProtocolError(f"the record of {row} does not make a table here: {fault}") from fault


def _row(record: Record, row: str) -> dict[str, object]:
    fit, sampler = record.config["fit"], record.config["sample"]["sampler"]
    settings = {
        "learning_rate": fit["training"]["learning_rate"],
        "training_steps": fit["training"]["num_steps"],
        "sampling_steps": sampler["num_steps"],
        **{name: sampler[name] for name in ("eta", "guidance_text", "guidance_image")},
    }
    return {"label": row, "method": record.method, "options": fit["options"], "settings": settings}


def _differences(record: Record, cell: Cell, metrics: tuple[str, ...]) -> Iterator[str]:
    """Yield each setting that the plan of today has another value for than the record."""
    planned = cell.as_dict()
    parts = {"fit": record.config["fit"], "sample": record.config["sample"]}
    for name, then in parts.items():
        yield from _differing(name, then, planned[name])
    for metric in metrics:
        yield from _differing(metric, record.config["scores"].get(metric), planned["scores"].get(metric))


def _differing(place: str, then: object, now: object) -> Iterator[str]:
    if isinstance(then, dict) and isinstance(now, dict):
        for name in dict.fromkeys((*then, *now)):
            if name not in ("fit", "fake"):  # keys that follow from the other settings
                yield from _differing(f"{place}.{name}", then.get(name), now.get(name))
    elif then != now:
        yield f"{place}: {then} in the record, {now} here"


def _is_same_machine(record: Record, scale: Scale) -> bool:
    """Return whether processor, GPU and package versions are those of the record, and one process trained."""
    here = environment.describe(scale.device, scale.threads_per_worker)
    return record.num_processes in (None, 1) and all(record.environment.get(name) == here[name] for name in MACHINE)
