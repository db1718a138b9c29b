"""Options, methods, metrics and devices as a protocol names them."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from rdtf_bench import catalog
from rdtf_bench.core.errors import DeviceError, ProtocolError
from rdtf_bench.run.build import modules
from rdtf_bench.run.build.modules import check_options, device_of, typed_config
from rdtf_bench.run.table.context import find_assets
from rdtf_bench.spec.identities import MetricIdentity
from rdtf_bench.spec.load import load_protocol, load_scale
from rdtf_bench.spec.plan import Cell, plan
from rdtf_bench.spec.schema import Row
from tests.plans import DATA


def cells(**options: Any) -> list[Cell]:
    """A table of one row."""
    spec, scale = load_protocol("table1"), load_scale("tiny")
    rows = (Row(label="mine", method="rdtf", options=options),)
    digests = {role: asset.digest for role, asset in find_assets(scale).items()}
    return plan(spec.model_copy(update={"rows": rows}), scale, DATA, digests, catalog.constants)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"k_max": 9}, "row 'mine': options of rdtf: k_min 3, k_max 9 and num_frames 8 must be in rising order"),
        ({"k_mix": 3}, r"row 'mine': rdtf has no option k_mix"),
        ({"sti_fusion": "gates"}, "row 'mine': options of rdtf: sti_fusion: Input should be 'scalars' or 'gate'"),
        ({"sti_pool": 2.5}, "row 'mine': options of rdtf: sti_pool: Input should be a valid integer"),
    ],
)
def test_wrong_options_are_refused_with_their_row(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        check_options(cells(**options))


def test_right_options_and_control_rows_pass() -> None:
    check_options(cells(k_max=5))


def test_a_list_stands_for_a_tuple_and_the_message_says_whose_options_they_are() -> None:
    options = {**load_scale("tiny").methods["rdtf"].options, "block_out_channels": [64, 128]}
    assert typed_config("method", "rdtf", options, "mine").block_out_channels == (64, 128)
    for wrong in (8, date(2024, 1, 1)):  # YAML reads a date where one is written
        with pytest.raises(ProtocolError, match=r"^mine: options of rdtf: block_out_channels"):
            typed_config("method", "rdtf", {"block_out_channels": wrong}, "mine")


def test_a_fault_that_a_config_finds_itself_names_no_empty_field() -> None:
    options = {**load_scale("tiny").methods["simda"].options, "temporal_ratio": 0.0}
    with pytest.raises(ProtocolError, match=r"^mine: options of simda: temporal_ratio and spatial_ratio must be above"):
        typed_config("method", "simda", options, "mine")


def test_a_module_gets_its_own_weights_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    @dataclass(frozen=True, kw_only=True)
    class Config:
        size: int = 3

    def build(config: Config, *, assets: dict[str, Path], device: torch.device) -> None:
        given.update(config=config, assets=assets, device=device)
        raise LookupError("built")

    fit = cells()[0].trained.model_copy(update={"method": "mine", "options": {"size": 5}, "assets": {"unet": "sha"}})
    monkeypatch.setattr(catalog, "load", lambda *_: SimpleNamespace(Config=Config, build=build))
    assets = {"unet": Path("a"), "autoencoder": Path("b")}
    cpu = torch.device("cpu")
    with pytest.raises(LookupError, match="built"):
        modules.build(fit, assets, cpu)
    assert given == {"config": Config(size=5), "assets": {"unet": Path("a")}, "device": cpu}
    metric = MetricIdentity(metric="mine", version=1, options={}, assets={"autoencoder": "sha"})
    with pytest.raises(LookupError, match="built"):
        modules.build_metric(metric, assets, cpu)
    assert given == {"config": Config(size=3), "assets": {"autoencoder": Path("b")}, "device": cpu}


def test_a_scale_for_a_gpu_is_refused_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device_of(load_scale("tiny")) == torch.device("cpu")
    gpu = load_scale("gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match=r"scale gpu runs on a CUDA device.* \(--scale tiny\)"):
        device_of(gpu)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_of(gpu) == torch.device("cuda")
