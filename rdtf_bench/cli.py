"""The command line. It only registers commands; each is a few calls into the library that a notebook can make too."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from rdtf_bench import __version__
from rdtf_bench.commands import arena, conditions, data, store
from rdtf_bench.commands.doctor import doctor
from rdtf_bench.commands.listing import list_names
from rdtf_bench.commands.metrics.check import check
from rdtf_bench.commands.metrics.power import power
from rdtf_bench.commands.metrics.score import score
from rdtf_bench.commands.metrics.selftest import selftest
from rdtf_bench.commands.models import assets
from rdtf_bench.commands.models.finetune import finetune
from rdtf_bench.commands.models.generate import generate
from rdtf_bench.commands.models.params import params
from rdtf_bench.commands.plan import plan
from rdtf_bench.commands.publish import publish
from rdtf_bench.commands.records import verify
from rdtf_bench.commands.records.diff import diff
from rdtf_bench.commands.records.replay import replay
from rdtf_bench.commands.records.why import why
from rdtf_bench.commands.report import report
from rdtf_bench.commands.run import ablate, run
from rdtf_bench.commands.show import show
from rdtf_bench.commands.show_scale import show_scale
from rdtf_bench.commands.tracking.sync import sync
from rdtf_bench.commands.tracking.ui import ui
from rdtf_bench.commands.validate import validate
from rdtf_bench.core.errors import BenchError, StoreError, is_disk_full

INTERRUPTED = 130

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


def _print_version(asked: bool) -> bool:
    if asked:
        typer.echo(f"rdtf-bench {__version__}")
        raise typer.Exit
    return asked


@app.callback()
def rdtf_bench(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Benchmark and evaluation suite for animated-sticker and other low-frame-rate video generation."""


def _add(command: Callable[..., None], example: str, *, name: str | None = None) -> None:
    app.command(name=name, epilog=f"Example: rdtf-bench {example}")(command)


_add(run, "run table1 --scale tiny --data asg=my_stickers")
_add(ablate, "ablate dcl --seeds 3")
_add(show, "show table1 --format md")
_add(report, "report table1 --out table1.html")
_add(plan, "plan table1 --scale tiny")
_add(list_names, "list", name="list")
_add(show_scale, "show-scale tiny > my_scale.yaml")
_add(validate, "validate ./my_table.yaml")
_add(params, "params simda --scale paper")
_add(publish, "publish table1")
_add(score, "score --real real_clips --fake generated_clips --json scores.json")
_add(generate, 'generate --prompt "a red star jumping" --image first.png --out star.gif')
_add(finetune, "finetune simda --data my_stickers --base ali-vilab/i2vgen-xl --out adapter")
_add(power, "power table1")
_add(why, "why table1 RDTF fvd")
_add(replay, "replay ci static --scale ci")
_add(diff, "diff git:HEAD~1:table1 table1")
_add(selftest, "selftest")
_add(check, "check")
_add(doctor, "doctor")
_add(sync, "sync --store adapter")
_add(ui, "ui --port 5001")
app.add_typer(arena.app, name="arena")
app.add_typer(conditions.app, name="conditions")
app.add_typer(data.app, name="data")
app.add_typer(store.app, name="store")
app.add_typer(verify.app, name="verify")
app.add_typer(assets.app, name="assets")


def main() -> None:
    """Run a command; print a known error as one line, and leave with its exit status."""
    try:
        app(prog_name="rdtf-bench")
    except BenchError as e:
        typer.echo(f"rdtf-bench: {e}", err=True)
        sys.exit(e.exit_status)
    except Exception as e:
        if not is_disk_full(e):
            raise
        typer.echo(
            "rdtf-bench: the disk is full. What is finished is kept, and nothing half-written is taken for it. Free "
            "some space below --store, and run the same command again; it continues from there.",
            err=True,
        )
        sys.exit(StoreError.exit_status)
    except SystemExit as e:
        if e.code == INTERRUPTED:  # Ctrl-C, as typer reports it
            typer.echo(
                "\nrdtf-bench: stopped. What is finished is kept; the same command continues from there.", err=True
            )
        raise


if __name__ == "__main__":
    main()
