"""The first thing a newcomer types: help, version, completion."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer
from typer.main import get_command

from rdtf_bench import __version__
from rdtf_bench.cli import app
from tests.command_line import rdtf_bench


def commands() -> Iterator[tuple[str, object]]:
    root = get_command(app)
    assert hasattr(root, "commands")
    for name, command in root.commands.items():
        if hasattr(command, "commands"):
            yield from ((f"{name} {inner}", part) for inner, part in command.commands.items())
        else:
            yield name, command


@pytest.mark.parametrize(("name", "command"), list(commands()))
def test_every_command_ends_its_help_with_an_example_of_itself(name: str, command: object) -> None:
    epilog = str(getattr(command, "epilog", ""))
    assert epilog.startswith(f"Example: rdtf-bench {name}")


@pytest.mark.parametrize(("name", "command"), list(commands()))
def test_every_option_says_what_it_does(name: str, command: object) -> None:
    silent = [parameter.name for parameter in getattr(command, "params", ()) if not getattr(parameter, "help", None)]
    assert silent == [], name


def test_only_commands_that_fill_a_store_keep_something_in_it() -> None:
    keep = {
        name
        for name, command in commands()
        for option in getattr(command, "params", ())
        if "--store" in option.opts and str(getattr(option, "help", "")).startswith("Keep ")
    }
    assert {"run", "selftest", "data prepare"} <= keep
    assert keep.isdisjoint(
        {"show", "plan", "why", "diff", "replay", "report", "publish", "power", "verify", "store ls"}
    )


def test_the_version_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert rdtf_bench(monkeypatch, capsys, "--version") == (0, f"rdtf-bench {__version__}\n")


def test_python_m_is_the_same_program() -> None:
    done = subprocess.run([sys.executable, "-m", "rdtf_bench", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"rdtf-bench {__version__}\n"


def test_completion_can_be_installed() -> None:
    names = {name for parameter in get_command(app).params for name in parameter.opts}
    assert {"--install-completion", "--show-completion", "--version"} <= names
    assert isinstance(app, typer.Typer)
