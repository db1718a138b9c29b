"""A record becomes a table of one row again, or everything that is missing for it is told. Nothing is trained here."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rdtf_bench.core.errors import StoreError
from rdtf_bench.report.published import read_published
from rdtf_bench.run import environment, record
from rdtf_bench.run.record import Record
from rdtf_bench.run.replay import Replayable, is_timed, prepare
from rdtf_bench.run.table.context import cells_of

PUBLISHED = Path(__file__).parents[2] / "results" / "ci"
CELLS = [cell.id for cell in read_published(PUBLISHED, "ci")]
CURRENT = list(record.find(CELLS, [PUBLISHED]).values())
WEIGHTS = PUBLISHED.parent / "ablate-weights"
UNTUNED = next(
    made
    for made in record.find([cell.id for cell in read_published(WEIGHTS, "tiny")], [WEIGHTS]).values()
    if made.config["fit"] and made.config["fit"]["training"]["num_steps"] == 0
)


@pytest.fixture
def rdtf() -> Record:
    return next(made for made in CURRENT if made.method == "rdtf")


def changed(made: Record, *path: str, to: Any) -> Record:
    """Return a record with another value at a place of its configuration."""
    config = copy.deepcopy(made.config)
    place = config
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = to
    return replace(made, config=config)


def prepared(made: Record, root: Path, *metrics: str, source: str | None = None) -> Replayable:
    return prepare(made, row="RDTF", metrics=metrics or tuple(made.scores), source=source, root=root)


@pytest.mark.parametrize("made", [*CURRENT, UNTUNED], ids=lambda made: made.protocol + made.method)
def test_every_published_row_is_planned_with_the_identities_of_its_record(made: Record, tmp_path: Path) -> None:
    found = prepared(made, tmp_path)
    _, (cell,) = cells_of(found.spec, found.scale, None, tmp_path)
    assert cell.id == made.cell_id
    assert {metric: identity.key for metric, identity in cell.scores.items()} == {
        metric: score.key for metric, score in made.scores.items()
    }


def test_one_metric_is_planned_alone(rdtf: Record, tmp_path: Path) -> None:
    assert prepared(rdtf, tmp_path, "vqa").spec.metrics == ("vqa",)


def test_nothing_is_written_before_the_work(rdtf: Record, tmp_path: Path) -> None:
    prepared(rdtf, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "to", "said"),
    [
        (("fit", "version"), 1, r"fit\.version: 1 in the record, \d here"),
        (("scores", "vqa", "version"), 99, r"vqa\.version: 99 in the record, 1 here"),
        (("sample", "real", "clips"), "x", r"sample\.real\.clips: x in the record, toy-asg-\w+:test:50 here"),
        (("fit", "assets", "t5_encoder"), "0" * 16, r"weights toy/t5_encoder: 0{16} in the record, \w{16} here"),
    ],
)
def test_what_differs_here_is_named(path: tuple[str, ...], to: object, said: str, rdtf: Record, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=said):
        prepared(changed(rdtf, *path, to=to), tmp_path)


def test_everything_that_is_missing_is_told_at_once(rdtf: Record, tmp_path: Path) -> None:
    made = changed(rdtf, "fit", "assets", "t5_encoder", to="0" * 16)
    made = replace(made, data={**made.data, "source": "my_stickers"})
    with pytest.raises(StoreError) as raised:
        prepared(made, tmp_path)
    said = str(raised.value)
    assert "weights toy/t5_encoder" in said
    assert "data asg: made from my_stickers. Name its folder: --data asg=DIR" in said
    assert f"git checkout {rdtf.environment['commit']}" in said


def test_weights_that_are_absent_are_named_with_the_command_that_gets_them(
    rdtf: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RDTF_BENCH_ASSETS", str(tmp_path / "nothing"))
    assert rdtf.resolved_scale is not None
    scale = {**rdtf.resolved_scale, "assets": {**rdtf.resolved_scale["assets"], "t5_encoder": "t5-base"}}
    with pytest.raises(StoreError, match="weights t5-base: absent. Get them: rdtf-bench assets fetch t5-base"):  # noqa: RUF043
        prepared(replace(rdtf, resolved_scale=scale), tmp_path)


def test_clips_that_were_made_elsewhere_cannot_be_made_again(rdtf: Record, tmp_path: Path) -> None:
    external = replace(changed(rdtf, "fit", to=None), kind="external")
    pipeline = replace(external, config={**external.config, "sample": {"pipeline": "f"}})
    with pytest.raises(
        StoreError, match=r"pipeline: a record does not hold it\. Run its table again, in another store"
    ):
        prepared(pipeline, tmp_path)
    with pytest.raises(StoreError, match="clips: they were made elsewhere"):
        prepared(external, tmp_path)


def test_a_record_without_its_scale_takes_the_scale_of_its_name_and_version(rdtf: Record, tmp_path: Path) -> None:
    older = replace(rdtf, resolved_scale=None)
    assert prepared(older, tmp_path).scale.name == "ci"
    with pytest.raises(StoreError, match=r"the record did not keep it\. version 1 in the record, version \d+ here"):
        prepared(replace(older, scale_version=1), tmp_path)
    with pytest.raises(StoreError, match="there is no scale 'gone'"):
        prepared(replace(older, scale="gone"), tmp_path)


def test_equal_bits_are_expected_of_an_equal_machine_alone(rdtf: Record, tmp_path: Path) -> None:
    here = replace(rdtf, environment=environment.describe("cpu", 1))
    assert prepared(here, tmp_path).expects_bits
    assert not prepared(replace(here, num_processes=2), tmp_path).expects_bits
    other = {**here.environment, "processor": "another"}
    assert not prepared(replace(here, environment=other), tmp_path).expects_bits


def test_seconds_alone_are_timed() -> None:
    assert [metric for metric in ("fvd", "params", "seconds") if is_timed(metric)] == ["seconds"]
