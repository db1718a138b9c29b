"""Fill the HTML templates. Every page extends `base.html`, which holds the styles."""

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(template: str, **values: object) -> str:
    """Return a page; a value that a template names and that is not given raises UndefinedError."""
    environment = Environment(
        loader=PackageLoader("rdtf_bench.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)
