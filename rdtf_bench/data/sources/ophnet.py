"""Download OphNet2024 from the Hugging Face Hub and unpack it: `rdtf-bench data fetch ophnet`.

Each part is one tar.gz that was cut into files, as the project's README says: `cat PART.tar.gz.* | tar xz`.
"""

import gzip
import io
import shutil
import tarfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from rdtf_bench.core.errors import DataError, InputError, first_line
from rdtf_bench.core.store import remove_leftovers, written_whole
from rdtf_bench.data.ophnet import ANNOTATIONS
from rdtf_bench.data.sources import disk, hub
from rdtf_bench.data.sources.tars import safe_name

NAME = "ophnet"
REPOSITORY = "xioamiyh/OphNet2024"
PARTS: Mapping[str, str] = {  # by the ends of their names: what they hold
    "all": "1,969 whole videos, about 305 GB",
    "trimmed_operation": "17,508 annotated operations, about 139 GB",
    "trimmed_phase": "14,674 annotated phases, about 139 GB",
}
WANTED = (".mp4", ".csv")
ARCHIVE = ".tar.gz"


def fetch_into(store: Path, *, part: str | None, archives: Path | None, on_progress: Callable[[str], None]) -> str:
    """Download one part with the annotations, unpack it into the store, and return the result as a line.

    Files that another program downloaded into `archives` are used instead and kept. The download is removed at the end.
    A call after an interruption resumes. Raises DataError if the Hub cannot be reached or the disk has no room.
    """
    if part is None or part not in PARTS:
        known = ", ".join(f"{name} ({held})" for name, held in PARTS.items())
        raise InputError(f"{NAME}: name one of its parts with --part: {known}.")
    root = store / "data" / f"{NAME}-{part}"
    if not root.is_dir():
        folder = archives or root.with_name(f"{root.name}-archives")
        if archives is None:
            _download(part, folder, on_progress)
        _unpack(part, folder, root, on_progress)
        if archives is None:
            shutil.rmtree(folder)
    videos = sum(1 for _ in root.rglob("*.mp4"))
    lacking = "" if any(path.name in ANNOTATIONS for path in root.rglob("*.csv")) else _without_annotations(root)
    return f"{root}: {videos:,} videos. Use them with `--data {NAME}={root}`.{lacking}"


def _without_annotations(root: Path) -> str:
    return (
        f" They came without annotations: copy {ANNOTATIONS[0]} into {root} from the folder annotation of "
        "minghu0830/OphNet-benchmark on GitHub."
    )


def _download(part: str, folder: Path, on_progress: Callable[[str], None]) -> None:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    kept = f"What has arrived is kept below {folder}, and the same command resumes."
    try:
        listing = HfApi().dataset_info(REPOSITORY, files_metadata=True)
    except (HTTPError, OSError) as fault:
        raise DataError(f"{REPOSITORY}: {hub.why(REPOSITORY, None, fault, give='--archives DIR')} {kept}") from fault
    sizes = {file.rfilename: file.size or 0 for file in listing.siblings or () if _is_of(part, file.rfilename)}
    arrived = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    on_progress(
        f"{NAME}: {len(sizes):,} files of {disk.in_gib(sum(sizes.values()))} below {folder}, and as much again for "
        "what they unpack to"
    )
    disk.require_free(folder.parent, 2 * sum(sizes.values()) - arrived)
    patterns = ["*.csv", f"*OphNet2024_{part}*"]
    try:
        snapshot_download(
            REPOSITORY, repo_type="dataset", revision=listing.sha, allow_patterns=patterns, local_dir=folder
        )
    except (HTTPError, OSError, RuntimeError) as fault:
        raise DataError(f"{REPOSITORY}: could not be downloaded: {first_line(fault)}. {kept}") from fault


def _is_of(part: str, name: str) -> bool:
    return name.endswith(".csv") or f"OphNet2024_{part}" in name


def _unpack(part: str, folder: Path, root: Path, on_progress: Callable[[str], None]) -> None:
    """Write the videos and annotations of a part into `root`, whole or not at all."""
    below = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
    paths = [path for at, path in below.items() if at.parts[0] != ".cache" and _is_of(part, at.as_posix())]
    pieces = [path for path in paths if ARCHIVE in path.name]
    if not pieces:
        raise DataError(
            f"{folder}: holds no file OphNet2024_{part}{ARCHIVE}.*. Download the files of that name from {REPOSITORY} "
            "on Hugging Face, or do without --archives."
        )
    needed = sum(path.stat().st_size for path in pieces)
    disk.require_free(root.parent, needed)
    remove_leftovers(root)
    with disk.told_if_full(root, needed), written_whole(root) as making:
        making.mkdir(parents=True)
        for path in paths:
            if path.suffix == ".csv":
                shutil.copy(path, making / path.name)
        _extract(pieces, making, on_progress)


def _extract(pieces: Sequence[Path], root: Path, on_progress: Callable[[str], None]) -> None:
    try:
        with ExitStack() as opened:
            joined = _Joined([opened.enter_context(path.open("rb")) for path in pieces])
            content = opened.enter_context(gzip.GzipFile(fileobj=joined))
            archive = opened.enter_context(tarfile.open(fileobj=content, mode="r|"))
            for number, member in enumerate(member for member in archive if member.name.endswith(WANTED)):
                target = root / safe_name(pieces[0], member)
                held = archive.extractfile(member)
                assert held is not None
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file:
                    shutil.copyfileobj(held, file)
                if number % 1000 == 0:
                    on_progress(f"{NAME}: unpacked {number + 1:,} files")
            while content.read(1 << 20):  # up to the check sum, which is missing where a file is
                pass
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as fault:
        raise DataError(
            f"{pieces[0].parent}: {pieces[0].name} and the {len(pieces) - 1:,} files after it are damaged or "
            f"incomplete: {fault}. Remove the damaged ones and run the command again."
        ) from fault


class _Joined(io.RawIOBase):
    """The content of several files, one after the other."""

    def __init__(self, files: Sequence[BinaryIO]) -> None:
        self._files = list(files)

    def read(self, size: int = -1) -> bytes:
        while self._files:
            if data := self._files[0].read(size):
                return data
            self._files.pop(0)
        return b""
