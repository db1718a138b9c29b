"""Errors a user can cause. Each has its own exit status; everything else is our bug and keeps its traceback.

A message says where, what is wrong, what is known and what to do.
"""

import difflib
from collections.abc import Iterable, Sequence

LISTED = 5
"""Number of faults of one kind that a message names."""


class BenchError(Exception):
    exit_status = 1


class ProtocolError(BenchError):
    """A protocol or scale file is wrong, or asks for what does not exist. Click uses 2 for wrong flags as well."""

    exit_status = 2


class UnknownNameError(ProtocolError):
    """A name that is in no catalog."""


class InputError(BenchError, ValueError):
    """What is asked of a model cannot be made, such as a mask of another length than the clip."""

    exit_status = 2


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """The error for a name that is not there, with the close match."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return UnknownNameError(f"there is no {kind} {name!r}.{hint} Known: {', '.join(names)}.")


def listed(lines: Sequence[str]) -> str:
    """Return the first lines of a long list of faults, one below the other, and how many more there are.

    >>> print(listed(["a.gif: is empty", "b.gif: is empty"]))
      a.gif: is empty
      b.gif: is empty
    """
    more = [f"  ... and {len(lines) - LISTED:,} more"] if len(lines) > LISTED else []
    return "\n".join([f"  {line}" for line in lines[:LISTED]] + more)


class DataError(BenchError):
    """A data folder, an animation or a caption file cannot be used."""

    exit_status = 4


class AssetError(BenchError):
    """Weights are absent, or are not the ones the registry names."""

    exit_status = 5


class StoreError(BenchError):
    """The store cannot be read or written, or another run holds it."""

    exit_status = 6


class RegressionError(BenchError):
    """A number is not what was published."""

    exit_status = 7
