"""Write what a store holds and what can be removed from it. No torch."""

from collections import defaultdict
from collections.abc import Sequence

from rdtf_bench.core.store import Store
from rdtf_bench.data.sources.disk import in_gib
from rdtf_bench.report import layouts
from rdtf_bench.run.storage import entries, sweep
from rdtf_bench.run.storage.sweep import Waste

COLUMNS = ("what", "name", "entries", "bytes")


def contents(store: Store, *, format: str) -> str:
    """Write the entries and bytes of a store by kind and by table, in one of layouts.FORMATS."""
    layouts.require_format(format)
    by_kind, by_table = _by_kind(store), _by_table(store)
    if format in layouts.DATA_FORMATS:
        rows = [
            dict(zip(COLUMNS, (what, name, *counts), strict=True))
            for what, counted in (("kind", by_kind), ("table", by_table))
            for name, counts in counted.items()
        ]
        return layouts.data(rows, COLUMNS, format=format)
    tables = [_table("kind", "entries", by_kind), _table("table and scale", "rows", by_table)]
    note = (
        "A table's size is that of all entries that its records were made from. Tables share entries, so their sizes "
        "add up to more than the store."
    )
    return layouts.document(tables, [note], format=format, title=str(store.root))


def waste(found: Sequence[Waste]) -> str:
    """Write the folders that can be removed, by kind."""
    counted: dict[str, tuple[int, int]] = {}
    for one in found:
        count, size = counted.get(one.kind, (0, 0))
        counted[one.kind] = count + 1, size + one.num_bytes
    return layouts.document([_table("kind", "folders", counted)], format="text")


def _by_kind(store: Store) -> dict[str, tuple[int, int]]:
    """Return the number of entries and their bytes by kind, then those of all other folders and files."""
    known = {entry.kind for entry in entries.held(store)}
    folders = [path for path in sorted(store.root.iterdir()) if path.name != ".lock"]
    first = [path for path in folders if path.name in known]
    return {
        path.name: (
            len(list(path.iterdir())) if path.is_dir() else 1,
            sweep.num_bytes(path) if path.is_dir() else path.stat().st_size,
        )
        for path in (*first, *(path for path in folders if path not in first))
    }


def _by_table(store: Store) -> dict[str, tuple[int, int]]:
    rows: defaultdict[str, int] = defaultdict(int)
    used: defaultdict[str, set[entries.Entry]] = defaultdict(set)
    for made in entries.records(store):
        name = f"{made.protocol} {made.scale}"
        rows[name] += 1
        used[name] |= entries.of_record(made, store)
    return {
        name: (rows[name], sum(sweep.num_bytes(store.path(entry.kind, entry.key)) for entry in used[name]))
        for name in sorted(rows)
    }


def _table(name: str, counted_as: str, counted: dict[str, tuple[int, int]]) -> layouts.Table:
    rows = [(what, f"{count:,}", in_gib(size)) for what, (count, size) in counted.items()]
    total = sum(size for _, size in counted.values())
    groups: list[list[tuple[str, str, str]]] = [rows]
    if name == "kind":
        groups.append([("all", f"{sum(count for count, _ in counted.values()):,}", in_gib(total))])
    return layouts.Table(head=(name, counted_as, "size"), groups=groups)
