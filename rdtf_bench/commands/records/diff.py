"""`rdtf-bench diff`: say what differs between two sets of records."""

from typing import Annotated

import typer

from rdtf_bench.commands.options import Format, Results, TableScale, results_folder

PLACES = "published TABLE, STORE:TABLE as runs:table1, git:COMMIT:TABLE as git:HEAD~1:table1, or FILE.json of a record"


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help=f"One side: {PLACES}.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The other side, named in the same way.")],
    scale: TableScale = None,
    results: Results = None,
    format: Format = "text",
) -> None:
    """Say which facts behind the numbers differ, and by how many standard deviations each score moved.

    The format csv holds the scores alone.
    """
    from rdtf_bench.report.layouts import require_format
    from rdtf_bench.report.provenance import diff as differences
    from rdtf_bench.report.provenance import sources

    require_format(format)
    folder = (results or results_folder()).resolve()
    with sources.read(a, scale, results=folder) as one, sources.read(b, scale, results=folder) as other:
        names = (sources.at_scale(a, one), sources.at_scale(b, other))
        typer.echo(differences.render(differences.compare(one, other), names=names, format=format))
