"""Expand the grid of a table: every row at every combination of the settings that the grid lists. Pure."""

from itertools import product

from rdtf_bench.spec.schema import Row, Settings, TableSpec

SHORT = {
    "learning_rate": "lr",
    "sampling_steps": "steps",
    "training_steps": "training steps",
    "guidance_text": "text",
    "guidance_image": "image",
}
"""What a label calls a setting whose name is long."""


def expand(spec: TableSpec) -> TableSpec:
    """Return the table without its grid, with one row for each row and combination of settings.

    The label of a row names the settings: "RDTF, eta 0.5, text 3".
    """
    if not spec.grid:
        return spec
    rows = tuple(_at(row, dict(zip(spec.grid, values, strict=True))) for row in spec.rows for values in _points(spec))
    return spec.model_copy(update={"rows": rows, "grid": {}})


def _points(spec: TableSpec) -> list[tuple[int | float | str, ...]]:
    return list(product(*spec.grid.values()))


def _at(row: Row, point: dict[str, int | float | str]) -> Row:
    named = ", ".join(f"{SHORT.get(name, name)} {_said(value)}" for name, value in point.items())
    settings = Settings.model_validate({**row.settings.model_dump(exclude_defaults=True), **point})
    return row.model_copy(update={"label": f"{row.label}, {named}", "settings": settings, "paper": {}})


def _said(value: int | float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"
