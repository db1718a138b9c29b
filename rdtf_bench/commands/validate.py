"""`rdtf-bench validate`: read protocols and scales without running them."""

from typing import Annotated

import typer

from rdtf_bench.core.errors import BenchError, ProtocolError


def validate(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PROTOCOL|FILE]...", help="Protocols by name or file; default: all that `list` prints."
        ),
    ] = None,
) -> None:
    """Read protocols and scales, look up every name and option in them, and plan each protocol at every scale.

    Every fault is told with its file and line; exit status 2 where there is one.
    """
    from rdtf_bench.commands.kinds import KINDS, kind_of
    from rdtf_bench.run.protocols import load_scale
    from rdtf_bench.spec import load

    faults = []
    for protocol in files or [name for kind in (*KINDS, "scale") for name in load.names(kind)]:
        try:
            if load.is_scale(protocol):
                scale = load_scale(protocol)
                typer.echo(f"{scale.name}: a scale, {scale.title}")
            elif load.is_pipeline(protocol):
                typer.echo(f"{protocol}: a pipeline, {load.load_pipeline(protocol).title}")
            else:
                kind_of(protocol).validate(protocol)
        except BenchError as fault:
            faults.append(str(fault))
    if faults:
        raise ProtocolError("\n".join(faults))
