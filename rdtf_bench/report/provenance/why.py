"""Write what decided one number, as text and as data. No torch."""

import shlex
from collections.abc import Iterator, Mapping, Sequence

from rdtf_bench.assets import registry
from rdtf_bench.core.errors import AssetError
from rdtf_bench.report import layouts
from rdtf_bench.report.provenance.facts import Facts, facts, words
from rdtf_bench.report.provenance.sources import Recorded

HEADINGS = {
    "number": "Number",
    "configuration": "Configuration",
    "data": "Data",
    "weights": "Weights",
    "files": "SHA-256 of weights",
    "seeds": "Random seeds",
    "code": "Code",
    "packages": "Packages",
    "machine": "Machine",
    "samples": "Generated clips",
    "took": "Time and memory",
    "repeat": "Commands",
}

NOTES = (
    "Weights: each has its name and one hash of the SHA-256 of all files. "
    "`trained` is the key of the row's own weights in the store.",
    "Generated clips: the SHA-256 of all pixels of the row.",
)


def why(found: Recorded, table: str, metric: str, *, options: Sequence[str] = ()) -> Facts:
    """Return the facts of a number with its record and the commands that repeat it; UnknownNameError for the metric.

    `options` are those with which a command finds the same record, such as --scale and --store.
    """
    (metric,) = found.metrics(metric)
    decided = facts(found.record, metric)
    decided["number"] = {"table": table, "row": found.row, "metric": metric, "record": found.place, **decided["number"]}
    names = (found.record.resolved_scale or {}).get("assets", {})
    decided["files"] = dict(_files(decided["weights"], names))
    decided["weights"] = {
        role: f"{names[role]} {digest}" if role in names else digest for role, digest in decided["weights"].items()
    }
    decided["repeat"] = _commands(found, table, metric, options)
    return {section: decided[section] for section in HEADINGS if decided[section]}


def render(decided: Facts, *, format: str) -> str:
    """Write the facts in one of layouts.FORMATS; JSON keeps the sections as they are."""
    layouts.require_format(format)
    if format == "json":
        return layouts.as_json(decided)
    if format == "csv":
        rows = [
            {"section": section, "name": name, "value": words(value)}
            for section, named in decided.items()
            for name, value in named.items()
        ]
        return layouts.as_csv(rows, ("section", "name", "value"))
    number = decided["number"]
    tables = [
        layouts.Table(
            head=(HEADINGS[section], ""),
            align="ll",
            groups=[[line for name, value in named.items() for line in _lines(name, value)]],
        )
        for section, named in decided.items()
    ]
    return layouts.document(
        tables, NOTES, format=format, title=f"{number['table']}: {number['row']}, {number['metric']}"
    )


def _files(digests: Mapping[str, object], names: Mapping[str, str]) -> Iterator[tuple[str, object]]:
    """Yield the hash of every file of the weights that are here, if these are the weights of the record."""
    for role, name in names.items():
        if role not in digests:
            continue
        try:
            asset = registry.find(name)
        except AssetError:
            yield f"{name} as {role}", "The file is not installed here."
            continue
        if digests[role] != asset.digest:
            yield f"{name} as {role}", f"The registry here names other bytes: {asset.digest}."
            continue
        yield from ((f"{name}/{file}".rstrip("/"), sha256) for file, sha256 in asset.files.items())


def _commands(found: Recorded, table: str, metric: str, options: Sequence[str]) -> dict[str, object]:
    commit = found.record.environment.get("commit")
    replay = shlex.join(["rdtf-bench", "replay", table, found.row, metric, *options])
    return {
        "command": found.record.command,
        "replay": replay,
        **({"checkout": f"git checkout {commit}"} if commit else {}),
    }


def _lines(name: str, value: object) -> Iterator[tuple[str, str]]:
    """Yield one line, or one for each item of a list."""
    items = value if isinstance(value, list) and value else [value]
    yield from ((name if not place else "", words(item)) for place, item in enumerate(items))
