"""A content-addressed folder of results: what has a key is whole and is never computed again. No torch.

An entry is a folder `<root>/<kind>/<key>/`, made under a temporary name, flushed and renamed, so that nothing
half-written is ever read. What must survive a kill before that (checkpoints, finished shards) lives in
`<root>/unfinished/<kind>/<key>/` and becomes the entry when it is complete.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def key_of(identity: Any) -> str:
    """16 hexadecimal digits from whatever JSON can hold; the order of keys does not matter.

    >>> key_of({"a": 1, "b": [2.0, None]}) == key_of({"b": (2.0, None), "a": 1})
    True
    """
    text = json.dumps(identity, sort_keys=True, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text(path: Path, text: str) -> None:
    """Whole or not at all: a temporary file, flushed to disk, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half_written = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with half_written.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    half_written.replace(path)


@dataclass(frozen=True)
class Store:
    root: Path

    def path(self, kind: str, key: str) -> Path:
        return self.root / kind / key

    def has(self, kind: str, key: str) -> bool:
        return self.path(kind, key).is_dir()

    def unfinished(self, kind: str, key: str) -> Path:
        """A folder that survives kills; `finish` turns it into the entry."""
        folder = self.root / "unfinished" / kind / key
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def finish(self, kind: str, key: str) -> Path:
        folder, entry = self.unfinished(kind, key), self.path(kind, key)
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
        entry.parent.mkdir(parents=True, exist_ok=True)
        if entry.is_dir():  # another process was first: on the same machine its bits are the same
            shutil.rmtree(folder)
        else:
            folder.replace(entry)
        return entry

    def make(self, kind: str, key: str, write: Callable[[Path], None]) -> Path:
        """The entry's folder; `write` fills it if it is not there yet."""
        if self.has(kind, key):
            return self.path(kind, key)
        folder = self.unfinished(kind, key)
        shutil.rmtree(folder)
        folder.mkdir()
        write(folder)
        return self.finish(kind, key)
