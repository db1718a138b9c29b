"""Random initialisation under a seed of its own: torch's modules know only the global generator."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from rdtf_bench.core.seeds import seed_for


@contextmanager
def seeded(*parts: str | int) -> Iterator[None]:
    """Within it the global CPU generator starts from these names; afterwards it is as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_for(*parts))
        yield
