"""Which scene of nuScenes is in which split: the official lists, or a `splits.json` of the user's.

nuScenes' official test split has tables of its own and is not used. Half of the scenes of the official validation split
are the suite's test split, the other half is its validation split. The two validation scenes of the mini version are
its test split, because an interval needs two scenes, and one of its eight training scenes is its validation split.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from rdtf_bench.core.errors import DataError, listed
from rdtf_bench.data.reading.folders.folder import SPLITS

# The numbers of the scenes, first and last of each run, of the lists `train`, `val`, `mini_train` and `mini_val` in
# nuscenes/utils/splits.py of nuscenes-devkit 1.2.0 (Copyright 2021 Motional, Apache-2.0). The lists are facts about the
# data; tests/data/test_nuscenes_devkit.py compares them with the devkit's.
RUNS: Mapping[str, str] = {
    "train": (
        "1-2 4-11 19-34 41-76 120-135 138-139 149-152 154-155 157-168 170-185 187-188 190-196 199-200 202-204 206-214 "
        "218-220 222 224-264 283-306 315-318 321 323-324 328 347-386 388-403 405-408 410-459 461-465 467-469 471-472 "
        "474-480 499-502 504-515 517-518 525-539 541-546 566 568 570-578 580 582-600 639-679 681 683-689 695-698 "
        "700-701 703-719 726-728 730-731 733-741 744 746-747 749-752 757-765 767-769 786-787 789-792 803-806 808-813 "
        "815-817 819-822 847-856 858 860-866 868-873 875-878 880 882-903 945 947 949 952-953 955-961 975-984 988-992 "
        "994-1025 1044-1058 1074-1102 1104-1110"
    ),
    "val": (
        "3 12-18 35-36 38-39 92-110 221 268-278 329-332 344-346 519-524 552-565 625-627 629-630 632-638 770-771 775 "
        "777-778 780-784 794-800 802 904-917 919-931 962-963 966-969 971-972 1059-1073"
    ),
    "mini_train": "61 553 655 757 796 1077 1094 1100",
    "mini_val": "103 916",
}
VERSIONS: Mapping[str, str] = {  # and how the official lists are used, in words
    "v1.0-trainval": "official train; val halved by sha256 of the scene into test and validation",
    "v1.0-mini": "official mini_train without one scene for validation; mini_val as test",
}
OWN_NAME = "splits.json"


def official(name: str) -> tuple[str, ...]:
    """Return the scenes of an official split, sorted.

    >>> official("mini_val")
    ('scene-0103', 'scene-0916')
    """
    runs = [run.split("-") for run in RUNS[name].split()]
    return tuple(f"scene-{number:04d}" for run in runs for number in range(int(run[0]), int(run[-1]) + 1))


def of_version(version: str) -> dict[str, list[str]]:
    """Return the scenes of each split of the suite by the official lists, sorted."""
    if version == "v1.0-mini":
        held_out, *trained_on = _shuffled(official("mini_train"))
        return {"train": sorted(trained_on), "validation": [held_out], "test": list(official("mini_val"))}
    halved = _shuffled(official("val"))
    return {"train": list(official("train")), "validation": sorted(halved[1::2]), "test": sorted(halved[::2])}


def _shuffled(scenes: Iterable[str]) -> list[str]:
    """Return scenes in the order of a hash of their names."""
    return sorted(scenes, key=lambda scene: hashlib.sha256(scene.encode()).hexdigest())


def read(tables: Path, scenes: Collection[str]) -> tuple[dict[str, str], str]:
    """Return the split of each scene, and what it comes from as words.

    As with the devkit, `splits.json` beside the tables maps names of splits to lists of scenes. It is used if it names
    `train`, `validation` and `test`, and then scenes that it does not name are left out.
    """
    path = tables / OWN_NAME
    if path.is_file() and (own := _own(path, scenes)):
        by_scene = {scene: split for split, members in own.items() for scene in members}
        return by_scene, f"{OWN_NAME}, {len(by_scene):,} of {len(scenes):,} scenes"
    lists = of_version(tables.name)
    by_scene = {scene: split for split, members in lists.items() for scene in members if scene in scenes}
    if unknown := sorted(set(scenes) - set(by_scene)):
        raise DataError(
            f"{tables / 'scene.json'}: scenes that are in no official split of {tables.name}: {len(unknown):,}\n"
            f"{listed(unknown)}\nWrite {path} with the lists {', '.join(SPLITS)} of scene names."
        )
    return by_scene, VERSIONS[tables.name]


def _own(path: Path, scenes: Collection[str]) -> dict[str, Sequence[str]]:
    """Return the lists of the file, or nothing if it names none of the splits of the suite."""
    try:
        found = json.loads(path.read_bytes())
    except ValueError as fault:
        raise DataError(f"{path}: is not JSON: {fault}. Repair or remove it.") from fault
    if not isinstance(found, dict) or not all(_is_list_of_names(members) for members in found.values()):
        raise DataError(f"{path}: is not an object whose values are lists of scene names. Repair or remove it.")
    own = {split: found[split] for split in SPLITS if split in found}
    if not own:
        return {}
    if absent := [split for split in SPLITS if split not in own]:
        raise DataError(f"{path}: has {', '.join(own)} and lacks {', '.join(absent)}. Add what is missing.")
    faults = []
    seen: dict[str, str] = {}
    for split, members in own.items():
        for scene in members:
            if scene not in scenes:
                faults.append(f"{split}: {scene} is not in scene.json")
            if scene in seen:
                faults.append(f"{split}: {scene} is already in {seen[scene]}")
            seen.setdefault(scene, split)
    if faults:
        raise DataError(f"{path}: scenes that cannot be used: {len(faults):,}\n{listed(faults)}\nCorrect the lists.")
    return own


def _is_list_of_names(members: object) -> bool:
    return isinstance(members, list) and all(isinstance(scene, str) for scene in members)
