"""Facts about the whole suite: a new model, metric or dataset is held to them once it is in the catalog."""

import subprocess
import sys
from pathlib import Path

import pytest

from rdtf_bench import catalog
from rdtf_bench.core.errors import UnknownNameError

HEAVY = ("torch", "mlflow", "diffusers", "open_clip", "torchmetrics", "pandas", "scipy", "matplotlib", "accelerate")
LIGHT_COMMANDS = (
    ["--help"],
    ["list"],
    ["plan", "table1"],
    ["show", "table1", "--format", "json"],
    ["why", "table1", "RDTF", "fvd"],
)
NAMES = [(kind, name) for kind, ours in catalog.KINDS.items() for name in ours]


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_every_name_in_the_catalog_imports(kind: str, name: str) -> None:
    catalog.load(kind, name)


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_every_module_in_the_catalog_says_what_it_is(kind: str, name: str) -> None:
    assert len(catalog.summary(kind, name)) > 20


@pytest.mark.parametrize("name", catalog.METHODS)
def test_constants_read_from_outside_are_those_of_the_module(name: str) -> None:
    module = catalog.load("method", name)
    read = catalog.constants("method", name)
    assert {key: read[key] for key in ("VERSION", "ASSETS")} == {"VERSION": module.VERSION, "ASSETS": module.ASSETS}


@pytest.mark.parametrize("name", catalog.METRICS)
def test_every_metric_says_its_unit_direction_and_what_it_uses(name: str) -> None:
    facts = catalog.constants("metric", name)
    assert isinstance(facts["LABEL"], str)
    assert isinstance(facts["UNIT"], str)
    assert isinstance(facts["HIGHER_IS_BETTER"], bool)
    assert isinstance(facts["VERSION"], int)
    assert set(facts["USES"]) <= {"fake", "real", "captions", "network", "clock"}


def test_an_unknown_name_gets_the_close_match() -> None:
    with pytest.raises(UnknownNameError, match=r"there is no method 'simdaa'\. Did you mean 'simda'\?"):
        catalog.load("method", "simdaa")


@pytest.mark.parametrize("arguments", LIGHT_COMMANDS, ids=" ".join)
def test_light_commands_import_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    code = (
        "import sys\n"
        f"sys.argv = ['rdtf-bench', *{arguments!r}]\n"
        "from rdtf_bench.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit as e:\n    assert not e.code, e.code\n"
        f"sys.exit(', '.join(sorted(set({HEAVY!r}) & set(sys.modules))) or None)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_search_for_heavy_imports_can_fail() -> None:
    code = f"import torch, sys; sys.exit(', '.join(sorted(set({HEAVY!r}) & set(sys.modules))))"
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 1


def test_no_second_copy_of_the_code() -> None:
    assert not {"models", "baselines", "protocols"} & set(sys.modules)
