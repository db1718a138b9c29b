"""The shipped JSON Schemas: those that the models give, and what they ask for."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from rdtf_bench.spec import json_schema
from rdtf_bench.spec.places import KINDS, PACKAGE

FILES = [(kind, path) for kind, (folder, _) in KINDS.items() for path in sorted((PACKAGE / folder).glob("*.yaml"))]


@pytest.mark.parametrize("kind", KINDS)
def test_the_shipped_schema_is_what_the_model_gives(kind: str) -> None:
    """Check the shipped schemas. After a change of spec/schema.py, run: python -m rdtf_bench.spec.json_schema"""
    assert (json_schema.FOLDER / f"{kind}.json").read_text(encoding="utf-8") == json_schema.text_of(kind)


def test_the_schemas_are_written_to_a_folder(tmp_path: Path) -> None:
    written = json_schema.write(tmp_path / "schemas")
    assert (
        sorted(path.stem for path in written) == sorted(KINDS) == sorted(p.stem for p in json_schema.FOLDER.iterdir())
    )
    assert json.loads(written[0].read_text()) == json_schema.schema_of(written[0].stem)


@pytest.mark.parametrize(("kind", "path"), FILES, ids=lambda value: value.stem if isinstance(value, Path) else value)
def test_the_first_line_of_a_file_names_its_schema(kind: str, path: Path) -> None:
    first, _, _ = path.read_text(encoding="utf-8").partition("\n")
    found = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert found is not None
    assert (path.parent / found[1]).resolve() == (json_schema.FOLDER / f"{kind}.json").resolve()


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_file_needs_what_the_model_needs_and_one_that_extends_needs_its_name(kind: str) -> None:
    schema, fields = json_schema.schema_of(kind), KINDS[kind].spec.model_fields
    assert schema["if"] == {"type": "object", "required": ["extends"]}
    assert schema["else"]["required"] == [name for name, field in fields.items() if field.is_required()]
    assert schema["then"]["required"] == ["extends", "name"]
    for form in ("then", "else"):
        assert list(schema[form]["properties"]) == ["extends", "kind", *fields]
        assert schema[form]["properties"]["kind"]["const"] == kind
        assert schema[form]["additionalProperties"] is False


def test_what_is_merged_needs_no_key_and_may_be_null_and_what_is_replaced_is_whole() -> None:
    scale = json_schema.schema_of("scale")["then"]["properties"]
    assert "required" not in scale["training"]
    assert scale["training"]["properties"]["num_steps"]["type"] == ["integer", "null"]
    assert scale["training"]["properties"]["lr_schedule"]["enum"] == ["constant_with_warmup", "cosine", None]
    assert scale["name"]["type"] == "string"
    of_a_method = scale["methods"]["additionalProperties"]
    assert of_a_method["type"] == ["object", "null"]
    assert "required" not in of_a_method
    assert of_a_method["properties"]["options"]["additionalProperties"]["anyOf"][-1] == {"type": "null"}
    validity = json_schema.schema_of("validity")["then"]["properties"]["short_clips"]["anyOf"]
    assert ["required" in choice for choice in validity] == [False, False]
    table = json_schema.schema_of("table")
    assert table["then"]["properties"]["rows"]["items"] == {"$ref": "#/$defs/Row"}
    assert table["$defs"]["Row"]["required"] == ["label", "method"]


def test_a_key_tells_its_unit() -> None:
    scale: dict[str, Any] = json_schema.schema_of("scale")
    assert "in pixels" in scale["$defs"]["ClipShape"]["properties"]["size_px"]["description"]
    assert "seconds" in scale["$defs"]["MethodAtScale"]["properties"]["seconds_per_step"]["description"]
    assert "0 is deterministic" in scale["$defs"]["MethodAtScale"]["properties"]["eta"]["description"]
