"""What made the numbers of a table: facts that all rows share, and those that differ between rows. No torch."""

from collections.abc import Mapping, Sequence

from rdtf_bench.report import layouts
from rdtf_bench.report.provenance.facts import facts, words
from rdtf_bench.run.record import Record

SECTIONS = ("code", "machine", "packages", "data", "weights", "seeds", "samples", "took", "configuration")
"""Sections of `facts` in the order of the page: the longest one is the last."""
OF_ONE_METRIC = ("metric", "metric_version")
"""Facts that differ between the metrics of a row; the notes below the table name the yardsticks."""

Named = dict[tuple[str, str], str]
"""Values as words by section and name."""


def tables(records: Mapping[str, Record]) -> list[layouts.Table]:
    """Return a table of the facts that are equal wherever a row has them, and one of the others; by the row's name."""
    found = {row: of_record(record) for row, record in records.items()}
    names = sorted(dict.fromkeys(name for of in found.values() for name in of), key=lambda name: _rank(name[0]))
    values = {name: {row: of[name] for row, of in found.items() if name in of} for name in names}
    shared = [name for name in names if len(set(values[name].values())) == 1]
    differing = [name for name in names if name not in shared]
    same = [[*name, next(iter(values[name].values()))] for name in shared]
    different = [[*name, row, value] for name in differing for row, value in values[name].items()]
    head = ("section", "fact")
    return [
        _table("The same for every row that has it", [*head, "value"], same),
        _table("Different between rows", [*head, "row", "value"], different),
    ]


def of_record(record: Record) -> Named:
    """Return the facts of all scores of a record; what a record does not state is left out."""
    named: Named = {} if record.command is None else {("code", "command"): record.command}
    for metric in record.scores:
        sections = facts(record, metric)
        for section in SECTIONS:
            for name, value in sections[section].items():
                if value is not None and name.partition(".")[0] not in OF_ONE_METRIC:
                    named[section, name.replace("_", " ")] = words(value)
    return named


def _table(heading: str, head: Sequence[str], lines: Sequence[Sequence[str]]) -> layouts.Table:
    groups = [_named_once([line for line in lines if line[0] == section]) for section in SECTIONS]
    return layouts.Table(heading=heading, head=head, groups=[of for of in groups if of], align="l" * len(head))


def _named_once(lines: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """Leave the name of the section out of all lines but the first."""
    return [line if number == 0 else ["", *line[1:]] for number, line in enumerate(lines)]


def _rank(section: str) -> int:
    return SECTIONS.index(section)
