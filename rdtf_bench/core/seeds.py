"""Randomness that depends on names, never on batch size, order, workers or device."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch


def seed_for(*parts: str | int) -> int:
    """A 63-bit seed from its parts; streams are hashed, not added.

    >>> seed_for(0, "clip7") == seed_for(0, "clip7")
    True
    >>> seed_for(0, "clip7") == seed_for(7, "clip0")
    False
    """
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator_for(*parts: str | int) -> torch.Generator:
    """A CPU generator of its own for these names."""
    return torch.Generator().manual_seed(seed_for(*parts))


def generators_for(seed: int, clip_ids: Sequence[str], purpose: str) -> list[torch.Generator]:
    """One generator per clip: clip 7 gets the same noise in any batch on any device."""
    return [generator_for(seed, clip_id, purpose) for clip_id in clip_ids]


@contextmanager
def seeded(*parts: str | int) -> Iterator[None]:
    """Within it the global CPU generator starts from these names; afterwards it is as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_for(*parts))
        yield
