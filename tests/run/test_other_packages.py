"""A method of another package: built and installed here, and measured as a row of a table."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from rdtf_bench import catalog
from rdtf_bench.core.errors import ProtocolError, UnknownNameError
from rdtf_bench.core.method import Method, MethodModule, MethodWithCosts
from rdtf_bench.core.store import Store
from rdtf_bench.run.costs import measure as costs_measure
from rdtf_bench.run.costs.parameters import parameter_counts
from rdtf_bench.run.inputs import datasets, training_set
from rdtf_bench.run.progress import Silent
from rdtf_bench.run.protocols import load_table, with_methods
from rdtf_bench.run.table import context as benches
from rdtf_bench.run.table import work
from rdtf_bench.run.table.finished import score_of
from rdtf_bench.run.table.sample import read_samples
from rdtf_bench.spec.load import load_costs, load_scale
from rdtf_bench.spec.schema import ClipShape

PROJECT = """\
[project]
name = "shiny-methods"
version = "1"
[project.entry-points."rdtf_bench.methods"]
shiny = "shiny_methods.shiny"
hollow = "shiny_methods.hollow"
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[tool.setuptools]
packages = ["shiny_methods"]
"""
METHOD = '''\
"""Every frame is the known one, as bright as training found best."""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

VERSION: int = 1
ASSETS: tuple[str, ...] = ()
AT_SCALE = {"tiny": {"learning_rate": 0.1, "seconds_per_step": 0.001, "eta": 0.0, "guidance_text": 1.0}}


@dataclass(frozen=True, kw_only=True)
class Config:
    brightness: float = 0.5


class Shiny:
    def __init__(self, config):
        self.network = torch.nn.Linear(1, 1)
        torch.nn.init.constant_(self.network.weight, config.brightness)

    def fit(self, clips, training, *, folder, on_step):
        for step in range(training.num_steps):
            on_step(step, {"loss": 1.0 / (1 + step)})

    def save(self, folder):
        save_file(self.network.state_dict(), folder / "shiny.safetensors")

    def load(self, folder):
        self.network.load_state_dict(load_file(folder / "shiny.safetensors"))

    def generate(self, given, generators, sampler):
        return (given.frames[:, :1] * self.network.weight.detach().view(-1)).expand_as(given.frames)

    def denoiser(self):
        return self.network

    def denoiser_inputs(self, *, batch_size, num_frames, size_px):
        return {"input": torch.zeros(batch_size, 1)}

    def parameter_counts(self):
        return {"base": 0, "trainable": 2, "total": 2}


def build(config, *, assets, device):
    return Shiny(config)
'''


HOLLOW = '"""It has a version and nothing to build."""\n\nVERSION = 1\nASSETS = ()\n'


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which pip has put the package."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    (source / "shiny_methods").mkdir()
    (source / "pyproject.toml").write_text(PROJECT)
    (source / "shiny_methods" / "__init__.py").touch()
    (source / "shiny_methods" / "shiny.py").write_text(METHOD)
    (source / "shiny_methods" / "hollow.py").write_text(HOLLOW)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-index", "--no-build-isolation", "--target", str(target), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    return target


@pytest.fixture
def shiny(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(installed))
    caches = (catalog._theirs, catalog.constants)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.mark.usefixtures("shiny")
def test_it_is_trained_sampled_and_scored_as_a_row(stickers: str, tmp_path: Path) -> None:
    scale = load_scale("tiny").model_copy(update={"clip": ClipShape(num_frames=4, size_px=16)})
    alone = load_table("table1").model_copy(update={"rows": (), "controls": (), "metrics": ("vqa", "params")})
    spec, scale = with_methods(alone, scale, ["shiny"])
    store = Store(tmp_path / "store")
    data = datasets.read("asg", stickers, scale.data, 4, store=store.root, skip_broken=False)
    assets = benches.find_assets(scale)
    (cell,) = benches.plan_cells(spec, scale, data.identity, assets)
    bench = benches.make_bench(spec.controls, scale, data, assets, store)
    training_set.write_list(store, bench.training, data.clips["train"])
    work.prepare_real(bench, Silent(), "prepare")
    work.prepare_shard(bench, Silent(), "prepare", 0)
    work.train(bench, Silent(), "train shiny", cell)
    work.sample(bench, Silent(), "sample shiny", cell, 0)
    work.score_cell(bench, Silent(), "score shiny", cell)
    real = work.real_clips(bench, "test").video
    half = (real[:, :1].float() / 127.5 - 1) / 2
    made = read_samples(store.path("samples", cell.sample_key))
    # to_uint8 rounds
    assert (made.float() - (half + 1) * 127.5).abs().max() <= 0.51
    assert score_of(store, cell.score_key("params")).value == 2
    assert score_of(store, cell.score_key("vqa")).n == 50


def test_an_installed_method_is_listed_and_planned(installed: Path, tmp_path: Path) -> None:
    places = [str(installed), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places), "COLUMNS": "200"}
    said = {}
    at_tiny = "plan table1 --scale tiny --method shiny"
    for arguments in ("list", at_tiny, "plan table1 --method shini", "params shiny --scale tiny"):
        command = [sys.executable, "-m", "rdtf_bench.cli", *arguments.split()]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        said[arguments] = (done.returncode, done.stdout + done.stderr)
    assert re.search(r"shiny +Every frame is the known one", said["list"][1])
    status, printed = said[at_tiny]
    assert status == 0
    assert re.search(r"shiny +400 steps +fvd,vqa,clip,params,seconds", printed)
    status, printed = said["plan table1 --method shini"]
    assert status == 2
    assert "there is no method 'shini'. Did you mean 'shiny'?" in printed
    status, printed = said["params shiny --scale tiny"]
    assert status == 2
    assert "Traceback" not in printed
    assert "shiny_methods.shiny does not define parameter_counts" in " ".join(printed.split())


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="there is no method 'shiny'"):
        with_methods(load_table("table1"), load_scale("tiny"), ["shiny"])


@pytest.mark.usefixtures("shiny")
def test_the_example_meets_the_contract_without_the_optional_part() -> None:
    module = catalog.load("method", "shiny")
    assert isinstance(module, MethodModule)
    assert not isinstance(module, MethodWithCosts)
    method = module.build(module.Config(), assets={}, device=torch.device("cpu"))
    assert isinstance(method, Method)


@pytest.mark.usefixtures("shiny")
def test_a_costs_table_names_the_missing_functions_before_it_measures(tmp_path: Path) -> None:
    table = load_costs("table8")
    row = table.rows[0].model_copy(update={"label": "Shiny", "method": "shiny", "options": {}})
    spec = table.model_copy(update={"scale": "tiny", "rows": (*table.rows, row), "readings": ()})
    said: list[str] = []
    with pytest.raises(ProtocolError, match=r"parameter_counts, denoiser_on_meta, denoiser_inputs .* still be trained"):
        costs_measure.run(spec, root=tmp_path, say=said.append)
    assert said == []


@pytest.mark.usefixtures("shiny")
def test_parameter_counts_alone_are_enough_for_params(monkeypatch: pytest.MonkeyPatch) -> None:
    module = catalog.load("method", "shiny")
    counts = {"base": 0, "trainable": 2, "total": 2}
    monkeypatch.setattr(module, "parameter_counts", lambda _config, _configs: counts, raising=False)
    assert parameter_counts("shiny", load_scale("tiny")) == counts


@pytest.mark.usefixtures("shiny")
def test_a_method_without_config_and_build_is_refused_in_a_plan() -> None:
    with pytest.raises(ProtocolError, match=r"module shiny_methods\.hollow .* not define Config, build\."):
        with_methods(load_table("table1"), load_scale("tiny"), ["hollow"])


@pytest.mark.usefixtures("shiny")
def test_a_method_says_itself_what_it_needs_at_a_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    table, tiny = load_table("table1"), load_scale("tiny")
    spec, scale = with_methods(table, tiny, ["shiny"])
    assert scale.methods["shiny"].learning_rate == 0.1
    assert spec.rows[-1].label == "shiny"
    other = tiny.model_copy(update={"name": "huge"})
    with pytest.raises(ProtocolError, match=r"shiny_methods\.shiny: AT_SCALE has no 'huge'.*it has \['tiny'\]"):
        with_methods(table, other, ["shiny"])
    wrong = {"AT_SCALE": {"tiny": {"learning_rate": "fast"}}}
    monkeypatch.setattr(catalog, "constants", lambda _kind, _name: wrong)
    with pytest.raises(ProtocolError, match=r"AT_SCALE\['tiny'\]: learning_rate: .*; seconds_per_step: Field required"):
        with_methods(table, tiny, ["shiny"])
