"""The shipped claims are the orderings of the paper's numbers in the protocols, all of them and no others."""

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest

from rdtf_bench import catalog
from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.core.store import write_text
from rdtf_bench.spec.claims import ClaimSet, load
from rdtf_bench.spec.load import load_arena, load_costs, load_protocol
from rdtf_bench.spec.schema import Row

SHIPPED = load()


def stated_in(rows: tuple[Row, ...], metric: str) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield metric, better and worse row, and both numbers of every two rows with different numbers."""
    sign = 1 if catalog.constants("metric", metric)["HIGHER_IS_BETTER"] else -1
    for one, other in permutations([row for row in rows if metric in row.paper], 2):
        if sign * one.paper[metric].number > sign * other.paper[metric].number:
            yield metric, one.label, other.label, one.paper[metric].value, other.paper[metric].value


def test_the_tables_stand_in_the_order_of_their_numbers() -> None:
    assert [stated.name for stated in SHIPPED] == [
        *("table1", "table2-interpolation", "table2-prediction", "table3", "table4", "table5"),
        *("table8", "table9", "table10"),
    ]


@pytest.mark.parametrize("stated", [s for s in SHIPPED if s.protocol != "arena"], ids=lambda stated: stated.name)
def test_every_two_different_numbers_of_a_column_are_one_claim(stated: ClaimSet) -> None:
    is_cost = stated.protocol == "costs"
    rows = load_costs(stated.name).rows if is_cost else load_protocol(stated.name).rows
    metrics = {claim.metric for claim in stated.claims}
    assert metrics.isdisjoint({"params", "seconds"}) != is_cost
    expected = [found for metric in metrics for found in stated_in(rows, metric)]
    found = [
        (claim.metric, claim.better.row, claim.worse.row, claim.better.paper.value, claim.worse.paper.value)
        for claim in stated.claims
    ]
    assert sorted(found) == sorted(expected)


def test_every_two_different_averages_of_a_criterion_are_one_claim() -> None:
    (stated,) = (stated for stated in SHIPPED if stated.protocol == "arena")
    study = load_arena(stated.name)
    expected = [
        (name, one, other, study.paper[one][name].value, study.paper[other][name].value)
        for name in (criterion.name for criterion in study.criteria)
        for one, other in permutations(study.paper, 2)
        if study.paper[one][name].number > study.paper[other][name].number
    ]
    found = [
        (claim.metric, claim.better.row, claim.worse.row, claim.better.paper.value, claim.worse.paper.value)
        for claim in stated.claims
    ]
    assert sorted(found) == sorted(expected)
    assert len(found) == 18


@pytest.mark.parametrize(("text", "said"), [("name: [", "is not YAML"), ("name: table1\n", "claims: Field required")])
def test_a_wrong_file_is_named(text: str, said: str, tmp_path: Path) -> None:
    write_text(tmp_path / "table1.yaml", text)
    with pytest.raises(ProtocolError, match=rf"table1\.yaml: .*{said}"):
        load(tmp_path)
