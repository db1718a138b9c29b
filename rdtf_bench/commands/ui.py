"""`rdtf-bench ui`: open the MLflow UI."""

import os
from typing import Annotated

import typer

from rdtf_bench.commands.options import DEFAULT_STORE, StoreDir, Uri


def ui(
    store: StoreDir = DEFAULT_STORE,
    tracking_uri: Uri = None,
    host: Annotated[str, typer.Option(help="Listen on this address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Listen on this port.")] = 5000,
) -> None:
    """Serve the MLflow UI on what has been logged, until Ctrl-C."""
    from rdtf_bench.run import track

    uri = track.tracking_uri(tracking_uri, store)
    if track.is_server(uri):
        track.require_usable(uri, store)
        typer.echo(f"{uri} is a running MLflow server with a UI of its own: open that address in a browser")
        return
    command = track.ui_command(uri, store, host=host, port=port)
    typer.echo(f"MLflow UI on http://{host}:{port} (Ctrl-C ends it)", err=True)
    os.execvpe(command[0], command, {**os.environ, **track.UI_ENVIRONMENT})
