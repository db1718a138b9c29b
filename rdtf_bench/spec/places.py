"""Finds protocols and scales: in the package, and in the folders that RDTF_BENCH_PROTOCOLS names."""

import difflib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rdtf_bench.core.errors import ProtocolError, UnknownNameError, unknown_name
from rdtf_bench.spec.pipeline import PipelineSpec
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import ArenaSpec, CostSpec, FigureSpec, File, Sheet, TableSet, TableSpec, ValiditySpec

PACKAGE = Path(__file__).parents[1] / "protocols"
VARIABLE = "RDTF_BENCH_PROTOCOLS"
SUFFIXES = (".yaml", ".yml")


class Kind(NamedTuple):
    """A kind of file: the folder it stands in, below `protocols/` or a folder of the variable, and its fields."""

    folder: str
    spec: type[File]


KINDS = {
    "table": Kind("", TableSpec),
    "set": Kind("sets", TableSet),
    "costs": Kind("costs", CostSpec),
    "sheet": Kind("sheets", Sheet),
    "validity": Kind("validity", ValiditySpec),
    "figure": Kind("figures", FigureSpec),
    "arena": Kind("arenas", ArenaSpec),
    "scale": Kind("scales", Scale),
    "pipeline": Kind("pipelines", PipelineSpec),
}
SCALE = "scale"
PIPELINE = "pipeline"
PROTOCOLS = tuple(kind for kind in KINDS if kind not in (SCALE, PIPELINE))


def is_path(name_or_path: str) -> bool:
    """Whether this is the path of a file; everything else is a name.

    >>> is_path("./table1"), is_path("mine.yaml"), is_path("table1")
    (True, True, False)
    """
    separators = (os.sep, *((os.altsep,) if os.altsep else ()))
    return name_or_path.endswith(SUFFIXES) or any(separator in name_or_path for separator in separators)


def is_of_the_package(path: Path) -> bool:
    """Return whether a file is one of the package, and not the user's."""
    return path.resolve().is_relative_to(PACKAGE.resolve())


def names(*kinds: str) -> list[str]:
    """Return the sorted names of these kinds, the package's and those of the user's folders."""
    return sorted({path.stem for root in _roots() for _, path in _standing_in(root, kinds)})


def package_names(kind: str) -> list[str]:
    """Return the package's names that a user's file of this kind may not have."""
    return sorted({path.stem for _, path in _standing_in(PACKAGE, family(kind))})


def family(kind: str) -> tuple[str, ...]:
    """Return the kinds that share one set of names: all protocols, or scales, or pipelines.

    >>> family("sheet")
    ('table', 'set', 'costs', 'sheet', 'validity', 'figure', 'arena')
    """
    return PROTOCOLS if kind in PROTOCOLS else (kind,)


def find_named(name: str, kinds: Sequence[str]) -> tuple[str, Path]:
    """Return the kind and the file of a name. Two files of one name are an error, as is a name without a file."""
    standing = [(kind, path) for root in _roots() for kind, path in _standing_in(root, kinds) if path.stem == name]
    files = {path.resolve(): (kind, path) for kind, path in standing}
    if len(files) > 1:
        both = " and ".join(str(path) for _, path in files.values())
        raise ProtocolError(f"there are two files for the name {name!r}: {both}. Rename one, or give a path.")
    if not files:
        wanted = "scale" if kinds == (SCALE,) else "protocol or scale" if SCALE in kinds else "protocol"
        unknown = unknown_name(wanted, name, names(*kinds))
        beside = [path for path in _yaml_files(Path()) if path.stem == name]
        raise UnknownNameError(f"{unknown} For the file in this folder, write ./{beside[0]}") if beside else unknown
    return next(iter(files.values()))


def find(kind: str, name_or_path: str, folder: Path = Path()) -> Path:
    """Return the file that a name or a path stands for; a path is relative to `folder`."""
    if is_path(name_or_path):
        return folder / name_or_path
    found, path = find_named(name_or_path, family(kind))
    if found != kind:
        raise ProtocolError(f"{name_or_path!r} is of kind {found} ({path}); one of kind {kind} is needed here")
    return path


def kind_by_folder(path: Path) -> str | None:
    """Return the kind whose folder a file stands in. The top of a user's folder may hold other files than tables."""
    for root in _roots():
        for kind, (folder, _) in KINDS.items():
            if folder and path.resolve().parent == (root / folder).resolve():
                return kind
    return None


def read_text(path: Path) -> str:
    """Return the text of a file; what a user can do wrong in naming it is an error that says what is there."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise ProtocolError(f"{path}: there is no folder {path.parent}") from None
        raise ProtocolError(f"{path}: there is no such file. {_files_of(path.parent, like=path.name)}") from None
    except IsADirectoryError:
        raise ProtocolError(f"{path} is a folder and a file is needed. {_files_of(path)}") from None
    except UnicodeDecodeError as e:
        raise ProtocolError(f"{path} is not in UTF-8: its byte {e.start + 1} is {e.object[e.start]:#04x}") from None
    except OSError as e:
        raise ProtocolError(f"{path} cannot be read: {e.strerror}") from None


def _roots() -> Iterator[Path]:
    yield PACKAGE
    for folder in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        if not Path(folder).is_dir():
            raise ProtocolError(f"{VARIABLE} names {folder!r}, and there is no such folder")
        yield Path(folder)


def _standing_in(root: Path, kinds: Sequence[str]) -> Iterator[tuple[str, Path]]:
    for kind in kinds:
        folder = root / KINDS[kind].folder
        if folder.is_dir():
            yield from ((kind, path) for path in _yaml_files(folder))


def _yaml_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES and not path.name.startswith("."))


def _files_of(folder: Path, like: str = "") -> str:
    """Say which YAML files a folder has, and which of them is named nearly as `like`."""
    there = [path.name for path in _yaml_files(folder)]
    close = difflib.get_close_matches(like, there, n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    return f"{hint}In {folder} there are {', '.join(there) or 'no YAML files'}."
