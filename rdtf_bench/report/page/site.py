"""A static site of everything in results/: one page per published table, and an index that links to them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

from rdtf_bench import catalog
from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.store import Store, require_place, write_text
from rdtf_bench.report.page.rendering import render
from rdtf_bench.report.page.table_page import Contents, page, summary
from rdtf_bench.report.published import options_of, read_table
from rdtf_bench.report.results import read_sections
from rdtf_bench.report.table import grid
from rdtf_bench.report.table.rows import rows
from rdtf_bench.run import record

INDEX = "index.html"
TIED_NAMED = 3
"""Most tied methods that the index names; of more it gives the number."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What the index says of one table."""

    href: str
    title: str
    facts: dict[str, str]
    leaders: dict[str, str]  # which methods lead, by metric
    is_printed: bool  # whether the paper prints a number of this table


def write(results: Path, folder: Path, store: Store) -> Iterator[Path]:
    """Write the pages into a folder and yield the path of each; StoreError where nothing has been published, or where
    the folder cannot be written.

    Clips and curves come from the store where it holds those of a published table.
    """
    tables = sorted(results.glob("*/tables/*.json"))
    sections = read_sections(results)
    if not tables and not sections:
        raise StoreError(
            f"{results}: nothing has been published there, so there is nothing to show. Publish a table first: "
            "rdtf-bench run table1, then rdtf-bench publish table1"
        )
    require_place(folder / INDEX, "--out FOLDER")
    entries = []
    for path in tables:
        contents = _contents(path, store)
        entries.append(_entry(contents, f"{path.parents[1].name}-{path.stem}.html"))
        write_text(folder / entries[-1].href, page(contents, home=INDEX))
        yield folder / entries[-1].href
    write_text(folder / INDEX, index(entries, sections))
    yield folder / INDEX


def index(entries: Sequence[Entry], sections: Sequence[str]) -> str:
    """Return the page that lists all tables, those of the paper first, and shows the sections of other protocols."""
    ordered = sorted(entries, key=lambda entry: not entry.is_printed)
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    shown = [Markup(markdown.render(section)) for section in sections]
    return render("index.html", title="Results of rdtf-bench", entries=ordered, sections=shown)


def _contents(path: Path, store: Store) -> Contents:
    spec, scale, cells = read_table(path)
    records = record.find((cell.id for cell in cells), [path.parents[1]])
    options = options_of(spec, records)
    return Contents(spec=spec, scale=scale, cells=cells, records=records, store=store, options=options)


def _entry(contents: Contents, href: str) -> Entry:
    spec, cells = contents.spec, contents.cells
    shown = grid.build(spec, cells, rows(spec, cells, contents.records), catalog.constants)
    leaders = {column.name: said for column in shown.columns if (said := _leaders(column, shown.methods))}
    return Entry(
        href=href,
        title=f"{spec.name}: {spec.title}",
        facts=summary(contents),
        leaders=leaders,
        is_printed=any(row.paper for row in spec.rows),
    )


def _leaders(column: grid.Column, methods: Sequence[str]) -> str:
    """Return the method that is resolved as the best, or those that are tied; empty where no verdict was made."""
    of = {label: column.entries[label].verdict for label in methods}
    if best := [label for label in methods if of[label] == "best"]:
        return best[0]
    tied = [label for label in methods if of[label] == "tied"]
    return " ≈ ".join(tied) if len(tied) <= TIED_NAMED else f"{len(tied)} of {len(methods)} methods are tied"
