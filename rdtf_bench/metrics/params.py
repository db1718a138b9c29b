"""Parameters of the denoiser, base and adapter together; text encoders and autoencoder are not counted."""

from collections.abc import Mapping

from rdtf_bench.core.metric import Score

LABEL = "Params"
UNIT = ""
HIGHER_IS_BETTER = False
VERSION = 1
USES = ("network",)
YARDSTICK = "denoiser"


def score(counts: Mapping[str, int]) -> Score:
    """From a method's `parameter_counts()`: exact, so its interval is a point."""
    return Score(value=float(counts["total"]), n=1, without_group=())
