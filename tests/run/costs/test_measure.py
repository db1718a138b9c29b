"""What a pass costs, at reduced width, and how it is shown."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rdtf_bench import catalog
from rdtf_bench.assets import registry
from rdtf_bench.report.costs import render
from rdtf_bench.run.costs import measure as costs_measure
from rdtf_bench.run.costs.parameters import configured, parameter_counts
from rdtf_bench.run.costs.record import CostRecord, find, key
from rdtf_bench.spec.load import load_costs, load_scale
from rdtf_bench.spec.schema import CostSpec

BASELINES = ("customize_a_video", "i2v_adapter", "simda")
LABELS = ("Customize-A-Video", "I2V-Adapter", "SimDA", "RDTF")


@pytest.fixture(scope="module")
def spec() -> CostSpec:
    """Table 8 with the toy networks' configurations."""
    full = load_costs("table8")
    clip = full.clip.model_copy(update={"size_px": 64})
    return full.model_copy(update={"scale": "tiny", "clip": clip, "repeats": 2})


@pytest.fixture(scope="module")
def measured(spec: CostSpec, tmp_path_factory: pytest.TempPathFactory) -> tuple[CostRecord, Path, list[str]]:
    root = tmp_path_factory.mktemp("store")
    said: list[str] = []
    return costs_measure.run(spec, root=root, say=said.append), root, said


def column(record: CostRecord, metric: str, yardstick: str = "") -> dict[str, float]:
    return {row.method: row.value for row in record.rows if row.metric == metric and yardstick in row.yardstick}


def test_every_row_is_measured_at_every_precision(measured: tuple[CostRecord, Path, list[str]]) -> None:
    record, _, said = measured
    assert said[0] == "making the networks"
    for precision in ("fp32", "bf16"):
        for metric in ("seconds", "cpu_seconds", "peak_memory_gib"):
            values = column(record, metric, f"1x8x64x64 cpu {precision}")
            assert set(values) == {*BASELINES, "rdtf"}
            assert all(value > 0 for value in values.values())
    assert all(row.ci_low <= row.value <= row.ci_high for row in record.rows)
    assert {row.n for row in record.rows if row.metric == "seconds"} <= {1, 2}
    assert all(value > 1e6 for value in column(record, "flops").values())


def test_it_is_measured_once(spec: CostSpec, measured: tuple[CostRecord, Path, list[str]]) -> None:
    record, root, _ = measured
    said: list[str] = []
    assert costs_measure.run(spec, root=root, say=said.append) == record
    assert said == []
    assert find(spec, [root / "costs"]) == record
    assert key(spec) != key(spec.model_copy(update={"repeats": 1}))
    assert key(spec) == key(spec.model_copy(update={"title": "another"}))


def test_the_sizes_are_those_that_params_prints(spec: CostSpec, measured: tuple[CostRecord, Path, list[str]]) -> None:
    record, _, _ = measured
    for method, total in column(record, "params").items():
        assert total == parameter_counts(method, load_scale(spec.scale))["total"]


def test_adapters_share_one_base(spec: CostSpec) -> None:
    shared: dict[str, nn.Parameter] = {}
    scale = load_scale(spec.scale)
    one, other = (
        costs_measure._denoiser(name, name, {}, spec, scale, shared) for name in ("simda", "customize_a_video")
    )
    held = {weight.data_ptr() for weight in one.network.parameters()}
    frozen = [weight for name, weight in other.network.named_parameters() if "lora" not in name]
    assert len(frozen) == sum(1 for name, _ in one.network.named_parameters() if "adapter" not in name)
    assert {weight.data_ptr() for weight in frozen} <= held
    costs_measure._cast(one, torch.bfloat16)
    assert {weight.dtype for weight in frozen} == {torch.bfloat16}


@pytest.mark.parametrize("method", [*BASELINES, "rdtf"])
def test_a_network_of_random_weights_is_the_real_one(method: str, spec: CostSpec) -> None:
    """Filled with the weights of the method as the scale builds it, it gives the same output."""
    scale = load_scale(spec.scale)
    assets = {role: registry.find(name).path for role, name in scale.assets.items()}
    module, config, _ = configured(method, scale, {})
    known = module.build(config, assets=assets, device=torch.device("cpu"))
    timed = costs_measure._denoiser(method, method, {}, spec, scale, {})
    # the timed network has no absorber, whose layers PEFT wraps
    names = timed.network.state_dict().keys()
    weights = {
        name if name in names else name.replace(".base_layer.", "."): weight
        for name, weight in known.denoiser().state_dict().items()
        if ".absorber." not in name
    }
    timed.network.load_state_dict(weights, strict=True)
    inputs = known.denoiser_inputs(batch_size=1, num_frames=8, size_px=64)
    assert {name: tensor.shape for name, tensor in inputs.items()} == {n: t.shape for n, t in timed.inputs.items()}
    drawn: dict[str, Tensor] = {
        name: torch.full_like(tensor, 0.1) if tensor.is_floating_point() and name != "known" else tensor
        for name, tensor in inputs.items()
    }
    with torch.no_grad():
        expected = known.denoiser()(**drawn).sample
        torch.testing.assert_close(timed.network(**drawn).sample, expected, atol=1e-6, rtol=1e-5)


def test_the_table_and_its_rows(spec: CostSpec, measured: tuple[CostRecord, Path, list[str]]) -> None:
    record, _, _ = measured
    text = render(spec, record, format="text")
    for word in ("0.42 s", "1.32 B", "our reading", "released base + SimDA in 22 places", "peak memory"):
        assert word in text
    rows: list[dict[str, Any]] = json.loads(render(spec, record, format="json"))
    paper = {row["method"]: row["paper"] for row in rows if row["metric"] == "params"}
    assert paper == {"customize_a_video": 1.19e9, "i2v_adapter": 1.21e9, "simda": 1.32e9, "rdtf": 0.96e9}
    as_read = {row["yardstick"].partition(":")[0]: row for row in rows if row["metric"] == "params_as_read"}
    assert {label: row["value"] for label, row in as_read.items()} == dict(zip(LABELS, record.readings, strict=True))
    assert (as_read["SimDA"]["method"], as_read["SimDA"]["paper"]) == ("i2v_adapter", 1.32e9)
    assert render(spec, record, format="csv").count("\n") == len(rows)
    assert "| SimDA |" in render(spec, record, format="md")
    assert render(spec, record, format="latex").count("\\begin{tabular}") == 3


@pytest.mark.parametrize(("place", "printed"), list(enumerate(["1.19", "1.21", "1.32", "0.96"])))
def test_the_readings_come_to_the_printed_digits(place: int, printed: str) -> None:
    full = load_costs("table8")
    reading = full.readings[place]
    assert reading.paper.value == f"{printed} B"
    total = parameter_counts(reading.method, load_scale(full.scale), reading.options)["total"]
    assert f"{total / 1e9:.2f}" == printed


def test_every_method_can_be_measured() -> None:
    for name in catalog.names("method"):
        module = catalog.load("method", name)
        assert all(hasattr(module, hook) for hook in ("parameter_counts", "denoiser_on_meta", "denoiser_inputs"))
