"""`rdtf-bench params`: count the parameters of a method."""

from typing import Annotated

import typer

from rdtf_bench.commands.options import Format, MethodOptions, ScaleName, method_options


def params(
    method: Annotated[str, typer.Argument(help="A method that `rdtf-bench list` prints, such as rdtf or simda.")],
    scale: ScaleName = "paper",
    option: MethodOptions = None,
    format: Format = "text",
) -> None:
    """Count a method's parameters at a scale, by component. No weights are needed."""
    from rdtf_bench.report.layouts import require_format
    from rdtf_bench.report.parameter_counts import render
    from rdtf_bench.run.costs.parameters import parameter_counts
    from rdtf_bench.run.protocols import load_scale

    require_format(format)
    counts = parameter_counts(method, load_scale(scale), method_options(option))
    typer.echo(render(method, scale, counts, format=format))
