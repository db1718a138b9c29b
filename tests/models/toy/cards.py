"""The cards of the shipped toy networks, and the upper limit of the size of one of their files."""

import json
from pathlib import Path

from rdtf_bench.models.toy.card import CARD, Card

LARGEST_BYTES = 8 * 2**20


def read_card(folder: Path) -> Card:
    return Card(**json.loads((folder / CARD).read_text(encoding="utf-8")))
