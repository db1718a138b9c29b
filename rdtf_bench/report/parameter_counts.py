"""Write a method's parameter counts. No torch."""

from collections.abc import Mapping

from rdtf_bench.report import layouts

DENOISER = ("base", "trainable", "total")


def render(method: str, scale: str, counts: Mapping[str, int], *, format: str) -> str:
    """Write the counts of the denoiser, then of the networks around it. JSON is one object: component -> count.

    >>> counts = {"base": 1200, "trainable": 34, "total": 1234, "text_encoder": 5}
    >>> print(render("simda", "tiny", counts, format="text"))
    simda at scale tiny
    <BLANKLINE>
    component     parameters  part of
    -----------------------------------
    base               1,200  denoiser
    trainable             34  denoiser
    total              1,234  denoiser
    text_encoder           5  beside it
    """
    layouts.require_format(format)
    if format == "json":
        return layouts.as_json(counts)
    if format == "csv":
        return layouts.as_csv(
            ({"component": name, "parameters": count} for name, count in counts.items()), ("component", "parameters")
        )
    rows = [[name, f"{count:,}", "denoiser" if name in DENOISER else "beside it"] for name, count in counts.items()]
    table = layouts.Table(head=("component", "parameters", "part of"), groups=[rows], align="lrl")
    return layouts.document([table], format=format, title=f"{method} at scale {scale}")
