"""Draw and print the figures of the paper that a protocol of kind `figure` describes."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rdtf_bench.core.store import write_text
from rdtf_bench.report import layouts
from rdtf_bench.report.figures import canvas
from rdtf_bench.run.figures import losses
from rdtf_bench.run.figures.plan import CSV, PICTURE, PlannedFigure, Row, write_rows
from rdtf_bench.run.progress import Report, Sink
from rdtf_bench.spec.schema import FrameCounts, FrameExtraction

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from rdtf_bench.run.figures.extraction import Example

COLOURS = {"clustering": "C0", "equal intervals": "C1"}
MARK_SHARE = 0.1
"""Height of the bars that mark a frame, as a share of the frame's."""


def make(planned: PlannedFigure, folder: Path, *, skip_broken: bool, sink: Sink) -> None:
    """Measure a figure, and write its rows, its CSV file and its picture into an entry of the store."""
    spec = planned.spec
    if spec.frame_counts is not None:
        from rdtf_bench.run.figures import frame_counts

        rows = frame_counts.rows(planned.clips(skip_broken=skip_broken), spec.frame_counts)
        draw_frame_counts(rows, spec.frame_counts, planned.data_label, path=folder / PICTURE)
    elif spec.extraction is not None:
        from rdtf_bench.run.figures import extraction

        clips = extraction.choose(planned.clips(skip_broken=skip_broken), spec.dataset, spec.extraction)
        report = Report(sink, spec.name, "clips")
        rows, examples = extraction.measure(clips, spec.extraction, planned.scale, report)
        draw_extraction(rows, examples, spec.extraction, path=folder / PICTURE)
    else:
        from rdtf_bench.run.figures import curriculum

        assert spec.curriculum is not None  # a figure has one of the three parts
        rows = curriculum.rows(planned.followed, spec.curriculum.parts)
        draw_curriculum(rows, path=folder / PICTURE)
    write_rows(rows, folder)
    write_text(folder / CSV, layouts.as_csv(rows, list(rows[0])) + "\n")


def render(planned: PlannedFigure, *, format: str) -> str:
    """Write the rows of a finished figure in one of layouts.FORMATS."""
    layouts.require_format(format)
    spec, rows = planned.spec, planned.rows()
    if format in layouts.DATA_FORMATS:
        return layouts.data(rows, list(rows[0]), format=format)
    if spec.frame_counts is not None:
        tables, notes = (
            [_frame_counts(rows, spec.frame_counts, planned.data_label)],
            _of_counts(spec.frame_counts, rows),
        )
    elif spec.extraction is not None:
        tables, notes = [_extraction(rows)], _of_extraction(spec.extraction)
    else:
        tables, notes = _curriculum(rows), _of_curriculum(planned.followed)
    notes = [*notes, *spec.notes, f"The paper's figure: {spec.source}."]
    return layouts.document(tables, notes, format=format, title=f"{spec.name}: {spec.title}")


def draw_frame_counts(rows: Sequence[Row], published: FrameCounts, label: str, *, path: Path) -> Path:
    """Draw the shares of both histograms as bars side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), dpi=120, layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(rows))
    for side, (name, column) in enumerate({label: "share_pct", published.label: "published_share_pct"}.items()):
        axes.bar(places + 0.42 * (side - 0.5), [row[column] for row in rows], width=0.42, label=name, color=f"C{side}")
    axes.set_xticks(places, [row["frames"].replace(" or more", "+") for row in rows], rotation=45)
    axes.set(xlabel="frames of a clip", ylabel="share of clips, %", title="Distribution of the number of frames")
    axes.grid(visible=True, axis="y", alpha=0.3)
    axes.legend(frameon=False)
    return canvas.save(figure, path)


def draw_extraction(
    rows: Sequence[Row], examples: "Sequence[Example]", extraction: FrameExtraction, *, path: Path
) -> Path:
    """Draw the frames of some clips with those that are taken marked, and below them the coverage over k."""
    from matplotlib.figure import Figure

    heights = [*(1.0 for _ in examples), 3.0]
    figure = Figure(figsize=(11, 0.85 * sum(heights) + 0.6), dpi=120, layout="constrained")
    *strips, coverage = figure.subplots(len(heights), 1, gridspec_kw={"height_ratios": heights})
    for axes, example in zip(strips, examples, strict=True):
        _draw_strip(axes, example)
    for (name, colour), column in zip(COLOURS.items(), ("clustering_pct", "equal_intervals_pct"), strict=True):
        coverage.plot([row["k"] for row in rows], [row[column] for row in rows], marker="o", color=colour, label=name)
    coverage.set(xlabel="k, frames taken", ylabel="distinct content covered, %")
    coverage.set_title(f"Mean over {rows[0]['clips']} clips", fontsize=10)
    coverage.grid(visible=True, alpha=0.3)
    coverage.legend(frameon=False)
    marks = f"{extraction.shown_k} frames: above by clustering (blue), below at equal intervals (orange)"
    figure.suptitle(marks, fontsize=10)
    return canvas.save(figure, path)


def _draw_strip(axes: "Axes", example: "Example") -> None:
    """Draw the frames of a clip in a row; a bar above or below a frame marks it as taken."""
    from matplotlib.patches import Rectangle

    count, _, height, width = example.frames.shape
    axes.imshow(example.frames.transpose(2, 0, 3, 1).reshape(height, count * width, 3), interpolation="nearest")
    bar = MARK_SHARE * height
    marked = zip(COLOURS.values(), (example.clustered, example.equal), (-1.5 * bar, height + 0.5 * bar), strict=True)
    for colour, taken, top in marked:
        for number in taken:
            axes.add_patch(Rectangle((number * width + 0.05 * width, top), 0.9 * width, bar, color=colour))
    axes.set(xlim=(0, count * width), ylim=(height + 2 * bar, -2 * bar))
    axes.set_title(f"{example.caption} ({count} frames)", fontsize=8, loc="left", pad=2)
    axes.set_anchor("W")
    axes.set_axis_off()


def draw_curriculum(rows: Sequence[Row], *, path: Path) -> Path:
    """Draw one heat map per part of the training: tasks by masked length, all on one scale of colours."""
    from matplotlib.figure import Figure

    parts = [list(part) for _, part in groupby(rows, key=lambda row: row["part"])]
    tasks, lengths = _axes_of(rows)
    figure = Figure(figsize=(3.2 * len(parts) + 1.4, 3.4), dpi=120, layout="constrained")
    panels = figure.subplots(1, len(parts), squeeze=False, sharey=True)[0]
    most = max(row["share_pct"] for row in rows)
    for number, (axes, part) in enumerate(zip(panels, parts, strict=True), start=1):
        image = axes.imshow(_grid(part, tasks, lengths), vmin=0, vmax=most, cmap="viridis", aspect="auto")
        axes.set_xticks(range(len(lengths)), list(map(str, lengths)))
        axes.set_yticks(range(len(tasks)), [task.replace("_", " ") for task in tasks])
        axes.set_title(f"part {number} of {len(parts)}", fontsize=10)
        axes.set_xlabel("masked frames")
    figure.colorbar(image, ax=panels, label="share of the cases, %")
    return canvas.save(figure, path)


def _axes_of(rows: Sequence[Row]) -> tuple[list[str], list[int]]:
    return list(dict.fromkeys(row["task"] for row in rows)), sorted({row["masked_frames"] for row in rows})


def _grid(part: Sequence[Row], tasks: Sequence[str], lengths: Sequence[int]) -> list[list[float]]:
    """Return the shares by task and masked length; NaN, which is drawn blank, where there is no such case."""
    found = {(row["task"], row["masked_frames"]): row["share_pct"] for row in part}
    return [[found.get((task, length), float("nan")) for length in lengths] for task in tasks]


def _frame_counts(rows: Sequence[Row], published: FrameCounts, label: str) -> layouts.Table:
    head = ["frames", f"clips ({label})", "share, %", f"thousands ({published.label})", "share, %"]
    lines = [
        [
            row["frames"],
            f"{row['clips']:,}",
            f"{row['share_pct']:.1f}",
            f"{row['published_thousands']:.1f}",
            f"{row['published_share_pct']:.1f}",
        ]
        for row in rows
    ]
    return layouts.Table(head=head, groups=[lines])


def _of_counts(published: FrameCounts, rows: Sequence[Row]) -> list[str]:
    apart = sum(abs(row["share_pct"] - row["published_share_pct"]) for row in rows) / 2
    return [
        f"{apart:.0f} % of the clips would have to be in other bins for both distributions to be the same.",
        f"{published.label}: {published.published}.",
    ]


def _extraction(rows: Sequence[Row]) -> layouts.Table:
    head = ["k", "clustering, %", "equal intervals, %", "difference", "95 % interval", "clips"]
    lines = [
        [
            str(row["k"]),
            f"{row['clustering_pct']:.1f}",
            f"{row['equal_intervals_pct']:.1f}",
            f"{row['difference_points']:+.1f}",
            f"[{row['low_95']:+.1f}, {row['high_95']:+.1f}]",
            str(row["clips"]),
        ]
        for row in rows
    ]
    return layouts.Table(heading="Share of distinct content that k frames cover", head=head, groups=[lines])


def _of_extraction(extraction: FrameExtraction) -> list[str]:
    return [
        "Distinct content: frames of a clip of which no two show the same. Two frames show the same if the root mean "
        f"square of the differences of their pixels is at most {extraction.tolerance:g} of 255.",
        f"A distinct frame is covered if one of the k frames shows the same. Clustering: mean of {extraction.draws} "
        "clusterings with a random frame of each cluster. Mean over clips; the difference is paired by clip.",
    ]


def _curriculum(rows: Sequence[Row]) -> list[layouts.Table]:
    tasks, lengths = _axes_of(rows)
    parts = [list(part) for _, part in groupby(rows, key=lambda row: row["part"])]
    return [
        layouts.Table(
            heading=f"Part {number} of {len(parts)}: share of the cases by task and masked frames, %",
            head=["task", *map(str, lengths)],
            groups=[
                [
                    [task, *("" if share != share else f"{share:.1f}" for share in line)]  # NaN: no such case
                    for task, line in zip(tasks, _grid(part, tasks, lengths), strict=True)
                ]
            ],
        )
        for number, part in enumerate(parts, start=1)
    ]


def _of_curriculum(followed: losses.Followed) -> list[str]:
    return [
        followed.said,
        "Shares are the curriculum's probabilities, averaged over the steps of a part, for clips with enough frames "
        "for every case. Masked frames are the unknown ones among those that enter the loss.",
    ]
