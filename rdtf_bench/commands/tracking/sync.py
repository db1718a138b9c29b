"""`rdtf-bench sync`: log to MLflow what could not be logged."""

from pathlib import Path
from typing import Annotated

import typer

from rdtf_bench.commands.options import DEFAULT_STORE, Uri


def sync(
    store: Annotated[
        Path,
        typer.Option(
            "--store", envvar="RDTF_BENCH_STORE", help="Log this store of `run`, or this folder (--out) of `finetune`."
        ),
    ] = DEFAULT_STORE,
    tracking_uri: Uri = None,
) -> None:
    """Log to MLflow what it lacks of finished tables or of a fine-tuning, from the files on disk. Measures nothing.

    Use it after a server failed during `run` or `finetune`, or to fill another server. It logs parameters, scores,
    training curves, pictures and samples, continues runs that are half logged, and prints how many runs it logged.
    """
    from rdtf_bench.core.errors import StoreError
    from rdtf_bench.report import artifacts, tuning
    from rdtf_bench.run.tracking import server

    if not artifacts.tables(store) and not tuning.is_tuning(store):
        raise StoreError(
            f"{store}: holds no finished table and no fine-tuning. Name another folder with --store, or run a table "
            "first: rdtf-bench run table1 (what is measured already is not measured again)"
        )
    uri = server.tracking_uri(tracking_uri, store)
    server.require_usable(uri, store)
    runs = artifacts.sync(store, uri) + (tuning.sync(store, uri) if tuning.is_tuning(store) else 0)
    typer.echo(f"logged {runs} runs to {uri}" if runs else f"everything is logged already to {uri}")
