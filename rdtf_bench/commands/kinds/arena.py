"""User studies of the paper, such as table5."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from rdtf_bench.commands.kinds.kind import ABOUT_TRAINED_ROWS
from rdtf_bench.commands.selection import Selection
from rdtf_bench.core.errors import StoreError

if TYPE_CHECKING:
    from rdtf_bench.run.arena.plan import PlannedArena
    from rdtf_bench.run.arena.study import Study


@dataclass(frozen=True)
class Arenas:
    """Average user rankings from the last tally of votes, beside the paper's. `rdtf-bench arena` gathers the votes."""

    name: str = "arena"
    heading: str = "user studies, for which people rank clips"
    refuses: tuple[str, ...] = ABOUT_TRAINED_ROWS

    def run(self, chosen: Selection, *, tracking_uri: str | None, quiet: bool) -> None:  # noqa: ARG002
        self.show(chosen, format="text")

    def show(self, chosen: Selection, *, format: str) -> None:
        planned = planned_of(chosen)
        typer.echo(_rendered(planned, study_of_rows(planned, chosen), format=format))

    def plan(self, chosen: Selection) -> None:
        from rdtf_bench.run.arena.study import arenas_of

        planned, root = planned_of(chosen), chosen.store
        absent = [label for label, key in planned.samples.items() if not planned.store.has("samples", key)]
        study, made = study_of_rows(planned, chosen), arenas_of(planned.samples, root)
        steps = {
            f"clips of {len(planned.samples)} rows of {planned.table.name}": (not absent, planned.command_of_table),
            "page for raters": (bool(made), planned.commands_of_votes[0]),
            "votes": (study is not None, planned.commands_of_votes[1]),
        }
        for step, (is_done, command) in steps.items():
            typer.echo(f"  {step}: {'done' if is_done else f'to do: {command}'}")

    def publish(self, chosen: Selection) -> None:
        from rdtf_bench.core.store import write_text
        from rdtf_bench.report.results import write_section
        from rdtf_bench.run.arena.study import VOTES

        planned, results = planned_of(chosen), chosen.results
        study = study_of_rows(planned, chosen)
        if study is None:
            make, count = planned.commands_of_votes
            raise StoreError(f"{chosen.store}: {planned.spec.name} has no votes there. Run: {make}\nThen run: {count}")
        text = study.anonymous.model_dump_json(indent=1) + "\n"
        write_text(results / planned.spec.name / VOTES / f"{study.arena.id}.json", text)
        rendered = _rendered(planned, study, format="md")
        path = write_section(results, planned.spec.name, planned.spec.title, planned.scale.name, rendered)
        typer.echo(
            f"{path} with the votes in {VOTES}/ beside it, without the raters' names; also in {results / 'README.md'}"
        )

    def validate(self, protocol: str) -> None:
        from rdtf_bench.run.arena import plan
        from rdtf_bench.run.protocols import load_table

        spec = plan.load(protocol)
        rows = len(load_table(spec.table).rows)
        typer.echo(f"{spec.name}: {rows} rows of {spec.table} by {len(spec.criteria)} criteria, {spec.num_clips} clips")


def planned_of(chosen: Selection) -> "PlannedArena":
    """Return the user study that a command takes, with the keys of its rows' clips."""
    from rdtf_bench.run.arena import plan
    from rdtf_bench.run.protocols import load_table

    spec = plan.load(chosen.protocol)
    source = chosen.source_of(load_table(spec.table).dataset)
    return plan.plan(spec, chosen.scale, source, chosen.store, chosen.external(), chosen.options)


def study_of_rows(planned: "PlannedArena", chosen: Selection) -> "Study | None":
    """Return the last tally of these rows in the store, or else the published one; None without votes."""
    from rdtf_bench.run.arena.study import VOTES, study_of

    return study_of(planned.samples, [chosen.store / VOTES, chosen.results / planned.spec.name / VOTES])


def _rendered(planned: "PlannedArena", study: "Study | None", *, format: str) -> str:
    from rdtf_bench.report.arena import render_protocol

    return render_protocol(
        planned.spec, list(planned.samples), study, commands=planned.commands_of_votes, format=format
    )
