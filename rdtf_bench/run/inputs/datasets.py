"""Selects the clips of a run from the dataset of the protocol, the folder given by --data, and the scale.

This module imports no torch, and neither must a dataset module at its top. A dataset module (see data/asg.py) offers

- `Config`: a dataclass of its options, which the protocol's `dataset_options` set; `read` and `builtin` take them,
- `builtin()`: fingerprint and number of clips per split of the data that it makes itself,
- `prepare(source, store=)`: the folder of the clips, made or fetched if it is built in,
- `read(root, name=, cache=)`: every clip of that folder with split, caption and cluster, and the faulty files,
- `choose(clips, split=, most=, min_frames=)`: the clips of a split that are used,
- `MORE_CLIPS`: what to do for more clips of a split, in words,
- `fingerprint(clips)` and `clustering(clips)`: hashes of the bytes and captions, and of the clusters.

Pixels of all of them are decoded by data/reading/clips.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rdtf_bench import catalog
from rdtf_bench.core.dataset import Clip
from rdtf_bench.core.errors import DataError, unknown_name
from rdtf_bench.data.sources import hub
from rdtf_bench.spec.options import typed
from rdtf_bench.spec.plan import DataIdentity
from rdtf_bench.spec.scale import DataSizes, Scale
from rdtf_bench.spec.schema import TableSpec

Options = Mapping[str, object]
NO_OPTIONS: Options = {}
BUILTIN = "toy"
ON_HUB = "asg"
"""The dataset that may be a repository of the Hugging Face Hub."""
MIN_TEST_CLIPS = 50
"""Fewest test clips for which a confidence interval is reliable."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """The clips of a run, their identity for the plan, and facts about them."""

    identity: DataIdentity
    clips: dict[str, tuple[Clip, ...]]  # by split
    root: Path = Path()  # of the files of the clips
    facts: dict[str, object] = field(default_factory=dict)  # for the record: counts, clips left out, files skipped


def parse_data_options(given: Sequence[str]) -> dict[str, str]:
    """Parse values of --data: `asg=DIR` becomes {"asg": "DIR"}."""
    sources = {}
    for text in given:
        name, separator, source = text.partition("=")
        if not separator or not source:
            raise DataError(f"--data {text!r} is not of the form NAME=FOLDER, such as --data asg=my_stickers")
        if name not in catalog.names("dataset"):
            raise unknown_name("dataset", name, catalog.names("dataset"))
        sources[name] = source
    return sources


def identify(
    name: str,
    source: str | None,
    sizes: DataSizes,
    min_frames: int,
    *,
    store: Path,
    min_train_frames: int = 2,
    options: Options = NO_OPTIONS,
    scored: str = "test",
) -> Dataset:
    """Return what a plan needs of the data. A folder is read; built-in data is not written and has an identity only."""
    if source is None:
        return Dataset(identity=_builtin_identity(name, sizes, scored, _typed(name, options)), clips={})
    return read(
        name,
        source,
        sizes,
        min_frames,
        store=store,
        skip_broken=True,
        min_train_frames=min_train_frames,
        options=options,
        scored=scored,
    )


def read(
    name: str,
    source: str | None,
    sizes: DataSizes,
    min_frames: int,
    *,
    store: Path,
    skip_broken: bool,
    min_train_frames: int = 2,
    options: Options = NO_OPTIONS,
    scored: str = "test",
) -> Dataset:
    """Return the clips of a run. Built-in data is written into the store if it is not there.

    Clips that are scored need `min_frames` frames. Training stickers may be shorter, because methods extend them.
    `options` are those of the dataset module. With `scored="validation"` the validation clips take the place of the
    test clips, which then have no part in the run.
    """
    module = catalog.load("dataset", name)
    cut = _typed(name, options)
    if source and hub.is_hub(source):
        _require_from_hub(name, source)
        source = hub.pinned(source)
    root = module.prepare(source, store=store)
    folder = module.read(root, name=name, cache=store / "data" / "indexes", **cut)
    folder.require_one_split()
    folder.require_unbroken(skip_broken=skip_broken)
    most = {"train": sizes.train, "validation": sizes.validation, "test": sizes.test}
    fewest = {"train": min_train_frames, "validation": min_frames, "test": min_frames}
    chosen = {
        split: module.choose(folder.clips, split=split, most=most[split], min_frames=fewest[split]) for split in most
    }
    chosen["test"] = chosen[scored]
    clips = {split: choice.clips for split, choice in chosen.items()}
    identity = (
        _builtin_identity(name, sizes, scored, cut)
        if source is None
        else DataIdentity(
            dataset=name,
            source=source,
            train=module.fingerprint(chosen["train"].clips),
            validation=module.fingerprint(chosen["validation"].clips),
            test=module.fingerprint(chosen["test"].clips),
            test_clusters=module.clustering(chosen["test"].clips),
            num_train=len(clips["train"]),
            num_validation=len(clips["validation"]),
            num_test=len(clips["test"]),
        )
    )
    _require_enough(source or str(root), clips, module.MORE_CLIPS)
    facts: dict[str, object] = {
        "source": _published(source) if source else BUILTIN,
        "files": len(folder.clips),
        "split_from": folder.split_from,
        "captions_from": folder.captions_from,
        "in_use": {split: len(files) for split, files in clips.items()},
        "clusters": {split: len({clip.cluster for clip in files}) for split, files in clips.items()},
        "left_out_stills": len(folder.stills),
        "left_out_uncaptioned": len(folder.uncaptioned),
        "copies": folder.num_copies,
        "near_copies": folder.num_near_copies,
        "uneven": folder.num_uneven,
        "without_trailer": folder.num_without_trailer,
        "left_out_other_kinds": dict(folder.other_kinds),
        "left_out_short": {split: choice.left_out_short for split, choice in chosen.items()},
        "notes": dict(folder.notes),
        "skipped_broken": [str(broken.path.relative_to(folder.root)) for broken in folder.broken],
    }
    if options:
        facts["options"] = dict(options)
    return Dataset(identity=identity, clips=clips, root=folder.root, facts=facts)


def of_table(spec: TableSpec, scale: Scale, source: str | None, *, store: Path, skip_broken: bool) -> Dataset:
    """Return the clips of a table at a scale, as `read` does."""
    return read(
        spec.dataset,
        source,
        scale.data,
        scale.clip.fewest_frames,
        store=store,
        skip_broken=skip_broken,
        options=spec.dataset_options,
        scored=spec.scored,
    )


def _require_from_hub(name: str, source: str) -> None:
    if name != ON_HUB:
        raise DataError(f"{source}: {ON_HUB} alone is read from the Hub. Download {name} and give its folder.")


def _published(source: str) -> str:
    """Return a source as records name it, which are published: without the path of a machine.

    A folder of the user's that has the name of built-in data is told from it.
    """
    from rdtf_bench.data import fluent  # imports Pillow, which printing a table does not need

    name = source if hub.is_hub(source) else Path(source).name
    is_taken = name == BUILTIN or (name == fluent.NAME and source != fluent.NAME)
    return f"{name}-folder" if is_taken else name


def _typed(name: str, options: Options) -> dict[str, Any]:
    """Return every option of a dataset with its value; raise ProtocolError for one that is wrong."""
    return asdict(typed(catalog.load("dataset", name).Config, options, name=name, where="dataset_options"))


def _builtin_identity(name: str, sizes: DataSizes, scored: str, options: Mapping[str, Any]) -> DataIdentity:
    """Return the identity of built-in data: parameters of the generator and the number of clips decide its bytes."""
    made = catalog.load("dataset", name).builtin(**options)
    num_train = min(sizes.train, made.counts["train"])
    num_validation = min(sizes.validation, made.counts["validation"])
    num_test = num_validation if scored == "validation" else min(sizes.test, made.counts["test"])
    return DataIdentity(
        dataset=name,
        source=BUILTIN,
        train=f"{made.fingerprint}:train:{num_train}",
        validation=f"{made.fingerprint}:validation:{num_validation}",
        test=f"{made.fingerprint}:{scored}:{num_test}",
        test_clusters=f"{made.fingerprint}:{scored}:{num_test}",
        num_train=num_train,
        num_validation=num_validation,
        num_test=num_test,
    )


def _require_enough(place: str, clips: dict[str, tuple[Clip, ...]], more_clips: str) -> None:
    if len(clips["test"]) < MIN_TEST_CLIPS:
        raise DataError(
            f"{place}: the test split has {len(clips['test'])} usable clips, and at least {MIN_TEST_CLIPS} are needed "
            f"for an interval that means something. {more_clips}"
        )
    if len({clip.cluster for clip in clips["test"]}) < 2:
        raise DataError(
            f"{place}: all test clips are in one cluster ({clips['test'][0].cluster}), and an interval needs at least "
            f"two. {more_clips}"
        )
    if not clips["train"]:
        raise DataError(f"{place}: the training split is empty. {more_clips}")
