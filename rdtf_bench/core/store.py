"""A content-addressed store of results: an entry is complete and is never computed again. No torch.

An entry is a folder `<root>/<kind>/<key>/`. It is made in `<root>/unfinished/<kind>/<key>/`, where checkpoints and
finished shards survive a killed process, and is renamed when it is complete, so that no reader sees a part of it. It
holds the SHA-256 of each of its files, so that damage is found.
"""

import glob
import hashlib
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdtf_bench.core.errors import StoreError

UNFINISHED = ".tmp"
"""Ending of the files and folders that `written_whole` has not renamed yet."""
REMOVED = "unfinished/removed"
"""Folder in which an entry is deleted. A killed process can leave some of it there."""
HASHES = "sha256.json"
"""File of an entry with the SHA-256 of each other file. Entries of earlier versions have none."""


def key_of(identity: Any) -> str:
    """Return 16 hexadecimal digits of a value that JSON can hold; the order of keys does not matter.

    >>> key_of({"a": 1, "b": [2.0, None]}) == key_of({"b": (2.0, None), "a": 1})
    True
    """
    text = json.dumps(identity, sort_keys=True, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stamp_of(path: Path) -> str:
    """Return the size and the modification time of a file, which tell that it has changed without reading it."""
    stat = path.stat()
    return f"{stat.st_size}:{stat.st_mtime_ns}"


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, at which the block writes a file or makes a folder.

    When the block ends, what it wrote is flushed to disk and renamed to `path`, so that no reader ever sees a part of
    it. When the block fails, `path` stays as it was. A file replaces an earlier file; a folder must be new.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    making = path.with_name(f".{path.name}.{uuid.uuid4().hex}{UNFINISHED}")
    _remove(making)
    try:
        yield making
        flush(making)
        making.replace(path)
    finally:
        _remove(making)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with written_whole(path) as making:
        making.write_text(text, encoding="utf-8", newline="")


def require_place(path: Path, option: str) -> None:
    """Raise StoreError if a file cannot be written at `path`, which `option` names, so that it is said before the work.

    Absent folders above the file are made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise StoreError(f"{path}: cannot be written: {fault.strerror}. Name another place: {option}") from fault
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        why = "is a folder" if path.is_dir() else f"{path.parent} cannot be written to"
        raise StoreError(f"{path}: {why}. Name another place: {option}")


def remove_leftovers(path: Path) -> None:
    """Remove what killed writers of `path` left beside it. No other process may be writing `path`."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*{UNFINISHED}"):
        _remove(leftover)


def require_root(root: Path) -> None:
    """Make the folder of a store; StoreError where it cannot be made or written to."""
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise StoreError(
            f"{root}: a store cannot be made there: {fault.strerror}. Name another place: --store DIR"
        ) from fault
    if not os.access(root, os.W_OK):
        raise StoreError(f"{root}: the store cannot be written to. Name another place: --store DIR")


def _files(folder: Path) -> list[str]:
    """Return the paths of the files below a folder, without the list of hashes."""
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in paths if path != HASHES)


def flush(path: Path) -> None:
    """Write a file, or all files of a folder, to disk."""
    for part in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if part.is_file():
            with part.open("rb") as file:
                os.fsync(file.fileno())


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Store:
    """Folder of finished and unfinished work. Each entry is a folder under its kind and the hash of what decides it."""

    root: Path

    def path(self, kind: str, key: str) -> Path:
        """Return the folder of an entry, which need not exist."""
        return self.root / kind / key

    def has(self, kind: str, key: str) -> bool:
        """Return whether the store holds a finished entry."""
        return self.path(kind, key).is_dir()

    def remove(self, kind: str, key: str) -> None:
        """Remove an entry, so that it is made again. It goes as a whole, also if this process is killed."""
        path = self.path(kind, key)
        if not path.is_dir():
            return
        (self.root / REMOVED).mkdir(parents=True, exist_ok=True)
        leaving = Path(tempfile.mkdtemp(prefix=f"{key}.", dir=self.root / REMOVED))
        path.replace(leaving / key)
        shutil.rmtree(leaving)

    def hashes(self, kind: str, key: str) -> dict[str, str] | None:
        """Return the SHA-256 of each file of an entry as it was finished; None for an entry of an earlier version."""
        path = self.path(kind, key) / HASHES
        if not path.is_file():
            return None
        try:
            held: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            return {HASHES: ""}  # the list itself is damaged
        return held

    def faults(self, kind: str, key: str) -> list[str]:
        """Return what is wrong with the files of an entry; nothing is known to be wrong where it has no hashes."""
        entry, found = self.path(kind, key), []
        for name, sha256 in (self.hashes(kind, key) or {}).items():
            if not (entry / name).is_file():
                found.append(f"{entry / name} is absent")
            elif sha256_of(entry / name) != sha256:
                found.append(f"{entry / name} has other bytes than when it was written")
        return found

    def unfinished(self, kind: str, key: str) -> Path:
        """Return the folder in which the entry is made. It survives a killed process; `finish` makes it the entry."""
        folder = self.root / "unfinished" / kind / key
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def finish(self, kind: str, key: str) -> Path:
        """Hash the files, flush the unfinished folder to disk and rename it to the entry, whose path is returned."""
        folder, entry = self.unfinished(kind, key), self.path(kind, key)
        for leftover in list(folder.rglob(f".*{UNFINISHED}")):  # of a writer that was killed
            _remove(leftover)
        hashes = {name: sha256_of(folder / name) for name in _files(folder)}
        write_text(folder / HASHES, json.dumps(hashes, indent=1, sort_keys=True) + "\n")
        flush(folder)
        entry.parent.mkdir(parents=True, exist_ok=True)
        if entry.is_dir():  # another process was first: on the same machine its bits are the same
            shutil.rmtree(folder)
        else:
            folder.replace(entry)
        return entry

    def make(self, kind: str, key: str, write: Callable[[Path], None]) -> Path:
        """Return the folder of the entry; if there is none yet, `write` fills a new one."""
        if self.has(kind, key):
            return self.path(kind, key)
        folder = self.unfinished(kind, key)
        shutil.rmtree(folder)
        folder.mkdir()
        try:
            write(folder)
        except OSError:
            _remove(folder)  # the disk may be full
            raise
        return self.finish(kind, key)
