"""Figures of the paper: what decides one, and its entry in the store. Imports no torch."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdtf_bench import catalog
from rdtf_bench.assets import registry
from rdtf_bench.core.dataset import Clip
from rdtf_bench.core.errors import ProtocolError, StoreError
from rdtf_bench.core.store import Store, key_of, write_text
from rdtf_bench.data.reading.folders.folder import Folder
from rdtf_bench.run.figures import losses
from rdtf_bench.run.protocols import known_names, load_table
from rdtf_bench.spec.command import command, data_option
from rdtf_bench.spec.load import load_figure
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import FigureSpec

KIND = "figures"
ROWS, PICTURE, CSV = "rows.json", "figure.png", "figure.csv"

Row = dict[str, Any]
"""One line of a figure's CSV file, by the column's name."""


@dataclass(frozen=True, kw_only=True)
class PlannedFigure:
    """A figure with the data and the scale that decide it; `key` is its entry in the store."""

    spec: FigureSpec
    scale: Scale
    source: str | None  # the folder that --data names; None is the built-in data
    store: Store
    key: str

    @property
    def data_label(self) -> str:
        """Return the name of the folder, or that the data is built in."""
        return f"{self.spec.dataset}, {Path(self.source).name if self.source else 'built-in'}"

    @property
    def followed(self) -> losses.Followed:
        """Return the losses that the curriculum of this figure follows."""
        assert self.spec.curriculum is not None  # only such figures ask for it
        return losses.of_figure(self.spec.curriculum, self.scale, self.source, self.store.root)

    @property
    def is_done(self) -> bool:
        """Return whether the store holds the figure."""
        return self.store.has(KIND, self.key)

    @property
    def folder(self) -> Path:
        """Return the folder of the figure in the store, which need not exist."""
        return self.store.path(KIND, self.key)

    def clips(self, *, skip_broken: bool) -> tuple[Clip, ...]:
        """Return the clips of the data. Built-in data is written into the store if it is not there."""
        folder = _read(self.spec, self.source, self.store.root)
        folder.require_unbroken(skip_broken=skip_broken)
        return folder.clips

    def rows(self) -> list[Row]:
        """Return the rows of a finished figure; StoreError if it is not drawn yet."""
        if not self.is_done:
            raise StoreError(
                f"{self.store.root}: {self.spec.name} has not been drawn at scale {self.scale.name} from this data. "
                f"Run: {command('run', self.spec, self.scale, data_option(self.spec.dataset, self.source))}"
            )
        rows: list[Row] = json.loads((self.folder / ROWS).read_text(encoding="utf-8"))
        return rows


def load(name: str) -> FigureSpec:
    """Return the figure of this name. Raises ProtocolError for a dataset, a table or a row that is not there."""
    spec = load_figure(name, known_names())
    if spec.curriculum is not None:
        table = load_table(spec.curriculum.table)
        rows = {row.label: row.method for row in table.rows}
        if rows.get(spec.curriculum.row) not in catalog.names("course"):
            known = [label for label, method in rows.items() if method in catalog.names("course")]
            raise ProtocolError(
                f"{name}: curriculum.row: {table.name} has no row {spec.curriculum.row!r} with a curriculum. It has: "
                f"{', '.join(known) or 'none'}."
            )
    return spec


def plan(spec: FigureSpec, scale: Scale, source: str | None, root: Path) -> PlannedFigure:
    """Return a figure with its key. A folder is read for it, and built-in data is not written."""
    decides: dict[str, object] = {"figure": spec.model_dump(mode="json", exclude={"title", "notes"})}
    if spec.curriculum is not None:
        followed = losses.of_figure(spec.curriculum, scale, source, root)
        decides |= {"losses": list(followed.losses), "options": followed.options, "method": followed.version}
    else:
        module = catalog.load("dataset", spec.dataset)
        builtin = source is None
        decides["data"] = (
            module.builtin().fingerprint if builtin else module.fingerprint(_read(spec, source, root).clips)
        )
    if spec.extraction is not None:
        features = scale.asset("frame_features", spec.name)
        decides |= {"features": registry.find(features).digest, "clip": scale.clip.model_dump(mode="json")}
    return PlannedFigure(spec=spec, scale=scale, source=source, store=Store(root), key=key_of(decides))


def write_rows(rows: list[Row], folder: Path) -> None:
    """Write the rows into an entry of the store."""
    write_text(folder / ROWS, json.dumps(rows, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def _read(spec: FigureSpec, source: str | None, root: Path) -> Folder:
    module = catalog.load("dataset", spec.dataset)
    folder: Folder = module.read(module.prepare(source, store=root), name=spec.dataset, cache=root / "data" / "indexes")
    return folder
