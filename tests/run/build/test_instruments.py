from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from rdtf_bench.assets import registry
from rdtf_bench.assets.registry import Asset
from rdtf_bench.core.errors import AssetError
from rdtf_bench.core.metric import Score
from rdtf_bench.run.build import instruments
from rdtf_bench.spec.identities import MetricIdentity
from rdtf_bench.spec.load import load_scale

TINY = load_scale("tiny")


class Named:
    """A metric that knows the weights it was built from."""

    def __init__(self, yardstick: str) -> None:
        self.yardstick = yardstick

    def observe(self, *_: object) -> torch.Tensor:
        raise AssertionError("nothing is observed")

    def score(self, **_: object) -> Score:
        raise AssertionError("nothing is scored")


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[Asset]:
    """Return the assets that were verified; no network is loaded."""
    found: list[Asset] = []

    def named(identity: MetricIdentity, places: Mapping[str, Path], device: torch.device) -> Named:
        assert device == torch.device("cpu")
        return Named(f"{identity.metric} with {sorted(identity.assets.keys() & places.keys())}")

    monkeypatch.setattr(registry, "verify", found.extend)
    monkeypatch.setattr(instruments, "build_metric", named)
    return found


def test_metrics_are_configured_as_the_scale_says_and_their_networks_verified(verified: list[Asset]) -> None:
    loaded = instruments.load(TINY, ["fvd", "vqa"])
    assert loaded["fvd"].identity.options == dict(TINY.metrics["fvd"])
    roles = {role for instrument in loaded.values() for role in instrument.identity.assets}
    assert {asset.name for asset in verified} == {TINY.assets[role] for role in roles}
    fvd = loaded["fvd"]
    assert fvd.metric.yardstick == f"fvd with {sorted(fvd.identity.assets)}"


def test_another_option_gives_another_identity(verified: list[Asset]) -> None:
    other = TINY.model_copy(update={"metrics": {**TINY.metrics, "vqa": {"grid": 3}}})
    assert instruments.load(other, ["vqa"])["vqa"].identity != instruments.load(TINY, ["vqa"])["vqa"].identity
    assert verified


def test_a_network_that_is_missing_is_named_before_any_is_loaded(
    verified: list[Asset], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Asset, "absent", lambda *_: ["weights.safetensors"])
    with pytest.raises(AssetError, match=TINY.assets[instruments._roles("fvd", TINY)[0]]):
        instruments.load(TINY, ["fvd"])
    assert verified == []
