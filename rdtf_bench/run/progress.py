"""Progress of a run: workers send events, and the parent draws bars on a terminal and plain lines elsewhere."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, runtime_checkable

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

MIN_INTERVAL_S = 0.2
PLAIN_SHARE = 0.25  # without a terminal, one line is printed per quarter of a job
STEP = "step"
"""The stage of a training, which counts for the time that is left while it runs; all other jobs count when done."""
PRIOR_SHARE = 0.05  # the expected seconds weigh as much as if this share of the run had confirmed them


@dataclass(frozen=True)
class Event:
    """`done` of `total` units of one stage of a job."""

    job: str
    stage: str
    done: int
    total: int


@runtime_checkable
class Sink(Protocol):
    """Receiver of events."""

    def put(self, event: Event) -> None:
        """Take in the next event of a job."""
        ...


class Report:
    """Progress of one stage of a job. Events are sent at most every MIN_INTERVAL_S, and always at the end."""

    def __init__(self, sink: Sink, job: str, stage: str) -> None:
        self._sink, self._job, self._stage = sink, job, stage
        self._last_s = 0.0

    def advance(self, done: int, total: int) -> None:
        """Tell how much of the stage is done, if the last event is old enough or all of it is done."""
        now = time.monotonic()
        if done >= total or now - self._last_s >= MIN_INTERVAL_S:
            self._last_s = now
            self._sink.put(Event(self._job, self._stage, done, total))


class Silent:
    """A sink that drops every event."""

    def put(self, event: Event) -> None:
        del event


class Display:
    """Draws the events of all jobs, and the progress of the whole run in the expected seconds of its jobs.

    Up to `workers` jobs run at the same time.
    """

    def __init__(self, console: Console, expected_s: Mapping[str, float], *, quiet: bool, workers: int = 1) -> None:
        self._console = console
        self._expected_s = dict(expected_s)
        self._workers = workers
        self._share_found: dict[str, float] = {}  # a training that goes on from a checkpoint does not begin at 0
        self._share_done: dict[str, float] = {}
        self._said: dict[tuple[str, str], float] = {}
        self._bars: dict[str, TaskID] = {}
        self._began_s = time.monotonic()
        self._quiet = quiet
        self._live = None if quiet or not console.is_terminal else _bars(console)

    def __enter__(self) -> "Display":
        if self._live is not None:
            self._live.start()
            self._whole = self._live.add_task("everything", total=sum(self._expected_s.values()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def put(self, event: Event) -> None:
        if event.stage == STEP and event.job in self._expected_s:
            self._share_done[event.job] = event.done / event.total
            self._share_found.setdefault(event.job, (event.done - 1) / event.total)
        if self._live is not None:
            self._draw(self._live, event)
        elif not self._quiet:
            self._say(event)

    def note(self, text: str) -> None:
        """Say something that is no progress."""
        console = self._console if self._live is None else self._live.console
        if not self._quiet:
            console.print(f"{self._clock()} {text}", highlight=False, markup=False)

    def finished(self, job: str) -> None:
        """Count the job as done and say so."""
        self._share_done[job] = 1.0
        if self._live is not None:
            if job in self._bars:
                self._live.update(self._bars.pop(job), visible=False)
            self._live.update(self._whole, completed=self._completed_s())
            self._live.console.print(f"[green]done[/green]  {job}")
        elif not self._quiet:
            self._console.print(f"{self._clock()} {job}: done{self._left()}", highlight=False)

    def _draw(self, live: Progress, event: Event) -> None:
        if event.job not in self._bars:
            self._bars[event.job] = live.add_task(event.job, total=event.total)
        live.update(
            self._bars[event.job],
            description=f"{event.job}: {event.stage}",
            completed=event.done,
            total=event.total,
        )
        live.update(self._whole, completed=self._completed_s())

    def _say(self, event: Event) -> None:
        share = event.done / event.total
        if share >= self._said.get((event.job, event.stage), 0.0) + PLAIN_SHARE:
            self._said[event.job, event.stage] = share
            line = f"{self._clock()} {event.job}: {event.stage} {event.done}/{event.total}"
            left = self._left() if event.stage == STEP else ""
            self._console.print(line + left, highlight=False)

    def _completed_s(self) -> float:
        return self._expected(self._share_done)

    def _left(self) -> str:
        """Say how long the rest of the run takes if it goes on as before.

        At first little has been seen, and a short job that took long says nothing of the trainings. So the expected
        seconds count as a part of what has been seen.
        """
        all_s, completed_s = sum(self._expected_s.values()), self._completed_s()
        if completed_s >= all_s:
            return ""
        seen_s, prior_s = completed_s - self._expected(self._share_found), PRIOR_SHARE * all_s
        took_s = time.monotonic() - self._began_s + prior_s / self._workers
        return f", about {_minutes(took_s / (seen_s + prior_s) * (all_s - completed_s))} left"

    def _expected(self, shares: Mapping[str, float]) -> float:
        """Return the expected seconds of these shares of the jobs."""
        return sum(expected_s * shares.get(job, 0.0) for job, expected_s in self._expected_s.items())

    def _clock(self) -> str:
        return f"[{_minutes(time.monotonic() - self._began_s)}]"


class _Rate(ProgressColumn):
    """Units per second, such as clips or steps."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.1f}/s")


def _minutes(seconds: float) -> str:
    return "{:02d}:{:02d}".format(*divmod(int(seconds), 60))


def _bars(console: Console) -> Progress:
    columns: tuple[ProgressColumn, ...] = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, expand=True)
