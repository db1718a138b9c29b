"""Keeps the hashes of a folder's files, so that a file is read again only when its size or its time has changed."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rdtf_bench.core.store import key_of, sha256_of, stamp_of, write_text


def sha256_by_file(folder: Path, files: Sequence[Path], cache: Path | None) -> dict[str, str]:
    """Return the SHA-256 of each file by its path below the folder. `cache` is a folder with one file per folder."""
    kept = cache / f"hashes-{key_of(str(folder.resolve()))}.json" if cache else None
    known, found = _read(kept), {}
    for file in files:
        stamp, at = stamp_of(file), file.relative_to(folder).as_posix()
        entry = known.get(at)
        found[at] = entry if entry and entry[0] == stamp else [stamp, sha256_of(file)]
    if kept and found != known:
        with suppress(OSError):  # a store that only others may write is read without it
            write_text(kept, json.dumps(found, indent=1, sort_keys=True) + "\n")
    return {at: sha256 for at, (_, sha256) in found.items()}


def _read(kept: Path | None) -> dict[str, list[str]]:
    """Return the stamp and the hash of each file; a file that cannot be read counts as none."""
    try:
        known: dict[str, list[str]] = json.loads(kept.read_text(encoding="utf-8")) if kept else {}
    except (OSError, ValueError):
        return {}
    return known
