"""`rdtf-bench store`: list, verify and tidy a store."""

from typing import Annotated

import typer

from rdtf_bench.commands.options import DEFAULT_STORE, Format, HeldStore, Results, results_folder

app = typer.Typer(no_args_is_help=True, help="List, verify and tidy a store of results.")


@app.command(name="ls", epilog="Example: rdtf-bench store ls")
def list_entries(store: HeldStore = DEFAULT_STORE, format: Format = "text") -> None:
    """List how much the store holds, by kind of entry and by table."""
    from rdtf_bench.report import storage
    from rdtf_bench.run.storage import entries

    typer.echo(storage.contents(entries.require_store(store), format=format))


@app.command(epilog="Example: rdtf-bench store verify --store runs")
def verify(store: HeldStore = DEFAULT_STORE) -> None:
    """Compare all files with the hashes of when they were written; exit status 6 if some are damaged.

    Entries of a version that kept no hashes are named. Their files can only be opened, which does not find every fault.
    """
    from rdtf_bench.core.errors import StoreError, listed
    from rdtf_bench.run.storage import damage, entries

    held = entries.require_store(store)
    found = entries.held(held)
    unverified = [f"{entry.kind}/{entry.key}" for entry in found if held.hashes(entry.kind, entry.key) is None]
    faults = [fault for entry in found for fault in damage.faults(held, entry)]
    faults += damage.unreadable_records(held)
    typer.echo(f"{len(found) - len(unverified):,} of {len(found):,} entries were compared with their hashes.")
    if unverified:
        typer.echo(
            f"Not verified, because an earlier version kept no hashes: {len(unverified):,}. Their files were only "
            f"opened, which does not find changed bytes:\n{listed(unverified)}"
        )
    if faults:
        raise StoreError(
            f"{held.root}: damaged files: {len(faults):,}\n{listed(faults)}\nThe next run of their table removes "
            "damaged entries and makes them again."
        )
    typer.echo("No damage was found.")


@app.command(epilog="Example: rdtf-bench store gc --dry-run")
def gc(
    store: HeldStore = DEFAULT_STORE,
    days: Annotated[float, typer.Option("--days", min=0.0, help="Keep what was made within this many days.")] = 30.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove without a question.")] = False,
    results: Results = None,
) -> None:
    """Remove weights, samples and scores that no published or recent record needs. Records and data are kept."""
    from rdtf_bench.core.errors import StoreError
    from rdtf_bench.core.leases import alone_in
    from rdtf_bench.report import storage
    from rdtf_bench.run.storage import entries, sweep

    held = entries.require_store(store)
    if results is not None and not results.is_dir():
        raise StoreError(
            f"--results {results}: there is no such folder, and what it publishes would be removed. Name the folder of "
            "the published results."
        )
    with alone_in(held.root):
        found = sweep.find(held, results=results or results_folder(), days=days)
        if not found:
            typer.echo(f"{held.root}: holds nothing to remove. All of it is needed or younger than {days:g} days.")
            return
        typer.echo(storage.waste(found))
        if dry_run:
            typer.echo("Nothing is removed, because of --dry-run.")
            return
        if not yes:
            typer.confirm(f"Folders to remove from {held.root}: {len(found):,}. Remove them?", abort=True)
        sweep.remove(held, found)
        typer.echo(f"Folders removed: {len(found):,}. A run that needs them makes them again.")
