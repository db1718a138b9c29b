"""`rdtf-bench ui`: open the MLflow UI."""

import os
import subprocess
import time
import webbrowser
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated
from urllib.request import urlopen

import typer

from rdtf_bench.commands.options import DEFAULT_STORE, HeldStore, Uri

START_S = 120
"""Seconds that the server may take before it answers."""


def ui(
    store: HeldStore = DEFAULT_STORE,
    tracking_uri: Uri = None,
    host: Annotated[str, typer.Option(help="Listen on this address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Listen on this port.")] = 5000,
    open_: Annotated[bool, typer.Option("--open", help="Open the comparison of the last table in a browser.")] = False,
) -> None:
    """Serve the MLflow UI on what has been logged, until Ctrl-C. Print the link that compares the last table's rows."""
    from rdtf_bench.run.tracking import server

    uri = server.tracking_uri(tracking_uri, store)
    if server.is_server(uri):
        server.require_usable(uri, store)
        typer.echo(f"{uri} is a running MLflow server with a UI of its own: open that address in a browser")
        link = _announced(uri, uri)
        if open_:
            webbrowser.open(link)
        return
    command = server.ui_command(uri, store, host=host, port=port)
    address = f"http://{host}:{port}"
    link = _announced(uri, address)
    typer.echo(f"MLflow UI on {address} (Ctrl-C ends it)", err=True)
    environment = {**os.environ, **server.UI_ENVIRONMENT}
    if open_:
        raise typer.Exit(_serve_and_open(command, environment, address, link))
    os.execvpe(command[0], command, environment)


def _announced(uri: str, address: str) -> str:
    """Print the link to the comparison of the last table on this server, if there is one, and return what to open.

    A table that is still logged has a line of its own, which says how many of its rows are there.
    """
    from rdtf_bench.run.tracking import table_runs

    links = []
    for found in table_runs.last_comparisons(uri):
        table = found.table if found.is_whole else f"{found.table} ({found.so_far})"
        if found.can_compare:
            links.append(found.link(address))
            typer.echo(f"Compare the rows of {table}: {links[-1]}", err=True)
        elif not found.is_whole:
            typer.echo(f"Nothing to compare yet of {table}", err=True)
    return links[0] if links else address


def _serve_and_open(command: Sequence[str], environment: Mapping[str, str], address: str, link: str) -> int:
    """Run the server, open the link once it answers, and return the exit status of the server."""
    with subprocess.Popen(command, env=environment) as serving:
        with suppress(KeyboardInterrupt):  # the server gets it too, and needs a moment to end
            given_up_s = time.monotonic() + START_S
            while serving.poll() is None and time.monotonic() < given_up_s:
                if _answers(address):
                    webbrowser.open(link)
                    break
                time.sleep(0.5)
            serving.wait()
        return serving.wait()


def _answers(address: str) -> bool:
    try:
        with urlopen(f"{address}/health", timeout=5):
            return True
    except OSError:
        return False
