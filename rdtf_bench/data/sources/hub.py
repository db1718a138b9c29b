"""Download a dataset from the Hugging Face Hub into the Hub's own cache; `hf:owner/name@revision` names it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from rdtf_bench.core.errors import DataError, first_line
from rdtf_bench.data.reading.folders.walk import METADATA_NAMES
from rdtf_bench.data.reading.suffixes import ANIMATION_SUFFIXES
from rdtf_bench.data.sources import disk, packed

PREFIX = "hf:"
INDEX_SUFFIXES = (".json", ".jsonl")


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The files of one revision in the cache. The name of the folder is the commit."""

    root: Path
    is_packed: bool  # whether they are Parquet files or tars; pictures beside such files are illustrations


def is_hub(source: str | None) -> bool:
    """Tell whether a source names a dataset on the Hub."""
    return source is not None and source.startswith(PREFIX)


def pinned(source: str) -> str:
    """Download a dataset and return its source with the commit, which names the same files for ever."""
    repository, _ = _parsed(source)
    return f"{PREFIX}{repository}@{download(source).root.name}"


def download(source: str) -> Snapshot:
    """Download the files of a dataset that can be read, unless they are in the cache, and return where they are.

    A call after an interruption resumes. Without a network, what is whole in the cache is used. Raises DataError if
    the dataset cannot be had or the disk has no room for it.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HFValidationError, HTTPError  # type: ignore[attr-defined]

    repository, revision = _parsed(source)
    where: dict[str, Any] = {"repo_id": repository, "repo_type": "dataset", "revision": revision}
    try:
        listing = HfApi().dataset_info(repository, revision=revision, files_metadata=True)
    except HFValidationError as fault:
        raise DataError(f"{source}: {fault} Write {PREFIX}owner/name, or {PREFIX}owner/name@revision.") from fault
    except (OSError, HTTPError) as fault:
        if cached := _cached(where):
            return cached
        raise DataError(f"{source}: {why(repository, revision, fault)}") from fault
    sizes = {file.rfilename: file.size or 0 for file in listing.siblings or ()}
    is_packed, patterns = _readable(source, sizes)
    _require_room(where | {"revision": listing.sha}, sizes, patterns)
    try:
        root = snapshot_download(**where, allow_patterns=patterns)
    except (HTTPError, OSError, RuntimeError) as fault:
        raise DataError(
            f"{source}: could not be downloaded: {first_line(fault)}. What has arrived is kept. Run the command again; "
            "it resumes."
        ) from fault
    return Snapshot(root=Path(root), is_packed=is_packed)


def _parsed(source: str) -> tuple[str, str | None]:
    repository, _, revision = source.removeprefix(PREFIX).partition("@")
    if not repository:
        raise DataError(f"{source}: names no dataset. Write {PREFIX}owner/name, or {PREFIX}owner/name@revision.")
    return repository, revision or None


def _cached(where: Mapping[str, Any]) -> Snapshot | None:
    """Return what is in the cache, or None if that is nothing, or not all files that can be read."""
    from huggingface_hub import get_cached_repo_tree, snapshot_download
    from huggingface_hub.errors import CachedRepoTreeNotFoundError, LocalEntryNotFoundError

    try:
        names = [file.path for file in get_cached_repo_tree(**where)]
    except CachedRepoTreeNotFoundError:  # an older version of the client made the cache
        names = []
    is_packed = any(packed.is_packed_name(name) for name in names)
    try:
        root = Path(
            snapshot_download(**where, local_files_only=True, allow_patterns=_patterns(is_packed) if names else None)
        )
    except LocalEntryNotFoundError:
        return None
    return Snapshot(root=root, is_packed=is_packed or bool(packed.files_below(root)))


def _readable(source: str, sizes: Mapping[str, int]) -> tuple[bool, list[str]]:
    """Return whether the files of a dataset are packed, and the patterns of those that are needed."""
    if any(map(packed.is_packed_name, sizes)):
        return True, _patterns(True)
    if any(name.lower().endswith(ANIMATION_SUFFIXES) for name in sizes):
        return False, _patterns(False)
    known = ", ".join((*packed.SUFFIXES, *ANIMATION_SUFFIXES))
    raise DataError(
        f"{source}: holds no file that can be read, that is {known}. It holds {', '.join(sorted(sizes)[:5])} ... "
        "Download and unpack it, and give the folder."
    )


def _patterns(is_packed: bool) -> list[str]:
    suffixes = packed.SUFFIXES if is_packed else (*ANIMATION_SUFFIXES, *METADATA_NAMES, *INDEX_SUFFIXES)
    return [f"*{written}" for suffix in suffixes for written in (suffix, suffix.upper())]


def _require_room(where: Mapping[str, Any], sizes: Mapping[str, int], patterns: Collection[str]) -> None:
    """Raise DataError if the files that are not in the cache yet are larger than what is free."""
    from huggingface_hub import constants, try_to_load_from_cache

    wanted = [name for name in sizes if any(PurePosixPath(name).match(pattern) for pattern in patterns)]
    needed = sum(sizes[name] for name in wanted if not isinstance(try_to_load_from_cache(filename=name, **where), str))
    disk.require_free(Path(constants.HF_HUB_CACHE), needed)


def why(repository: str, revision: str | None, fault: Exception, *, give: str = "DIR") -> str:
    """Return why a dataset cannot be had, and what to do; `give` is how a folder of its files is given instead."""
    from huggingface_hub import constants, errors

    page = f"{constants.ENDPOINT}/datasets/{repository}"
    elsewhere = f"get them elsewhere by `hf download {repository} --repo-type dataset --local-dir DIR` and give {give}."
    if isinstance(fault, errors.GatedRepoError):
        return f"is gated. Accept its terms on {page}, and log in with `hf auth login`."
    if isinstance(fault, errors.RepositoryNotFoundError):
        return f"there is no such dataset, or it is private. Check the id on {page}, or log in with `hf auth login`."
    if isinstance(fault, errors.RevisionNotFoundError):
        return f"has no revision {revision!r}. Its branches and commits are on {page}/commits/main."
    if isinstance(fault, errors.OfflineModeIsEnabled):
        return f"HF_HUB_OFFLINE is set, and not all of its files are there. Unset it, or {elsewhere}"
    said = first_line(fault)
    return f"the Hub cannot be reached ({said}), and not all of its files are there. Try again, or {elsewhere}"
