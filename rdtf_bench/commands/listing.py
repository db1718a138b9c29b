"""`rdtf-bench list`: every name that a command or a protocol may use."""

import shutil
import textwrap

import typer

NAME_COLUMNS = 26


def list_names() -> None:
    """List protocols by kind, scales, methods, control rows, datasets and metrics."""
    from rdtf_bench import catalog
    from rdtf_bench.commands.kinds import KINDS
    from rdtf_bench.spec import load, places

    for name, kind in KINDS.items():
        _section(kind.heading, {protocol: load.load(name, protocol).title for protocol in places.names(name)})
    _section("scales", {scale: load.load_scale(scale).title for scale in load.scale_names()})
    for entry in ("method", "control", "dataset", "metric"):
        _section(f"{entry}s", {name: catalog.summary(entry, name) for name in catalog.names(entry)})


def _section(title: str, entries: dict[str, str]) -> None:
    typer.echo(title)
    width = shutil.get_terminal_size(fallback=(120, 24)).columns
    for name, said in entries.items():
        entry = f"  {name:{NAME_COLUMNS}} {said}"
        indent = " " * (NAME_COLUMNS + 3)
        typer.echo(textwrap.fill(entry, max(width, 2 * len(indent)), subsequent_indent=indent, break_on_hyphens=False))
