import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from rdtf_bench.assets.registry import TOY_NAMES
from rdtf_bench.core.errors import DataError, UnknownNameError
from rdtf_bench.core.store import sha256_of
from rdtf_bench.models.toy import build, corpus
from rdtf_bench.models.toy.card import CARD, WEIGHTS, write_card
from tests.models.toy.cards import LARGEST_BYTES, read_card


@dataclass(frozen=True, kw_only=True)
class Recipe:
    seed: int = 3
    width: int = 8


@pytest.mark.parametrize("name", TOY_NAMES)
def test_a_shipped_card_names_every_file_and_its_bytes(name: str) -> None:
    folder = WEIGHTS / name
    present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.name != CARD}
    card = read_card(folder)
    assert {at: sha256_of(folder / at) for at in present} == card.sha256
    assert card.validation, "a network without a figure"


@pytest.mark.parametrize("name", TOY_NAMES)
def test_a_shipped_file_is_small(name: str) -> None:
    assert max(path.stat().st_size for path in (WEIGHTS / name).rglob("*")) < LARGEST_BYTES


def test_every_toy_asset_has_a_recipe() -> None:
    assert sorted(build.NAMES) == sorted(TOY_NAMES)


def test_a_card_comes_back_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "weights.bin").write_bytes(b"x")
    written = write_card(
        tmp_path, name="n", module="m", recipe=Recipe(), data=["d"], validation={"psnr_db": 20.123456}, notes="why"
    )
    assert read_card(tmp_path) == written
    assert written.seed == 3
    assert written.recipe == {"module": "m", "seed": 3, "width": 8}
    assert written.validation == {"psnr_db": 20.1235}
    assert list(written.sha256) == ["unet/weights.bin"]


def test_a_card_does_not_list_itself(tmp_path: Path) -> None:
    for _ in range(2):
        card = write_card(tmp_path, name="n", module="m", recipe=Recipe(), data=[], validation={})
    assert card.sha256 == {}
    assert json.loads((tmp_path / CARD).read_text())["name"] == "n"


def test_a_name_that_is_no_toy_network_gets_the_close_match(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"'autoencodr'\. Did you mean 'autoencoder'"):
        build.build("autoencodr", out=tmp_path, data=tmp_path, fluent=None, on_progress=print)


@pytest.mark.parametrize("name", ["autoencoder", "t5_encoder"])
def test_without_fluent_the_error_says_where_to_get_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "toy", lambda *_, **__: pytest.fail("work before the check"))
    with pytest.raises(DataError, match=r"no folder was given.*data fetch fluent"):
        build.build(name, out=tmp_path, data=tmp_path, fluent=None, on_progress=print)
