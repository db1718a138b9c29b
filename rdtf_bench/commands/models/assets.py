"""`rdtf-bench assets`: list, fetch, verify, add and rebuild network weights."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rdtf_bench.commands.options import DEFAULT_STORE, StoreDir

if TYPE_CHECKING:
    from rdtf_bench.assets.registry import Asset

app = typer.Typer(no_args_is_help=True, help="List, fetch, verify, add and rebuild network weights.")

Name = Annotated[str, typer.Argument(help="An asset, by the name that `assets list` prints.")]


@app.command(name="list", epilog="Example: rdtf-bench assets list")
def list_assets() -> None:
    """List every set of weights: licence, state, place, source, and the SHA-256 of each file where it is known."""
    from rdtf_bench.assets import registry

    for name in registry.names():
        asset = registry.find(name)
        typer.echo(f"{name:24} {asset.licence:12} {_state(asset)}\n{'':24} {_place(asset)} ({asset.source})")
        for file, sha256 in asset.files.items():
            typer.echo(f"{'':24} {file or asset.path.name}: SHA-256 {sha256 or 'not known'}")


@app.command(epilog="Example: rdtf-bench assets fetch clip-vit-b-32 fast-vqa-b")
def fetch(
    names: Annotated[list[str], typer.Argument(help="Official weights, by the names that `assets list` prints.")],
) -> None:
    """Download official weights into the folder RDTF_BENCH_ASSETS; HF_HUB_OFFLINE is honoured."""
    from rdtf_bench.assets import download, registry

    for name in names:
        registry.find(name)  # a wrong name is told before the first download
    for name in names:
        asset = download.fetch(name)
        typer.echo(f"{name}: {_state(asset)}, in {asset.path}")


@app.command(epilog="Example: rdtf-bench assets verify")
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Verify only these; default: all that are present.")] = None,
) -> None:
    """Compare the bytes with the registry's hashes, and pin official files whose hash nobody has published."""
    from rdtf_bench.assets import registry

    chosen = [registry.find(name) for name in names or registry.names()]
    present = [asset for asset in chosen if names or not asset.absent()]
    registry.verify(present)
    new = registry.pin(present)
    for asset in map(registry.find, [asset.name for asset in present]):
        typer.echo(f"{asset.name}: {'pinned now: no SHA-256 was known' if asset.name in new else _state(asset)}")


@app.command(epilog="Example: rdtf-bench assets add i2vgen-xl /data/i2vgen-xl")
def add(
    name: Name, path: Annotated[Path, typer.Argument(help="Its file or folder, anywhere on this machine.")]
) -> None:
    """Use official weights that are on this machine already. They are linked to, not copied.

    No file is removed or replaced, whatever fails. A folder with the parts of i2vgen-xl adds those that are absent.
    """
    from rdtf_bench.assets import download

    for asset in download.add(name, path):
        typer.echo(f"{asset.name}: {_state(asset)}, {_place(asset)}")


@app.command(epilog="Example: rdtf-bench assets build toy --only autoencoder")
def build(
    recipe: Annotated[str, typer.Argument(help="The recipe: toy.")],
    only: Annotated[str | None, typer.Option(help="Train only this network, such as autoencoder.")] = None,
    out: Annotated[Path, typer.Option(help="Write the weights into this folder.")] = Path("toy-weights"),
    store: StoreDir = DEFAULT_STORE,
    fluent: Annotated[
        Path | None, typer.Option(help="Folder of fluent emoji; default: where `data fetch` puts it.")
    ] = None,
    stickers: Annotated[
        Path | None, typer.Option(help="Folder of real stickers to measure the networks on. They are never trained on.")
    ] = None,
) -> None:
    """Train the toy networks anew from the recipes in models/toy, which takes an hour or two on 2 CPU cores."""
    from rdtf_bench import catalog
    from rdtf_bench.core.errors import DataError

    module = catalog.load("recipe", recipe)
    for folder in (fluent, stickers):
        if folder is not None and not folder.is_dir():
            raise DataError(f"{folder}: there is no such folder")
    default = store / "data" / "fluent"
    found = fluent or (default if default.is_dir() else None)
    module.build(only, out=out, data=store / "data", fluent=found, stickers=stickers, on_progress=_say)


def _place(asset: "Asset") -> str:
    """Return the asset's place and, if it consists of links, the files and folders that they lead to."""
    single = "" in asset.files
    places = [asset.path, *(path.parent for path in asset.paths().values() if not single)]
    targets = [str(place.resolve()) for place in dict.fromkeys(places) if place.is_symlink()]
    return f"{asset.path} -> {', '.join(targets)}" if targets else str(asset.path)


def _state(asset: "Asset") -> str:
    from rdtf_bench.assets.registry import is_pinned

    if asset.absent():
        return "absent"
    if faults := asset.faults():
        return "; ".join(faults)
    if None in asset.files.values():
        return "there, and no SHA-256 is known: pinned at first use"
    return "verified against the bytes of first use" if is_pinned(asset.name) else "verified"


def _say(line: str) -> None:
    typer.echo(line, err=True)
