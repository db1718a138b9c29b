"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated, Any

import typer

DEFAULT_SCALE = "tiny"
"""Scale of commands that are given neither `--scale` nor a protocol."""
DEFAULT_STORE = Path("runs")

Table = Annotated[
    str,
    typer.Argument(metavar="PROTOCOL", help="A protocol: a name that `rdtf-bench list` prints, or a YAML file."),
]
ScaleName = Annotated[
    str,
    typer.Option(
        "--scale",
        metavar="NAME|FILE",
        help="Sizes, budget, sampler and networks: a name that `list` prints, or a file.",
    ),
]
TableScale = Annotated[
    str | None,
    typer.Option(
        "--scale",
        metavar="NAME|FILE",
        help="Sizes, budget, sampler and networks: a name that `list` prints, or a file; default: the protocol's.",
    ),
]
Data = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        metavar="NAME=DIR",
        help="Replace a built-in dataset, as asg=DIR with stickers, asg=hf:owner/name of the Hub, or asg=fluent.",
    ),
]
With = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        metavar="NAME=DIR",
        help="Add a row: clips that another program made from what `conditions export` wrote, each named by its id.",
    ),
]
Methods = Annotated[
    list[str] | None,
    typer.Option(
        "--method", metavar="NAME", help="Add a row: a method of another package, by the name of its entry point."
    ),
]
Pipelines = Annotated[
    list[str] | None,
    typer.Option(
        "--pipeline",
        metavar="DIR|NAME|FILE",
        help="Add a row: an image-to-video pipeline of diffusers, as a folder, a name on the Hugging Face Hub that is "
        "in the cache, or a YAML file that describes it.",
    ),
]
OnlyRows = Annotated[
    list[str] | None,
    typer.Option(
        "--row",
        metavar="ROW",
        help="Measure only this row of a table, such as RDTF, and the control rows. Repeat it for another. The same "
        "command without it prints the whole table, draws it and logs it to MLflow.",
    ),
]
Seeds = Annotated[
    int | None,
    typer.Option(
        "--seeds",
        min=1,
        help="Take every row with this many trainings, of the random seeds 0, 1 and so on; default: the table's.",
    ),
]
MethodOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--option", metavar="NAME=VALUE", help="Set an option of the method, as places=all. Repeat it for another."
    ),
]
StoreDir = Annotated[
    Path,
    typer.Option("--store", envvar="RDTF_BENCH_STORE", help="Keep data, checkpoints, samples and results here."),
]
HeldStore = Annotated[
    Path,
    typer.Option(
        "--store",
        envvar="RDTF_BENCH_STORE",
        help="Use this store, in which `run` kept checkpoints, samples, scores and records.",
    ),
]
Uri = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri", help="Log to this MLflow server; default: MLFLOW_TRACKING_URI, else a database in the store."
    ),
]
Format = Annotated[str, typer.Option("--format", help="Print as text, md, csv, json or latex.")]
SkipBroken = Annotated[
    bool, typer.Option("--skip-broken", help="Leave out files that cannot be read, instead of stopping at the first.")
]
Retrain = Annotated[
    bool, typer.Option("--retrain", help="Train rows that ship with the package anew, instead of loading them.")
]
Processes = Annotated[
    int, typer.Option("--processes", min=1, help="Train each row on this many processes together, each on a device.")
]
ShardWeights = Annotated[
    bool,
    typer.Option(
        "--shard-weights",
        help="Divide the weights, gradients and optimizer of a row over its --processes: less memory, same result.",
    ),
]
Memory = Annotated[
    bool,
    typer.Option("--memory", help="Say what memory each row needs of a GPU, from a model; takes up to a minute."),
]
Probe = Annotated[
    bool, typer.Option("--probe", help="Time a few real training steps of each row on this machine, without data.")
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        help="Number of jobs that run side by side, each on a GPU of its own if there are any; default: the scale's.",
    ),
]
EngineName = Annotated[
    str,
    typer.Option("--engine", metavar="local|ray", help="Run the jobs on this machine, or on a Ray cluster."),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="HOST:PORT",
        help="Use the Ray cluster at this address; all its machines share --store. Default: this machine alone.",
    ),
]
Results = Annotated[
    Path | None,
    typer.Option("--results", help="Published results; default: results/ of the checkout, else of the current folder."),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]


def results_folder() -> Path:
    """Return results/ of the checkout, or of the current folder where the package is installed without one."""
    checkout = Path(__file__).resolve().parents[2]
    return checkout / "results" if (checkout / "pyproject.toml").is_file() else Path("results")


def method_options(given: list[str] | None) -> dict[str, Any]:
    """Return the options that --option sets, each value read as YAML.

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
        try:
            options[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ProtocolError(f"--option {text!r}: {value!r} is no value of YAML; put text in quotes") from None
    return options
