"""What a store holds, in words and as data."""

import json
from pathlib import Path

from rdtf_bench.core.store import Store, write_text
from rdtf_bench.report import storage
from rdtf_bench.run import record
from rdtf_bench.run.record import Record
from rdtf_bench.run.storage.sweep import Waste
from rdtf_bench.spec.plan import Cell


def test_sizes_are_counted_by_kind_and_by_table(tmp_path: Path, cells: list[Cell], records: dict[str, Record]) -> None:
    store, cell = Store(tmp_path), cells[3]
    scores = {metric: identity.as_dict() for metric, identity in cell.scores.items()}
    made = records[cell.id]
    made.config["scores"] = scores
    record.save(made, record.folder_in(tmp_path))
    entry = store.make("samples", cell.id, lambda folder: write_text(folder / "clips", "x" * 5000))
    store.make("samples", "of another table", lambda folder: write_text(folder / "clips", "x" * 9000))
    rows = {(row["what"], row["name"]): row for row in json.loads(storage.contents(store, format="json"))}
    own = sum(path.stat().st_size for path in entry.iterdir())
    assert rows["table", "planted tiny"] == {"what": "table", "name": "planted tiny", "entries": 1, "bytes": own}
    assert rows["kind", "samples"]["entries"] == 2
    assert rows["kind", "samples"]["bytes"] > own + 9000
    assert "planted tiny" in storage.contents(store, format="text")


def test_waste_is_summed_by_kind(tmp_path: Path) -> None:
    found = [Waste(kind=kind, path=tmp_path, num_bytes=2 * 2**20) for kind in ("fit", "samples", "samples")]
    lines = [line.split() for line in storage.waste(found).splitlines()]
    assert ["samples", "2", "4.0", "MiB"] in lines
    assert ["all", "3", "6.0", "MiB"] in lines
