"""What decided one number, in sections of named facts, from its record alone. Pure; no torch."""

from collections.abc import Mapping
from typing import Any

from rdtf_bench.run.record import Record, digests_of, flat
from rdtf_bench.spec.schema import RENAMED_CONTROLS

Facts = dict[str, dict[str, object]]
"""Section -> name -> value, which JSON can hold. A name has dots where the record nests."""

DECIDING = ("configuration", "data", "weights", "seeds", "code", "packages", "machine")
"""Sections that decided the number. The number came with the others."""


def facts(record: Record, metric: str) -> Facts:
    """Return everything that the record knows about one of its numbers."""
    identity = record.config.get("scores", {}).get(metric, {})
    counted = "network" in identity  # parameters and seconds: neither training nor clips decide them
    fit = identity["network"] if counted else record.config.get("fit") or {}
    sample = {} if counted else record.config.get("sample", {})
    return {
        "number": _number(record, metric),
        "configuration": _configuration(record, fit, sample, identity),
        "data": {} if counted else _data(record, fit, sample, identity),
        "weights": _weights(fit, sample, identity),
        "seeds": _seeds(record, fit, sample),
        "code": _code(record, fit, identity),
        "packages": {"python": record.environment.get("python"), **dict(record.environment.get("packages", {}))},
        "machine": _machine(record),
        "samples": {} if counted else {"id": record.cell_id, "sha256": record.samples_sha256},
        "took": {
            **{f"{stage}_s": seconds for stage, seconds in record.stage_seconds.items()},
            "peak_memory_gib": record.peak_memory_gib,
            "created": record.created,
        },
    }


def words(value: object) -> str:
    """Return the value of a fact as a reader sees it, with every digit: two values that differ look different."""
    match value:
        case None:
            return "not recorded"
        case list():
            return ", ".join(map(str, value)) or "none"
        case _:
            return str(value)


def _number(record: Record, metric: str) -> dict[str, object]:
    score = record.scores[metric]
    return {
        "value": score.value,
        "ci_low": score.ci_low,
        "ci_high": score.ci_high,
        "n": score.n,
        **({"unit": score.unit} if score.unit else {}),
        "higher_is_better": score.higher_is_better,
        "yardstick": score.name or score.yardstick,
        "key": score.key,
    }


def _configuration(
    record: Record, fit: Mapping[str, Any], sample: Mapping[str, Any], identity: Mapping[str, Any]
) -> dict[str, object]:
    is_control = record.kind == "control"  # older records call the other kinds "method"
    decided = {
        "kind": "control" if is_control else "trained" if record.config.get("fit") else "external",
        "method": RENAMED_CONTROLS.get(record.method, record.method) if is_control else record.method,
        "task": record.task,
        "options": fit.get("options", {}),
        "training": _without(fit.get("training", {}), "seed"),
        "training_clips": _without(fit.get("data", {}), "train", "autoencoder", "frame_features"),
        "sampling": _without(sample, "fit", "seed", "real", "clips", "version", "autoencoder", "pipeline"),
        "pipeline": _without(record.config.get("pipeline", {}), "components", "fingerprint"),
        "clips": _without(sample.get("real", {}), "clips"),
        "metric": _without(identity, "assets", "fake", "real", "clusters", "network", "version"),
    }
    return _stated(decided)


def _data(
    record: Record, fit: Mapping[str, Any], sample: Mapping[str, Any], identity: Mapping[str, Any]
) -> dict[str, object]:
    decided = {
        "dataset": record.dataset,
        "fingerprint_train": fit.get("data", {}).get("train"),
        "fingerprint_test": sample.get("real", {}).get("clips"),
        "fingerprint_clusters": identity.get("clusters"),
        "fingerprint_of_external_clips": sample.get("clips"),
        **record.data,
    }
    return _stated(decided)


def _weights(fit: Mapping[str, Any], sample: Mapping[str, Any], identity: Mapping[str, Any]) -> dict[str, object]:
    """Return the hash of each network by its role; it is that of the registry over all files."""
    return {
        **({"pipeline": sample["pipeline"]} if "pipeline" in sample else {}),
        **digests_of(fit, sample, [identity]),
        **({"trained": sample["fit"]} if "fit" in sample else {}),
    }


def _seeds(record: Record, fit: Mapping[str, Any], sample: Mapping[str, Any]) -> dict[str, object]:
    training = fit.get("training", {})
    return {
        "row": record.seed,
        **({"training": training["seed"]} if "seed" in training else {}),
        **({"sampling": sample["seed"]} if "seed" in sample else {}),
    }


def _code(record: Record, fit: Mapping[str, Any], identity: Mapping[str, Any]) -> dict[str, object]:
    known = record.environment
    return {
        "rdtf_bench": known.get("rdtf_bench"),
        "commit": known.get("commit"),
        "dirty_files": known.get("dirty_files"),
        "protocol": f"{record.protocol} version {record.protocol_version}",
        "scale": f"{record.scale} version {record.scale_version}",
        "method_version": fit.get("version", record.config.get("sample", {}).get("version")),
        "metric_version": identity.get("version"),
        "record_format": record.format_version or 1,
    }


def _machine(record: Record) -> dict[str, object]:
    names = ("platform", "processor", "cores", "device", "threads_per_worker")
    of_gpu = () if record.environment.get("device") == "cpu" else ("gpu", "driver", "cuda")
    return {
        **{name: record.environment.get(name) for name in (*names, *of_gpu)},
        "num_processes": record.num_processes,
        **({"weights_sharded": True} if record.weights_sharded else {}),
    }


def _without(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def _stated(decided: Mapping[str, object]) -> dict[str, object]:
    """Return the values of nested mappings by their path, without what is None or empty."""
    return {name: value for name, value in flat(decided).items() if value is not None and value != []}
