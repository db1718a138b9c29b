"""Protocols whose every name is in the catalog, and rows that a user adds to them."""

from collections.abc import Sequence

from pydantic import ValidationError

from rdtf_bench import catalog
from rdtf_bench.core.errors import ProtocolError, unknown_name
from rdtf_bench.spec import load
from rdtf_bench.spec.load import kind_of, load_arena, load_protocol, load_set, protocol_names
from rdtf_bench.spec.scale import MethodAtScale, Scale
from rdtf_bench.spec.schema import CostSpec, Row, Sheet, TableSpec, from_plain

ABLATE = "ablate-"


def load_tables(name: str, num_seeds: int | None = None) -> list[TableSpec]:
    """The protocols that a name stands for: one, or those of a set; at the seeds 0 to `num_seeds` - 1 where given."""
    match kind_of(name):
        case "table":
            specs = [load_table(name)]
        case "set":
            specs = [load_table(part) for part in load_set(name).tables]
        case other:
            raise ProtocolError(
                f"{name}: a protocol with trained rows is needed here, and this one is of kind {other!r}. `rdtf-bench "
                "list` names the others; `rdtf-bench show` prints any kind."
            )
    if num_seeds is None:
        return specs
    return [spec.model_copy(update={"seeds": tuple(range(num_seeds))}) for spec in specs]


def default_scale(name_or_path: str) -> str:
    """Return the scale at which a protocol is run where none is named."""
    match kind_of(name_or_path):
        case "table":
            return load_table(name_or_path).default_scale
        case "set":
            return load_table(load_set(name_or_path).tables[0]).default_scale
        case "arena":
            return load_table(load_arena(name_or_path).table).default_scale
        case _:  # kinds without trained rows
            return str(TableSpec.model_fields["default_scale"].default)


def ablation(name: str) -> str:
    """The protocol behind a shorthand, as `gains` for `ablate-gains`."""
    known = [protocol.removeprefix(ABLATE) for protocol in protocol_names() if protocol.startswith(ABLATE)]
    if name not in known:
        raise unknown_name("ablation", name, known)
    return ABLATE + name


def load_table(name_or_path: str) -> TableSpec:
    """Return the table of this name or file; every name in it that is not in the catalog is a fault with its line."""
    return load_protocol(name_or_path, known_names())


def load_scale(name_or_path: str) -> Scale:
    """Return the scale, in which every method and metric is in the catalog."""
    return load.load_scale(name_or_path, known_names())


def load_costs(name_or_path: str) -> CostSpec:
    """Return the table of costs, in which every method is in the catalog."""
    return load.load_costs(name_or_path, known_names())


def load_sheet(name_or_path: str) -> Sheet:
    """Return the sheet, whose method is in the catalog."""
    return load.load_sheet(name_or_path, known_names())


def known_names() -> dict[str, list[str]]:
    """Return the names of the catalog that protocols and scales may use, by kind."""
    return {kind: catalog.names(kind) for kind in ("control", "dataset", "method", "metric")}


def with_methods(spec: TableSpec, scale: Scale, names: Sequence[str]) -> tuple[TableSpec, Scale]:
    """Return the table with one more row for each of these methods, and the scale with what they need at it."""
    methods = {**scale.methods, **{name: at_scale(name, scale) for name in names}}
    rows = (*spec.rows, *(Row(label=name, method=name) for name in names))
    return spec.model_copy(update={"rows": rows}), scale.model_copy(update={"methods": methods})


def at_scale(name: str, scale: Scale) -> MethodAtScale:
    """Return what a method needs at a scale: from the scale, or else from AT_SCALE in the module of a plug-in."""
    given = catalog.constants("method", name).get("AT_SCALE", {})
    if name in scale.methods:
        return scale.methods[name]
    module = catalog.target("method", name)
    if scale.name not in given:
        raise ProtocolError(
            f"scale {scale.name}: methods has no {name!r}; it has {sorted(scale.methods)}. A plug-in says itself what "
            f"it needs: {module}: AT_SCALE has no {scale.name!r}; it has {sorted(given)}. Choose such a scale: --scale"
        )
    try:
        return from_plain(MethodAtScale, given[scale.name])
    except ValidationError as e:
        raise ProtocolError(f"{module}: AT_SCALE[{scale.name!r}]: {load.faults_in(e)}") from None
