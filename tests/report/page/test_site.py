from pathlib import Path

import pytest

from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.store import Store, write_text
from rdtf_bench.report.page.site import Entry, index, write
from rdtf_bench.report.page.table_page import Contents
from rdtf_bench.report.table.publish import publish
from rdtf_bench.run import record
from tests.browser import needs_chromium, probed


@pytest.fixture
def results(contents: Contents, tmp_path: Path) -> Path:
    """The planted table, published, and the section of a protocol without trained rows."""
    for made in contents.records.values():
        record.save(made, record.folder_in(contents.store.root))
    folder = tmp_path / "results"
    publish(contents.spec, contents.scale, contents.cells, store=contents.store.root, results=folder)
    write_text(folder / "table6" / "tiny.md", "## table6: Options\n\n| option | here |\n| --- | --- |\n| K | <8> |\n")
    return folder


def test_a_site_has_a_page_per_table_and_an_index_that_links_to_it(
    results: Path, contents: Contents, tmp_path: Path
) -> None:
    folder = tmp_path / "site"
    written = list(write(results, folder, contents.store))
    assert [path.name for path in written] == ["planted-tiny-toy.html", "index.html"]
    listed = written[1].read_text(encoding="utf-8")
    assert '<a href="planted-tiny-toy.html">planted: A planted table</a>' in listed
    assert "<dt>FVD ↓</dt><dd>SimDA ≈ RDTF</dd>" in listed
    assert "<td>&lt;8&gt;</td>" in listed
    of_table = written[0].read_text(encoding="utf-8")
    assert '<a href="index.html">All results</a>' in of_table
    assert 'data-label="RDTF"' in of_table  # the store holds its clips


@needs_chromium
def test_the_index_has_no_fault_in_a_browser(results: Path, contents: Contents, tmp_path: Path) -> None:
    *_, listed = write(results, tmp_path / "site", contents.store)
    script = (
        "return {cards: document.querySelectorAll('.cards a').length, cells: document.querySelectorAll('td').length};"
    )
    assert probed(listed, script, folder=tmp_path) == {"cards": 1, "cells": 2, "faults": []}


def test_tables_that_the_paper_prints_come_first() -> None:
    def entry(name: str, is_printed: bool) -> Entry:
        return Entry(href=f"{name}.html", title=name, facts={}, leaders={}, is_printed=is_printed)

    text = index([entry("ablate-k", False), entry("table1", True)], [])
    assert text.index("table1.html") < text.index("ablate-k.html")


def test_results_without_a_table_are_an_error_that_says_how_to_publish(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nothing has been published there.*rdtf-bench publish table1"):
        list(write(tmp_path, tmp_path / "site", Store(tmp_path)))
