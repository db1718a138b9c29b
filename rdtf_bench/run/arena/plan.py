"""Which rows an arena ranks, and whether the store holds their clips. Imports no torch."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rdtf_bench.core.errors import ProtocolError, StoreError
from rdtf_bench.core.store import Store
from rdtf_bench.run.protocols import load_table
from rdtf_bench.run.table.context import NONE, External, cells_of
from rdtf_bench.spec import plan as planning
from rdtf_bench.spec.command import command
from rdtf_bench.spec.load import kind_of, load_arena
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import ArenaSpec, TableSpec

PAPER = "table5"
"""The user study whose criteria any table may be ranked by."""


@dataclass(frozen=True, kw_only=True)
class PlannedArena:
    """The rows of a table that raters rank, at one scale."""

    spec: ArenaSpec
    table: TableSpec
    scale: Scale
    store: Store
    samples: dict[str, str]  # key of the clips by the row's label
    real_key: str  # of the test clips
    options: tuple[str, ...]  # of a further command on the same rows, such as --data and --store

    def require_samples(self) -> None:
        """Raise StoreError if the store lacks the clips of a row, ProtocolError if there are fewer than two rows."""
        if len(self.samples) < 2:
            raise ProtocolError(f"{self.table.name}: raters rank two rows or more, and it has {len(self.samples)}")
        absent = [label for label, key in self.samples.items() if not self.store.has("samples", key)]
        if absent or not self.store.has("clips", self.real_key):
            raise StoreError(
                f"{self.store.root}: there are no clips of {', '.join(absent) or 'the test split'} at scale "
                f"{self.scale.name}. Run: {self.command_of_table}"
            )

    @property
    def command_of_table(self) -> str:
        """Return the command that makes the clips of all rows."""
        return command("run", self.table, self.scale, self.options)

    @property
    def commands_of_votes(self) -> tuple[str, str]:
        """Return the two commands that lead to a tally: the first makes the page for raters, the second counts."""
        make = command("arena make", self.spec, self.scale, [*self.options, "--out", "arena.html"])
        return make, f"rdtf-bench arena tally votes-*.json --store {shlex.quote(str(self.store.root))}"


def load(name: str) -> ArenaSpec:
    """Return the arena of this name. The name of a table stands for the paper's criteria with the rows of this table.

    Raises ProtocolError for a protocol of another kind, and for paper's values of a row that the table does not have.
    """
    match kind_of(name):
        case "arena":
            spec = load_arena(name)
        case "table":
            title = f"User study of {load_table(name).name}"
            return load_arena(PAPER).model_copy(update={"table": name, "title": title, "paper": {}, "notes": ()})
        case other:
            raise ProtocolError(f"{name}: a table or an arena is needed here, and this one is of kind {other!r}")
    labels = [row.label for row in load_table(spec.table).rows]
    if stray := [label for label in spec.paper if label not in labels]:
        raise ProtocolError(
            f"{name}: paper: {spec.table} has no row {', '.join(map(repr, stray))}. Its rows are {', '.join(labels)}."
        )
    return spec


def plan(
    spec: ArenaSpec,
    scale: Scale,
    source: str | None,
    root: Path,
    external: Mapping[str, External] = NONE,
    options: Sequence[str] = (),
) -> PlannedArena:
    """Return an arena with the keys of its rows' clips; of several random seeds, the first is ranked.

    `options` are the words with which a further command takes the same rows.
    """
    table = load_table(spec.table)
    data, cells = cells_of(table, scale, source, root, external)
    first = [cell for cell in cells if not cell.is_control and cell.seed == table.seeds[0]]
    return PlannedArena(
        spec=spec,
        table=table,
        scale=scale,
        store=Store(root),
        samples={cell.label: cell.sample_key for cell in first},
        options=tuple(options),
        real_key=planning.clips_in_use(scale, data.identity, "test").key,
    )
