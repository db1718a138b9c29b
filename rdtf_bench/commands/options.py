"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated, Any

import typer

Table = Annotated[str, typer.Argument(help="A protocol: the name of a file in protocols/, without .yaml.")]
ScaleName = Annotated[str, typer.Option("--scale", help="How large everything is: a file in protocols/scales/.")]
Data = Annotated[
    list[str] | None,
    typer.Option(
        "--data", help="NAME=FOLDER, or NAME=fluent: use this data instead of the built-in.", metavar="NAME=DIR"
    ),
]
With = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        help="One more row: clips made elsewhere for `conditions export`, each named by its id.",
        metavar="NAME=DIR",
    ),
]
Methods = Annotated[
    list[str] | None,
    typer.Option(
        "--method", help="One more row: a method of another package, by its entry point's name.", metavar="NAME"
    ),
]
Seeds = Annotated[
    int | None,
    typer.Option("--seeds", min=1, help="Train every row this often, with the seeds 0, 1 ...; default: the table's."),
]
MethodOptions = Annotated[
    list[str] | None,
    typer.Option("--option", help="An option of the method, as places=all; again for another.", metavar="NAME=VALUE"),
]
StoreDir = Annotated[
    Path, typer.Option("--store", envvar="RDTF_BENCH_STORE", help="Where everything that is computed is kept.")
]
Uri = Annotated[
    str | None,
    typer.Option("--tracking-uri", help="MLflow server; default MLFLOW_TRACKING_URI, else a database in the store."),
]
Format = Annotated[str, typer.Option("--format", help="text, md, csv or json.")]
SkipBroken = Annotated[bool, typer.Option("--skip-broken", help="Go on without files that cannot be read.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]
DEFAULT_STORE = Path("runs")


def results_folder() -> Path:
    """results/ of the checkout; an installed wheel has none, and nothing is found there."""
    return Path(__file__).resolve().parents[2] / "results"


def method_options(given: list[str] | None) -> dict[str, Any]:
    """What --option says, each value read as YAML.

    >>> method_options(["motion_rank=8", "places=all"])
    {'motion_rank': 8, 'places': 'all'}
    """
    import yaml

    from rdtf_bench.core.errors import ProtocolError

    options = {}
    for text in given or []:
        name, separator, value = text.partition("=")
        if not separator:
            raise ProtocolError(f"--option {text!r} is not of the form NAME=VALUE, such as motion_rank=8")
        options[name] = yaml.safe_load(value)
    return options


def source_of(data: list[str] | None, dataset: str) -> str | None:
    """What --data says of this data set; None is the built-in one."""
    from rdtf_bench.run.inputs.datasets import parse_data_options

    return parse_data_options(data or []).get(dataset)
