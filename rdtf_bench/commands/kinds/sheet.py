"""Tables of the paper that nothing is measured for, such as table6 and table7."""

from dataclasses import dataclass

import typer

from rdtf_bench.commands.kinds.kind import ABOUT_TRAINED_ROWS
from rdtf_bench.commands.selection import Selection


@dataclass(frozen=True)
class Sheets:
    """Hyperparameters in force, or condition masks, beside what the paper prints."""

    name: str = "sheet"
    heading: str = "sheets, for which nothing is measured"
    refuses: tuple[str, ...] = ("--data", *ABOUT_TRAINED_ROWS)

    def run(self, chosen: Selection, *, tracking_uri: str | None, quiet: bool) -> None:  # noqa: ARG002
        self.show(chosen, format="text")

    def show(self, chosen: Selection, *, format: str) -> None:
        typer.echo(_rendered(chosen, format=format))

    def plan(self, chosen: Selection) -> None:
        typer.echo(f"{chosen.protocol}: nothing to measure; `rdtf-bench show {chosen.protocol}` prints it")

    def publish(self, chosen: Selection) -> None:
        from rdtf_bench.report.results import write_section
        from rdtf_bench.run.protocols import load_sheet

        sheet, results = load_sheet(chosen.protocol), chosen.results
        path = write_section(results, sheet.name, sheet.title, chosen.scale.name, _rendered(chosen, format="md"))
        typer.echo(f"{path}, also in {results / 'README.md'}")

    def validate(self, protocol: str) -> None:
        from rdtf_bench.run.protocols import load_scale, load_sheet
        from rdtf_bench.run.sheets import rows
        from rdtf_bench.spec.load import scale_names

        sheet = load_sheet(protocol)
        for scale in scale_names():
            typer.echo(f"{sheet.name} at {scale}: {len(rows(sheet, load_scale(scale)))} rows")


def _rendered(chosen: Selection, *, format: str) -> str:
    from rdtf_bench.report.sheets import render
    from rdtf_bench.run.protocols import load_sheet
    from rdtf_bench.run.sheets import rows

    sheet = load_sheet(chosen.protocol)
    return render(sheet, rows(sheet, chosen.scale), format=format)
