"""Commands that a message tells the user to type."""

import shlex
from collections.abc import Sequence

from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import File


def command(verb: str, spec: File, scale: Scale | None, options: Sequence[str] = ()) -> str:
    """Return the command line that takes a protocol at a scale; `options` are the words that follow the scale.

    `scale` is None for a protocol that names its scale itself, which no option changes.
    """
    at = ["--scale", scale.as_argument] if scale else []
    return " ".join(["rdtf-bench", verb, spec.as_argument, *at, *map(shlex.quote, options)])


def data_option(dataset: str, source: str | None) -> list[str]:
    """Return the option that replaces a built-in dataset; nothing for built-in data.

    >>> data_option("asg", "stickers"), data_option("asg", None)
    (['--data', 'asg=stickers'], [])
    """
    return ["--data", f"{dataset}={source}"] if source else []
