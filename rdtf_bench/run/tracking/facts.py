"""What MLflow shows of the record of a row, with the same keys in every run, so that any two runs can be compared.

Parameters are what a person compares. Hashes and fingerprints are tags. Imports neither mlflow nor torch.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from rdtf_bench.core.store import key_of
from rdtf_bench.run.record import Record
from rdtf_bench.spec import identities
from rdtf_bench.spec.identities import ClipsIdentity, FitIdentity, PipelineSamples, Samples, TrainedSamples
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.schema import from_plain

NOT_APPLICABLE = "n/a"
SHORT_COMMIT = 7
"""Characters of a commit in the name of a run."""


@dataclass(frozen=True, kw_only=True)
class Input:
    """The clips of one split that a row was trained on or is compared with."""

    context: str  # what the clips were used for: training | evaluation
    name: str  # dataset and split
    source: str  # "toy", "fluent" or the folder as given
    fingerprint: str
    num_clips: int | None  # None where the record does not say

    @property
    def digest(self) -> str:
        """Return the fingerprint in the few characters that MLflow allows."""
        return key_of(self.fingerprint)

    @property
    def profile(self) -> str:
        """Return the counts as JSON, which MLflow shows beside the dataset."""
        return json.dumps({"num_rows": self.num_clips, "fingerprint": self.fingerprint})


def parameters(record: Record, label: str) -> dict[str, str]:
    """Return what a person compares; a parameter that does not apply to the row is "n/a"."""
    return {
        "method": record.method,
        "variant": label.removesuffix(f", seed {record.seed}"),
        "scale": record.scale,
        "dataset": record.dataset,
        "data_source": str(record.data["source"]),
        "task": record.task,
        "seed": str(record.seed),
        "device": str(record.environment.get("device", NOT_APPLICABLE)),
        "trainable_parameters": str(record.components.get("trainable", NOT_APPLICABLE)),
        "total_parameters": str(record.components.get("total", NOT_APPLICABLE)),
        **_of_training(_fit(record)),
        **_of_sampling(_samples(record)),
    }


def plan_parameters(cell: Cell) -> dict[str, str]:
    """Return those parameters of a row that its plan decides, which are known before it is measured."""
    of_row = {"method": cell.method, "variant": cell.label, "seed": str(cell.seed)}
    return {**of_row, **_of_training(cell.fit), **_of_sampling(cell.sample)}


def weights(record: Record) -> dict[str, str]:
    """Return where the trained weights of a row are; empty for a row that was not trained."""
    fit = _fit(record)
    return {} if fit is None else {"store_entry": f"fit/{fit.key}", "cell_id": record.cell_id}


def model_name(label: str) -> str:
    """Return the label of a row as MLflow's models may be named.

    >>> model_name("SimDA: places/all, 50 %")
    'SimDA_ places_all, 50 _'
    """
    return re.sub(r"[/:.%\"']", "_", label)


def metrics(record: Record) -> dict[str, float]:
    """Return each score with the ends of its interval and n, and the costs of the row."""
    values: dict[str, float] = {}
    for name, score in record.scores.items():
        values |= {name: score.value, f"{name}/ci_low": score.ci_low, f"{name}/ci_high": score.ci_high}
        values[f"{name}/n"] = float(score.n)
        for part, found in score.parts.items():
            values |= {f"{name}/{part}": found.value}
    values |= {f"cost/{stage}_s": seconds for stage, seconds in record.stage_seconds.items()}
    if record.peak_memory_gib is not None:
        values["cost/peak_memory_gib"] = record.peak_memory_gib
    return values | {f"cost/{part}_parameters": float(count) for part, count in record.components.items()}


def tags(record: Record) -> dict[str, str]:
    """Return where a row comes from: protocol, commit, command, and the hashes of its networks and data."""
    fit = _fit(record)
    return {
        "level": "row",
        "kind": record.kind,
        "cell_id": record.cell_id,
        "method_options": json.dumps({} if fit is None else fit.as_dict()["options"], sort_keys=True),
        "created": record.created,
        "samples_sha256": record.samples_sha256 or NOT_APPLICABLE,
        **origin(record),
        **({} if record.diverged_at_step is None else {"diverged_at_step": str(record.diverged_at_step)}),
        **({} if fit is None else {f"weights.{role}": digest for role, digest in fit.assets.items()}),
        **{f"yardstick.{name}": score.yardstick for name, score in record.scores.items()},
        **{
            f"direction.{name}": "higher is better" if score.higher_is_better else "lower is better"
            for name, score in record.scores.items()
        },
    }


def origin(record: Record) -> dict[str, str]:
    """Return the tags that a row shares with its table. MLflow shows those named `mlflow.source` as the source."""
    commit = record.environment["commit"]
    return {
        "protocol": record.protocol,
        "protocol_version": str(record.protocol_version),
        "scale": record.scale,
        "dataset": record.dataset,
        "data_source": str(record.data["source"]),
        "commit": str(commit),
        "dirty_files": str(len(record.environment.get("dirty_files") or [])),
        "mlflow.source.type": "LOCAL",
        "mlflow.source.name": record.command or "rdtf-bench",
        **({"mlflow.source.git.commit": str(commit)} if commit else {}),
    }


def table_name(protocol: str, scale: str, record: Record) -> str:
    """Return the name of a table's run, which tells it from other runs of the same protocol.

    `record` is that of any row.
    """
    commit = record.environment["commit"]
    made_by = str(commit)[:SHORT_COMMIT] if commit else "no commit"
    return f"{protocol} ({scale}, {record.dataset} {record.data['source']}, {made_by})"


def inputs(record: Record) -> list[Input]:
    """Return the clips that a row was trained on, and those that its clips are compared with."""
    fit, real = _fit(record), _samples(record).real
    counts = record.data.get("in_use", {})
    found = [_input(record, "evaluation", real.clips, _split(real, counts), counts)]
    return found if fit is None else [_input(record, "training", fit.data.train, "train", counts), *found]


def begin_ms(record: Record) -> int:
    """Return when the work on a row began, in milliseconds since 1970, as if its stages had followed each other."""
    return end_ms(record) - duration_ms(record)


def duration_ms(record: Record) -> int:
    """Return how long the stages of a row took together, in milliseconds."""
    return round(1000 * sum(record.stage_seconds.values()))


def end_ms(record: Record) -> int:
    """Return when the record of a row was made, in milliseconds since 1970."""
    return round(1000 * datetime.fromisoformat(record.created).timestamp())


def _fit(record: Record) -> FitIdentity | None:
    return None if record.config["fit"] is None else from_plain(FitIdentity, record.config["fit"])


def _samples(record: Record) -> Samples:
    return identities.read_samples(record.config["sample"])


def _of_training(fit: FitIdentity | None) -> dict[str, str]:
    names = ("training_steps", "batch_size", "learning_rate", "lr_schedule", "precision")
    if fit is None:
        return dict.fromkeys(names, NOT_APPLICABLE)
    training = fit.training
    precision = "fp32" if training.mixed_precision == "no" else training.mixed_precision
    values = (training.num_steps, training.batch_size, training.learning_rate, training.lr_schedule, precision)
    return {name: str(value) for name, value in zip(names, values, strict=True)}


def _of_sampling(samples: Samples) -> dict[str, str]:
    names = ("sampling_steps", "eta", "guidance_text", "guidance_image")
    known = {"known_frames": samples.known_frames or NOT_APPLICABLE}
    if isinstance(samples, PipelineSamples):
        return {**dict.fromkeys(names, NOT_APPLICABLE), "sampling_steps": str(samples.num_steps)} | known
    if not isinstance(samples, TrainedSamples):
        return dict.fromkeys(names, NOT_APPLICABLE) | known
    sampler = samples.sampler
    values = (sampler.num_steps, sampler.eta, sampler.guidance_text, sampler.guidance_image)
    return {name: str(value) for name, value in zip(names, values, strict=True)} | known


def _split(real: ClipsIdentity, counts: Mapping[str, int]) -> str:
    """Return the split whose name stands in a fingerprint such as toy:test:50; test for one that says none."""
    named = [part for part in real.clips.split(":") if part in counts]
    return named[-1] if named else "test"


def _input(record: Record, context: str, fingerprint: str, split: str, counts: Mapping[str, int]) -> Input:
    return Input(
        context=context,
        name=f"{record.dataset}-{split}",
        source=str(record.data["source"]),
        fingerprint=fingerprint,
        num_clips=counts.get(split),
    )
