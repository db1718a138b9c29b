"""Generate one animated sticker with a trained RDTF from a store or from a folder that `save_pretrained` wrote."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from rdtf_bench import catalog
from rdtf_bench.assets import registry
from rdtf_bench.core.errors import InputError, StoreError
from rdtf_bench.core.leases import Leases
from rdtf_bench.core.method import Sampler
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.core.store import Store, written_whole
from rdtf_bench.data.reading import decode
from rdtf_bench.run.build.modules import build, device_of
from rdtf_bench.run.process import be_quiet
from rdtf_bench.run.protocols import load_table
from rdtf_bench.run.table import shipped
from rdtf_bench.run.table.context import cells_of, find_assets
from rdtf_bench.run.table.finished import weights_of
from rdtf_bench.spec.command import command, data_option
from rdtf_bench.spec.identities import TrainedSamples
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import TableSpec

METHOD = "rdtf"
PIPELINE = "RDTFPipeline"


def from_store(table: str, scale: Scale, source: str | None, root: Path) -> Any:
    """Return the pipeline of the table's first row of RDTF, with its weights from the store."""
    be_quiet()
    device = device_of(scale)
    spec = load_table(table)
    _, cells = cells_of(spec, scale, source, root)
    cell = next((cell for cell in cells if cell.method == METHOD), None)
    if cell is None:
        raise InputError(f"{table} has no row of {METHOD}; table1 has one")
    store = Store(root.resolve())
    training = _command_that_trains(spec, scale, source, root)
    if shipped.installable(store, [cell]):
        with Leases(store.root) as leases:
            shipped.install(store, [cell], leases)
    if not store.has("fit", cell.fit_key):
        raise StoreError(
            f"{root}: RDTF as {table} has it at scale {scale.name} is not trained yet. Run: {training}, or name a "
            "saved pipeline: --model FOLDER"
        )
    if faults := store.faults("fit", cell.fit_key):
        raise StoreError(f"{'; '.join(faults)}. Train it again: {training}")
    found = find_assets(scale)
    registry.verify([found[role] for role in cell.trained.assets])
    method = build(cell.trained, {role: asset.path for role, asset in found.items()}, device)
    method.load(weights_of(store, cell.trained))
    assert isinstance(cell.sample, TrainedSamples)
    sampler = Sampler(**cell.sample.sampler.model_dump())
    return method.pipeline(size_px=scale.clip.size_px, sampler=sampler)  # type: ignore[attr-defined]


def _command_that_trains(spec: TableSpec, scale: Scale, source: str | None, root: Path) -> str:
    return command("run", spec, scale, [*data_option(spec.dataset, source), "--store", str(root)])


def from_folder(folder: Path) -> Any:
    """Load a saved pipeline, on the GPU if there is one."""
    be_quiet()
    index = folder / "model_index.json"
    named = json.loads(index.read_text(encoding="utf-8")).get("_class_name") if index.is_file() else None
    if named != PIPELINE:
        fault = f"holds a {named}" if named else "has no model_index.json"
        raise StoreError(f"{folder}: {fault}; a folder that {PIPELINE}.save_pretrained wrote is needed")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return getattr(catalog.load("pipeline", METHOD), PIPELINE).from_pretrained(folder).to(device)


def read_mask(text: str | None) -> list[int] | None:
    """Read which frames are known: a 1 for each frame that is given, a 0 for any other.

    >>> read_mask("1001")
    [1, 0, 0, 1]
    """
    if text is None:
        return None
    if set(text) - {"0", "1"} or not text:
        raise InputError(f"known: {text!r} is no mask; write a 1 for each frame that is given and a 0 for any other")
    return [int(sign) for sign in text]


def read_images(paths: Sequence[Path], num_frames: int) -> list[Image.Image]:
    """Read one frame per file, or up to `num_frames` frames at equal intervals from a single animation."""
    most = num_frames if len(paths) == 1 else 1
    return [picture for path in paths for picture in decode.pictures(path, most=most)]


def make(
    pipeline: Any,
    *,
    prompt: str,
    images: Sequence[Path],
    known: Sequence[int] | None,
    num_frames: int | None,
    seed: int,
    num_steps: int | None,
) -> list[Image.Image]:
    """Generate one clip; the noise of a seed is the same on every machine."""
    count = num_frames or pipeline.unet.config.num_frames
    made: list[Image.Image] = pipeline(
        prompt=prompt,
        image=read_images(images, count) if images else None,
        known=known,
        num_frames=num_frames,
        generator=generator_for(seed, "generate"),
        num_inference_steps=num_steps,
    ).frames[0]
    return made


def write_gif(frames: Sequence[Image.Image], path: Path, *, duration_ms: int) -> None:
    """Write a looping GIF."""
    first, *others = frames
    with written_whole(path) as making:
        first.save(making, format="GIF", save_all=True, append_images=others, duration=duration_ms, loop=0, disposal=2)
