"""What is told of running jobs, with and without a terminal."""

import io
import re
import time

import pytest
from rich.console import Console

from rdtf_bench.run.progress import Display, Event, Report, Silent

EXPECTED_S = {"train": 30.0, "score": 10.0}


class Listening:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def put(self, event: Event) -> None:
        self.events.append(event)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, as a list of one number that a test changes."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def console(*, terminal: bool) -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    return Console(file=written, force_terminal=terminal, width=100, color_system=None), written


def test_a_report_is_throttled_but_tells_the_end(clock: list[float]) -> None:
    sink = Listening()
    report = Report(sink, "train", "step")
    for step in range(1, 11):
        clock[0] += 0.125  # exact in binary; an event may be sent every 0.2 s
        report.advance(step, 10)
    assert [event.done for event in sink.events] == [1, 3, 5, 7, 9, 10]
    assert sink.events[-1] == Event("train", "step", 10, 10)


def test_without_a_terminal_a_line_is_printed_per_quarter_of_a_stage(clock: list[float]) -> None:
    at, written = console(terminal=False)
    with Display(at, EXPECTED_S, quiet=False) as display:
        for done in range(1, 9):
            clock[0] += 61
            display.put(Event("score", "vqa", done, 8))
        display.put(Event("score", "clip", 1, 1))
        display.finished("score")
    assert written.getvalue().splitlines() == [
        "[02:02] score: vqa 2/8",
        "[04:04] score: vqa 4/8",
        "[06:06] score: vqa 6/8",
        "[08:08] score: vqa 8/8",
        "[08:08] score: clip 1/1",
        "[08:08] score: done, about 20:25 left",  # 490 s for 10 of the expected 40 s and 2 on trust: 1225 s for 30
    ]


def test_a_training_tells_the_time_that_is_left(clock: list[float]) -> None:
    at, written = console(terminal=False)
    with Display(at, {"train A": 3600.0, "train B": 3600.0}, quiet=False, workers=2) as display:
        for done in (1, 200):
            display.put(Event("train A", "step", done, 800))
            display.put(Event("train B", "step", done, 800))
            clock[0] += 1800 if done == 1 else 0
    # A quarter took 1800 s instead of 900. With 180 s as expected: 1980 s for 1080, so 4950 s for the other 2700.
    assert written.getvalue().splitlines()[-1] == "[30:00] train B: step 200/800, about 82:30 left"


def test_a_short_job_that_takes_long_says_little_of_the_trainings(clock: list[float]) -> None:
    at, written = console(terminal=False)
    with Display(at, {"real clips": 4.0, "train": 3600.0}, quiet=False) as display:
        clock[0] += 40
        display.finished("real clips")
    assert written.getvalue().splitlines() == ["[00:40] real clips: done, about 71:43 left"]


def test_jobs_that_take_what_was_expected_leave_what_was_expected(clock: list[float]) -> None:
    at, written = console(terminal=False)
    with Display(at, {f"control {i}": 100.0 for i in range(4)}, quiet=False) as display:
        for i in range(4):
            clock[0] += 100
            display.put(Event(f"control {i}", "making", 1, 1))
            display.finished(f"control {i}")
    left = [line.partition("about ")[2] for line in written.getvalue().splitlines() if "done" in line]
    assert left == ["05:00 left", "03:20 left", "01:40 left", ""]


def test_a_training_that_goes_on_counts_only_the_steps_since(clock: list[float]) -> None:
    at, written = console(terminal=False)
    with Display(at, {"train": 1000.0}, quiet=False) as display:
        for done in (501, 760):
            clock[0] += 125
            display.put(Event("train", "step", done, 1000))
    assert written.getvalue().splitlines()[-1].endswith("train: step 760/1000, about 03:52 left")


@pytest.mark.parametrize("terminal", [True, False])
def test_quiet_prints_nothing(terminal: bool) -> None:
    at, written = console(terminal=terminal)
    with Display(at, EXPECTED_S, quiet=True) as display:
        display.put(Event("train", "step", 8, 8))
        display.finished("train")
    assert written.getvalue() == ""


def test_a_terminal_shows_bars_and_the_share_of_the_expected_time() -> None:
    at, written = console(terminal=True)
    with Display(at, EXPECTED_S, quiet=False) as display:
        display.put(Event("train", "step", 3, 8))
        assert display._completed_s() == 11.25  # a job that runs counts as far as it has come
        display.finished("train")
        assert display._completed_s() == 30.0
        display.finished("score")  # a job that sent no event
        assert display._completed_s() == 40.0
    assert "done  train" in written.getvalue()
    assert "40/40" in written.getvalue()


def test_a_bar_tells_its_rate() -> None:
    at, written = console(terminal=True)
    with Display(at, EXPECTED_S, quiet=False) as display:
        assert display._live is not None
        display._live.get_time = iter(range(1000)).__next__  # a second for each look at the clock
        for done in range(1, 9):
            display.put(Event("train", "step", done, 8))
        display._live.refresh()
    assert re.search(r"8/8 +\d\.\d/s", written.getvalue())


def test_a_silent_sink_takes_any_event() -> None:
    Report(Silent(), "train", "step").advance(1, 1)
