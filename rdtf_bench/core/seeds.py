"""Random seeds and generators that depend on names alone, never on batch size, order, workers or device."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

CPU = torch.device("cpu")


def seed_for(*parts: str | int) -> int:
    """Return a 63-bit random seed: a hash of the parts, so that different parts never add up to the same seed.

    >>> seed_for(0, "clip7") == seed_for(0, "clip7")
    True
    >>> seed_for(0, "clip7") == seed_for(7, "clip0")
    False
    """
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator_for(*parts: str | int) -> torch.Generator:
    """Return a new CPU generator for these names."""
    return torch.Generator().manual_seed(seed_for(*parts))


def generators_for(seed: int, clip_ids: Sequence[str], purpose: str) -> list[torch.Generator]:
    """Return one generator per clip, so that a clip gets the same noise in any batch and on any device."""
    return [generator_for(seed, clip_id, purpose) for clip_id in clip_ids]


@contextmanager
def seeded(*parts: str | int, device: torch.device = CPU) -> Iterator[None]:
    """Seed the global generators of the CPU and of a device from these names inside the block; restore them afterwards.

    The modules of torch initialise their weights from the global generator alone.
    """
    on_gpu = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_gpu else []):
        torch.default_generator.manual_seed(seed_for(*parts))
        if on_gpu:
            with torch.cuda.device(device):  # manual_seed seeds the current device
                torch.cuda.manual_seed(seed_for(*parts))
        yield
