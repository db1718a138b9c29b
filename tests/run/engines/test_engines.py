import pytest

from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.run.engines import engine_named
from rdtf_bench.run.engines.local import LocalEngine
from rdtf_bench.run.engines.ray import RayEngine


def test_engines_are_found_by_name() -> None:
    assert isinstance(engine_named("local"), LocalEngine)
    assert isinstance(engine_named("ray", "head:6379"), RayEngine)


def test_an_unknown_engine_and_an_address_without_ray_are_refused() -> None:
    with pytest.raises(ProtocolError, match=r"there is no engine 'rai'\. Did you mean 'ray'\?"):
        engine_named("rai")
    with pytest.raises(ProtocolError, match="--engine ray as well"):
        engine_named("local", "head:6379")
