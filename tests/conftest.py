"""Starts the longest files of tests first, so that none of them is alone at the end of a run on several processes."""

import pytest

LONGEST = ("test_end_to_end.py", "test_ablations.py", "test_on_processes.py")


def pytest_sessionstart() -> None:
    """Spend no time on clearing pages, as workers do not."""
    from rdtf_bench.run import process  # after the hook that checks shapes, which wants to see every import

    process.keep_memory()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the longest files first and keep the order of all others."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))
