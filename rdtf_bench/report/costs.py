"""Measured costs as a table, ours beside the paper's, and how the paper's sizes may have come about. No torch."""

from collections.abc import Iterator, Sequence
from typing import Any

from rdtf_bench.report import layouts
from rdtf_bench.report.table.rows import TIDY
from rdtf_bench.run.costs.record import CostRecord, Measured
from rdtf_bench.spec.schema import CostSpec

NOT_RUN = "not run"


def render(spec: CostSpec, record: CostRecord | None, *, format: str) -> str:
    """Write the measured costs in one of layouts.FORMATS; without a record every number is "not run"."""
    layouts.require_format(format)
    if format in layouts.DATA_FORMATS:
        tidy = [] if record is None else [*(_tidy(spec, row) for row in record.rows), *_tidy_readings(spec, record)]
        return layouts.data(tidy, TIDY, format=format)
    tables = [_parameters(spec, record), _times(spec, record), _readings(spec, record)]
    return layouts.document(tables, list(_notes(spec, record)), format=format, title=f"{spec.name}: {spec.title}")


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


def _parameters(spec: CostSpec, record: CostRecord | None) -> layouts.Table:
    around = ("params_text_encoder", "params_t5_encoder", "params_image_encoder", "params_autoencoder")
    shown = {"params_base": "base", "params_trainable": "trainable", "params": "total"}
    head = ["", *shown.values(), "paper", "T5 apart", "CLIP text apart", "image apart", "VAE apart", "TFLOP a pass"]
    rows = []
    for row in spec.rows:
        own = [_one(record, row.label, metric, lambda value: f"{value:,.0f}") for metric in shown]
        apart = [
            _one(record, row.label, metric, lambda value: f"{value / 1e6:.1f} M")
            for metric in (around[1], around[0], around[2], around[3])
        ]
        flops = _one(record, row.label, "flops", lambda value: f"{value / 1e12:.2f}")
        rows.append([row.label, *own, row.paper["params"].value, *apart, flops])
    heading = "Parameters of the denoiser, and of the networks around it"
    return layouts.Table(heading=heading, head=head, groups=[rows])


def _times(spec: CostSpec, record: CostRecord | None) -> layouts.Table:
    """One line per row and precision."""
    yardsticks = list(dict.fromkeys(row.yardstick for row in record.rows if row.metric == "seconds")) if record else []
    rows: list[layouts.Row] = []
    for row in spec.rows:
        for yardstick in yardsticks or [NOT_RUN]:
            timed = _find(record, row.label, "seconds", yardstick)
            seconds = layouts.Cell(text=NOT_RUN) if timed is None else _median(timed)
            cpu = _one(record, row.label, "cpu_seconds", lambda value: f"{value:.1f}", yardstick)
            memory = _one(record, row.label, "peak_memory_gib", lambda value: f"{value:.1f} GiB", yardstick)
            n = "" if timed is None else str(timed.n)
            rows.append([row.label, yardstick, seconds, n, row.paper["seconds"].value + " s", cpu, memory])
    return layouts.Table(
        heading="One forward pass: median [interval over the passes]",
        head=("", "input, device, precision", "seconds", "n", "paper (V100)", "CPU-seconds", "peak memory"),
        groups=[rows],
        align="llrrrrr",
    )


def _median(timed: Measured) -> layouts.Cell:
    return layouts.Cell(text=f"{timed.value:.2f}", small=f"[{timed.ci_low:.2f}, {timed.ci_high:.2f}]")


def _readings(spec: CostSpec, record: CostRecord | None) -> layouts.Table:
    rows = []
    for place, reading in enumerate(spec.readings):
        counted = NOT_RUN if record is None else f"{record.readings[place] / 1e9:.4f} B"
        rows.append([reading.label, reading.paper.value, reading.counts_as, counted])
    return layouts.Table(
        heading="How the printed sizes may come about (our reading of the authors' code, not a fact)",
        head=("printed for", "paper", "counts as", "parameters"),
        groups=[rows],
        align="lrlr",
    )


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
