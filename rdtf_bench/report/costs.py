"""Measured costs as a table, ours beside the paper's, and how the paper's sizes may have come about. No torch."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from rdtf_bench.core.errors import unknown_name
from rdtf_bench.report.table.rows import TIDY
from rdtf_bench.run.costs.record import CostRecord, Measured
from rdtf_bench.spec.schema import CostSpec

FORMATS = ("text", "md", "csv", "json")
NOT_RUN = "not run"
Rows = list[list[str]]


def render(spec: CostSpec, record: CostRecord | None, *, format: str) -> str:
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    tidy = [] if record is None else [*(_tidy(spec, row) for row in record.rows), *_tidy_readings(spec, record)]
    if format == "json":
        return json.dumps(tidy, indent=1, allow_nan=False)
    if format == "csv":
        out = io.StringIO()
        writer = csv.DictWriter(out, TIDY, lineterminator="\n")
        writer.writeheader()
        writer.writerows(tidy)
        return out.getvalue().removesuffix("\n")
    blocks = [_sizes(spec, record), _times(spec, record), _readings(spec, record)]
    draw = _markdown if format == "md" else _text
    said = "\n\n".join(f"{title}\n\n{draw(rows)}" for title, rows in blocks)
    return f"{spec.name}: {spec.title}\n\n{said}\n\n" + "\n".join(_notes(spec, record))


def _tidy(spec: CostSpec, row: Measured) -> dict[str, Any]:
    """The keys of any other table; there is no data set and no task."""
    paper = next((quoted.paper for quoted in spec.rows if quoted.label == row.label), {}).get(row.metric)
    known = {"method": row.method, "dataset": None, "task": None, "paper": paper.number if paper else None}
    return {name: known[name] if name in known else getattr(row, name) for name in TIDY}


def _tidy_readings(spec: CostSpec, record: CostRecord) -> Iterator[dict[str, Any]]:
    """Of the method that is counted; the yardstick says which printed size it may explain."""
    for reading, counted in zip(spec.readings, record.readings, strict=True):
        as_read = {
            "method": reading.method,
            "metric": "params_as_read",
            "yardstick": f"{reading.label}: {reading.counts_as}",
        }
        number = {"value": counted, "ci_low": counted, "ci_high": counted, "n": 1, "paper": reading.paper.number}
        yield {name: {**as_read, **number}.get(name) for name in TIDY}


def _sizes(spec: CostSpec, record: CostRecord | None) -> tuple[str, Rows]:
    around = ("params_text_encoder", "params_t5_encoder", "params_image_encoder", "params_autoencoder")
    shown = {"params_base": "base", "params_trainable": "trainable", "params": "total"}
    head = ["", *shown.values(), "paper", "T5 apart", "CLIP text apart", "image apart", "VAE apart", "TFLOP a pass"]
    rows = [head]
    for row in spec.rows:
        own = [_one(record, row.label, metric, lambda value: f"{value:,.0f}") for metric in shown]
        apart = [
            _one(record, row.label, metric, lambda value: f"{value / 1e6:.1f} M")
            for metric in (around[1], around[0], around[2], around[3])
        ]
        flops = _one(record, row.label, "flops", lambda value: f"{value / 1e12:.2f}")
        rows.append([row.label, *own, row.paper["params"].value, *apart, flops])
    return "Parameters of the denoiser, and of the networks around it", rows


def _times(spec: CostSpec, record: CostRecord | None) -> tuple[str, Rows]:
    """One line a row and precision."""
    yardsticks = list(dict.fromkeys(row.yardstick for row in record.rows if row.metric == "seconds")) if record else []
    rows = [["", "input, device, precision", "seconds a pass", "n", "paper (V100)", "CPU-seconds", "peak memory"]]
    for row in spec.rows:
        for yardstick in yardsticks or [NOT_RUN]:
            timed = _find(record, row.label, "seconds", yardstick)
            seconds = NOT_RUN if timed is None else f"{timed.value:.2f} [{timed.ci_low:.2f}, {timed.ci_high:.2f}]"
            cpu = _one(record, row.label, "cpu_seconds", lambda value: f"{value:.1f}", yardstick)
            memory = _one(record, row.label, "peak_memory_gib", lambda value: f"{value:.1f} GiB", yardstick)
            n = "" if timed is None else str(timed.n)
            rows.append([row.label, yardstick, seconds, n, row.paper["seconds"].value + " s", cpu, memory])
    return "One pass: median [the spread of its passes]", rows


def _readings(spec: CostSpec, record: CostRecord | None) -> tuple[str, Rows]:
    rows = [["printed for", "paper", "counts as", "parameters"]]
    for place, reading in enumerate(spec.readings):
        counted = NOT_RUN if record is None else f"{record.readings[place] / 1e9:.4f} B"
        rows.append([reading.label, reading.paper.value, reading.counts_as, counted])
    return "How the printed sizes may come about (our reading of the authors' code, not a fact)", rows


def _notes(spec: CostSpec, record: CostRecord | None) -> Iterator[str]:
    yield "Weights are random. Customize-A-Video is timed with its LoRA beside the base; merged, it is the base."
    yield (
        "If the reading holds, the rows of I2V-Adapter and SimDA are exchanged in print, and all three baselines ran "
        "on a base whose temporal convolutions were replaced by STI layers."
    )
    if record is None:
        yield f"{NOT_RUN}: to be measured by rdtf-bench run {spec.name}."
    else:
        where = record.environment
        yield (
            f"Measured on {where['processor']}, {where['threads_per_worker']} threads, torch "
            f"{where['packages']['torch']}, in {record.seconds:.0f} s; passes of the rows in turns. Peak memory is the "
            "weights and what a pass adds."
        )
    yield f"The paper's numbers: {spec.source}."


def _find(record: CostRecord | None, label: str, metric: str, yardstick: str | None) -> Measured | None:
    rows: Sequence[Measured] = () if record is None else record.rows
    return next(
        (
            row
            for row in rows
            if (row.label, row.metric) == (label, metric) and (yardstick is None or row.yardstick == yardstick)
        ),
        None,
    )


def _one(record: CostRecord | None, label: str, metric: str, write: Any, yardstick: str | None = None) -> str:
    if record is None:
        return NOT_RUN
    found = _find(record, label, metric, yardstick)
    return "n/a" if found is None else str(write(found.value))


def _text(rows: Rows) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(_padded(word, width, column) for column, (word, width) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in [lines[0], "-" * (sum(widths) + 2 * len(widths) - 2), *lines[1:]])


def _padded(word: str, width: int, column: int) -> str:
    return word.ljust(width) if column == 0 else word.rjust(width)


def _markdown(rows: Rows) -> str:
    head, *body = rows
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *body])
