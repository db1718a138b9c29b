"""Animated sticker generation (ASG): the toy stickers, the Fluent emoji, or a user's folder or packed files.

Importing the module does not import torch.
"""

from dataclasses import dataclass
from pathlib import Path

from rdtf_bench.core.dataset import Builtin
from rdtf_bench.core.errors import DataError
from rdtf_bench.data import fluent
from rdtf_bench.data.reading.folders.folder import Folder
from rdtf_bench.data.reading.folders.folder import choose as choose  # what every dataset module offers
from rdtf_bench.data.reading.folders.folder import clustering as clustering
from rdtf_bench.data.reading.folders.folder import fingerprint as fingerprint
from rdtf_bench.data.reading.folders.folder import read as read_folder
from rdtf_bench.data.reading.folders.index import Progress, index_file
from rdtf_bench.data.sources import hub, packed
from rdtf_bench.data.toy import stickers as toy_stickers

MORE_CLIPS = (
    "Add animations, or change which are for test, validation and training: in the split column of the metadata file, "
    "or by folders or packed files named test, validation and train."
)
LONG = "toy-long"
LONG_COUNTS = {"train": 8, "validation": 64, "test": 64}
LONG_MIN_FRAMES = 16


@dataclass(frozen=True, kw_only=True)
class Config:
    """The dataset has no option."""


def builtin() -> Builtin:
    """Return the fingerprint and the counts of the toy stickers."""
    return Builtin(fingerprint=f"{toy_stickers.NAME}-{toy_stickers.fingerprint()}", counts=toy_stickers.COUNTS)


def prepare(source: str | None, *, store: Path) -> Path:
    """Return the folder of a source.

    - None: the toy stickers, which are written if they are not there yet.
    - "toy-long": toy stickers of at least 17 frames each, written likewise.
    - "fluent": the folder that `rdtf-bench data fetch fluent` made.
    - Anything else is a path. A user's own folder with the name of a source is given as "./fluent". Parquet files and
      webdataset tars are unpacked into the store.
    - "hf:owner/name" or "hf:owner/name@revision": a dataset of the Hugging Face Hub, which is downloaded.
    """
    if source is None:
        root = store / "data" / builtin().fingerprint
        toy_stickers.write(root)
        return root
    if source == LONG:
        root = store / "data" / f"{LONG}-{toy_stickers.fingerprint()}"
        toy_stickers.write(root, counts=LONG_COUNTS, min_frames=LONG_MIN_FRAMES)
        return root
    if source == fluent.NAME:
        root = fluent.root_in(store)
        if not (root / fluent.METADATA).is_file():
            raise DataError(
                f"{root}: the fluent data is not there. Get it with `rdtf-bench data fetch fluent`. "
                "To use your own folder of that name, write ./fluent."
            )
        fluent.require_clusters(root)
        return root
    if hub.is_hub(source):
        snapshot = hub.download(source)
        return packed.unpack(snapshot.root, store=store) if snapshot.is_packed else snapshot.root
    path = Path(source)
    return packed.unpack(path, store=store) if packed.is_packed(path) else path


def read(root: Path, *, name: str = "asg", cache: Path | None = None, on_progress: Progress | None = None) -> Folder:
    """Read the clips of a folder; `cache` is a folder of indexes, one per data folder."""
    index = index_file(cache, name, root)
    # toy stickers are drawn apart from each other, and the intervals that are published hang on their clusters
    drawn_here = root.name.endswith(toy_stickers.fingerprint())
    return read_folder(root, name=name, near_copies=not drawn_here, cache=index, on_progress=on_progress)
