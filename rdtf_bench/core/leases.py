"""Leases of the runs that share a store: who makes which entry. No torch.

A lease is a file that a run makes before it makes an entry and removes afterwards. The run touches a file of its own
every few seconds; where that stops, the run is dead and its leases are free. Locks of the operating system would end
with their process, but they do not hold on every network file system.
"""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.store import require_root, write_text

FOLDER = "leases"
BEAT_S = 10.0
"""Seconds between two signs of life of a run."""
DEAD_AFTER_S = 120.0
"""Age of the last sign of life at which a run is dead. NFS shows the times of files up to a minute late."""
LOOK_S = 1.0
"""Seconds between two looks at a lease that another run holds."""
ALONE = "alone"
"""The lease of a command that removes entries. No run starts while it is held."""


class Leases:
    """The leases of one run in the store at `root`. A `with` block makes the run known and gives all of them back."""

    def __init__(self, root: Path) -> None:
        self.token = uuid.uuid4().hex
        """Names this run among all that ever worked in the store."""
        self._root, self._folder = root, root / FOLDER
        self._own = self._folder / "runs" / self.token
        self._held: set[str] = set()
        self._over = threading.Event()
        self._beating = threading.Thread(target=self._beat, name="leases", daemon=True)

    def __enter__(self) -> "Leases":
        require_root(self._root)
        self._appear()
        self._remove_dead()
        self._beating.start()
        if holder := self.holder(ALONE):
            self.__exit__(None, None, None)
            raise StoreError(
                f"{self._root}: {holder} is removing entries of this store. Wait until it ends, or choose another "
                "store with --store."
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._beating.join()
        for name in list(self._held):
            self.give_back(name)
        self._own.unlink(missing_ok=True)

    def take(self, name: str) -> bool:
        """Take a lease that nobody holds, neither another run nor this one, and return whether that was so."""
        path = self._folder / name
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(self.token)
        except FileExistsError:
            token = _read(path)
            if token is None or self._is_held_by(token, path):
                return False
            return self._free(name, token) and self.take(name)
        self._held.add(name)
        return True

    def give_back(self, name: str) -> None:
        """Give a lease back. It may have gone to another run, if this one gave no sign of life for long."""
        self._held.discard(name)
        path = self._folder / name
        if _read(path) == self.token:
            path.unlink(missing_ok=True)

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Hold a lease during a block, which waits until the lease is free."""
        while not self.take(name):
            time.sleep(LOOK_S)
        try:
            yield
        finally:
            self.give_back(name)

    @contextmanager
    def held_if_free(self, name: str) -> Iterator[bool]:
        """Hold a lease during a block if it is free, and tell the block whether it was."""
        free = self.take(name)
        try:
            yield free
        finally:
            if free:
                self.give_back(name)

    def holder(self, name: str) -> str | None:
        """Return which other run holds a lease, such as "process 12 on node3"."""
        path = self._folder / name
        token = _read(path)
        if token is None or token == self.token or not self._is_held_by(token, path):
            return None
        return self._described(token)

    def others(self) -> list[str]:
        """Return the other runs that work in the store."""
        tokens = [path.name for path in sorted(self._own.parent.iterdir()) if path.name != self.token]
        return [self._described(token) for token in tokens if self.is_alive(token)]

    def is_alive(self, token: str) -> bool:
        """Return whether the run of this token still works."""
        path = self._folder / "runs" / token
        text = _read(path) if token else None
        if text is None:
            return False
        process = _parsed(text)
        if process.get("place") == _place() and not _exists(process.get("pid", 0)):
            return False
        return self._age_s(path) < DEAD_AFTER_S

    def _is_held_by(self, token: str, path: Path) -> bool:
        # a lease is empty for a moment, until its holder has written its token
        return self.is_alive(token) if token else self._age_s(path) < DEAD_AFTER_S

    def _free(self, name: str, token: str) -> bool:
        """Remove the lease of a dead run, and return whether this run was the one to try.

        Removing is itself leased, under the name of the dead run: of two runs that have read the old lease, the slower
        one would otherwise remove the new lease of the faster one.
        """
        removing = f"{name}.{token or 'unnamed'}"
        if not self.take(removing):
            return False
        path = self._folder / name
        if _read(path) == token and not self._is_held_by(token, path):
            path.unlink(missing_ok=True)
        self.give_back(removing)
        return True

    def _appear(self) -> None:
        write_text(self._own, json.dumps({"place": _place(), "host": socket.gethostname(), "pid": os.getpid()}))

    def _beat(self) -> None:
        while not self._over.wait(BEAT_S):
            with suppress(OSError):
                self._touch()

    def _touch(self) -> None:
        try:
            os.utime(self._own)
        except FileNotFoundError:  # another run took this one for dead, as after a suspension of the machine
            self._appear()

    def _remove_dead(self) -> None:
        for path in self._own.parent.iterdir():
            if path != self._own and not self.is_alive(path.name):
                path.unlink(missing_ok=True)

    def _age_s(self, path: Path) -> float:
        """Return the age of a file by the clock of its file system, which machines need not share."""
        self._touch()
        try:
            return self._own.stat().st_mtime - path.stat().st_mtime
        except FileNotFoundError:
            return float("inf")

    def _described(self, token: str) -> str:
        process = _parsed(_read(self._own.with_name(token)) or "")
        return f"process {process.get('pid', '?')} on {process.get('host', '?')}"


@contextmanager
def alone_in(root: Path) -> Iterator[None]:
    """Keep every run out of a store during a block; StoreError where one works in it."""
    with Leases(root) as leases:
        free = leases.take(ALONE)
        if (others := leases.others()) or not free:
            by = f" ({', '.join(others)})" if others else ""
            raise StoreError(
                f"{root}: another run works in this store{by}. Wait until it ends, or choose another store with "
                "--store."
            )
        yield


def _read(path: Path) -> str | None:
    # opened, not only looked at: NFS then asks the server for the file's times
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _parsed(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _place() -> str:
    """Return what tells whether a process id means the same here: machine, start of the machine, and container."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _exists(pid: object) -> bool:
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
