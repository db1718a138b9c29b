"""Draws the clips of an arena from the samples of a table, and the order in which raters see them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import UInt8
from torch import Tensor

from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.core.store import key_of
from rdtf_bench.core.video import VideoU8, to_uint8
from rdtf_bench.diffusion.masks import task_named
from rdtf_bench.run.arena.plan import PlannedArena
from rdtf_bench.run.arena.study import Arena, RankedClip
from rdtf_bench.run.inputs.clips import RealClips, read_clips
from rdtf_bench.run.table.sample import conditions, read_samples

Frames = UInt8[Tensor, "F C H W"]
KnownFrames = UInt8[Tensor, "K C H W"]
"""The frames of a clip that the methods were given (K)."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One ranking that a rater makes. `order` has the keys of the clips from left to right."""

    clip: str
    criterion: str
    order: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Material:
    """What the page of an arena shows."""

    arena: Arena
    questions: tuple[Question, ...]
    clips: Mapping[str, Frames]  # by key
    known: Mapping[str, KnownFrames]  # by the clip's id


def draw(planned: PlannedArena, *, num_clips: int, seed: int) -> Material:
    """Draw the clips of an arena, and the order of the rows for each clip and criterion.

    Raises StoreError if the store lacks the samples of a row, ProtocolError if there are fewer test clips.
    """
    planned.require_samples()
    real = read_clips(planned.store.path("clips", planned.real_key))
    if num_clips > len(real.ids):
        raise ProtocolError(f"--clips {num_clips}: there are {len(real.ids)} test clips. Choose at most so many.")
    places = torch.randperm(len(real.ids), generator=generator_for("arena", seed))[:num_clips].tolist()
    keys: dict[int, dict[str, str]] = {place: {} for place in places}
    by_key: dict[str, Frames] = {}
    for label, sample_key in planned.samples.items():
        video = read_samples(planned.store.path("samples", sample_key))
        for place in places:
            key = _key_of(video[place], seed, real.ids[place], label)
            keys[place][label], by_key[key] = key, video[place].clone()  # else all clips of the row stay in memory
    arena = _arena(planned, real, keys, seed)
    known = {real.ids[place]: _known_frames(real, planned.table.task, place) for place in places}
    return Material(arena=arena, questions=_questions(arena), clips=by_key, known=known)


def _arena(planned: PlannedArena, real: RealClips, keys: Mapping[int, dict[str, str]], seed: int) -> Arena:
    """Return the arena of the test clips at these places, each with its keys by row."""
    uses_text = task_named(planned.table.task).uses_text
    return Arena(
        format=1,
        table=planned.table.name,
        scale=planned.scale.name,
        dataset=planned.table.dataset,
        seed=seed,
        criteria=tuple(one for one in planned.spec.criteria if uses_text or not one.about_text),
        samples=planned.samples,
        clips=tuple(
            RankedClip(id=real.ids[place], caption=real.captions[place] if uses_text else "", keys=of_clip)
            for place, of_clip in keys.items()
        ),
    )


def _questions(arena: Arena) -> tuple[Question, ...]:
    """Return all criteria of the first clip, then those of the second one, and so on."""
    return tuple(
        Question(clip=clip.id, criterion=criterion.name, order=_shuffled(clip, criterion.name, arena.seed))
        for clip in arena.clips
        for criterion in arena.criteria
    )


def _shuffled(clip: RankedClip, criterion: str, seed: int) -> tuple[str, ...]:
    keys = list(clip.keys.values())
    order = torch.randperm(len(keys), generator=generator_for("arena order", seed, clip.id, criterion))
    return tuple(keys[place] for place in order.tolist())


def _key_of(frames: Frames, seed: int, clip_id: str, label: str) -> str:
    pixels = hashlib.sha256(frames.contiguous().numpy().tobytes()).hexdigest()
    return key_of([seed, clip_id, label, pixels])


def _known_frames(real: RealClips, task: str, place: int) -> KnownFrames:
    given = conditions(real, task, slice(place, place + 1))
    frames: VideoU8 = to_uint8(given.frames)
    return frames[0][given.known[0].bool()]
