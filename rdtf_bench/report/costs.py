"""Write measured costs beside the paper's, and possible explanations of the paper's parameter counts. No torch."""

from collections.abc import Iterator, Sequence
from typing import Any

from rdtf_bench.report import layouts
from rdtf_bench.report.table.rows import TIDY
from rdtf_bench.run.costs.record import CostRecord, Measured
from rdtf_bench.spec.command import command
from rdtf_bench.spec.schema import CostSpec, Row

NOT_RUN = "not run"


def render(spec: CostSpec, record: CostRecord | None, *, format: str, options: Sequence[str] = ()) -> str:
    """Write the measured costs in one of layouts.FORMATS; without a record every number is "not run".

    `options` are those of the command that measures them, such as --store.
    """
    layouts.require_format(format)
    if format in layouts.DATA_FORMATS:
        tidy = [] if record is None else [*(_tidy(spec, row) for row in record.rows), *_tidy_readings(spec, record)]
        return layouts.data(tidy, TIDY, format=format)
    tables = [_parameters(spec, record), _times(spec, record), _readings(spec, record)]
    return layouts.document(
        tables, list(_notes(spec, record, options)), format=format, title=f"{spec.name}: {spec.title}"
    )


def _tidy(spec: CostSpec, row: Measured) -> dict[str, Any]:
    """Return the columns of other tables; there is no dataset and no task."""
    paper = next((quoted.paper for quoted in spec.rows if quoted.label == row.label), {}).get(row.metric)
    known = {"method": row.method, "dataset": None, "task": None, "paper": paper.number if paper else None}
    return {name: known[name] if name in known else getattr(row, name) for name in TIDY}


def _tidy_readings(spec: CostSpec, record: CostRecord) -> Iterator[dict[str, Any]]:
    """Yield the rows of the counted methods; the yardstick names the printed count that each may explain."""
    for reading, counted in zip(spec.readings, record.readings, strict=True):
        as_read = {
            "method": reading.method,
            "metric": "params_as_read",
            "yardstick": f"{reading.label}: {reading.counts_as}",
        }
        number = {"value": counted, "ci_low": counted, "ci_high": counted, "n": 1, "paper": reading.paper.number}
        yield {name: {**as_read, **number}.get(name) for name in TIDY}


def _parameters(spec: CostSpec, record: CostRecord | None) -> layouts.Table:
    shown = {"params_base": "base", "params_trainable": "trainable", "params": "total"}
    around = {
        "params_t5_encoder": "T5",
        "params_text_encoder": "CLIP text",
        "params_image_encoder": "CLIP image",
        "params_autoencoder": "VAE",
    }
    head = ["", *shown.values(), "paper", *around.values(), "TFLOP per pass"]
    rows = []
    for row in spec.rows:
        own = [_one(record, row.label, metric, lambda value: f"{value:,.0f}") for metric in shown]
        apart = [_one(record, row.label, metric, lambda value: f"{value / 1e6:.1f} M") for metric in around]
        flops = _one(record, row.label, "flops", lambda value: f"{value / 1e12:.2f}")
        rows.append([row.label, *own, _printed(row, "params"), *apart, flops])
    heading = "Parameters of the denoiser (base, trainable, total) and of the networks around it"
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
            rows.append([row.label, yardstick, seconds, n, _printed(row, "seconds", " s"), cpu, memory])
    return layouts.Table(
        heading="One forward pass: median [interval over the passes]",
        head=("", "input, device, precision", "seconds", "n", "paper (V100)", "CPU-seconds", "peak memory"),
        groups=[rows],
        align="llrrrrr",
    )


def _printed(row: Row, metric: str, unit: str = "") -> str:
    return f"{row.paper[metric].value}{unit}" if metric in row.paper else "n/a"


def _median(timed: Measured) -> layouts.Cell:
    return layouts.Cell(text=f"{timed.value:.2f}", small=f"[{timed.ci_low:.2f}, {timed.ci_high:.2f}]")


def _readings(spec: CostSpec, record: CostRecord | None) -> layouts.Table:
    rows = []
    for place, reading in enumerate(spec.readings):
        counted = NOT_RUN if record is None else f"{record.readings[place] / 1e9:.4f} B"
        rows.append([reading.label, reading.paper.value, reading.counts_as, counted])
    return layouts.Table(
        heading="Possible explanations of the printed counts (our reading of the authors' code, not a fact)",
        head=("printed for", "paper", "explained by", "parameters"),
        groups=[rows],
        align="lrlr",
    )


def _notes(spec: CostSpec, record: CostRecord | None, options: Sequence[str]) -> Iterator[str]:
    yield from spec.notes
    if record is None:
        yield f"{NOT_RUN}: measure it with `{command('run', spec, None, options)}`."
    else:
        where = record.environment
        yield (
            f"Measured on {where['processor']} with {where['threads_per_worker']} threads and torch "
            f"{where['packages']['torch']}, in {record.seconds:.0f} s. The rows take turns, one pass each. Peak memory "
            "is the weights and what one pass adds."
        )
    yield f"Source of the paper's numbers: {spec.source}."


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
