"""Random assets written once a session, and baselines built on them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL

from rdtf_bench.baselines.i2vgen_xl.tuning import TunedI2VGenXL
from tests.baselines.small_base import Build, Clips, write_assets


@pytest.fixture(scope="session")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    return write_assets(tmp_path_factory.mktemp("assets"))


@pytest.fixture(scope="session")
def build(assets: Mapping[str, Path]) -> Build:
    def make(module: Any, given: Mapping[str, Path] = assets, **options: Any) -> TunedI2VGenXL:
        config = module.Config(text_tokens=8, **options)
        built: TunedI2VGenXL = module.build(config, assets=given, device=torch.device("cpu"))
        return built

    return make


@pytest.fixture(scope="session")
def clips(assets: Mapping[str, Path]) -> Clips:
    return Clips(AutoencoderKL.from_pretrained(assets["autoencoder"]).eval())
