"""A YAML file and what it extends -> one mapping, the line of each of its values, and the faults found on the way.

A file says `extends: NAME` or `extends: PATH` (relative to itself). Its keys are merged into those of the other file by
JSON Merge Patch (RFC 7396): mappings are merged, everything else is replaced, `null` removes a key. In addition, `null`
for a key that the other file has not is a fault.
"""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from yaml.constructor import ConstructorError
from yaml.reader import ReaderError

from rdtf_bench.core.errors import ProtocolError, unknown_name
from rdtf_bench.spec import places
from rdtf_bench.spec.schema import Place

TEXT = "tag:yaml.org,2002:str"
DATE = "tag:yaml.org,2002:timestamp"
MERGE = "tag:yaml.org,2002:merge"
JSON_TAGS = (TEXT, *(f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "seq", "map")))


class _Loader(yaml.SafeLoader):
    """A loader that leaves dates as the text they are, and knows no merge key `<<`."""

    yaml_implicit_resolvers = {  # noqa: RUF012, as the base class declares it
        first: [(tag, pattern) for tag, pattern in resolvers if tag != DATE]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        for key, _ in node.value:
            if key.tag == MERGE:
                raise ConstructorError(None, None, "the key << is not supported; use `extends`", key.start_mark)


_Entry = tuple[Place, yaml.Node | None, yaml.Node]


class Line(NamedTuple):
    """A line of a YAML file."""

    file: Path
    number: int  # from 1


class Fault(NamedTuple):
    """What is wrong at a place of a document, and its line."""

    line: Line
    place: Place
    said: str

    def __str__(self) -> str:
        place = f"{'.'.join(map(str, self.place))}: " if self.place else ""
        return f"{self.line.file}:{self.line.number}: {place}{self.said}"


class FaultyFileError(ProtocolError):
    """All faults of a protocol or scale file by line; those of the files that it extends come last."""

    def __init__(self, file: Path, faults: list[Fault]) -> None:
        ordered = sorted(set(faults), key=lambda fault: (fault.line.file != file, fault.line, str(fault)))
        self.faults = [str(fault) for fault in ordered]
        count = f"{file} has {len(self.faults)} faults:\n  "
        super().__init__(self.faults[0] if len(self.faults) == 1 else count + "\n  ".join(self.faults))


@dataclass(frozen=True)
class Document:
    """The content of a file, with what it extends merged in and without the keys `extends` and `kind`."""

    file: Path
    kind: str
    content: dict[str, Any]
    lines: dict[Place, Line]
    faults: list[Fault]

    def written(self, place: Place) -> Place:
        """Return the longest part of a place that is written in a file: for a missing key, the mapping around it."""
        while place not in self.lines:
            place = place[:-1]
        return place

    def fault(self, place: Place, said: str) -> Fault:
        """Return a fault at a place of the merged content, with the file and line that wrote it."""
        return Fault(self.lines[self.written(place)], place, said)


def read(file: Path, kind: str | None = None, above: tuple[Path, ...] = ()) -> Document:
    """Read a file and what it extends; `above` are the files that extend this one.

    Without a kind, it is the one that the file states, else that of its folder, else that of the file it extends.
    """
    content, lines, faults = _parsed(file)
    own = Document(file, "", content, lines, faults)
    stated, extends = content.pop("kind", None), content.pop("extends", None)
    if stated is not None and stated not in list(places.KINDS):
        said = str(unknown_name("kind", str(stated), places.KINDS))
        raise FaultyFileError(file, [*faults, own.fault(("kind",), said)])
    if stated is not None and kind not in (None, stated):
        faults.append(own.fault(("kind",), f"the file is of kind {stated}, and one of kind {kind} is needed here"))
    kind = kind or stated or places.kind_by_folder(file)
    if extends is None:
        return replace(own, kind=kind or "table")
    try:
        base = _extended(own, extends, kind, (*above, file))
    except FaultyFileError:
        raise
    except ProtocolError as e:
        raise FaultyFileError(file, [*faults, own.fault(("extends",), str(e))]) from None
    return _merged(own, base)


def _extended(own: Document, extends: object, kind: str | None, above: tuple[Path, ...]) -> Document:
    if not isinstance(extends, str):
        raise ProtocolError("the name or the path of one file is needed here")
    if places.is_path(extends) or kind is not None:
        base = places.find(kind or "table", extends, own.file.parent)
    elif extends in places.names(places.SCALE) and extends in places.names(*places.PROTOCOLS):
        raise ProtocolError(f"{extends!r} is a scale and a protocol: state the `kind` of this file")
    else:
        kind, base = places.find_named(extends, tuple(places.KINDS))
    if base.resolve() in [path.resolve() for path in above]:
        raise ProtocolError(f"the files extend each other in a circle: {' extends '.join(map(str, (*above, base)))}")
    return read(base, kind, above)


def _merged(own: Document, base: Document) -> Document:
    faults = [*own.faults, *base.faults]
    if own.content.get("name") == base.content.get("name"):
        faults.append(
            own.fault(("name",), f"{base.file} has this name, and results are stored by name: choose another")
        )
    merge = _Merge({"name": None, **own.content})  # so that a missing name is not that of the other file
    content = merge.into({"name": None, **base.content})
    for place, known in merge.not_removed:
        close = difflib.get_close_matches(str(place[-1]), known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        faults.append(own.fault(place, f"null removes a key, and {base.file} has no such key.{hint}"))
    lines = {place: line for place, line in base.lines.items() if not merge.has_replaced(place)}
    return Document(own.file, base.kind, content, {**lines, **own.lines}, faults)


class _Merge:
    """A patch of a mapping, and what became of it."""

    def __init__(self, patch: dict[str, Any]) -> None:
        self.patch = patch
        self.replaced: set[Place] = set()
        self.not_removed: list[tuple[Place, dict[str, Any]]] = []
        """The keys to remove that are not there, each with the mapping they should be in."""

    def into(self, base: dict[str, Any]) -> dict[str, Any]:
        return self._into(base, self.patch, ())

    def has_replaced(self, place: Place) -> bool:
        """Whether the value at this place, or one around it, was replaced or removed."""
        return any(place[:length] in self.replaced for length in range(len(place) + 1))

    def _into(self, base: object, patch: dict[str, Any], place: Place) -> dict[str, Any]:
        merged = dict(base) if isinstance(base, dict) else {}
        if not isinstance(base, dict):
            self.replaced.add(place)
        for key, value in patch.items():
            below = (*place, key)
            if isinstance(value, dict):
                merged[key] = self._into(merged.get(key), value, below)
                continue
            self.replaced.add(below)
            if value is not None:
                merged[key] = value
            elif key in merged:
                del merged[key]
            else:
                self.not_removed.append((below, merged))
        return merged


def _parsed(file: Path) -> tuple[dict[str, Any], dict[Place, Line], list[Fault]]:
    """Return the content of one file, the line of each value, and what YAML passes over in silence."""
    text = places.read_text(file)
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            raise FaultyFileError(file, [Fault(Line(file, 1), (), "the file is empty")])
        content = loader.construct_object(root, deep=True)
    except (yaml.YAMLError, ValueError) as e:
        raise FaultyFileError(file, [_syntax_fault(file, text, e)]) from None
    if not isinstance(content, dict):
        said = f"the file holds a {type(content).__name__}, and a mapping of keys to values is needed"
        raise FaultyFileError(file, [Fault(Line(file, root.start_mark.line + 1), (), said)])
    lines: dict[Place, Line] = {}
    faults, twice = [], set()
    for place, key, node in _entries(root, ()):
        line = Line(file, (key or node).start_mark.line + 1)
        if place in lines:
            if place[:-1] not in twice:
                faults.append(Fault(line, place, f"the key is written twice, first in line {lines[place].number}"))
            twice.add(place)
        lines[place] = line
        if key is not None and key.tag != TEXT:
            faults.append(Fault(line, place, f"YAML reads this key as {_type(key)}, not as text: put it in quotes"))
        if node.tag not in JSON_TAGS:
            faults.append(Fault(line, place, f"a value of type {_type(node)} has no place in these files"))
    return content, lines, faults


def _entries(node: yaml.Node, place: Place, key: yaml.Node | None = None) -> Iterator[_Entry]:
    """Yield the place of each value, the key where it is of a mapping, and the value itself."""
    yield place, key, node
    if isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            yield from _entries(item, (*place, i))
    elif isinstance(node, yaml.MappingNode):
        for key_below, value in node.value:
            yield from _entries(value, (*place, key_below.value), key_below)


def _type(node: yaml.Node) -> str:
    return str(node.tag).rpartition(":")[2]


def _syntax_fault(file: Path, text: str, error: yaml.YAMLError | ValueError) -> Fault:
    number, said = 1, str(error)
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        number, said = error.problem_mark.line + 1, ", ".join(filter(None, (error.context, error.problem)))
    elif isinstance(error, ReaderError):
        number = text.count("\n", 0, error.position) + 1
        said = f"the character {chr(error.character)!r}: {error.reason}"
    return Fault(Line(file, number), (), f"this is not YAML: {said}")
