"""Errors that a user can cause, each with its own exit status.

Any other exception is a bug of the package and keeps its traceback. A message names the place and the fault, lists what
is known and says what to do.
"""

import copyreg
import difflib
from collections.abc import Iterable, Sequence

LISTED = 5
"""Number of faults of one kind that a message names."""


def printable(text: str) -> str:
    """Return a text in which everything that is not valid Unicode is escaped, such as half of a surrogate pair.

    Names of files that are not UTF-8 hold such characters, and so may JSON strings.

    >>> print(printable("caf\\udce9.gif"))
    caf\\udce9.gif
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def first_line(fault: BaseException) -> str:
    """Return the first line of an error's message without a full stop, or the name of its class if it has none.

    >>> first_line(OSError()), first_line(ValueError("no such key."))
    ('OSError', 'no such key')
    """
    return (str(fault).strip() or type(fault).__name__).splitlines()[0].rstrip(".")


class BenchError(Exception):
    """Base class of all errors that a user can cause. Its message can always be printed."""

    exit_status = 1

    def __init__(self, message: str) -> None:
        """Escape what cannot be printed in the message."""
        super().__init__(printable(message))

    def __reduce__(self) -> tuple[object, ...]:
        """Cross from process to process whatever the arguments of a subclass are: Python would pass it the message."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class ProtocolError(BenchError):
    """A protocol or scale file is wrong, or names something that does not exist.

    Click exits with 2 for wrong flags as well.
    """

    exit_status = 2


class UnknownNameError(ProtocolError):
    """A name is not among the known ones."""


class InputError(BenchError, ValueError):
    """An input does not fit the model, such as a mask whose length differs from the clip's."""

    exit_status = 2


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """Return the error for an unknown name; its message suggests the closest known name."""
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
    """Weights are absent, or are not those that the registry names."""

    exit_status = 5


class StoreError(BenchError):
    """The store cannot be read or written, or another run holds it."""

    exit_status = 6


DISK_IS_FULL = ("No space left on device", "Disk quota exceeded")


def is_disk_full(fault: BaseException) -> bool:
    """Tell whether an error, or one that led to it, says that the disk is full. Libraries wrap that in their own."""
    seen: list[BaseException] = []
    error: BaseException | None = fault
    while error is not None and error not in seen:
        seen.append(error)
        error = error.__cause__ or error.__context__
    return any(words in str(error) for error in seen for words in DISK_IS_FULL)


class RegressionError(BenchError):
    """A number differs from the published one."""

    exit_status = 7


class CheckError(BenchError):
    """A check of this machine found that something cannot run here."""

    exit_status = 7


class TrackingError(BenchError):
    """MLflow cannot be used. Results never depend on it, so this is no fault of the store, and no number is lost."""

    exit_status = 8


class DeviceError(BenchError):
    """The device is absent, there are too few of them, or its memory is full."""

    exit_status = 9


class SamplingError(BenchError):
    """A method made clips that are no videos, because their values are not finite."""

    exit_status = 10


class DivergedError(BenchError):
    """A training has diverged: its loss is not a finite number, and neither are its weights from then on."""

    exit_status = 10


class Stopped(BenchError):
    """A signal asked the run to stop. What is finished is kept, and trainings have saved checkpoints.

    The exit status is that of a failure for the time being (EX_TEMPFAIL of sysexits.h): the same command continues.
    """

    exit_status = 75
