"""Notes below a table: warnings, comparisons, intervals, yardsticks, training budget and data. Pure; no torch."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rdtf_bench.report.table import blindness, differences
from rdtf_bench.report.table.rows import Number, by_metric, diverged, lines
from rdtf_bench.report.table.verdicts import against
from rdtf_bench.run.record import Record
from rdtf_bench.spec.identities import ControlSamples, PipelineSamples, SamplerIdentity, TrainedSamples
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import TableSpec

REFERENCE = "static"
"""The control row with which every method is compared: a repeated first frame."""

FEW_CLIPS = 128
"""Number of clips below which a Fréchet distance barely responds to damage. With EfficientNet-Lite0 on real stickers,
the distance between damaged and intact clips falls towards that between intact clips as n falls."""

_HASH = re.compile(r"[0-9a-f]{12,}")


def notes(
    spec: TableSpec,
    scale: Scale,
    cells: Sequence[Cell],
    records: Mapping[str, Record],
    numbers: Sequence[Number],
) -> list[str]:
    """Return one note per fact, of one sentence or more; the layouts wrap them."""
    found = [records[cell.id] for cell in cells if cell.id in records]
    return [
        *_warnings(numbers),
        *_blind(numbers),
        *_samplers(cells),
        *_diverged(spec, cells, records),
        *_chosen(spec, cells, numbers, records),
        *_against_reference(numbers),
        *differences.notes(spec, numbers),
        *_intervals(spec, numbers),
        *_parts(numbers),
        _yardsticks(spec, found),
        *_control_clips(cells, numbers),
        *_real_clips(spec),
        _scale(spec, scale),
        *(_method(label, line, records, scale) for label, line in lines(cells).items() if line[0].kind != "control"),
        *dict.fromkeys(data(record.dataset, record.data) for record in found),
        *spec.notes,
        f"Source of the paper's numbers: {spec.source}.",
    ]


def legend(best: str, second: str) -> str:
    """Explain the marks; `best` and `second` are written as the layout shows them."""
    return (
        f"Among the methods, {best} and {second} are marked only if the differences from all methods behind are "
        "resolved at this n. ≈ marks a method that is tied with the best. Test: all pairs of methods in a column "
        "together, paired by clip (delete-a-group jackknife, Student's t), Holm-corrected, so that at most 1 in 20 "
        "columns of equal methods calls one of them worse. For metrics without groups of clips: whether the intervals "
        "overlap."
    )


def _warnings(numbers: Sequence[Number]) -> Iterator[str]:
    over_clips = [number.n for number in numbers if number.without_group]
    if over_clips and min(over_clips) < FEW_CLIPS:
        yield (
            f"WARNING: only {min(over_clips)} clips. Below {FEW_CLIPS} clips, distances between sets of clips are "
            "strongly biased and noisy. Trust a difference between rows only if it is resolved."
        )


def _against_reference(numbers: Sequence[Number]) -> Iterator[str]:
    said = []
    for column in by_metric(numbers).values():
        outcome = against(REFERENCE, column)
        if outcome is not None:
            groups = {"better": outcome.better, "worse": outcome.worse, "not resolved": outcome.unresolved}
            told = "; ".join(f"{word}: {', '.join(rows)}" for word, rows in groups.items() if rows)
            said.append(f"{column[0].label} {told}.")
    if said:
        yield f"Compared with the control {REFERENCE} (paired tests, Holm-corrected at 5 %): " + " ".join(said)


def _intervals(spec: TableSpec, numbers: Sequence[Number]) -> Iterator[str]:
    over_clips = sorted({number.n for number in numbers if number.without_group})
    if over_clips:
        several = (
            f"Values are means over {len(spec.seeds)} seeds, ± their standard deviation; intervals and tests include "
            "the variation between seeds."
        )
        single = "Each method was trained with one seed, so intervals do not include the variation between seeds."
        yield (
            "[95 % interval]: value ± 1.96 standard deviations of the delete-a-group jackknife, for the expected value "
            f"at n = {' and '.join(map(str, over_clips))} test clips. {several if len(spec.seeds) > 1 else single}"
        )
    timed = [number for number in numbers if number.unit == "s"]
    if timed:
        passes = min(number.n for number in timed)
        yield f"{timed[0].label}: median of {passes} timed forward passes, with an interval from order statistics."
    for number in numbers:
        if len(number.seeds) < len(spec.seeds) and number.kind != "control":
            yield f"{number.row}, {number.label}: {len(number.seeds)} of {len(spec.seeds)} seeds have a value."


def _parts(numbers: Sequence[Number]) -> Iterator[str]:
    if any(number.metric == "fvd" for number in numbers):
        are_there = any(number.part_of == "fvd" for number in numbers)
        yield parts_of_fvd(are_there) + ("" if are_there else " Older records hold none either.")


def parts_of_fvd(are_there: bool) -> str:
    """Say what the parts of FVD are, or why there are none."""
    if are_there:
        return (
            "FVD appearance: the Fréchet distance of the frame features averaged over time, which the order of the "
            "frames does not change. FVD motion: that of their mean absolute first and second differences. The parts "
            "do not add up: FVD is at least their sum."
        )
    return "FVD appearance and FVD motion: n/a. The features of I3D are averaged over time and have no such parts."


def _yardsticks(spec: TableSpec, found: Sequence[Record]) -> str:
    """Name the yardsticks of the table's own metrics; a row that another table has, too, has scores of others."""
    scores = [score for record in found for metric, score in record.scores.items() if metric in spec.metrics]
    names = dict.fromkeys(score.name for score in scores if score.name)
    said = f"Yardsticks: {'; '.join(names)}. " if names else ""
    return (
        f"{said}Networks, data and machine are not the paper's, so compare rows with each other and not our columns "
        "with the paper's."
    )


def _blind(numbers: Sequence[Number]) -> Iterator[str]:
    if said := [found for column in by_metric(numbers).values() if (found := blindness.reason(column))]:
        yield f"{blindness.MARK} A better value in a marked column is no sign of a better clip. {' '.join(said)}"


def _real_clips(spec: TableSpec) -> Iterator[str]:
    if blindness.REAL in spec.controls:
        yield f"{blindness.REAL}: the test clips themselves. Their distance from themselves is 0 and is not measured."


def _control_clips(cells: Sequence[Cell], numbers: Sequence[Number]) -> Iterator[str]:
    """Say what the row of other real clips is, and why it is no floor."""
    for cell in cells:
        other = cell.sample.other if isinstance(cell.sample, ControlSamples) else None
        counts = {number.n for number in numbers if number.row == cell.label and number.without_group}
        if other is not None and counts:
            yield (
                f"{cell.label}: {min(counts)} real clips of the {other.split} split against the test clips. This is no "
                "floor: every other row shares first frames and identities with the test clips, and these clips do not."
            )


def _scale(spec: TableSpec, scale: Scale) -> str:
    clip, budget = scale.clip, scale.training
    seeds = f"seed{'s' if len(spec.seeds) > 1 else ''} {', '.join(map(str, spec.seeds))}"
    return (
        f"Scale {scale.name} ({scale.title}): clips of {clip.num_frames} frames at {clip.size_px}x{clip.size_px} px. "
        f"Every method is trained for {budget.num_steps} steps at batch size {budget.batch_size} and sampled with "
        f"{scale.sampling.num_steps} DDIM steps. Weights, data order and noise are drawn from {seeds}."
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


def _diverged(spec: TableSpec, cells: Sequence[Cell], records: Mapping[str, Record]) -> Iterator[str]:
    for label, steps in diverged(cells, records).items():
        for seed, step in steps.items():
            which = f" with seed {seed}" if len(spec.seeds) > 1 else ""
            yield (
                f"{label}: its training{which} has diverged. At step {step:,} its loss is not a finite number, so that "
                "there are no weights to sample with."
            )


def _chosen(
    spec: TableSpec, cells: Sequence[Cell], numbers: Sequence[Number], records: Mapping[str, Record]
) -> Iterator[str]:
    """Name the best setting of each method in its first metric, where validation clips are scored to choose one.

    A setting whose training has diverged counts as tried.
    """
    if spec.scored != "validation":
        return
    metric = spec.metrics[0]
    column = {number.row: number for number in numbers if number.metric == metric and number.kind != "control"}
    by_method: dict[str, list[Number]] = {}
    tried: Counter[str] = Counter()
    for label, line in lines(cells).items():
        if label in column:
            by_method.setdefault(line[0].method, []).append(column[label])
        tried[line[0].method] += label in column or label in diverged(line, records)
    said = []
    for method, found in by_method.items():
        choose = max if found[0].higher_is_better else min
        said.append(f"{choose(found, key=lambda number: number.value).row} (of {tried[method]})")
    if said:
        yield (
            f"Scored on the validation clips, to choose settings. Best {next(iter(column.values())).label} of each "
            f"method: {'; '.join(said)}."
        )


def _method(label: str, line: Sequence[Cell], records: Mapping[str, Record], scale: Scale) -> str:
    cell = line[0]
    if isinstance(cell.sample, PipelineSamples):
        return _pipeline(label, cell.sample, records.get(cell.id))
    if not isinstance(cell.sample, TrainedSamples):
        return f"{label}: clips that were generated outside this benchmark for the same conditions."
    training, sampler = cell.trained.training, cell.sample.sampler
    said = [f"trained for {training.task}", f"learning rate {training.learning_rate:g}", f"eta {sampler.eta:g}"]
    guidance = f"guidance {sampler.guidance_text:g} (text)"
    if sampler.guidance_image != 1:
        guidance += f" {sampler.guidance_image:g} (image)"
    said.append(guidance + _passes(cell.trained.options, sampler))
    for what, own, usual in (
        ("training", training.num_steps, scale.training.num_steps),
        ("DDIM", sampler.num_steps, scale.sampling.num_steps),
    ):
        if own != usual:
            said.append(f"{own} {what} steps instead of {usual}")
    found = [records[cell.id] for cell in line if cell.id in records]
    if found:
        said += _cost(found[0])
    return f"{label}: {', '.join(said)}."


def _passes(options: Mapping[str, Any], sampler: SamplerIdentity) -> str:
    """Say how often the denoiser runs in one step of sampling, where that is not once.

    Branches of weight 0 do not run (diffusion/guidance.py). The column Seconds is one pass.
    """
    image, text = sampler.guidance_image, sampler.guidance_text
    two_scales = options.get("guidance", "two_scales") == "two_scales"
    weights = (1 - image, image - text, text) if two_scales else (1 - text, text)
    passes = sum(weight != 0 for weight in weights)
    return f", {passes} passes of the denoiser a step" if passes > 1 else ""


def _pipeline(label: str, sample: PipelineSamples, record: Record | None) -> str:
    """Say what a pipeline of diffusers is, what it saw and with what it was called."""
    said = f"{label}: {sample.pipeline_class} with weights that were trained elsewhere (files {sample.pipeline})."
    facts = {} if record is None else record.config.get("pipeline", {})
    if not facts:
        return said
    call = ", ".join(f"{name} {value}" for name, value in facts["call"].items() if name != "output_type")
    saw = "the first frame and the caption" if facts["sees_caption"] else "the first frame and no caption"
    took = "" if record is None else f" Its clips took {record.stage_seconds['sample']:.0f} s."
    return f"{said} It saw {saw} of each clip. It was called by diffusers {facts['diffusers']} with {call}.{took}"


def _cost(record: Record) -> Iterator[str]:
    if "trainable" in record.components:
        absorber = record.components.get("absorber")  # Customize-A-Video trains it too and may discard it
        more = f" and {absorber:,} of the absorber" if absorber else ""
        yield f"{record.components['trainable']:,} trainable parameters{more}"
    if "fit" in record.stage_seconds:
        yield f"trained in {record.stage_seconds['fit']:.0f} s"


def data(dataset: str, facts: Mapping[str, Any]) -> str:
    """Return the facts of a record's data section, or of data that is only planned with, as one sentence."""
    told = "; ".join(fact for name, value in _in_order(facts) if (fact := _fact(name, value)))
    return f"Data {dataset}: {told}."


def _in_order(facts: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Put the source and the splits into their usual order, because records are stored with sorted keys."""
    first = ("source", "train", "validation", "test")
    return sorted(facts.items(), key=lambda item: (first.index(item[0]) if item[0] in first else len(first), item[0]))


def _fact(name: str, value: Any) -> str:
    """Write one fact of the record's data section as words; fingerprints, empty values and counts of 0 are left out."""
    name = name.replace("_", " ")
    if isinstance(value, Mapping):
        inner = ", ".join(fact for key, part in _in_order(value) if (fact := _fact(key, part)))
        return f"{name}: {inner}" if inner else ""
    if isinstance(value, list | tuple):
        return f"{len(value)} {name}" if value else ""
    if not value or (isinstance(value, str) and _HASH.fullmatch(value)):
        return ""
    return f"{name} {value}"
