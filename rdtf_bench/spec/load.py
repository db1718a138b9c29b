"""Protocol and scale files -> their models, by name or by path; an error names every fault with its file and line."""

import difflib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.spec import document, places
from rdtf_bench.spec.document import Document, Fault, FaultyFileError
from rdtf_bench.spec.grid import expand
from rdtf_bench.spec.pipeline import PipelineSpec
from rdtf_bench.spec.places import KINDS, PIPELINE, SCALE
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import (
    ArenaSpec,
    CostSpec,
    FigureSpec,
    File,
    Place,
    Sheet,
    TableSet,
    TableSpec,
    ValiditySpec,
    from_plain,
)

Spec = TypeVar("Spec", bound=File)
Names = Mapping[str, Collection[str]]
"""Maps a kind of name that a file may use, such as "method", to the names that there are."""

VALUE_ERROR = "Value error, "
"""What pydantic writes before the message of a ValueError."""


def kind_of(name_or_path: str) -> str:
    """Return the kind of a protocol: table, set, costs, sheet, validity, figure or arena."""
    if not places.is_path(name_or_path):
        return places.find_named(name_or_path, places.PROTOCOLS)[0]
    kind = document.read(Path(name_or_path)).kind
    if kind in (SCALE, PIPELINE):
        raise ProtocolError(f"{name_or_path} is a {kind} and a protocol is needed here. Give it to --{kind}.")
    return kind


def is_scale(name_or_path: str) -> bool:
    """Whether this is a scale and no protocol. A file by its path is a scale that says so, or extends one."""
    if places.is_path(name_or_path):
        return document.read(Path(name_or_path)).kind == SCALE
    return name_or_path in scale_names() and name_or_path not in places.names(*places.PROTOCOLS)


def is_pipeline(name_or_path: str) -> bool:
    """Whether this is a file that says it is a pipeline."""
    return places.is_path(name_or_path) and document.read(Path(name_or_path)).kind == PIPELINE


def load(kind: str, name_or_path: str, known: Names | None = None) -> File:
    """Return the content of a protocol or scale of this kind; names that `known` does not list are faults."""
    return _load(KINDS[kind].spec, kind, name_or_path, known)


def load_protocol(name_or_path: str, known: Names | None = None) -> TableSpec:
    """Return the table, with its grid expanded into rows."""
    return expand(_load(TableSpec, "table", name_or_path, known))


def load_set(name_or_path: str) -> TableSet:
    """Return a set of tables by its name, or from a YAML file."""
    return _load(TableSet, "set", name_or_path)


def load_costs(name_or_path: str, known: Names | None = None) -> CostSpec:
    """Return a table of costs by its name, or from a YAML file."""
    return _load(CostSpec, "costs", name_or_path, known)


def load_sheet(name_or_path: str, known: Names | None = None) -> Sheet:
    """Return a sheet by its name, or from a YAML file."""
    return _load(Sheet, "sheet", name_or_path, known)


def load_validity(name_or_path: str, known: Names | None = None) -> ValiditySpec:
    """Return a study of what metrics see by its name, or from a YAML file."""
    return _load(ValiditySpec, "validity", name_or_path, known)


def load_figure(name_or_path: str, known: Names | None = None) -> FigureSpec:
    """Return a figure by its name, or from a YAML file."""
    return _load(FigureSpec, "figure", name_or_path, known)


def load_arena(name_or_path: str) -> ArenaSpec:
    """Return a user study by its name, or from a YAML file."""
    return _load(ArenaSpec, "arena", name_or_path)


def load_scale(name_or_path: str, known: Names | None = None) -> Scale:
    """Return a scale by its name, or from a YAML file."""
    return _load(Scale, SCALE, name_or_path, known)


def load_pipeline(path: str) -> PipelineSpec:
    """Return the description of a pipeline that a YAML file holds."""
    return _load(PipelineSpec, PIPELINE, path)


def show_scale(name_or_path: str) -> str:
    """Return the text of a scale with everything that it extends and every default: a file that extends nothing."""
    content = load_scale(name_or_path).model_dump(mode="json")
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, allow_unicode=True, width=120)


def faults_in(error: ValidationError) -> str:
    """Return the faults of a value that stands in no file, each with its place if it has one."""
    faults = [(".".join(map(str, fault["loc"])), fault["msg"].removeprefix(VALUE_ERROR)) for fault in error.errors()]
    return "; ".join(f"{place}: {said}" if place else said for place, said in faults)


def protocol_names() -> list[str]:
    """Return the names of all protocols."""
    return places.names("table")


def scale_names() -> list[str]:
    """Return the names of all scales."""
    return places.names(SCALE)


def _load(spec: type[Spec], kind: str, name_or_path: str, known: Names | None = None) -> Spec:
    found = document.read(places.find(kind, name_or_path), kind)
    faults = [*found.faults, *_name_faults(found, name_or_path)]
    context = {"scale": scale_names(), "table": protocol_names(), **(known or {})}
    try:
        loaded = from_plain(spec, found.content, context)
    except ValidationError as e:
        raise FaultyFileError(found.file, [*faults, *_faults_of(e, found, spec)]) from None
    if faults:
        raise FaultyFileError(found.file, faults)
    if places.is_path(name_or_path):
        loaded._path = name_or_path
    return loaded


def _name_faults(found: Document, name_or_path: str) -> Iterator[Fault]:
    name = found.content.get("name")
    if places.is_of_the_package(found.file):
        return
    if name in places.package_names(found.kind):
        said = f"the package has this name, and results are stored by name: choose another, such as 'my-{name}'"
        yield found.fault(("name",), said)
    elif not places.is_path(name_or_path) and name != found.file.stem:
        yield found.fault(("name",), f"the file is found as {found.file.stem!r}, so its name must be this, too")


def _faults_of(error: ValidationError, found: Document, spec: type[File]) -> list[Fault]:
    """Return one fault for each place: a value that may have several types fails once for each of them."""
    said: dict[Place, list[str]] = {}
    for fault in error.errors(include_url=False):
        at = fault["loc"]
        match fault["type"]:
            case "missing":
                said.setdefault(at, []).append("this key is missing")
            case "misplaced":
                for place, text in fault["ctx"]["faults"]:
                    said.setdefault((*at, *place), []).append(text)
            case "extra_forbidden":
                said.setdefault(at, []).append(_unknown_key(at, found.kind, spec))
            case "literal_error" if fault["input"] is False:
                said.setdefault(found.written(at), []).append(f"{fault['msg']}; YAML reads no without quotes as false")
            case _:
                said.setdefault(found.written(at), []).append(fault["msg"].removeprefix(VALUE_ERROR))
    return [found.fault(place, _joined(texts)) for place, texts in said.items()]


def _joined(texts: list[str]) -> str:
    first, *others = dict.fromkeys(texts)
    return ", or ".join([first, *(text.removeprefix("Input should be ") for text in others)])


def _unknown_key(place: Place, kind: str, spec: type[File]) -> str:
    key, known = str(place[-1]), list(_model_at(spec, place).model_fields)
    others = [other for other, (_, model) in KINDS.items() if len(place) == 1 and key in model.model_fields]
    if others:
        meant = " or ".join(others)
        return f"a file of kind {kind} has no such key, one of kind {meant} has it. If this is one, state its `kind`."
    close = difflib.get_close_matches(key, known, n=1)
    return f"there is no such key.{f' Did you mean {close[0]!r}?' if close else ''} Known: {', '.join(known)}."


def _model_at(spec: type[BaseModel], place: Place) -> type[BaseModel]:
    """Return the model whose fields are the keys around the last step of a place."""
    for step in place[:-1]:
        if step in spec.model_fields:
            spec = next(_models_in(spec.model_fields[str(step)].annotation), spec)
    return spec


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
