"""Every method and metric of the catalog meets the typed contract of its kind."""

import dataclasses
import inspect
from types import ModuleType

import pytest

from rdtf_bench import catalog
from rdtf_bench.baselines import customize_a_video, i2v_adapter, simda, video_unet
from rdtf_bench.core.method import MethodModule, MethodWithCosts, MethodWithMemory
from rdtf_bench.core.metric import MetricModule
from rdtf_bench.metrics import clip, fvd, vqa
from rdtf_bench.models.rdtf import method as rdtf

METHODS: tuple[MethodWithMemory, ...] = (
    rdtf,
    i2v_adapter,
    simda,
    customize_a_video,
    video_unet,
)  # mypy checks the signatures
METRICS: tuple[MetricModule, ...] = (fvd, vqa, clip)
OF_CLIPS = [name for name in catalog.METRICS if "fake" in catalog.constants("metric", name)["USES"]]


def members(protocol: type) -> set[str]:
    return {name for name in vars(protocol) if not name.startswith("_")}


def parameters(function: object) -> list[tuple[str, str]]:
    assert callable(function)
    found = inspect.signature(function).parameters.values()
    return [(parameter.name, str(parameter.kind)) for parameter in found if parameter.name != "self"]


def require_contract(module: ModuleType, protocol: type) -> None:
    assert isinstance(module, protocol)
    assert isinstance(module.VERSION, int)
    assert isinstance(module.ASSETS, tuple)
    assert module.Config.__dataclass_params__.frozen
    assert all(field.kw_only for field in dataclasses.fields(module.Config))
    functions = [name for name in dir(protocol) if name.islower() and not name.startswith("_")]
    assert "build" in functions
    for name in functions:
        assert parameters(getattr(module, name)) == parameters(getattr(protocol, name)), name


@pytest.mark.parametrize("name", catalog.METHODS)
def test_a_method_module_meets_its_contract(name: str) -> None:
    require_contract(catalog.load("method", name), MethodWithMemory)


@pytest.mark.parametrize("name", OF_CLIPS)
def test_a_metric_of_clips_meets_its_contract(name: str) -> None:
    require_contract(catalog.load("metric", name), MetricModule)


def test_what_mypy_checks_is_the_whole_catalog() -> None:
    assert {id(module) for module in METHODS} == {id(catalog.load("method", name)) for name in catalog.METHODS}
    assert {id(module) for module in METRICS} == {id(catalog.load("metric", name)) for name in OF_CLIPS}


def test_the_catalog_requires_what_the_contract_names() -> None:
    assert set(catalog.REQUIRED["method"]) == members(MethodModule)
    assert set(catalog.REQUIRED["metric"]) < members(MetricModule)


def test_a_module_of_another_kind_is_no_method() -> None:
    assert not isinstance(fvd, MethodWithCosts)
    with pytest.raises(AssertionError):
        require_contract(catalog.load("metric", "params"), MethodModule)
