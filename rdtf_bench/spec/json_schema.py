"""JSON Schemas of protocol and scale files, with which editors complete and check them.

`python -m rdtf_bench.spec.json_schema [FOLDER]` writes one file for each kind; by default into the package. A YAML file
names its schema in its first line, relative to itself: `# yaml-language-server: $schema=schemas/table.json`
"""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from rdtf_bench.core.store import write_text
from rdtf_bench.spec.places import KINDS, PACKAGE

FOLDER = PACKAGE / "schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
NULL = {"type": "null"}
EXTENDS = (
    "The file whose keys this one takes over: a name, or a path relative to this file. Mappings are merged, everything "
    "else is replaced, and null removes a key."
)
STATED_KIND = "The kind of this file. Needed where the file's folder or `extends` does not tell it and it is no table."

Node = dict[str, Any]


class _Untitled(GenerateJsonSchema):
    """The schema without a title for every key, which only repeats the key."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002
        return False


def schema_of(kind: str) -> Node:
    """Return the schema of one kind of file. A file that extends another needs no key but its name."""
    model = KINDS[kind].spec
    whole = model.model_json_schema(schema_generator=_Untitled)
    parts = whole.pop("$defs", {})
    part = _in_part(whole, parts)
    part |= {"required": ["extends", "name"]}
    part["properties"]["name"] = whole["properties"]["name"]
    for schema in (whole, part):
        schema["properties"] = {
            "extends": {"type": "string", "description": EXTENDS},
            "kind": {"const": kind, "description": STATED_KIND},
            **schema["properties"],
        }
    return {
        "$schema": DIALECT,
        "title": kind,
        "description": model.__doc__,
        "if": {"type": "object", "required": ["extends"]},
        "then": part,
        "else": whole,
        "$defs": parts,
    }


def text_of(kind: str) -> str:
    """Return the JSON Schema of a kind of YAML file, as its file holds it."""
    return json.dumps(schema_of(kind), indent=1) + "\n"


def write(folder: Path = FOLDER) -> list[Path]:
    """Write the schema of every kind and return the files."""
    for kind in KINDS:
        write_text(folder / f"{kind}.json", text_of(kind))
    return [folder / f"{kind}.json" for kind in KINDS]


def _in_part(node: Node, parts: Node) -> Node:
    """Return the schema of what is merged into a value of this schema: of a mapping, any keys, and null for each.

    Lists are replaced, so that their items are whole.
    """
    if "$ref" in node:
        described = {key: value for key, value in node.items() if key != "$ref"}
        return {**_in_part(parts[node["$ref"].rpartition("/")[2]], parts), **described}
    part = {key: value for key, value in node.items() if key not in ("required", "default")}
    if "anyOf" in node:
        part["anyOf"] = [_in_part(choice, parts) for choice in node["anyOf"]]
    if "properties" in node:
        part["properties"] = {key: _or_null(value, parts) for key, value in node["properties"].items()}
    if isinstance(node.get("additionalProperties"), dict):
        part["additionalProperties"] = _or_null(node["additionalProperties"], parts)
    return part


def _or_null(node: Node, parts: Node) -> Node:
    part = _in_part(node, parts)
    if "type" in part:
        part["type"] = [part["type"], "null"]
    if "enum" in part:
        part["enum"] = [*part["enum"], None]
    if "anyOf" in part and NULL not in part["anyOf"]:
        part["anyOf"] = [*part["anyOf"], NULL]
    return part


if __name__ == "__main__":
    for path in write(*map(Path, sys.argv[1:2])):
        print(path)
