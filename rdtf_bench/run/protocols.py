"""Protocols whose every name is in the catalog."""

from rdtf_bench import catalog
from rdtf_bench.core.errors import ProtocolError, unknown_name
from rdtf_bench.spec.load import load_protocol, load_set, protocol_names, set_names
from rdtf_bench.spec.schema import TableSpec


def load_tables(name: str) -> list[TableSpec]:
    """The protocols that a name stands for: one, or those of a set."""
    if name in set_names():
        return [load_table(part) for part in load_set(name).tables]
    if name not in protocol_names():
        raise unknown_name("protocol", name, [*protocol_names(), *set_names()])
    return [load_table(name)]


def load_table(name: str) -> TableSpec:
    """The protocol of this name; the first name in it that is not in the catalog is an error with its place."""
    spec = load_protocol(name)
    places = [("dataset", "dataset", spec.dataset)]
    places += [("metric", f"metrics.{i}", metric) for i, metric in enumerate(spec.metrics)]
    places += [("control", f"controls.{i}", control) for i, control in enumerate(spec.controls)]
    places += [("method", f"rows.{i}.method", row.method) for i, row in enumerate(spec.rows)]
    for kind, place, wanted in places:
        if wanted not in catalog.names(kind):
            raise ProtocolError(f"{name}.yaml: {place}: {unknown_name(kind, wanted, catalog.names(kind))}")
    return spec
