"""`rdtf-bench validate`: read protocols and scales without running them."""

from typing import Annotated

import typer

from rdtf_bench.core.errors import BenchError, ProtocolError


def validate(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PROTOCOL|FILE]...", help="Protocols and scales, by name or file; default: all that `list` prints."
        ),
    ] = None,
) -> None:
    """Read protocols and scales, look up every name and option in them, and plan each protocol at every scale.

    Every fault is told with its file and line; exit status 2 where there is one.
    """
    from rdtf_bench.commands.kinds import KINDS, kind_of
    from rdtf_bench.run.protocols import load_scale
    from rdtf_bench.spec import load, places

    faults = []
    for name in dict.fromkeys(files or [name for kind in (*KINDS, "scale") for name in places.names(kind)]):
        try:
            if load.is_pipeline(name):
                typer.echo(f"{name}: a pipeline, {load.load_pipeline(name).title}")
                continue
            if not load.is_scale(name):
                kind_of(name).validate(name)
            if load.is_scale(name) or name in load.scale_names():  # a protocol and a scale may share a name
                scale = load_scale(name)
                typer.echo(f"{scale.name}: a scale, {scale.title}")
        except BenchError as fault:
            faults.append(str(fault))
    if faults:
        raise ProtocolError("\n".join(faults))
