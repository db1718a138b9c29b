"""Records on disk: a round trip, and records of the first format."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rdtf_bench.core.errors import StoreError
from rdtf_bench.run import record
from rdtf_bench.run.record import Record, flat
from tests.planted import PUBLISHED
from tests.planted import record as planted_record
from tests.planted import score as planted_score


@pytest.fixture
def made() -> Record:
    return planted_record(
        scores={"fvd": planted_score(yardstick="i3d", n=2, beside={"bias": 0.1})},
        format_version=record.FORMAT_VERSION,
        command="rdtf-bench run table1",
        num_processes=1,
        resolved_scale={"name": "tiny"},
        samples_sha256="00",
    )


def test_what_is_saved_is_read_again(made: Record, tmp_path: Path) -> None:
    assert record.read(record.save(made, tmp_path)) == made


def test_a_new_record_states_every_field_even_where_it_is_unknown(made: Record, tmp_path: Path) -> None:
    path = record.save(replace(made, command=None), tmp_path)
    assert set(record.ADDED_IN_2) <= json.loads(path.read_text(encoding="utf-8")).keys()


def test_nested_values_get_dotted_names() -> None:
    assert flat({"training": {"task": "it2v"}, "size_px": 64}) == {"training.task": "it2v", "size_px": 64}


def test_a_network_that_prepared_the_training_clips_is_named_by_its_role() -> None:
    fit = {"data": {"autoencoder": "a", "frame_features": None}, "assets": {"base": "b"}}
    found = record.digests_of(fit, {"fit": "key"}, [{"assets": {"fvd": "c"}}, {"network": {}}])
    assert found == {"autoencoder": "a", "base": "b", "fvd": "c"}
    assert record.digests_of({}, {"autoencoder": "d"}, []) == {"autoencoder": "d"}


def test_only_a_record_of_sharded_weights_speaks_of_them(made: Record, tmp_path: Path) -> None:
    assert "weights_sharded" not in json.loads(record.save(made, tmp_path).read_text(encoding="utf-8"))
    sharded = replace(made, weights_sharded=True)
    assert record.read(record.save(sharded, tmp_path)) == sharded


def test_a_record_without_the_new_fields_has_none_in_them(made: Record, tmp_path: Path) -> None:
    path = record.save(made, tmp_path)
    raw = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({name: raw[name] for name in raw.keys() - set(record.ADDED_IN_2)}), encoding="utf-8")
    old = record.read(path)
    assert [getattr(old, name) for name in record.ADDED_IN_2] == [None] * 5
    assert old.scores == made.scores


@pytest.mark.skipif(not PUBLISHED, reason="an installed package has no results folder")
def test_a_copy_of_a_published_record_says_what_the_record_says(tmp_path: Path) -> None:
    for path in PUBLISHED:
        copied = record.save(record.read(path), tmp_path)
        was, now = (json.loads(file.read_text(encoding="utf-8")) for file in (path, copied))
        scores = was.pop("scores")  # scores made before they had a `name` and figures `beside` get empty ones
        assert now.pop("scores") == {name: {"name": "", "beside": {}} | score for name, score in scores.items()}, path
        assert now == was, path


def test_the_parts_of_a_score_are_read_as_they_were_written(made: Record, tmp_path: Path) -> None:
    part = record.PartRecord(value=1.0, ci_low=0.5, ci_high=1.5, without_group=(0.9, 1.1))
    (name, score), *_ = made.scores.items()
    parted = replace(made, scores={**made.scores, name: replace(score, parts={"motion": part})})
    assert record.read(record.save(parted, tmp_path)) == parted


def test_a_record_of_a_newer_version_is_refused_with_what_to_do(made: Record, tmp_path: Path) -> None:
    path = record.save(replace(made, format_version=record.FORMAT_VERSION + 1), tmp_path)
    with pytest.raises(StoreError, match=r"cell\.json: the record has format 4.* up to 3\. Update it"):
        record.read(path)


def test_the_first_folder_that_has_a_record_counts(made: Record, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    record.save(replace(made, command="in the second"), second)
    assert record.find(["cell", "absent"], [first, second])["cell"].command == "in the second"
    record.save(made, first)
    assert record.find(["cell"], [first, second]) == {"cell": made}
