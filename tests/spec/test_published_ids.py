"""Ids and store keys that published numbers hang on: an id that changes orphans a record.

pinned_ids.json holds one line per row of each published protocol and scale on the built-in data: the id of the cell,
the key of its trained weights and the key of each score. Where a change of a protocol or scale is meant to move a
number, write the file anew with `python -m tests.spec.test_published_ids` and say in the commit which rows moved.
"""

import json
from pathlib import Path

import pytest

from rdtf_bench.core.store import key_of
from rdtf_bench.run import record
from rdtf_bench.run.protocols import load_tables
from rdtf_bench.run.table import context
from rdtf_bench.spec.load import load_scale, protocol_names
from tests.planted import PUBLISHED

PINNED = Path(__file__).with_name("pinned_ids.json")
NOWHERE = Path("no-store")  # the identity of the built-in data is not read from a store
NOT_AT_TINY = (  # not measured there yet
    "ablate-parts",
    "ablate-sampler",
    "sweep-learning-rate-small",
)
PUBLISHED_AT = {
    "tiny": [name for name in protocol_names() if name not in ("ci", *NOT_AT_TINY)],
    "ci": ["ci"],
    "small": ["table1", "ablate-weights", "sweep-learning-rate-small", "sweep-sampler"],
}
SEEDS = 3


def planned() -> dict[str, dict[str, str]]:
    """Return the keys of every row by "protocol at scale", each row's keys in one line."""
    return {f"{table} at {scale}": _keys_of(table, scale) for scale, tables in PUBLISHED_AT.items() for table in tables}


def _keys_of(table: str, scale: str) -> dict[str, str]:
    (spec,) = load_tables(table, SEEDS if scale == "tiny" else None)
    _, cells = context.cells_of(spec, load_scale(scale), None, NOWHERE)
    return {
        cell.name: " ".join(
            [
                f"id={cell.id}",
                *([f"fit={cell.fit_key}"] if cell.fit is not None else []),
                *(f"{metric}={cell.score_key(metric)}" for metric in sorted(cell.scores)),
            ]
        )
        for cell in cells
    }


def test_ids_and_keys_of_the_published_protocols_stand() -> None:
    assert planned() == json.loads(PINNED.read_text(encoding="utf-8"))


@pytest.mark.skipif(not PUBLISHED, reason="an installed package has no results folder")
def test_every_published_record_hashes_to_its_name() -> None:
    for path in PUBLISHED:
        found = record.read(path)
        assert path.stem == found.cell_id == key_of(found.config["sample"]), path
        if found.config["fit"] is not None:
            assert found.config["sample"]["fit"] == key_of(found.config["fit"]), path
        for metric, score in found.scores.items():
            assert score.key == key_of(found.config["scores"][metric]), path


if __name__ == "__main__":
    PINNED.write_text(json.dumps(planned(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
