"""The resolved text of a scale, as the command prints it."""

import subprocess
import sys

import typer
from typer.testing import CliRunner

from rdtf_bench.commands.show_scale import show_scale
from rdtf_bench.spec.load import show_scale as text_of

app = typer.Typer()
app.command()(show_scale)


def test_it_prints_the_file_and_nothing_else() -> None:
    done = CliRunner().invoke(app, ["small"])
    assert (done.exit_code, done.output) == (0, text_of("small"))
    assert "num_steps: 10000" in done.output


def test_its_help_reads_no_schema() -> None:
    code = (
        "import sys, rdtf_bench.commands.show_scale; sys.exit(bool({'torch', 'pydantic', 'yaml'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
