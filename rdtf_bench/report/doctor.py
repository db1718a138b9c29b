"""Write what was found out about a machine, as text and as data. No torch."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from rdtf_bench.report import layouts
from rdtf_bench.run.doctor import TABLE, Examination, Finding, ScaleFinding

COLUMNS = ("group", "subject", "state", "fault", "mend")
GROUPS = {"versions": "Versions", "machine": "Machine", "weights": "Weights", "store": "Store"}


def render(found: Examination, *, format: str) -> str:
    """Write an examination in one of layouts.FORMATS."""
    layouts.require_format(format)
    if format == "json":
        return layouts.as_json(asdict(found))
    if format == "csv":
        rows = [{"group": group, **asdict(one)} for group in GROUPS for one in _group(found, group)]
        return layouts.as_csv([*rows, *_scale_rows(found)], COLUMNS)
    tables = [
        layouts.Table(head=(heading, "", ""), align="lll", groups=[[_line(one) for one in _group(found, name)]])
        for name, heading in GROUPS.items()
    ]
    head = ("Scale", f"can run {TABLE}", "what is missing")
    lines = [line for scale in found.scales for line in _scale_lines(scale)]
    notes = [f"To mend {what}: {command}" for command, what in found.mends().items()]
    if found.can_run("tiny"):
        notes.append(f"To run {TABLE}: rdtf-bench run {TABLE}")
    return layouts.document([*tables, layouts.Table(head=head, align="lll", groups=[lines])], notes, format=format)


def _group(found: Examination, name: str) -> Sequence[Finding]:
    return {"versions": found.versions, "machine": found.machine, "weights": found.weights, "store": found.store}[name]


def _line(found: Finding) -> tuple[str, str, str]:
    return found.subject, found.state, "" if found.state == "absent" else found.fault


def _scale_lines(found: ScaleFinding) -> list[tuple[str, str, str]]:
    """Return one line for each thing that is missing, or one line that the scale can run."""
    if not found.lacks:
        return [(found.scale, "yes", "")]
    lacks = [f"{lack.subject}: {'absent' if lack.state == 'absent' else lack.fault}" for lack in found.lacks]
    return [(found.scale, "no", lacks[0]), *(("", "", lack) for lack in lacks[1:])]


def _scale_rows(found: Examination) -> Iterator[dict[str, object]]:
    for one in found.scales:
        fault = "; ".join(f"{lack.subject}: {lack.fault}" for lack in one.lacks)
        yield {
            "group": "scales",
            "subject": one.scale,
            "state": "cannot run" if one.lacks else "can run",
            "fault": fault,
        }
