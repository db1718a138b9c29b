"""What the catalog reads of a module without importing it, and what it says of one that breaks the contract."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rdtf_bench import catalog
from rdtf_bench.core.errors import ProtocolError, UnknownNameError

WHOLE = "VERSION = 3\nASSETS = ('base',)\nclass Config: ...\ndef build(config, *, assets, device): ...\n"
ELSEWHERE = "from json import JSONEncoder as Config\ntry:\n    build = len\nexcept ImportError:\n    raise\n"

Constants = Callable[[str], dict[str, Any]]


@pytest.fixture
def constants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Constants]:
    """Read the constants of a method whose module has this source."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(catalog, "_theirs", lambda _kind: {"planted": "planted_method", "gone": "gone_package.method"})

    def read(source: str) -> dict[str, Any]:
        (tmp_path / "planted_method.py").write_text(source)
        catalog.constants.cache_clear()
        return catalog.constants("method", "planted")

    yield read
    catalog.constants.cache_clear()


def test_literals_are_read_without_running_the_module(constants: Constants) -> None:
    found = constants(WHOLE + "MORE = 1 + len(ASSETS)\nraise RuntimeError\n")
    assert found == {"VERSION": 3, "ASSETS": ("base",)}


@pytest.mark.parametrize("version", ["VERSION: int = 3", "VERSION: Final = 3"])
def test_an_annotated_constant_is_read(version: str, constants: Constants) -> None:
    assert constants(WHOLE.replace("VERSION = 3", version))["VERSION"] == 3


def test_config_and_build_may_come_from_elsewhere(constants: Constants) -> None:
    assert constants("VERSION = 2\nASSETS = ()\n" + ELSEWHERE)["VERSION"] == 2


def test_everything_that_is_missing_is_named_at_once(constants: Constants) -> None:
    told = "method 'planted': its module planted_method does not meet the contract of a method: it does not define "
    with pytest.raises(ProtocolError, match=re.escape(told + "VERSION, ASSETS, Config, build. A method module")):
        constants("NOTHING = 1\n")
    with pytest.raises(ProtocolError, match=re.escape(told + "build. ")):
        constants(WHOLE.replace("def build", "def build_later"))


@pytest.mark.parametrize("version", ["VERSION = int('3')", "VERSION: int", "from json import VERSION"])
def test_a_version_that_is_no_literal_is_refused(version: str, constants: Constants) -> None:
    with pytest.raises(ProtocolError, match="a method: VERSION must be written as a literal"):
        constants(WHOLE.replace("VERSION = 3", version))


@pytest.mark.usefixtures("constants")
def test_a_module_that_is_not_installed_is_named() -> None:
    with pytest.raises(UnknownNameError, match=r"registered as the module gone_package\.method, which cannot be found"):
        catalog.constants("method", "gone")


def test_the_catalog_lists_what_a_protocol_names_and_what_must_not_be_imported() -> None:
    named, hidden = {"method", "control", "dataset", "metric", "feature"}, {"recipe", "hub", "pipeline", "course"}
    assert set(catalog.KINDS) == named | hidden
    for kind in hidden:
        assert all(re.match(r"rdtf_bench\.(models|baselines)\.", module) for module in catalog.KINDS[kind].values())


def test_every_control_row_has_a_summary_of_its_own() -> None:
    said = [catalog.summary("control", name) for name in catalog.names("control")]
    assert len(set(said)) == len(said)
