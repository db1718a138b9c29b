"""The page of one table: numbers, verdicts, clips, scores of clips, curves, costs and provenance in one HTML file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rdtf_bench import catalog
from rdtf_bench.core.errors import BenchError
from rdtf_bench.core.store import Store
from rdtf_bench.report import layouts
from rdtf_bench.report.page import costs, curves, provenance, scoreboard
from rdtf_bench.report.page.gallery import Gallery, OnProgress, Shown, gallery, real_clips, silent
from rdtf_bench.report.page.rendering import render
from rdtf_bench.report.published import source_of
from rdtf_bench.report.table import claims, footer, grid
from rdtf_bench.report.table.rows import Number, diverged, rows
from rdtf_bench.report.table.table import STYLED
from rdtf_bench.run import environment
from rdtf_bench.run.record import Record
from rdtf_bench.spec.command import command as typed
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import TableSpec

if TYPE_CHECKING:
    from rdtf_bench.run.inputs.clips import RealClips
    from rdtf_bench.run.per_clip import ClipScores


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a page is made of: a planned table, its records by cell id, and the store that may hold its clips."""

    spec: TableSpec
    scale: Scale
    cells: Sequence[Cell]
    records: Mapping[str, Record]
    store: Store
    warning: str | None = None
    options: Sequence[str] = ()
    """Those with which a command takes this table besides its scale."""

    @property
    def first_seed(self) -> list[Cell]:
        """Return the cells whose clips and curves are shown: those of the first seed, and the controls."""
        return [cell for cell in self.cells if cell.is_control or cell.seed == self.spec.seeds[0]]


@dataclass(frozen=True, kw_only=True)
class Clips:
    """What the store holds of a table's clips, and a sentence for each thing that it lacks."""

    gallery: "Gallery | None" = None
    ids: Sequence[str] = ()
    captions: Sequence[str] = ()
    scores: "Sequence[ClipScores]" = ()
    missing: list[str] = field(default_factory=list)

    @property
    def linked(self) -> set[int]:
        """Return the places of the test clips that the gallery shows."""
        return {prompt.place for prompt in self.gallery.prompts} if self.gallery else set()

    def row_of(self, clip: Shown) -> str:
        """Return the row of the table that scores a clip of the gallery; the control `real` scores the real clips."""
        return "real" if clip.kind == "truth" else clip.label

    @property
    def decimals(self) -> dict[str, int]:
        """Return the number of decimals of each metric that suits its largest score."""
        return {
            scores.metric: grid.decimals_for(max(abs(value) for of_row in scores.rows.values() for value in of_row))
            for scores in self.scores
        }


def page(contents: Contents, *, home: str = "", on_progress: OnProgress = silent) -> str:
    """Return the HTML page. Everything is inside it, so that it can be opened from a disk and sent as one file.

    `home` is the address of the page that lists all tables, where there is one.
    """
    spec, scale, cells, records = contents.spec, contents.scale, contents.cells, contents.records
    numbers = rows(spec, cells, records)
    shown = grid.build(spec, cells, numbers, catalog.constants, lost=diverged(cells, records))
    return render(
        "table.html",
        title=f"{spec.name}: {spec.title}",
        summary=summary(contents),
        warning=contents.warning,
        home=home,
        name=spec.as_argument,
        scale=scale.as_argument,
        run=command(contents, "run"),
        report=command(contents, "report"),
        board=scoreboard.scoreboard(shown),
        legend=footer.legend(*STYLED) if shown.has_verdicts else "",
        has_gaps=shown.has_gaps,
        verdicts=scoreboard.verdict_table(shown),
        pairs=scoreboard.pair_table(shown),
        orderings=_orderings(spec, numbers),
        seed=spec.seeds[0] if len(spec.seeds) > 1 else None,
        clips=_clips(contents, on_progress),
        curves=curves.curves(spec, contents.first_seed, contents.store),
        costs=costs.table(cells, records),
        total=costs.total(cells, records),
        provenance=provenance.tables({cell.name: records[cell.id] for cell in cells if cell.id in records}),
        notes=footer.notes(spec, scale, cells, records, numbers),
    )


def summary(contents: Contents) -> dict[str, str]:
    """Return the facts that stand at the top of the page and on the index, by name."""
    records = contents.records
    facts = {"scale": contents.scale.name, "dataset": contents.spec.dataset, "task": contents.spec.task}
    if not records:
        return {**facts, "measured": grid.NOT_RUN}
    over_clips = {score.n for found in records.values() for score in found.scores.values() if score.without_group}
    facts["data"] = source_of(records)
    if over_clips:
        facts["test clips"] = " and ".join(map(str, sorted(over_clips)))
    facts["seeds"] = str(len(contents.spec.seeds))
    return {**facts, "measured": max(found.created for found in records.values())[:10]}


def command(contents: Contents, verb: str) -> str:
    """Return the command that runs a table or writes its page, without the places of a machine: pages are sent."""
    return typed(verb, contents.spec, contents.scale, [*map(environment.without_place, contents.options)])


def _orderings(spec: TableSpec, numbers: Sequence[Number]) -> layouts.Table | None:
    """Return the verdicts on the orderings that the paper's table states; None where it states none."""
    stated = claims.of_table(spec.name)
    return (
        None if stated is None else claims.table_of(claims.judge(stated, numbers), "Orderings of the paper, and ours")
    )


def _clips(contents: Contents, on_progress: OnProgress) -> Clips:
    store, cells = contents.store, contents.first_seed
    real = real_clips(cells, store)
    if real is None:
        return Clips(missing=["The store holds no clips of this table, and published results have none."])
    found = gallery(cells, real, store, task=contents.spec.task, on_progress=on_progress)
    missing = [f"The store holds no clips of {', '.join(found.absent)}."] if found.absent else []
    scores, said = _scores(contents, real)
    return Clips(gallery=found, ids=real.ids, captions=real.captions, scores=scores, missing=[*missing, *said])


def _scores(contents: Contents, real: "RealClips") -> "tuple[Sequence[ClipScores], list[str]]":
    from rdtf_bench.run import per_clip

    cells = [cell for cell in contents.first_seed if cell.method != "other_real_clips"]
    try:
        found = per_clip.of_table(cells, contents.scale, real.captions, contents.store)
    except BenchError as fault:  # weights that this machine lacks cost the scores of clips alone
        return [], [f"The scores of single clips could not be computed: {fault}"]
    return found, [] if found else ["The store holds no scores of single clips of this table."]
