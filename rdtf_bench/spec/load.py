"""protocols/<name>.yaml -> TableSpec, or an error that names the file and every fault.

Likewise sets/<name>.yaml -> TableSet, costs/<name>.yaml -> CostSpec, scales/<name>.yaml -> Scale.
"""

import difflib
import json
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from rdtf_bench.core.errors import ProtocolError, unknown_name
from rdtf_bench.spec.schema import CostSpec, Part, Scale, Sheet, TableSet, TableSpec, ValiditySpec

Spec = TypeVar("Spec", bound=Part)


class _Loader(yaml.SafeLoader):
    """PyYAML takes the last of two equal keys in silence; we do not."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise ProtocolError(
                    f"{key_node.start_mark.name}:{key_node.start_mark.line + 1}: {key!r} is written twice"
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def protocol_names() -> list[str]:
    return _yaml_names(files("rdtf_bench.protocols"))


def set_names() -> list[str]:
    return _yaml_names(files("rdtf_bench.protocols") / "sets")


def scale_names() -> list[str]:
    return _yaml_names(files("rdtf_bench.protocols") / "scales")


def load_protocol(name: str) -> TableSpec:
    if name not in protocol_names():
        raise unknown_name("protocol", name, protocol_names())
    return parse(files("rdtf_bench.protocols") / f"{name}.yaml", TableSpec)


def cost_names() -> list[str]:
    return _yaml_names(files("rdtf_bench.protocols") / "costs")


def load_costs(name: str) -> CostSpec:
    return parse(files("rdtf_bench.protocols") / "costs" / f"{name}.yaml", CostSpec)


def validity_names() -> list[str]:
    return _yaml_names(files("rdtf_bench.protocols") / "validity")


def load_validity(name: str) -> ValiditySpec:
    return parse(files("rdtf_bench.protocols") / "validity" / f"{name}.yaml", ValiditySpec)


def sheet_names() -> list[str]:
    return _yaml_names(files("rdtf_bench.protocols") / "sheets")


def load_sheet(name: str) -> Sheet:
    return parse(files("rdtf_bench.protocols") / "sheets" / f"{name}.yaml", Sheet)


def load_set(name: str) -> TableSet:
    return parse(files("rdtf_bench.protocols") / "sets" / f"{name}.yaml", TableSet)


def load_scale(name: str) -> Scale:
    if name not in scale_names():
        raise unknown_name("scale", name, scale_names())
    return parse(files("rdtf_bench.protocols") / "scales" / f"{name}.yaml", Scale)


def parse(path: Traversable, spec: type[Spec]) -> Spec:
    loader = _Loader(path.read_text(encoding="utf-8"))
    loader.name = path.name
    try:
        raw = loader.get_single_data()
    except yaml.YAMLError as e:
        raise ProtocolError(f"{path.name} is not YAML: {e}") from None
    try:
        # through JSON: strict mode then still takes a list for a tuple
        return spec.model_validate_json(json.dumps(raw))
    except ValidationError as e:
        faults = "\n".join(f"  {_place(fault['loc'])}: {_said(fault, spec)}" for fault in e.errors())
        raise ProtocolError(f"{path.name} is not a valid {spec.__name__}:\n{faults}") from None


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "file"


def _said(fault: Any, spec: type[BaseModel]) -> str:
    message = str(fault["msg"])
    if fault["type"] != "extra_forbidden":
        return message
    known = {field for model in _models(spec) for field in model.model_fields}
    close = difflib.get_close_matches(str(fault["loc"][-1]), known, n=1)
    return f"there is no such key.{f' Did you mean {close[0]!r}?' if close else ''}"


def _models(spec: type[BaseModel]) -> list[type[BaseModel]]:
    parts = [spec]
    for field in spec.model_fields.values():
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                parts += _models(kind)
    return parts


def _yaml_names(folder: Traversable) -> list[str]:
    return sorted(path.name.removesuffix(".yaml") for path in folder.iterdir() if path.name.endswith(".yaml"))


SPECS: dict[str, tuple[str, type[Part]]] = {
    "table": ("", TableSpec),
    "set": ("sets", TableSet),
    "costs": ("costs", CostSpec),
    "sheet": ("sheets", Sheet),
    "validity": ("validity", ValiditySpec),
}


def names(kind: str) -> list[str]:
    return _yaml_names(files("rdtf_bench.protocols") / SPECS[kind][0])


def kind_of(name: str) -> str:
    for kind in SPECS:
        if name in names(kind):
            return kind
    raise unknown_name("protocol", name, [known for kind in SPECS for known in names(kind)])


def load(kind: str, name: str) -> Any:
    folder, spec = SPECS[kind]
    return parse(files("rdtf_bench.protocols") / folder / f"{name}.yaml", spec)


def is_scale(name: str) -> bool:
    return name in scale_names()
