"""`rdtf-bench params`: count the parameters of a method."""

import json
from typing import Annotated

import typer

from rdtf_bench.commands.options import MethodOptions, ScaleName, method_options


def params(
    method: Annotated[str, typer.Argument(help="A method that `rdtf-bench list` prints, such as rdtf or simda.")],
    scale: ScaleName = "paper",
    option: MethodOptions = None,
    format: Annotated[str, typer.Option("--format", help="Print as text or json.")] = "text",
) -> None:
    """Count a method's parameters at a scale, by component. No weights are needed."""
    from rdtf_bench.core.errors import unknown_name
    from rdtf_bench.report.sizes import sizes_text
    from rdtf_bench.run.costs.sizes import sizes
    from rdtf_bench.run.protocols import load_scale

    if format not in ("text", "json"):
        raise unknown_name("format", format, ("text", "json"))
    counts = sizes(method, load_scale(scale), method_options(option))
    typer.echo(json.dumps(counts, indent=1) if format == "json" else sizes_text(method, scale, counts))
