"""A sheet as text, Markdown, CSV or JSON. No torch."""

import csv
import io
import json
from collections.abc import Mapping, Sequence

from rdtf_bench.core.errors import unknown_name
from rdtf_bench.spec.schema import Sheet

FORMATS = ("text", "md", "csv", "json")


def render(sheet: Sheet, rows: Sequence[Mapping[str, str]], *, format: str) -> str:
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    if format == "json":
        return json.dumps(list(rows), indent=1, ensure_ascii=False)
    if format == "csv":
        out = io.StringIO()
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return out.getvalue().removesuffix("\n")
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    if format == "md":
        lines.insert(1, ["---"] * len(lines[0]))
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    padded = ["  ".join(word.ljust(wide) for word, wide in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([f"{sheet.name}: {sheet.title}", "", *padded, "", f"The paper's: {sheet.source}."])
