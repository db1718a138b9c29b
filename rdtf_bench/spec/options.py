"""Check the options that a protocol gives to a module against the module's Config."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.spec.load import faults_in


def typed(config: type, options: Mapping[str, object], *, name: str, where: str) -> Any:
    """Return a Config with these options; ProtocolError names every unknown or ill-typed option.

    `name` is that of the module, and `where` says in messages whose options they are.
    """
    allowed = {field.name for field in dataclasses.fields(config)}
    if stray := sorted(set(options) - allowed):
        raise ProtocolError(
            f"{where}: {name} has no option {', '.join(stray)}; it has {', '.join(sorted(allowed)) or 'none'}"
        )
    try:
        # through JSON: strict mode then still takes a list for a tuple
        return TypeAdapter(config).validate_json(json.dumps(dict(options), default=str), strict=True)
    except ProtocolError as e:  # what the Config itself refuses
        raise ProtocolError(f"{where}: {e}") from None
    except ValidationError as e:
        raise ProtocolError(f"{where}: options of {name}: {faults_in(e)}") from None
