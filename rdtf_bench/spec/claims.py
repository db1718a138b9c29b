"""Orderings that the paper's tables state, as data: files in protocols/claims. Pure; no torch."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import yaml
from pydantic import ValidationError

from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.spec.load import faults_in
from rdtf_bench.spec.places import PACKAGE
from rdtf_bench.spec.schema import File, PaperValue, Part, from_plain

FOLDER = PACKAGE / "claims"


class Side(Part):
    """One row of a claim with the number that the paper prints for it."""

    row: str
    """Label of the row in the protocol."""
    paper: PaperValue


class Claim(Part):
    """The statement that one row is better than another by one metric."""

    metric: str
    """A metric, or a criterion of a user study."""
    better: Side
    worse: Side


class ClaimSet(File):
    """The claims of one table. Their number decides how strict each test is."""

    protocol: Literal["table", "costs", "arena"]
    """Kind of the protocol of the same name that measures them."""
    source: str
    """Where the paper prints this table."""
    claims: tuple[Claim, ...]


def load(folder: Path = FOLDER) -> list[ClaimSet]:
    """Return the claims of every table, in the order of the tables' numbers."""
    found = list(_read(folder))
    return sorted(found, key=lambda stated: (len(stated.name.partition("-")[0]), stated.name))  # table10 after table9


def _read(folder: Path) -> Iterator[ClaimSet]:
    for path in folder.glob("*.yaml"):
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
            yield from_plain(ClaimSet, content)
        except yaml.YAMLError as fault:
            raise ProtocolError(f"{path}: is not YAML: {fault}") from None
        except ValidationError as fault:
            raise ProtocolError(f"{path}: {faults_in(fault)}") from None
