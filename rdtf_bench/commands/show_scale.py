"""`rdtf-bench show-scale`: print a scale with everything that it extends."""

from typing import Annotated

import typer


def show_scale(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A scale that `list` prints, or a YAML file.")],
) -> None:
    """Print a scale with everything that it extends and every default, as one YAML file."""
    from rdtf_bench.spec.load import show_scale

    typer.echo(show_scale(name), nl=False)
