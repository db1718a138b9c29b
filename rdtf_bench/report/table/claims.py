"""Judge the orderings that the paper states by our records: confirmed, contradicted or undecided. Pure; no torch.

The claims of a table are tested together: the p-values of the paired tests of all its claims are adjusted by Holm, so
that a table of false claims has one confirmed in at most 5 % of all cases. Costs have no groups of clips; they differ
if their intervals do not overlap. A user study has tests of its own, paired by rater and clip.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rdtf_bench import catalog
from rdtf_bench.core import intervals
from rdtf_bench.report import layouts
from rdtf_bench.report.table import power, verdicts
from rdtf_bench.report.table.grid import digits_for
from rdtf_bench.report.table.rows import Number
from rdtf_bench.run.arena.study import Study
from rdtf_bench.run.costs.record import CostRecord
from rdtf_bench.spec.claims import Claim, ClaimSet, load

Verdict = Literal["confirmed", "contradicted", "undecided", "not run"]
VERDICTS: tuple[Verdict, ...] = ("confirmed", "contradicted", "undecided", "not run")
COLUMNS = ("table", "scale", "metric", "better", "worse", "paper_better", "paper_worse", "source")
OURS = ("ours_better", "ours_worse", "yardstick", "verdict", "p_adjusted", "n", "n_to_decide", "seeds", "needs_seeds")

HEAD = ("metric", "claim", "paper", "ours", "verdict", "p", "n to decide")

Pair = tuple[Number, Number]
Tests = Mapping[tuple[str, str, str], float]
"""The p-value of each difference: metric and two rows."""
Place = tuple[str, str, str, str]
"""Table, scale, data and number of seeds of a published table."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One claim with our numbers and the verdict. What was not measured is None."""

    table: str
    claim: Claim
    pair: Pair | None
    verdict: Verdict
    p_adjusted: float | None  # None also for costs, which have no test
    n_to_decide: int | None
    """Clips at which a single test finds our difference in 4 of 5 tries, where it is undecided and they are more than
    there are. None also where the difference is 0, or where more clips alone would not resolve it."""

    @property
    def needs_seeds(self) -> bool:
        """Whether the variation between random seeds, and not the number of clips, leaves the claim undecided."""
        undecided = self.verdict == "undecided" and self.pair is not None and self.pair[0].value != self.pair[1].value
        return undecided and self.num_seeds > 1 and self.n_to_decide is None

    @property
    def num_seeds(self) -> int:
        """Return the number of random seeds that both rows have; 0 where they were not run."""
        return 0 if self.pair is None else min(len(number.seeds) for number in self.pair)


def judge(stated: ClaimSet, numbers: Sequence[Number], tests: Tests | None = None) -> list[Judged]:
    """Return the verdict of each claim of one table from the numbers that were measured.

    `tests` are those of numbers without groups of clips, in any order of the two rows.
    """
    found = {(number.row, number.metric): number for number in numbers}
    pairs = {claim: pair for claim in stated.claims if (pair := _pair(claim, found)) is not None}
    raw = _tested([pair for pair in pairs.values() if _has_groups(pair)])
    if tests is not None:
        for metric, one, other in map(_key, pairs.values()):
            p = tests.get((metric, one, other))
            raw[metric, one, other] = tests[metric, other, one] if p is None else p
    adjusted = dict(zip(raw, intervals.holm(list(raw.values())), strict=True))
    return [_judged(stated.name, claim, pairs.get(claim), adjusted) for claim in stated.claims]


def of_costs(record: CostRecord | None) -> list[Number]:
    """Return the numbers of a table of costs, of the first precision where there are several."""
    found: dict[tuple[str, str], Number] = {}
    for row in record.rows if record else ():
        if row.metric in catalog.METRICS and (row.label, row.metric) not in found:
            facts = catalog.constants("metric", row.metric)
            found[row.label, row.metric] = Number(
                method=row.method,
                dataset="",
                task="",
                metric=row.metric,
                yardstick=row.yardstick,
                value=row.value,
                ci_low=row.ci_low,
                ci_high=row.ci_high,
                n=row.n,
                paper=None,
                row=row.label,
                kind="trained",
                label=facts["LABEL"],
                unit=facts["UNIT"],
                higher_is_better=facts["HIGHER_IS_BETTER"],
                seeds=(0,),
                without_group=(),
            )
    return list(found.values())


def of_study(study: Study | None) -> tuple[list[Number], Tests]:
    """Return the average user ranking of each row by each criterion, and the tests of their differences.

    A study of a single rater or clip resolves nothing: its p-values are 1.
    """
    from rdtf_bench.run.arena.tally import tally  # imports scipy, which tables do without

    numbers: list[Number] = []
    tests: dict[tuple[str, str, str], float] = {}
    if study is None:
        return numbers, tests
    for found in tally(study):
        name, rows = found.criterion.name, study.arena.rows
        for i, row in enumerate(rows):
            value = found.rankings[i].value
            low, high = found.rankings[i].interval or (value, value)
            numbers.append(
                Number(
                    method=row,
                    dataset=study.arena.dataset,
                    task="",
                    metric=name,
                    yardstick=f"{len(study.ballots)} raters",
                    value=value,
                    ci_low=low,
                    ci_high=high,
                    n=len(study.arena.clips),
                    paper=None,
                    row=row,
                    kind="trained",
                    label=found.criterion.label,
                    unit="",
                    higher_is_better=True,
                    seeds=(study.arena.seed,),
                    without_group=(),
                )
            )
            for j in range(i + 1, len(rows)):
                tests[name, row, rows[j]] = 1.0 if found.p_values is None else found.p_values[i, j]
    return numbers, tests


def of_table(name: str) -> ClaimSet | None:
    """Return the claims of the protocol of this name; None where the paper's table states none."""
    return next((stated for stated in load() if stated.name == name), None)


def table_of(judged: Sequence[Judged], heading: str) -> layouts.Table:
    """Return the verdicts of one table, one line for each claim."""
    return layouts.Table(heading=heading, head=HEAD, groups=[[_line(one) for one in judged]], align="lllllrr")


def overview(judged_at: Mapping[Place, Sequence[Judged]]) -> layouts.Table:
    """Return how many claims each published table confirms, contradicts and leaves undecided, by metric."""
    metrics = list(dict.fromkeys(one.claim.metric for judged in judged_at.values() for one in judged))
    head = ("table", "scale", "data", "seeds", *(catalog.constants("metric", metric)["LABEL"] for metric in metrics))
    lines = [
        (*place, *(_counted([one for one in judged if one.claim.metric == metric]) for metric in metrics))
        for place, judged in judged_at.items()
    ]
    return layouts.Table(head=head, groups=[lines], align="lllr" + "r" * len(metrics))


def _counted(judged: Sequence[Judged]) -> str:
    """Write the numbers of claims that are confirmed, contradicted and undecided."""
    if all(one.verdict == "not run" for one in judged):
        return "not run" if judged else "n/a"
    return " / ".join(str(sum(one.verdict == verdict for one in judged)) for verdict in VERDICTS[:3])


def render(judged: Sequence[Judged], *, scales: Mapping[str, str], format: str) -> str:
    """Write the verdicts of all tables in one of layouts.FORMATS. `scales` names the scale of each table with rows."""
    layouts.require_format(format)
    if format in layouts.DATA_FORMATS:
        return layouts.data([_data(one, scales) for one in judged], (*COLUMNS, *OURS), format=format)
    tables = dict.fromkeys(one.table for one in judged)
    headings = {table: f"{table} at scale {scales[table]}" if table in scales else table for table in tables}
    shown = [table_of([one for one in judged if one.table == table], headings[table]) for table in tables]
    notes = [_summary(judged), *_notes(judged, scales)]
    return layouts.document(shown, notes, format=format, title="Orderings that the paper states, and ours")


def _pair(claim: Claim, found: Mapping[tuple[str, str], Number]) -> Pair | None:
    """Return our numbers for both rows, unless one is missing or they have different yardsticks."""
    one, other = (found.get((side.row, claim.metric)) for side in (claim.better, claim.worse))
    if one is None or other is None or one.yardstick != other.yardstick:
        return None
    return one, other


def _has_groups(pair: Pair) -> bool:
    return all(number.without_group for number in pair)


def _tested(pairs: Sequence[Pair]) -> dict[tuple[str, str, str], float]:
    """Return the p-value of each pair, not adjusted. Variances between seeds are those of one metric."""
    by_metric: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_metric.setdefault(pair[0].metric, []).append(pair)
    return {_key(pair): p for same in by_metric.values() for pair, p in zip(same, verdicts.p_values(same), strict=True)}


def _key(pair: Pair) -> tuple[str, str, str]:
    return pair[0].metric, pair[0].row, pair[1].row


def _judged(table: str, claim: Claim, pair: Pair | None, p_values: Tests) -> Judged:
    if pair is None:
        return Judged(table=table, claim=claim, pair=None, verdict="not run", p_adjusted=None, n_to_decide=None)
    better, worse = pair
    p = p_values.get(_key(pair))
    resolved = verdicts.are_apart(better, worse) if p is None else p < verdicts.LEVEL
    as_stated = (better.value > worse.value) == better.higher_is_better and better.value != worse.value
    verdict: Verdict = "undecided" if not resolved else "confirmed" if as_stated else "contradicted"
    needed = power.clips_needed(better, worse) if verdict == "undecided" and _has_groups(pair) else None
    if needed is not None and needed <= better.n:
        needed = None  # more clips are not what is missing
    return Judged(table=table, claim=claim, pair=pair, verdict=verdict, p_adjusted=p, n_to_decide=needed)


def _data(one: Judged, scales: Mapping[str, str]) -> dict[str, object]:
    claim, numbers = one.claim, one.pair or (None, None)
    values = [None if number is None else number.value for number in numbers]
    return {
        "table": one.table,
        "scale": scales.get(one.table),
        "metric": claim.metric,
        "better": claim.better.row,
        "worse": claim.worse.row,
        "paper_better": claim.better.paper.number,
        "paper_worse": claim.worse.paper.number,
        "source": f"{claim.better.paper.source}; {claim.worse.paper.source}",
        "ours_better": values[0],
        "ours_worse": values[1],
        "yardstick": one.pair[0].yardstick if one.pair else None,
        "verdict": one.verdict,
        "p_adjusted": one.p_adjusted,
        "n": one.pair[0].n if one.pair else None,
        "n_to_decide": one.n_to_decide,
        "seeds": one.num_seeds,
        "needs_seeds": one.needs_seeds,
    }


def _line(one: Judged) -> tuple[str, ...]:
    claim = one.claim
    return (
        claim.metric,
        f"{claim.better.row} better than {claim.worse.row}",
        f"{claim.better.paper.value} : {claim.worse.paper.value}",
        "" if one.pair is None else _ours(one.pair),
        one.verdict,
        "" if one.p_adjusted is None else f"{one.p_adjusted:.2g}",
        "more seeds" if one.needs_seeds else "" if one.n_to_decide is None else f"{one.n_to_decide:,}",
    )


def _ours(pair: Pair) -> str:
    """Write both numbers in four significant digits, or in as many more as tell them apart."""
    shown = digits_for(pair)
    for digits in range(4, 9):
        words = [f"{number.value * shown.factor:.{digits}g}{shown.suffix}" for number in pair]
        if words[0] != words[1]:
            break
    return " : ".join(words)


def _summary(judged: Sequence[Judged]) -> str:
    counts = {verdict: sum(one.verdict == verdict for one in judged) for verdict in VERDICTS}
    return f"{len(judged)} claims: {', '.join(f'{count} {verdict}' for verdict, count in counts.items())}."


def _notes(judged: Sequence[Judged], scales: Mapping[str, str]) -> list[str]:
    notes = [
        "confirmed, contradicted: our difference is resolved, in the paper's direction or against it. The test is "
        "paired by clip (delete-a-group jackknife, Student's t), and p is adjusted by Holm for all measured claims of "
        "the table, at a level of 5 %. Where rows have one random seed, the variation between seeds is not in the "
        "test. Costs are resolved if their intervals do not overlap. The test of a user study is paired by rater and "
        "clip.",
        "n to decide: test clips at which a single test at 5 % finds our difference in 4 of 5 tries, if these are more "
        "than there are. `more seeds`: the variation between the few random seeds hides the difference, and more clips "
        "do not reduce it.",
        "The test is over the rows that the paper prints. `rdtf-bench show` tests all methods of a table, and each "
        "metric alone, so its marks can differ.",
        "The networks and data of a scale may differ from the paper's. A verdict is about the ordering there. Costs "
        "are those of full size, on the machine that measured them.",
    ]
    if missing := sorted({one.table for one in judged if one.verdict == "not run"}):
        commands = [
            f"rdtf-bench run {table}" + (f" --scale {scales[table]}" if table in scales else "") for table in missing
        ]
        notes.append(f"not run: {'; '.join(commands)}.")
    return notes
