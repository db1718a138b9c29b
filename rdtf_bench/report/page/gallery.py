"""The clips of a finished table as sprites: one prompt is one row, across the real clip, the methods and controls."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rdtf_bench.core.store import Store
from rdtf_bench.report.page.clips import Sprite, sprite
from rdtf_bench.spec.plan import Cell

if TYPE_CHECKING:
    from rdtf_bench.core.video import VideoU8
    from rdtf_bench.run.inputs.clips import RealClips

TRUTH = "real clip"
MOST_PROMPTS = 200
MOST_BYTES = 20_000_000
"""Limit of all sprites of a page, as data URIs. The whole page then stays below 25 MB."""
NOT_SHOWN = ("real", "other_real_clips")
"""Controls without clips of their own for these prompts: the first is the real clip that every row shows."""

Kind = Literal["truth", "method", "control"]
OnProgress = Callable[[int, int], None]
"""Called with the number of prompts that are done and of all."""


def silent(done: int, total: int) -> None:
    """Show no progress."""
    del done, total


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The clip of one row of the table for one prompt."""

    label: str
    kind: Kind
    sprite: Sprite


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """One test clip with what every row made of it."""

    place: int  # in the order of the test clips
    clip_id: str
    caption: str
    known: tuple[int, ...]  # 1 for each frame that was given
    clips: tuple[Shown, ...]


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """The prompts that a page shows. `absent` names the rows whose clips the store lacks."""

    prompts: tuple[Prompt, ...]
    num_clips: int  # of the test split
    num_frames: int
    absent: tuple[str, ...]


def real_clips(cells: Sequence[Cell], store: Store) -> "RealClips | None":
    """Return the test clips of a table; None where the store does not hold them."""
    from rdtf_bench.run.inputs.clips import read_clips

    key = cells[0].sample.real.key
    return read_clips(store.path("clips", key)) if store.has("clips", key) else None


def gallery(
    cells: Sequence[Cell], real: "RealClips", store: Store, *, task: str, on_progress: OnProgress = silent
) -> Gallery:
    """Return the sprites of these cells, which must have one seed, for at most `MOST_PROMPTS` prompts."""
    from rdtf_bench.run.table.sample import read_samples

    shown = [cell for cell in cells if cell.method not in NOT_SHOWN]
    held = [cell for cell in shown if store.has("samples", cell.sample_key)]
    videos: dict[str, tuple[Kind, VideoU8]] = {TRUTH: ("truth", real.video)}
    for cell in held:
        kind: Kind = "control" if cell.is_control else "method"
        videos[cell.label] = (kind, read_samples(store.path("samples", cell.sample_key)))
    prompts, places = [], spread(len(real.ids), MOST_PROMPTS)
    for place in places:
        prompts.append(_prompt(place, real, videos, task))
        on_progress(len(prompts), len(places))
    return Gallery(
        prompts=tuple(within(prompts, MOST_BYTES)),
        num_clips=len(real.ids),
        num_frames=real.video.shape[1],
        absent=tuple(cell.label for cell in shown if cell not in held),
    )


def spread(count: int, most: int) -> list[int]:
    """Return at most `most` of the numbers below `count`, at equal intervals.

    >>> spread(3, 5), spread(10, 4)
    ([0, 1, 2], [0, 2, 5, 7])
    """
    chosen = min(count, most)
    return [place * count // chosen for place in range(chosen)]


def within(prompts: Sequence[Prompt], most_bytes: int) -> list[Prompt]:
    """Return all prompts if their sprites have at most `most_bytes`, and else as many at equal intervals as fit."""
    sizes = [sum(len(clip.sprite.uri) for clip in prompt.clips) for prompt in prompts]
    most = len(prompts)
    while most > 1 and sum(sizes[place] for place in spread(len(prompts), most)) > most_bytes:
        most -= 1
    return [prompts[place] for place in spread(len(prompts), most)]


def _prompt(place: int, real: "RealClips", videos: "Mapping[str, tuple[Kind, VideoU8]]", task: str) -> Prompt:
    from rdtf_bench.diffusion.masks import task_named

    return Prompt(
        place=place,
        clip_id=real.ids[place],
        caption=real.captions[place],
        known=task_named(task).mask_of(place, real.video.shape[1]),
        clips=tuple(_shown(place, videos)),
    )


def _shown(place: int, videos: "Mapping[str, tuple[Kind, VideoU8]]") -> Iterator[Shown]:
    for label, (kind, video) in videos.items():
        if place < len(video):
            yield Shown(label=label, kind=kind, sprite=sprite(video[place].numpy()))
