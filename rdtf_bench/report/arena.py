"""Print the tally of a user study: average user rankings, strengths, and how well the raters agree. No torch."""

from collections.abc import Mapping, Sequence

from rdtf_bench.metrics.rankings import Estimate
from rdtf_bench.report import layouts
from rdtf_bench.report.layouts import Cell
from rdtf_bench.run.arena.study import Study
from rdtf_bench.run.arena.tally import Tally, tally
from rdtf_bench.spec.schema import ArenaSpec, Criterion, PaperValue

Paper = Mapping[str, Mapping[str, PaperValue]]
"""The paper's number for a row, by its label, and a criterion."""

COLUMNS = (
    "row", "criterion", "aur", "aur_low_95", "aur_high_95", "tied_with_best", "paper", "strength", "strength_low_95",
    "strength_high_95", "alpha", "tied_share", "raters", "clips",
)  # fmt: skip


def render(study: Study, *, format: str) -> str:
    """Write the tally of a study in one of layouts.FORMATS."""
    arena = study.arena
    title = f"User study of {arena.table} at scale {arena.scale}"
    return _render(arena.criteria, arena.rows, study, {}, _notes(study), format=format, title=title)


def render_protocol(
    spec: ArenaSpec, rows: Sequence[str], study: Study | None, *, commands: tuple[str, str], format: str
) -> str:
    """Write the tally beside the paper's numbers; without a study, n/a and the commands that make one."""
    if study is None:
        make, count = commands
        notes = [f"There are no votes. Make the page for raters: {make}", f"Count what they send: {count}"]
    else:
        rows = study.arena.rows
        notes = _notes(study)
    notes = [*notes, *spec.notes, f"The paper's values: {spec.source}."]
    title = f"{spec.name}: {spec.title}"
    return _render(spec.criteria, rows, study, spec.paper, notes, format=format, title=title)


def _render(
    criteria: Sequence[Criterion],
    rows: Sequence[str],
    study: Study | None,
    paper: Paper,
    notes: Sequence[str],
    *,
    format: str,
    title: str,
) -> str:
    layouts.require_format(format)
    counted = {} if study is None else {found.criterion.name: found for found in tally(study)}
    if format in layouts.DATA_FORMATS:
        return layouts.data(_values(counted, study, paper), COLUMNS, format=format)
    tables = [_rankings(criteria, rows, counted, paper)]
    if counted:
        tables += [_strengths(rows, counted), _agreement(counted)]
    return layouts.document(tables, notes, format=format, title=title)


def _rankings(
    criteria: Sequence[Criterion], rows: Sequence[str], counted: Mapping[str, Tally], paper: Paper
) -> layouts.Table:
    head: list[str | Cell] = [""]
    for criterion in criteria:
        head += [f"{criterion.label} ↑", *(["paper"] if paper else [])]
    lines = []
    for place, row in enumerate(rows):
        line: list[str | Cell] = [row]
        for criterion in criteria:
            found = counted.get(criterion.name)
            printed = paper.get(row, {}).get(criterion.name)
            line.append("n/a" if found is None else _cell(found.rankings[place], "{:.2f}", _mark(found, place)))
            line += [printed.value if printed else "n/a"] if paper else []
        lines.append(line)
    return layouts.Table(heading="Average user ranking", head=head, groups=[lines])


def _strengths(rows: Sequence[str], counted: Mapping[str, Tally]) -> layouts.Table:
    head = ["", *(f"{found.criterion.label} ↑" for found in counted.values())]
    lines: list[list[str | Cell]] = [
        [row, *(_cell(found.strengths[place], "{:+.2f}") for found in counted.values())]
        for place, row in enumerate(rows)
    ]
    return layouts.Table(heading="Strength (Bradley and Terry, log odds)", head=head, groups=[lines])


def _agreement(counted: Mapping[str, Tally]) -> layouts.Table:
    lines = [
        [found.criterion.label, "n/a" if found.alpha is None else f"{found.alpha:.2f}", f"{100 * found.tied:.0f} %"]
        for found in counted.values()
    ]
    return layouts.Table(heading="Raters", head=["", "Krippendorff's alpha", "tied pairs"], groups=[lines])


def _mark(found: Tally, place: int) -> layouts.Mark:
    """Return whether the row is the best by this criterion, or tied with the best."""
    if found.tied_with_the_best is None or not found.tied_with_the_best[place]:
        return ""
    return "best" if sum(found.tied_with_the_best) == 1 else "tied"


def _cell(found: Estimate, form: str, mark: layouts.Mark = "") -> Cell:
    value, *bounds = (form.format(round(number, 2) + 0.0) for number in (found.value, *(found.interval or ())))
    return Cell(text=value, mark=mark, small=f"[{', '.join(bounds)}]" if bounds else "")


def _notes(study: Study) -> list[str]:
    arena, raters = study.arena, len(study.ballots)
    count = "1 rater" if raters == 1 else f"{raters} raters"
    notes = [
        f"Arena {arena.id}: {count}, {len(arena.clips)} clips of {arena.dataset}, {len(arena.rows)} rows of "
        f"{arena.table} at scale {arena.scale}, whose names were not shown.",
        f"Average user ranking: mean of {len(arena.rows)} + 1 - rank over raters and clips, so that "
        f"{len(arena.rows)} is a row that is always ranked first. Tied rows share the mean of their places.",
        "Strength: in the model, the odds that a row is ranked before another one are exp(difference). A tie is half a "
        "win of both. Each pair has one more tie, so that every strength is finite. Where some rows never lost to the "
        "others, this tie decides the strengths, and they have no intervals.",
        "Krippendorff's alpha for ordinal data: 1 if all raters rank alike, 0 if they agree as by chance.",
    ]
    if raters == 1 or len(arena.clips) == 1:
        return [*notes, "There are no intervals: they need at least two raters and two clips."]
    return [
        *notes,
        "Intervals: 95 %, for other raters and clips, from a jackknife over both.",
        "The best row is marked where its differences from all others are resolved on the same rankings, in a test of "
        "all pairs of rows (Holm-corrected, 5 %). ≈ marks rows that are tied with the best.",
    ]


def _values(counted: Mapping[str, Tally], study: Study | None, paper: Paper) -> list[dict[str, object]]:
    if study is None:
        return []
    values: list[dict[str, object]] = []
    for name, found in counted.items():
        for place, row in enumerate(study.arena.rows):
            printed = paper.get(row, {}).get(name)
            ours, strength = found.rankings[place], found.strengths[place]
            low, high = ours.interval or (None, None)
            weakest, strongest = strength.interval or (None, None)
            tied = found.tied_with_the_best and found.tied_with_the_best[place]
            numbers = (ours.value, low, high, tied, printed and printed.number, strength.value, weakest, strongest)
            counts = (found.alpha, found.tied, len(study.ballots), len(study.arena.clips))
            values.append(dict(zip(COLUMNS, (row, name, *numbers, *counts), strict=True)))
    return values
