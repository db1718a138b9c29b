"""Fine-tune I2VGen-XL on a folder of stickers, without a protocol: an adapter, and samples during training.

Everything is kept in one folder, so that repeating the call resumes a stopped training.
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from rdtf_bench import catalog
from rdtf_bench.assets import registry
from rdtf_bench.assets.official import OFFICIAL
from rdtf_bench.core.dataset import Clip
from rdtf_bench.core.errors import DataError, DeviceError, ProtocolError, StoreError, unknown_name
from rdtf_bench.core.method import Method, Sampler, Training
from rdtf_bench.core.seeds import generators_for
from rdtf_bench.core.store import Store, write_text, written_whole
from rdtf_bench.core.video import VideoU8, to_uint8
from rdtf_bench.diffusion.masks import TASKS, task_named
from rdtf_bench.run import stopping
from rdtf_bench.run.build.modules import typed_config
from rdtf_bench.run.inputs.clips import RealClips, decoded
from rdtf_bench.run.inputs.shards import Networks, StoredTrainingClips, make_shard
from rdtf_bench.run.inputs.training_set import training_set, write_list
from rdtf_bench.run.progress import Report, Sink
from rdtf_bench.run.record import flat
from rdtf_bench.run.table.fit import TrainingLog
from rdtf_bench.run.table.sample import conditions, overwrite_known
from rdtf_bench.spec.identities import TrainingSetIdentity
from rdtf_bench.spec.schema import ClipShape

DATASET = "asg"
JOB = "finetune"
BASE_ROLES = frozenset({"autoencoder", "text_encoder", "image_encoder", "base"})
SETTINGS, ADAPTER, LOG = "finetune.json", "adapter", "log.jsonl"
CELL_PX = 8  # of a latent: I2VGen-XL's autoencoder halves three times

OnSamples = Callable[[int, VideoU8, RealClips], None]
"""Called with the number of finished steps, the generated clips and the real clips."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that decides the adapter. Equal settings resume a training; other settings need another folder."""

    method: str
    options: Mapping[str, object]
    base: str
    data: str
    size_px: int
    max_frames: int  # of a training sticker
    training: Training
    sampler: Sampler
    num_shown: int  # clips that samples are made of

    def as_dict(self) -> dict[str, object]:
        """Return the settings as plain values of JSON."""
        plain: dict[str, object] = json.loads(json.dumps(asdict(self)))
        return plain


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The training clips, and some clips from whose conditions samples are generated."""

    train: Sequence[Clip]
    shown: Sequence[Clip]
    shown_split: str  # "test", or "train" where that has none that is long enough
    root: Path  # of the data folder
    fingerprint: str  # of what is trained on: ids, bytes and captions
    left_out: str  # what of the folder is not used, in words


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What a finished fine-tuning has left."""

    adapter: Path
    adapter_bytes: int
    components: dict[str, int]
    shown_split: str  # whose clips the samples are of
    left_out: str  # what of the data folder was not used, in words


def methods() -> list[str]:
    """Return the methods that tune the base and need no other network."""
    return [name for name in catalog.names("method") if set(catalog.constants("method", name)["ASSETS"]) == BASE_ROLES]


def settings(
    method: str,
    *,
    options: Mapping[str, object],
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
    """Check and complete the settings.

    The rest of the budget is the same for all methods; samples are generated as the base's own pipeline does it.
    """
    if method not in methods():
        raise unknown_name("method that tunes I2VGen-XL", method, methods())
    tasks = [name for name, kind in TASKS.items() if all(map(any, kind.trained(num_frames)))]
    if task not in tasks:
        raise unknown_name("task that gives a frame", task, tasks)
    if size_px % CELL_PX:
        raise ProtocolError(f"size: {size_px} px is not a multiple of {CELL_PX}, as the autoencoder's latents need it")
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
    device: str | None,
    gradient_checkpointing: bool,
    skip_broken: bool,
    sample_every: int,
    sink: Sink,
    on_step: Callable[[int, Mapping[str, float]], None],
    on_samples: OnSamples,
) -> Finished:
    """Train the adapter, or load the finished one.

    Faults of base, options and data are reported before the first step. `device` is cpu or cuda; None takes a GPU if
    there is one. A signal that asks the training to stop ends it after a step with a checkpoint.
    """
    place, config = _device(device), _config(settings)
    chosen = _choose(settings, out, skip_broken=skip_broken, sink=sink)
    assets, fingerprint = _find_base(settings)
    asked = {**settings.as_dict(), "base_fingerprint": fingerprint, "data_fingerprint": chosen.fingerprint}
    _refuse_another(asked, out)
    method: Method = catalog.load("method", settings.method).build(config, assets=assets, device=place)
    write_text(out / SETTINGS, json.dumps(asked, indent=1, sort_keys=True) + "\n")
    clips = _prepare(settings, chosen, assets, fingerprint, out, device=place, sink=sink)
    shape = ClipShape(num_frames=settings.training.num_frames, size_px=settings.size_px)
    real = decoded(chosen.shown, shape)
    report = Report(sink, JOB, "training")
    num_steps = settings.training.num_steps

    def after_step(step: int, measured: Mapping[str, float], log: TrainingLog, check: Callable[[], None]) -> None:
        on_step(step, measured)
        log.add(step, measured)
        check()
        if (step + 1) % sample_every == 0 and step + 1 < num_steps:
            on_samples(step + 1, _sample(method, settings, real), real)

    folder = out / ADAPTER
    if folder.is_dir():
        method.load(folder)
    else:
        training = replace(settings.training, gradient_checkpointing=gradient_checkpointing)
        with stopping.after_step() as check, closing(TrainingLog(out / LOG, num_steps, report)) as log:
            _train(method, clips, training, out, on_step=partial(after_step, log=log, check=check))
    on_samples(num_steps, _sample(method, settings, real), real)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Finished(
        adapter=folder,
        adapter_bytes=size,
        components=method.parameter_counts(),
        shown_split=chosen.shown_split,
        left_out=chosen.left_out,
    )


def _train(
    method: Method,
    clips: StoredTrainingClips,
    training: Training,
    out: Path,
    *,
    on_step: Callable[[int, dict[str, float]], None],
) -> None:
    """Train the method, from the last checkpoint on, and write the adapter."""
    checkpoints = out / "checkpoints"
    checkpoints.mkdir(exist_ok=True)
    method.fit(clips, training, folder=checkpoints, on_step=on_step)
    with written_whole(out / ADAPTER) as making:
        making.mkdir()
        method.save(making)
    shutil.rmtree(checkpoints)


def _refuse_another(given: Mapping[str, object], out: Path) -> None:
    """Raise StoreError if the folder holds a training with other settings."""
    path = out / SETTINGS
    if path.is_file():
        before, now = flat(json.loads(path.read_text(encoding="utf-8"))), flat(given)
        if odd := [name for name in {**now, **before} if before.get(name) != now.get(name)]:
            told = "; ".join(f"{name} was {before.get(name)!r}, is {now.get(name)!r}" for name in odd)
            raise StoreError(f"{out}: holds another training: {told}. Give the same again, or another folder: --out")


def _device(name: str | None) -> torch.device:
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name not in ("cpu", "cuda"):
        raise unknown_name("device", name, ("cpu", "cuda"))
    if name == "cuda" and not torch.cuda.is_available():
        raise DeviceError("--device cuda: torch sees no GPU here. Install its CUDA build, or take --device cpu")
    return torch.device(name)


def _config(settings: Settings) -> Any:
    config = typed_config("method", settings.method, settings.options, "finetune")
    if config.variant != "faithful":
        raise ProtocolError(
            "finetune: option variant: the faithful methods alone are tuned. For the released ones: rdtf-bench run "
            "table1-released-baselines"
        )
    return config


def _find_base(settings: Settings) -> tuple[Mapping[str, Path], str]:
    """Return the folder of each role and one fingerprint of all of them."""
    hub = catalog.load("hub", "i2vgen-xl")
    base = _fetched(settings.base) or hub.find_base(settings.base)
    return hub.parts_of(base), hub.fingerprint(base)


def _fetched(hub_id: str) -> Path | None:
    """Return the folder in which `rdtf-bench assets` keeps all parts of a repository of the hub, if it does."""
    parts = [registry.find(name) for name, asset in OFFICIAL.items() if asset.hub == hub_id]
    whole = next((part for part in parts if not OFFICIAL[part.name].hub_path), None)
    return None if whole is None or any(part.absent() for part in parts) else whole.path


def _choose(settings: Settings, out: Path, *, skip_broken: bool, sink: Sink) -> Chosen:
    data = catalog.load("dataset", DATASET)
    folder = data.read(
        data.prepare(settings.data, store=out),
        name=DATASET,
        cache=out / "indexes",
        on_progress=Report(sink, JOB, "checking").advance,
    )
    folder.require_one_split()
    folder.require_unbroken(skip_broken=skip_broken)
    pick = partial(data.choose, folder.clips)
    train = pick(split="train", min_frames=2).clips
    if not train:
        raise DataError(
            f"{settings.data}: the train split has no animation. Add some, or say in a split column of the metadata "
            "file or by a folder named train which ones they are."
        )
    fewest = settings.training.num_frames
    for split in ("test", "train"):  # a small folder may have no test split
        if shown := pick(split=split, most=settings.num_shown, min_frames=fewest).clips:
            return Chosen(
                train=train,
                shown=shown,
                shown_split=split,
                root=folder.root,
                fingerprint=data.fingerprint(train),
                left_out=folder.left_out(),
            )
    raise DataError(
        f"{settings.data}: has no animation of at least {fewest} frames to make samples of. Add some, or take shorter "
        "clips: --num-frames"
    )


def _prepare(
    settings: Settings,
    chosen: Chosen,
    assets: Mapping[str, Path],
    base_fingerprint: str,
    out: Path,
    *,
    device: torch.device,
    sink: Sink,
) -> StoredTrainingClips:
    """Prepare the training clips; shards that an interrupted call has finished are kept."""
    store = Store(out / "prepared")
    identity = TrainingSetIdentity(
        train=chosen.fingerprint,
        size_px=settings.size_px,
        max_frames=settings.max_frames,
        autoencoder=base_fingerprint,
        frame_features=None,
    )
    training = training_set(identity, chosen.root, len(chosen.train), chosen.train)
    write_list(store, training, chosen.train)
    networks = Networks(autoencoder=assets["autoencoder"], features=None, device=device)
    for shard in training.missing(store):
        stage = f"decoding and encoding, part {shard + 1} of {training.num_shards}"
        make_shard(store, training, shard, networks, Report(sink, JOB, stage))
    return StoredTrainingClips(store, training)


def _sample(method: Method, settings: Settings, real: RealClips) -> VideoU8:
    """Generate samples with the current weights; after the last step these are their moving average."""
    task = settings.training.task
    given = conditions(real, task, slice(None))
    generators = generators_for(settings.training.seed, given.clip_ids, "sample")
    video = method.generate(given, generators, settings.sampler).cpu()
    return to_uint8(video if task_named(task).family == "generation" else overwrite_known(video, given))
