"""What differs between two sets of records: facts that decided the numbers, and how far each score moved. No torch."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from math import hypot
from textwrap import wrap

from rdtf_bench.core import intervals
from rdtf_bench.core.errors import StoreError
from rdtf_bench.report import layouts
from rdtf_bench.report.provenance.facts import DECIDING, facts, words
from rdtf_bench.report.provenance.sources import Recorded, Rows
from rdtf_bench.report.table.grid import decimals_for
from rdtf_bench.run.record import Record, ScoreRecord

COLUMNS = ("row", "metric", "a", "b", "difference", "in_own_sd", "in_difference_sd", "paired", "comparable")

FACT_WIDTHS = (13, 31, 24, 24, 19)
"""Columns of text for each cell of the table of facts; with the gaps they stay below layouts.NOTE_WIDTH."""


@dataclass(frozen=True, kw_only=True)
class FactDiff:
    """One fact with two values, and the rows in which it differs; a value is None where the record lacks it."""

    section: str
    name: str
    a: object
    b: object
    rows: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ScoreDiff:
    """One score of both sides. A number that is counted has no standard deviation."""

    row: str
    metric: str
    a: float
    b: float
    difference: float
    in_own_sd: float | None  # standard deviations of the score of A
    in_difference_sd: float | None  # standard deviations of the difference; None where it has none
    paired: bool  # whether the difference is paired over the same groups of clips
    comparable: str  # why the two cannot be compared; empty if they can


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Everything that differs between two sets of records."""

    facts: tuple[FactDiff, ...]
    scores: tuple[ScoreDiff, ...]
    rows: tuple[str, ...]  # that both sides have
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]


def compare(a: Rows, b: Rows) -> Difference:
    """Compare the records of the rows that both sides have; StoreError where they share no row.

    Two single records are compared whatever their names. A single record is compared with the row of the same clips,
    or else of the same method and seed.
    """
    pairs = _pairs(a, b)
    if not pairs:
        raise StoreError(f"no row is on both sides. A has {', '.join(a)}; B has {', '.join(b)}.")
    matched_a, matched_b = ({pair[side].row for pair in pairs.values()} for side in (0, 1))
    return Difference(
        facts=tuple(_facts({row: (one.record, other.record) for row, (one, other) in pairs.items()})),
        scores=tuple(score for row, (one, other) in pairs.items() for score in _scores(row, one.record, other.record)),
        rows=tuple(pairs),
        only_a=tuple(row for row in a if row not in matched_a),
        only_b=tuple(row for row in b if row not in matched_b),
    )


def render(found: Difference, *, names: tuple[str, str], format: str) -> str:
    """Write a comparison in one of layouts.FORMATS; CSV holds the scores alone."""
    layouts.require_format(format)
    scores = [asdict(score) for score in found.scores]
    if format == "csv":
        return layouts.as_csv(scores, COLUMNS)
    if format == "json":
        return layouts.as_json({"a": names[0], "b": names[1], **asdict(found)})
    tables = [_fact_table(found, is_folded=format == "text"), _score_table(found)]
    return layouts.document(tables, list(_notes(found)), format=format, title=f"A: {names[0]}\nB: {names[1]}")


def _pairs(a: Rows, b: Rows) -> dict[str, tuple[Recorded, Recorded]]:
    if min(len(a), len(b)) == 1:
        single, others = (a, b) if len(a) == 1 else (b, a)
        (one,) = single.values()
        other = _closest(one, others)
        if other is None:
            return {}
        row = other.row
        return {row: (one, other)} if single is a else {row: (other, one)}
    return {row: (a[row], b[row]) for row in a if row in b}


def _closest(one: Recorded, others: Rows) -> Recorded | None:
    if len(others) == 1:
        return next(iter(others.values()))
    same_clips = [other for other in others.values() if other.record.cell_id == one.record.cell_id]
    same_row = [
        other
        for other in others.values()
        if (other.record.method, other.record.seed) == (one.record.method, one.record.seed)
    ]
    return next(iter([*same_clips, *same_row]), None)


def _facts(pairs: dict[str, tuple[Record, Record]]) -> Iterator[FactDiff]:
    """Yield one difference for all rows that have it, in the order in which it was first seen."""
    rows_of: dict[tuple[str, str, str, str], list[str]] = {}
    values: dict[tuple[str, str, str, str], tuple[object, object]] = {}
    for row, (one, other) in pairs.items():
        for metric in [name for name in one.scores if name in other.scores]:
            for section, name, a, b in _differing(one, other, metric):
                key = (section, name, repr(a), repr(b))
                rows_of.setdefault(key, [])
                values[key] = a, b
                if row not in rows_of[key]:
                    rows_of[key].append(row)
    for key in sorted(rows_of, key=lambda key: DECIDING.index(key[0])):
        (a, b), rows = values[key], rows_of[key]
        yield FactDiff(section=key[0], name=key[1], a=a, b=b, rows=tuple(rows))


def _differing(one: Record, other: Record, metric: str) -> Iterator[tuple[str, str, object, object]]:
    a, b = facts(one, metric), facts(other, metric)
    for section in DECIDING:
        for name in dict.fromkeys((*a[section], *b[section])):
            if a[section].get(name) != b[section].get(name):
                yield section, name, a[section].get(name), b[section].get(name)


def _scores(row: str, one: Record, other: Record) -> Iterator[ScoreDiff]:
    for metric in [name for name in one.scores if name in other.scores]:
        a, b = one.scores[metric], other.scores[metric]
        paired = _are_paired(one, other, metric)
        yield ScoreDiff(
            row=row,
            metric=metric,
            a=a.value,
            b=b.value,
            difference=b.value - a.value,
            in_own_sd=_in(b.value - a.value, intervals.deviation(a.without_group) if a.without_group else 0.0),
            in_difference_sd=_in(b.value - a.value, _deviation(a, b, paired)),
            paired=paired,
            comparable=_fault(a, b),
        )


def _are_paired(one: Record, other: Record, metric: str) -> bool:
    """Return whether both scores left out the same groups of the same clips."""
    groups = [len(side.scores[metric].without_group) for side in (one, other)]
    decided = [side.config.get("scores", {}).get(metric, {}) for side in (one, other)]
    clips = [(identity.get("clusters"), identity.get("real", {}).get("clips")) for identity in decided]
    return groups[0] > 0 and groups[0] == groups[1] and clips[0] == clips[1] and clips[0][0] is not None


def _deviation(a: ScoreRecord, b: ScoreRecord, paired: bool) -> float:
    if paired:
        found = intervals.difference(b.value, b.without_group, minus=a.value, minus_without_group=a.without_group)
        return found.deviation
    return hypot(*(intervals.deviation(side.without_group) for side in (a, b) if side.without_group))


def _in(difference: float, deviation: float) -> float | None:
    if difference == 0:
        return 0.0
    return difference / deviation if deviation > 0 else None


def _fault(a: ScoreRecord, b: ScoreRecord) -> str:
    if a.yardstick != b.yardstick:
        return f"other yardstick: {a.yardstick} and {b.yardstick}"
    return f"other number of clips: {a.n} and {b.n}" if a.n != b.n else ""


def _fact_table(found: Difference, *, is_folded: bool) -> layouts.Table:
    rows: list[Sequence[str]] = [
        (
            fact.section,
            fact.name,
            words(fact.a),
            words(fact.b),
            "all" if len(fact.rows) == len(found.rows) else ", ".join(fact.rows),
        )
        for fact in found.facts
    ]
    if is_folded:
        rows = [line for row in rows for line in _folded(row)]
    return layouts.Table(
        head=("what differs", "", "A", "B", "rows"), groups=[rows or [("nothing", "", "", "", "")]], align="lllll"
    )


def _folded(row: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the lines of a row whose long cells go on below themselves."""
    cells = [wrap(cell, width) for cell, width in zip(row, FACT_WIDTHS, strict=True)]
    yield from zip_longest(*cells, fillvalue="")


def _score_table(found: Difference) -> layouts.Table:
    rows = [
        (score.row, score.metric, *_numbers(score), score.comparable or ("paired" if score.paired else ""))
        for score in found.scores
    ]
    head = ("row", "metric", "A", "B", "B - A", "in SD of A", "in SD of B - A", "")
    return layouts.Table(head=head, groups=[rows], align="llrrrrrl")


def _numbers(score: ScoreDiff) -> tuple[str, ...]:
    places = decimals_for(abs(score.a)) + 1
    moved = [
        "n/a" if share is None or score.comparable else f"{share:+.2f}"
        for share in (score.in_own_sd, score.in_difference_sd)
    ]
    return f"{score.a:.{places}f}", f"{score.b:.{places}f}", f"{score.difference:+.{places}f}", *moved


def _notes(found: Difference) -> Sequence[str]:
    notes = [
        "SD: the standard deviation over clips (delete-a-group jackknife). `paired`: the SD of B - A is taken over the "
        "same groups of clips. Otherwise its variance is the sum of both variances, as for independent clips. A number "
        "that is counted or timed has no SD. The variation between random seeds is in neither.",
        "Times, memory and dates are not compared: `rdtf-bench why` shows them.",
    ]
    for side, rows in (("A", found.only_a), ("B", found.only_b)):
        if rows:
            notes.append(f"In {side} alone: {', '.join(rows)}.")
    return notes
