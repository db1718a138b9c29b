"""Names of networks in headings: plain only where the bytes of the weights are known to be the published ones."""

from pathlib import Path

from rdtf_bench.assets.official import OFFICIAL
from rdtf_bench.core.store import sha256_of


def known_sha256s(*names: str) -> set[str]:
    """Return the SHA-256 of the published files of these assets; empty until one is known."""
    files = (OFFICIAL[name].files for name in names if name in OFFICIAL)
    return {sha256 for of_asset in files for sha256 in of_asset.values() if sha256 is not None}


def heading(name: str, weights: Path) -> str:
    """Return the name of an asset, with the hash of its weights unless it is that of the published file."""
    sha256 = sha256_of(weights)
    return name if sha256 in known_sha256s(name) else unverified(name, sha256)


def unverified(name: str, sha256: str) -> str:
    """Return the name of weights whose hash is not that of the official ones."""
    return f"{name}, unverified sha256 {sha256[:12]}"
