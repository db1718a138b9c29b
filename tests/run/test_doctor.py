"""What can run on a machine, and what is missing for the rest."""

from pathlib import Path

import pytest

from rdtf_bench.assets import registry
from rdtf_bench.assets.registry import Asset
from rdtf_bench.core.store import Store, write_text
from rdtf_bench.run import doctor
from rdtf_bench.run.doctor import FETCH, Examination, Finding, ScaleFinding, examine


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Examination:
    return examine(tmp_path_factory.mktemp("machine") / "runs")


def test_the_scales_of_toy_networks_can_run_everywhere(here: Examination) -> None:
    assert here.can_run("tiny")
    assert {scale.scale for scale in here.scales if not scale.lacks} >= {"ci", "tiny", "small"}


def test_installed_packages_and_toy_weights_have_no_fault(here: Examination) -> None:
    assert [one for one in here.versions if one.fault] == []
    assert {one.state for one in here.weights if one.subject.startswith("toy/")} == {"verified"}


def test_a_store_that_is_not_there_is_no_fault_and_is_not_made(here: Examination) -> None:
    (found,) = here.store
    assert (found.fault, Path(found.subject).exists()) == ("", False)


def test_a_file_in_the_place_of_the_store_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    (store,) = doctor._store(tmp_path / "runs")
    assert (store.fault, store.mend) == ("is a file, not a folder", "--store DIR")


def test_a_scale_of_the_user_s_that_is_wrong_costs_no_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_text(tmp_path / "scales" / "mine.yaml", "extends: tiny\nname: mine\ntitle: mine\nmethods: {simda: null}\n")
    monkeypatch.setenv("RDTF_BENCH_PROTOCOLS", str(tmp_path))
    scales = {found.scale: found.lacks for found in examine(tmp_path / "runs").scales}
    (lack,) = scales["mine"]
    assert "methods has no 'simda'" in lack.fault
    assert lack.mend == "rdtf-bench validate mine"
    assert scales["tiny"] == ()


def test_weights_that_a_scale_needs_are_missing_for_it_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RDTF_BENCH_ASSETS", str(tmp_path))
    weights = [doctor._weights(name) for name in registry.names()]
    lacks = doctor._scale("gpu", weights, tmp_path).lacks
    missing = [one.subject for one in lacks if one.mend == FETCH]
    assert {"t5-base", "i2vgen-xl"} <= set(missing)
    assert "i3d-k400-torchscript" not in missing
    assert doctor._scale("tiny", weights, tmp_path).lacks == ()


def test_weights_of_other_bytes_are_a_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_text(tmp_path / "model", "other bytes")
    asset = Asset(name="one", path=tmp_path, files={"model": "0" * 64}, source="", licence="")
    monkeypatch.setattr(registry, "find", lambda _: asset)
    assert "has another SHA-256" in doctor._weights("one").fault


def test_a_full_disk_is_told_before_a_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "_free_bytes", lambda _: 1000)
    (lack,) = doctor._scale("tiny", [], tmp_path).lacks
    assert (lack.subject, lack.mend) == ("disk", "a store on another disk: --store DIR")


def test_a_damaged_store_is_told_with_the_command_that_names_the_files(tmp_path: Path) -> None:
    entry = Store(tmp_path).make("samples", "one", lambda folder: write_text(folder / "clips", "clips"))
    (entry / "clips").write_text("other")
    (found,) = doctor._store(tmp_path)
    assert found.fault == "1 damaged files, 0 damaged records"
    assert found.mend == f"rdtf-bench store verify --store {tmp_path}"


def test_weights_of_a_scale_are_fetched_by_one_command() -> None:
    lacks = tuple(Finding(subject=name, state="absent", fault="absent", mend=FETCH) for name in ("a", "b"))
    scales = tuple(ScaleFinding(scale=name, title="", lacks=lacks) for name in ("gpu", "paper"))
    found = Examination(versions=(), machine=(), weights=lacks, store=(), scales=scales)
    assert found.mends() == {f"{FETCH} a b": "scale gpu, paper"}
    assert not found.can_run("gpu")
