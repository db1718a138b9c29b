"""Ends a run when a signal asks for it, as schedulers of clusters do before a job's time is over. Imports no torch.

The driver turns the signal into an exception. Workers end at once, except that a training finishes its step and saves a
checkpoint first.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from rdtf_bench.core.errors import Stopped

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
"""Signals that ask a run to stop: that of `kill`, and the warning of Slurm's `--signal=USR1@SECONDS`."""


@contextmanager
def on_signals() -> Iterator[None]:
    """Raise Stopped in the block when a signal asks the run to stop. For the main thread of the driver."""

    def stop(number: int, _: FrameType | None) -> None:
        raise Stopped(
            f"stopped by {signal.Signals(number).name}. What is finished is kept, and trainings have saved "
            "checkpoints; the same command continues from there."
        )

    with _handled_by(stop, SIGNALS):
        yield


@contextmanager
def after_step() -> Iterator[Callable[[], None]]:
    """Yield a function that raises Stopped once a signal has arrived; in the block, signals do nothing else."""
    arrived = False

    def note(_: int, __: FrameType | None) -> None:
        nonlocal arrived
        arrived = True

    def check() -> None:
        if arrived:
            raise Stopped("the training was asked to stop, and has saved a checkpoint. The same command continues it.")

    with _handled_by(note, SIGNALS):
        yield check


def ignore_in_worker() -> None:
    """Leave Ctrl-C and the warning of a scheduler to the driver, which ends its workers with SIGTERM."""
    for number in (signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)


def ignore() -> None:
    """Ignore every signal that asks a run to stop. For processes that the driver ends by a message."""
    for number in (signal.SIGINT, *SIGNALS):
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def _handled_by(
    handler: Callable[[int, FrameType | None], None], numbers: tuple[signal.Signals, ...]
) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # Python handles signals in the main thread alone
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
