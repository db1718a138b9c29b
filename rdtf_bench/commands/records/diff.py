"""`rdtf-bench diff`: say what differs between two sets of records."""

from typing import Annotated

import typer

from rdtf_bench.commands.options import DEFAULT_SCALE, Format, Results, ScaleName, results_folder

PLACES = "published TABLE, STORE:TABLE as runs:table1, git:COMMIT:TABLE as git:HEAD~1:table1, or FILE.json of a record"


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help=f"One side: {PLACES}.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The other side, named in the same way.")],
    scale: ScaleName = DEFAULT_SCALE,
    results: Results = None,
    format: Format = "text",
) -> None:
    """Say which facts behind the numbers differ, and by how many standard deviations each score moved.

    The format csv holds the scores alone.
    """
    from rdtf_bench.report.layouts import require_format
    from rdtf_bench.report.provenance import diff as differences
    from rdtf_bench.report.provenance import sources
    from rdtf_bench.run.protocols import load_scale

    require_format(format)
    at_scale, folder = load_scale(scale), (results or results_folder()).resolve()
    with sources.read(a, at_scale, results=folder) as one, sources.read(b, at_scale, results=folder) as other:
        typer.echo(differences.render(differences.compare(one, other), names=(a, b), format=format))
