"""Read webdataset tars: the files of a sample stand next to each other and share their name up to the first dot."""

import json
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from rdtf_bench.core.errors import DataError
from rdtf_bench.data.reading.suffixes import ANIMATION_SUFFIXES
from rdtf_bench.data.sources.samples import COLUMNS, Sample

ANIMATIONS = tuple(suffix.removeprefix(".") for suffix in ANIMATION_SUFFIXES)
BLOCK = 512


class Part(NamedTuple):
    """One file of a sample."""

    key: str
    extension: str  # all behind the first dot
    data: bytes

    @property
    def kind(self) -> str:
        """Return the last suffix of the file in lower case, without the dot."""
        return self.extension.rpartition(".")[2].lower()


def samples(path: Path) -> Iterator[Sample]:
    """Yield the samples of a tar in order; raise DataError if it is damaged or holds anything but files."""
    try:
        _require_end(path)
        with tarfile.open(path) as archive:
            seen = set()
            for key, group in groupby(_parts(path, archive), key=lambda part: part.key):
                if key in seen:
                    raise DataError(f"{path}: the files of the sample {key} are not next to each other. Pack it again.")
                seen.add(key)
                yield _sample(f"{path}: {key}", key, tuple(group))
    except (tarfile.TarError, OSError, EOFError, zlib.error) as fault:
        raise DataError(f"{path}: is damaged or incomplete: {fault}. Pack or download it again.") from fault


def _require_end(path: Path) -> None:
    """Raise ReadError for a tar without the empty block at its end, because tarfile takes any end for the right one."""
    with path.open("rb") as file:
        is_compressed = file.read(2) == b"\x1f\x8b"  # gzip has a check sum of its own
        file.seek(-min(BLOCK, path.stat().st_size), 2)
        if not is_compressed and file.read() != bytes(BLOCK):
            raise tarfile.ReadError("it is cut off, because the empty block at its end is missing")


def _parts(path: Path, archive: tarfile.TarFile) -> Iterator[Part]:
    for member in archive:
        if member.isdir():
            continue
        name = safe_name(path, member)
        stem, _, extension = name.name.partition(".")
        held = archive.extractfile(member)
        if stem and extension and held:  # hidden files and files without suffix belong to no sample
            yield Part(str(name.with_name(stem)), extension, held.read())


def safe_name(path: Path, member: tarfile.TarInfo) -> PurePosixPath:
    """Return the name of a file in a tar; raise DataError for a link, and for a name that leads out of the folder."""
    name = PurePosixPath(member.name)
    if not member.isfile():
        raise DataError(f"{path}: {member.name} is a link or a device and no file. Pack the files themselves.")
    if name.is_absolute() or ".." in name.parts:
        raise DataError(f"{path}: {member.name} lies outside the archive. Pack it again with relative names.")
    return name


def _sample(where: str, key: str, parts: tuple[Part, ...]) -> Sample:
    """Return a sample; without an animation it is its first file."""
    shown = _only(where, parts, ANIMATIONS) or parts[0]
    caption = _only(where, parts, ("txt",))
    record = {**_metadata(where, parts), **({"text": _text(where, caption)} if caption else {})}
    return Sample(where=where, name=key, data=shown.data, suffix=f".{shown.kind}", record=record)


def _only(where: str, parts: tuple[Part, ...], kinds: tuple[str, ...]) -> Part | None:
    """Return the file of these kinds, of several the one whose name has a single dot."""
    found = [part for part in parts if part.kind in kinds]
    if len(found) > 1:
        found = [part for part in found if part.extension.lower() in kinds]
        if len(found) != 1:
            several = ", ".join(part.extension for part in parts if part.kind in kinds)
            raise DataError(f"{where}: a sample has one file of a kind, and this has {several}. Keep one of them.")
    return found[0] if found else None


def _metadata(where: str, parts: tuple[Part, ...]) -> Mapping[str, object]:
    part = _only(where, parts, ("json",))
    if part is None:
        return {}
    try:
        found = json.loads(_text(where, part), strict=False)
    except (ValueError, RecursionError) as fault:
        raise DataError(f"{where}.{part.extension}: is not JSON: {fault}. Correct it.") from None
    if not isinstance(found, dict):
        raise DataError(f"{where}.{part.extension}: must be a JSON object with text, not {str(found)[:40]!r}")
    return {name: found[name] for name in COLUMNS if name in found}


def _text(where: str, part: Part) -> str:
    try:
        return part.data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise DataError(f"{where}.{part.extension}: is not UTF-8 (byte {fault.start}): save it as UTF-8") from None
