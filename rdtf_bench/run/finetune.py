"""Tuning I2VGen-XL on a folder of stickers, without a protocol: an adapter, samples on the way, and what they cost.

Everything lies in one folder, so that the same call goes on where it was stopped.
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml

from rdtf_bench import catalog
from rdtf_bench.core.errors import DataError, ProtocolError, StoreError, unknown_name
from rdtf_bench.core.method import Method, Sampler, Training
from rdtf_bench.core.seeds import generators_for
from rdtf_bench.core.store import Store, key_of, write_text
from rdtf_bench.core.video import VideoU8, to_uint8
from rdtf_bench.run import clips as stored_clips
from rdtf_bench.run.clips import RealClips, StoredTrainingClips
from rdtf_bench.run.datasets import ClipFile
from rdtf_bench.run.fit import typed_config
from rdtf_bench.run.progress import Report, Sink
from rdtf_bench.run.sample import conditions, overwrite_known

DATASET = "asg"
JOB = "finetune"
BASE_ROLES = frozenset({"autoencoder", "text_encoder", "image_encoder", "base"})
SETTINGS, ADAPTER = "finetune.json", "adapter"

OnSamples = Callable[[int, VideoU8, RealClips], None]
"""(steps done, what the method made, the true clips)."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What decides the adapter. The same again goes on, anything else needs another folder."""

    method: str
    options: Mapping[str, Any]
    base: str
    data: str
    size_px: int
    max_frames: int  # of a training sticker
    training: Training
    sampler: Sampler
    num_shown: int  # test clips that samples are made of

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain


@dataclass(frozen=True, kw_only=True)
class Finished:
    adapter: Path
    adapter_bytes: int
    components: dict[str, int]


def methods() -> list[str]:
    """Those that tune the base, and need nothing else."""
    return [name for name in catalog.names("method") if set(catalog.constants("method", name)["ASSETS"]) == BASE_ROLES]


def parse_options(given: Sequence[str]) -> dict[str, Any]:
    """
    >>> parse_options(["motion_rank=8", "places=all"])
    {'motion_rank': 8, 'places': 'all'}
    """
    options = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not separator:
            raise ProtocolError(f"--option {text!r} is not of the form NAME=VALUE, such as motion_rank=8")
        options[name] = yaml.safe_load(value)
    return options


def settings(
    method: str,
    *,
    options: Mapping[str, Any],
    base: str,
    data: Path,
    size_px: int,
    task: str,
    num_frames: int,
    num_steps: int,
    batch_size: int,
    learning_rate: float | None,
    checkpoint_every: int,
    seed: int,
) -> Settings:
    """The rest of the budget is that of the methods' own code; samples are made as the base's pipeline makes them."""
    if method not in methods():
        raise unknown_name("method that tunes I2VGen-XL", method, methods())
    rate = catalog.constants("method", method)["LEARNING_RATE"] if learning_rate is None else learning_rate
    training = Training(
        task=task,
        num_frames=num_frames,
        num_steps=num_steps,
        batch_size=batch_size,
        learning_rate=rate,
        weight_decay=0.01,
        warmup_steps=min(500, num_steps // 10),
        max_grad_norm=1.0,
        ema_decay=0.999,
        checkpoint_every=checkpoint_every,
        seed=seed,
    )
    sampler = Sampler(num_steps=25, timestep_spacing="leading", eta=0.0, guidance_text=9.0, guidance_image=1.0)
    return Settings(
        method=method,
        options=options,
        base=base,
        data=str(data),
        size_px=size_px,
        max_frames=64,
        training=training,
        sampler=sampler,
        num_shown=4,
    )


def finetune(
    settings: Settings,
    out: Path,
    *,
    device: str,
    gradient_checkpointing: bool,
    sample_every: int,
    sink: Sink,
    on_step: Callable[[int, Mapping[str, float]], None],
    on_samples: OnSamples,
) -> Finished:
    """Every fault of base, options and data is named before the first step."""
    place = _device(device)
    method, assets = _build(settings, gradient_checkpointing, place)
    _go_on_or_refuse(settings, out)
    train, shown = _choose(settings, out)
    clips = _prepare(settings, train, assets, out, device=place, sink=sink)
    real = _decode(settings, shown)
    report = Report(sink, JOB, "training")

    def after_step(step: int, measured: dict[str, float]) -> None:
        on_step(step, measured)
        report.advance(step + 1, settings.training.num_steps)
        if (step + 1) % sample_every == 0 and step + 1 < settings.training.num_steps:
            on_samples(step + 1, _sample(method, settings, real), real)

    folder = out / ADAPTER
    if folder.is_dir():
        method.load(folder)
    else:
        checkpoints = out / "checkpoints"
        checkpoints.mkdir(exist_ok=True)
        method.fit(clips, settings.training, folder=checkpoints, on_step=after_step)
        _save(method, folder)
    on_samples(settings.training.num_steps, _sample(method, settings, real), real)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Finished(adapter=folder, adapter_bytes=size, components=method.parameter_counts())


def _go_on_or_refuse(settings: Settings, out: Path) -> None:
    given = settings.as_dict()
    path = out / SETTINGS
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        if odd := [name for name in given if before.get(name) != given[name]]:
            told = "; ".join(f"{name} was {before.get(name)!r}, is {given[name]!r}" for name in odd)
            raise StoreError(f"{out}: holds another training: {told}. Give the same again, or another folder: --out")
    out.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(given, indent=1, sort_keys=True) + "\n")


def _save(method: Method, folder: Path) -> None:
    """Whole or not at all."""
    half_written = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(half_written, ignore_errors=True)
    half_written.mkdir()
    method.save(half_written)
    half_written.replace(folder)


def _device(name: str) -> torch.device:
    if name not in ("cpu", "cuda"):
        raise unknown_name("device", name, ("cpu", "cuda"))
    if name == "cuda" and not torch.cuda.is_available():
        raise ProtocolError("--device cuda: torch sees no GPU here. Install its CUDA build, or take --device cpu")
    return torch.device(name)


def _build(settings: Settings, gradient_checkpointing: bool, device: torch.device) -> tuple[Method, Mapping[str, Path]]:
    module = catalog.load("method", settings.method)
    options = {**settings.options, "gradient_checkpointing": gradient_checkpointing}
    config = typed_config("method", settings.method, options, "finetune")
    if config.variant != "faithful":
        raise ProtocolError(
            "finetune: option variant: the faithful methods alone are tuned. For the released ones: rdtf-bench run "
            "table1-released-baselines"
        )
    hub = catalog.load("hub", "i2vgen-xl")
    assets: Mapping[str, Path] = hub.parts_of(hub.find_base(settings.base))
    return module.build(config, assets=assets, device=device), assets


def _choose(settings: Settings, out: Path) -> tuple[Sequence[ClipFile], Sequence[ClipFile]]:
    """The training split, and some clips of the test split to show what has been learnt."""
    data = catalog.load("dataset", DATASET)
    folder = data.read(data.prepare(settings.data, store=out), name=DATASET, cache=out / "indexes")
    folder.require_unbroken(skip_broken=False)
    fewest = settings.training.num_frames
    train = data.choose(folder.clips, split="train", min_frames=2).clips
    shown = data.choose(folder.clips, split="test", most=settings.num_shown, min_frames=fewest).clips
    for split, chosen in (("train", train), ("test", shown)):
        if not chosen:
            raise DataError(
                f"{settings.data}: the {split} split has no usable animation (test clips need {fewest} frames). Add "
                "some, or say in a split column of the metadata file which ones they are."
            )
    return tuple(map(_file, train)), tuple(map(_file, shown))


def _file(clip: Any) -> ClipFile:
    return ClipFile(id=clip.id, path=clip.path, caption=clip.caption, cluster=clip.cluster)


def _prepare(
    settings: Settings,
    train: Sequence[ClipFile],
    assets: Mapping[str, Path],
    out: Path,
    *,
    device: torch.device,
    sink: Sink,
) -> StoredTrainingClips:
    store = Store(out / "prepared")
    key = key_of({"clips": [clip.id for clip in train], "size_px": settings.size_px, "max": settings.max_frames})
    write_frames = partial(
        stored_clips.write_training_frames,
        dataset=DATASET,
        clips=train,
        max_frames=settings.max_frames,
        size_px=settings.size_px,
        report=Report(sink, JOB, "decoding"),
    )
    frames = store.make("frames", key, write_frames)
    write_latents = partial(
        stored_clips.write_latents,
        frames_folder=frames,
        autoencoder=assets["autoencoder"],
        device=device,
        report=Report(sink, JOB, "encoding"),
    )
    return StoredTrainingClips(frames, store.make("latents", key, write_latents), None)


def _decode(settings: Settings, shown: Sequence[ClipFile]) -> RealClips:
    data = catalog.load("dataset", DATASET)
    num_frames, size_px = settings.training.num_frames, settings.size_px
    video = torch.stack([data.clip_frames(clip.path, num_frames=num_frames, size_px=size_px) for clip in shown])
    return RealClips(
        ids=tuple(clip.id for clip in shown),
        captions=tuple(clip.caption for clip in shown),
        video=video,
    )


def _sample(method: Method, settings: Settings, real: RealClips) -> VideoU8:
    """With the weights as they are now, not their moving average; at the end with that."""
    task = settings.training.task
    given = conditions(real, task, slice(None))
    generators = generators_for(settings.training.seed, given.clip_ids, "sample")
    video = method.generate(given, generators, settings.sampler).cpu()
    return to_uint8(video if task in ("it2v", "i2v") else overwrite_known(video, given))
