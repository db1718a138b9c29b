"""What a reader must know to read the numbers of a table: sizes, budgets, data, intervals, warnings. Pure; no torch."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rdtf_bench.report.table import differences
from rdtf_bench.report.table.rows import Number, lines
from rdtf_bench.report.table.verdicts import against
from rdtf_bench.run.record import Record
from rdtf_bench.spec.identities import ControlSamples, TrainedSamples
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.schema import Scale, TableSpec

REFERENCE = "static"
"""The control that a method has to beat for its numbers to mean something."""

FEW_CLIPS = 128
"""Below this a Frechet distance hardly sees damage: with EfficientNet-Lite0 on real stickers, distances between
damaged and intact clips sink towards the noise floor as n falls."""

_HASH = re.compile(r"[0-9a-f]{12,}")


def notes(
    spec: TableSpec,
    scale: Scale,
    cells: Sequence[Cell],
    records: Mapping[str, Record],
    numbers: Sequence[Number],
) -> list[str]:
    """One sentence or more a note; the layouts wrap them."""
    found = [records[cell.id] for cell in cells if cell.id in records]
    return [
        *_warnings(numbers),
        *_samplers(cells),
        *_against_reference(numbers),
        *differences.notes(spec, numbers),
        *_intervals(spec, numbers),
        _yardsticks(found),
        *_control_clips(cells, numbers),
        _scale(spec, scale),
        *(_method(label, line, records) for label, line in lines(cells).items() if line[0].kind != "control"),
        *dict.fromkeys(_data(record) for record in found),
        *spec.notes,
        f"The paper's numbers: {spec.source}.",
    ]


def legend(best: str, second: str) -> str:
    """What the marks mean; `best` and `second` as the layout shows them."""
    return (
        f"Of the methods alone, {best} and {second}, only where the differences from those behind it are resolved at "
        "this n; ≈: tied for the best (paired delete-a-group jackknife, Holm-corrected, 5 %; where there are no groups "
        "of clips, intervals that overlap)."
    )


def _warnings(numbers: Sequence[Number]) -> Iterator[str]:
    over_clips = [number.n for number in numbers if number.without_group]
    if over_clips and min(over_clips) < FEW_CLIPS:
        yield (
            f"WARNING: only {min(over_clips)} clips. Below {FEW_CLIPS}, distances between sets of clips carry much "
            "bias and noise: trust differences between rows only where they are resolved."
        )


def _against_reference(numbers: Sequence[Number]) -> Iterator[str]:
    said = []
    for metric in dict.fromkeys(number.metric for number in numbers):
        column = [number for number in numbers if number.metric == metric]
        outcome = against(REFERENCE, column)
        if outcome is not None:
            groups = {"better": outcome.better, "worse": outcome.worse, "not resolved": outcome.unresolved}
            told = "; ".join(f"{word}: {', '.join(rows)}" for word, rows in groups.items() if rows)
            said.append(f"{column[0].label} {told}.")
    if said:
        yield f"Against {REFERENCE} (paired, Holm-corrected, 5 %): " + " ".join(said)


def _intervals(spec: TableSpec, numbers: Sequence[Number]) -> Iterator[str]:
    over_clips = sorted({number.n for number in numbers if number.without_group})
    if over_clips:
        several = f"mean of {len(spec.seeds)} seeds, ± their standard deviation, which intervals and tests take in"
        seeds = several if len(spec.seeds) > 1 else "1 seed: how trainings differ is not in them"
        yield (
            "[95 % interval] = value ± 1.96 delete-a-group jackknife deviations, for the expected value at this n; "
            f"n = {' and '.join(map(str, over_clips))} test clips; {seeds}."
        )
    timed = [number for number in numbers if number.unit == "s"]
    if timed:
        passes = min(number.n for number in timed)
        yield f"{timed[0].label}: median of {passes} timed passes, interval from their order."
    for number in numbers:
        if len(number.seeds) < len(spec.seeds) and number.kind != "control":
            yield f"{number.row}, {number.label}: {len(number.seeds)} of {len(spec.seeds)} seeds run."


def _yardsticks(found: Sequence[Record]) -> str:
    names = dict.fromkeys(score.name for record in found for score in record.scores.values() if score.name)
    said = f"Yardsticks: {'; '.join(names)}. These" if names else "Yardsticks: these"
    return f"{said} are not the paper's networks, data or machine: compare rows, not columns with the paper."


def _control_clips(cells: Sequence[Cell], numbers: Sequence[Number]) -> Iterator[str]:
    """Which real clips a control that is made of real clips took, where they are not the validation split's or fewer
    than the methods have."""
    wanted = max((number.n for number in numbers if number.kind != "control" and number.without_group), default=0)
    for cell in cells:
        other = cell.sample.other if isinstance(cell.sample, ControlSamples) else None
        split = "" if other is None else other.split
        counts = {number.n for number in numbers if number.row == cell.label and number.without_group}
        if split and counts and (split != "validation" or min(counts) < wanted):
            yield f"{cell.label}: against {min(counts)} real clips of the {split} split."


def _scale(spec: TableSpec, scale: Scale) -> str:
    clip, budget = scale.clip, scale.training
    seeds = f"seed{'s' if len(spec.seeds) > 1 else ''} {', '.join(map(str, spec.seeds))}"
    return (
        f"Scale {scale.name} ({scale.title}): clips of {clip.num_frames} frames at {clip.size_px} px; every method "
        f"trains {budget.num_steps} steps of {budget.batch_size} clips, weights, order and noise from {seeds}; "
        f"{scale.sampling.num_steps} DDIM steps."
    )


def _samplers(cells: Sequence[Cell]) -> Iterator[str]:
    """Warn where methods sample with different eta: their differences are then partly those of the samplers."""
    by_eta: dict[float, list[str]] = {}
    for cell in cells:
        if isinstance(cell.sample, TrainedSamples):
            by_eta.setdefault(cell.sample.sampler.eta, []).append(cell.label)
    if len(by_eta) > 1:
        said = "; ".join(f"{eta:g}: {', '.join(dict.fromkeys(labels))}" for eta, labels in sorted(by_eta.items()))
        yield f"The rows sample with different eta ({said}). Differences between them are partly those of the samplers."


def _method(label: str, line: Sequence[Cell], records: Mapping[str, Record]) -> str:
    cell = line[0]
    if not isinstance(cell.sample, TrainedSamples):
        return f"{label}: clips made elsewhere for these conditions."
    training, sampler = cell.trained.training, cell.sample.sampler
    said = [f"trained for {training.task}", f"learning rate {training.learning_rate:g}", f"eta {sampler.eta:g}"]
    guidance = f"guidance {sampler.guidance_text:g} (text)"
    if sampler.guidance_image != 1:
        guidance += f" {sampler.guidance_image:g} (image)"
    said.append(guidance)
    found = [records[cell.id] for cell in line if cell.id in records]
    if found:
        said += _cost(found[0])
    return f"{label}: {', '.join(said)}."


def _cost(record: Record) -> Iterator[str]:
    if "trainable" in record.components:
        absorber = record.components.get("absorber")  # Customize-A-Video trains it as well, and may discard it
        more = f" and {absorber:,} of the absorber" if absorber else ""
        yield f"{record.components['trainable']:,} trainable parameters{more}"
    if "fit" in record.stage_seconds:
        yield f"trained in {record.stage_seconds['fit']:.0f} s"


def _data(record: Record) -> str:
    facts = "; ".join(fact for name, value in _in_order(record.data) if (fact := _fact(name, value)))
    return f"Data {record.dataset}: {facts}."


def _in_order(facts: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Records are kept with sorted keys; a reader expects the source and the splits in their own order."""
    first = ("source", "train", "validation", "test")
    return sorted(facts.items(), key=lambda item: (first.index(item[0]) if item[0] in first else len(first), item[0]))


def _fact(name: str, value: Any) -> str:
    """A fact of the record's data section as words; fingerprints and empty values say nothing to a reader."""
    name = name.replace("_", " ")
    if isinstance(value, Mapping):
        inner = ", ".join(fact for key, part in _in_order(value) if (fact := _fact(key, part)))
        return f"{name}: {inner}" if inner else ""
    if isinstance(value, list | tuple):
        return f"{len(value)} {name}"
    if value is None or value == "" or (isinstance(value, str) and _HASH.fullmatch(value)):
        return ""
    return f"{name} {value}"
