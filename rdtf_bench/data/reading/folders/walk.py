"""Walk the folder of a user: its files, also behind links, under names that can be compared.

Names are compared in Unicode's normal form C, because macOS may write "é" as two characters and other systems as one.
Hidden files are not read. Other files that are not read are counted or named, so that nothing is left out in silence.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from rdtf_bench.core.errors import DataError, listed, printable
from rdtf_bench.data.reading.folders import vsd2m

METADATA_NAMES = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
NO_SUFFIX = "without suffix"
Inode = tuple[int, int]  # device and number, the same for all links to a folder


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A file that cannot be used, and the reason."""

    path: Path
    why: str


@dataclass(frozen=True, kw_only=True)
class Tree:
    """The files below a folder.

    `files` and `metadata` map a path below the root, in normal form C, to the path on disk; they are sorted.
    """

    root: Path
    files: Mapping[str, Path]  # those that have a suffix of the wanted kinds
    metadata: Mapping[str, Path]
    other_kinds: Mapping[str, int]  # number of files of other kinds by suffix
    dangling: tuple[Broken, ...]  # links to nothing; those that have a wanted suffix are in `files`


def walk(root: Path, suffixes: Sequence[str]) -> Tree:
    """Return the files below a folder, of which those with one of the suffixes are wanted.

    Linked folders are entered, except for those that the link itself lies in. Raises DataError if there is no such
    folder, and one DataError that lists folders that cannot be read or are reached twice, and names that are not UTF-8
    or differ in their normal form only.
    """
    if printable(str(root)) != str(root):
        raise DataError(f"{root}: the path of the folder is not valid UTF-8. Rename it, or link to it by another name.")
    if not root.is_dir():
        what = "is not a folder" if root.exists() else "there is no such folder"
        raise DataError(f"{root}: {what}. Name a folder that holds {', '.join(suffixes)} files.")
    files: dict[str, Path] = {}
    metadata: dict[str, Path] = {}
    other_kinds: Counter[str] = Counter()
    dangling: list[Broken] = []
    faults: list[str] = []
    for at, path in _below(root, "", frozenset(), {}, faults):
        there, readable = path.exists(), path.is_file()
        kept = metadata if readable and _is_metadata(at, path) else files
        if kept is metadata or (at.lower().endswith(tuple(suffixes)) and (readable or not there)):
            if at in kept:
                names = " and ".join(ascii(str(twin.relative_to(root))) for twin in (kept[at], path))
                faults.append(f"{path}: {names} are one name in two Unicode normal forms; keep one of the two")
            kept[at] = path
        elif there:
            other_kinds[path.suffix.lower() or NO_SUFFIX] += 1
        else:
            dangling.append(Broken(path=path, why="is a link to a file or folder that is not there"))
    if faults:
        raise DataError(
            f"{root}: files or folders that cannot be told apart, named or read: {len(faults)}\n{listed(faults)}\n"
            "Rename or remove them."
        )
    return Tree(
        root=root,
        files=dict(sorted(files.items())),
        metadata=dict(sorted(metadata.items())),
        other_kinds=dict(sorted(other_kinds.items())),
        dangling=tuple(dangling),
    )


def _is_metadata(at: str, path: Path) -> bool:
    """Tell whether a file is metadata by its name, or is VSD2M's index, which has any name and lies at the top."""
    return path.name in METADATA_NAMES or ("/" not in at and vsd2m.is_index(path))


def told(other_kinds: Mapping[str, int]) -> str:
    """Return the numbers of files of other kinds as words.

    >>> told({".avif": 3, "without suffix": 1})
    '3 .avif, 1 without suffix'
    """
    return ", ".join(f"{count:,} {suffix}" for suffix, count in other_kinds.items())


def _below(
    folder: Path, inside: str, above: frozenset[Inode], seen: dict[Inode, Path], faults: list[str]
) -> Iterator[tuple[str, Path]]:
    """Yield all files that are not hidden; `above` are the folders that `folder` lies in, `seen` all so far."""
    try:
        status, paths = folder.stat(), sorted(folder.iterdir())
    except OSError as fault:
        faults.append(f"{folder}: cannot be read: {fault.strerror}")
        return
    here = (status.st_dev, status.st_ino)
    if here in above:  # two links that lead to each other; what they show is read where it lies
        return
    if here in seen:
        faults.append(f"{folder}: is the same folder as {seen[here]}; keep one of the two")
        return
    seen[here] = folder
    for path in paths:
        is_folder = os.path.isdir(path)  # unlike Path.is_dir, False for a link into a folder that cannot be read
        if path.name.startswith((".", "__MACOSX") if is_folder else "."):
            continue
        if printable(path.name) != path.name:
            faults.append(f"{path}: the name is not valid UTF-8")
        elif is_folder and not _leads_back(path):
            yield from _below(path, f"{inside}{normalize('NFC', path.name)}/", above | {here}, seen, faults)
        elif not is_folder:
            yield inside + normalize("NFC", path.name), path


def _leads_back(folder: Path) -> bool:
    """Tell whether a folder is a link to one that holds the link; it may lie above the root, as does "/"."""
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())
