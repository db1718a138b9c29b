"""Write a sheet, a table of the paper for which nothing is measured. No torch."""

from collections.abc import Mapping, Sequence

from rdtf_bench.report import layouts
from rdtf_bench.spec.schema import Sheet


def render(sheet: Sheet, rows: Sequence[Mapping[str, str]], *, format: str) -> str:
    """Write the rows of a sheet, which all have the same keys, in one of layouts.FORMATS."""
    layouts.require_format(format)
    columns = list(rows[0])
    if format in layouts.DATA_FORMATS:
        return layouts.data(rows, columns, format=format)
    table = layouts.Table(head=columns, groups=[[list(row.values()) for row in rows]], align="l" * len(columns))
    notes = [f"The paper's values: {sheet.source}."]
    return layouts.document([table], notes, format=format, title=f"{sheet.name}: {sheet.title}")
