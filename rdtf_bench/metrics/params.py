"""Number of parameters of the denoiser, base and adapter together, without text encoders and autoencoder."""

from collections.abc import Mapping

from rdtf_bench.core.metric import Score

LABEL = "Params"
UNIT = ""
HIGHER_IS_BETTER = False
VERSION = 1
USES = ("network",)
YARDSTICK = "denoiser"


def score(counts: Mapping[str, int]) -> Score:
    """Return the score of a method's `parameter_counts()`; it is exact and has no interval."""
    return Score(value=float(counts["total"]), n=1, without_group=())
