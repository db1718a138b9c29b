"""Sections of results/README.md about protocols without trained rows: sheets, costs and validity. No torch."""

from pathlib import Path

from rdtf_bench.core.store import write_text


def write_section(results: Path, name: str, title: str, scale: str, text: str) -> Path:
    """Write results/<name>/<scale>.md and results/README.md anew; return the path of the section.

    `text` is the protocol's result as Markdown, without a heading.
    """
    from rdtf_bench.report.table.publish import readme

    path = results / name / f"{scale}.md"
    write_text(path, f"## {name}: {title}\n\nScale `{scale}`.\n\n{text}\n")
    write_text(results / "README.md", readme(results))
    return path


def sections(results: Path) -> list[str]:
    """Return every published section, in the order of the protocols' names."""
    return [path.read_text(encoding="utf-8") for path in sorted(results.glob("*/*.md"))]
