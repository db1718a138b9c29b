"""Read the tables in results/ again: their protocol, scale, cells and data."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rdtf_bench.core.errors import ProtocolError, StoreError
from rdtf_bench.run.inputs.datasets import BUILTIN
from rdtf_bench.run.record import Record
from rdtf_bench.spec.command import data_option
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import TableSpec, from_plain


def read_table(path: Path) -> tuple[TableSpec, Scale, list[Cell]]:
    """Return the protocol, the scale and the cells that results/<table>/tables/<name>.json holds."""
    raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    try:
        spec = from_plain(TableSpec, raw["spec"])
        scale = from_plain(Scale, raw["scale"])
    except ValidationError as e:
        raise ProtocolError(
            f"{path}: was published with another format of protocols, which this version cannot show ({e}). "
            "Publish the table again, or remove the file; its records stay."
        ) from None
    return spec, scale, [Cell.from_dict(cell) for cell in raw["cells"]]


def read_published(folder: Path, scale: str) -> list[Cell]:
    """Return the cells of the table in results/<table>/ that was published at this scale on built-in data."""
    path = folder / "tables" / f"{scale}-{BUILTIN}.json"
    if not path.is_file():
        raise StoreError(
            f"{path}: nothing was published there to compare with. Publish first: rdtf-bench run {folder.name} "
            f"--scale {scale}, then rdtf-bench publish {folder.name} --scale {scale}"
        )
    _, _, cells = read_table(path)
    return cells


def source_of(records: Mapping[str, Record]) -> str:
    """Name the data as the records of a table do: by a name of the Hub, or of a folder without those above it."""
    return str(next(iter(records.values())).data["source"])


def options_of(spec: TableSpec, records: Mapping[str, Record]) -> list[str]:
    """Return the options with which a command takes a published table besides its scale."""
    source = source_of(records) if records else BUILTIN
    seeds = ["--seeds", str(len(spec.seeds))] if len(spec.seeds) > 1 else []
    return [*data_option(spec.dataset, None if source == BUILTIN else source), *seeds]
