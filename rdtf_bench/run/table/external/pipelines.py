"""Image-to-video pipelines of diffusers that a user adds to a table, each as one more row. Imports no torch."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rdtf_bench.core.errors import AssetError, ProtocolError, printable
from rdtf_bench.core.store import key_of
from rdtf_bench.run.table.external.hashes import sha256_by_file
from rdtf_bench.spec import load
from rdtf_bench.spec.identities import PipelineIdentity
from rdtf_bench.spec.pipeline import PipelineSettings
from rdtf_bench.spec.places import SUFFIXES

INDEX = "model_index.json"


@dataclass(frozen=True, kw_only=True)
class ExternalPipeline:
    """The pipeline of one row, and the folder that holds it."""

    folder: Path
    identity: PipelineIdentity


def read(given: Sequence[str], cache: Path | None = None) -> dict[str, ExternalPipeline]:
    """Return each pipeline by the label of its row; a text is a YAML file, a folder or a name on the Hugging Face Hub.

    The hashes of its files are kept in the folder `cache`. Raises ProtocolError for a faulty file, and AssetError for a
    pipeline that is not on this machine.
    """
    found: dict[str, ExternalPipeline] = {}
    for text in given:
        label, pipeline = (_described if text.endswith(SUFFIXES) else _named)(text, cache)
        if printable(label) != label:
            raise ProtocolError(f"--pipeline {text!r}: the name of the row is not valid UTF-8")
        if label in found:
            raise ProtocolError(f"--pipeline gives two rows the name {label!r}: give one another title, in a YAML file")
        found[label] = pipeline
    return found


def _described(file: str, cache: Path | None) -> tuple[str, ExternalPipeline]:
    spec = load.load_pipeline(file)
    settings = PipelineSettings(**{name: getattr(spec, name) for name in PipelineSettings.model_fields})
    folder = _folder(spec.path, Path(file).parent, f"{file}: path")
    return spec.title, _pipeline(folder, settings, cache)


def _named(text: str, cache: Path | None) -> tuple[str, ExternalPipeline]:
    folder = _folder(text, Path(), "--pipeline")
    label = Path(text).resolve().name if folder == Path(text) else text.rpartition("/")[2]
    return label, _pipeline(folder, PipelineSettings(), cache)


def _folder(name: str, base: Path, where: str) -> Path:
    """Return the folder of a pipeline: the folder of this name, or else that in the cache of the Hub."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    if (base / name).is_dir():
        return base / name
    repository, _, revision = name.partition("@")
    try:
        return Path(snapshot_download(repository, revision=revision or None, local_files_only=True))
    except HFValidationError:
        raise AssetError(
            f"{where}: there is no folder {str(base / name)!r}. Name a folder that a pipeline's `save_pretrained` "
            "wrote, or owner/name on the Hugging Face Hub, or a YAML file that ends in .yaml."
        ) from None
    except LocalEntryNotFoundError:
        fetch = f"hf download {repository}" + (f" --revision {revision}" if revision else "")
        raise AssetError(
            f"{where}: there is no folder {str(base / name)!r}, and the cache of the Hugging Face Hub holds no {name}. "
            f"Nothing is downloaded here. Fetch it first: {fetch}"
        ) from None


def _pipeline(folder: Path, settings: PipelineSettings, cache: Path | None) -> ExternalPipeline:
    pipeline_class, parts = _index(folder)
    files = [folder / INDEX]
    for part in parts:
        held = sorted(path for path in (folder / part).rglob("*") if path.is_file())
        if not held:
            raise AssetError(
                f"{folder}: {INDEX} lists the part {part!r}, and there is no such folder, or it is empty. Is the "
                f"download complete? The parts are: {', '.join(parts)}."
            )
        files += held
    fingerprint = key_of(sha256_by_file(folder, files, cache))
    identity = PipelineIdentity(pipeline=fingerprint, pipeline_class=pipeline_class, settings=settings)
    return ExternalPipeline(folder=folder.resolve(), identity=identity)


def _index(folder: Path) -> tuple[str, list[str]]:
    """Return the class of a pipeline and the folders of its parts, which its index lists."""
    path = folder / INDEX
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        named = index["_class_name"]
        parts = [name for name, part in index.items() if isinstance(part, list) and part[:1] != [None]]
    except FileNotFoundError:
        there = ", ".join(sorted(inside.name for inside in folder.iterdir())[:8]) or "nothing"
        raise AssetError(
            f"{folder}: holds no {INDEX}, so no pipeline's `save_pretrained` wrote it. It holds: {there}."
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise AssetError(f"{path}: is damaged: {fault!r}. Save or download the pipeline again.") from fault
    if not isinstance(named, str):
        raise AssetError(
            f"{path}: the pipeline is code of its own, {named}, and not a class of diffusers. Such code is not run. "
            "Make its clips yourself and add them as a row: --with NAME=DIR"
        )
    return named, parts
