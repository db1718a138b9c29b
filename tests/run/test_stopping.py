"""What signals do to the driver and to a training."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from rdtf_bench.core.errors import Stopped
from rdtf_bench.run import stopping


@pytest.mark.parametrize("number", stopping.SIGNALS)
def test_a_signal_stops_the_driver_and_says_how_to_go_on(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Stopped, match=rf"stopped by {number.name}.*the same command continues"), stopping.on_signals():
        signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_a_training_is_asked_to_stop_and_decides_when() -> None:
    with stopping.after_step() as check:
        check()
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Stopped, match="has saved a checkpoint"):
            check()


def test_a_run_in_another_thread_leaves_signals_to_the_main_one() -> None:
    before = signal.getsignal(signal.SIGTERM)

    def run() -> object:
        with stopping.on_signals(), stopping.after_step() as check:
            check()
            return signal.getsignal(signal.SIGTERM)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(run).result() is before


@pytest.mark.parametrize(("prepare", "number"), [("ignore_in_worker", "SIGUSR1"), ("ignore", "SIGTERM")])
def test_processes_of_a_run_leave_signals_to_the_driver(prepare: str, number: str) -> None:
    code = (
        f"import signal; from rdtf_bench.run import stopping; stopping.{prepare}(); "
        f"signal.raise_signal(signal.{number}); print('goes on')"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "goes on\n"
