from rdtf_bench.report.page import costs
from rdtf_bench.run.record import Record
from rdtf_bench.spec.plan import Cell


def test_a_row_has_its_budget_and_what_it_cost(cells: list[Cell], records: dict[str, Record]) -> None:
    methods, controls = costs.table(cells, records).groups
    rdtf = next(row for row in methods if row[0] == "RDTF")
    training = next(cell.trained.training for cell in cells if cell.label == "RDTF")
    assert rdtf[1:4] == [f"{training.num_steps:,}", str(training.batch_size), f"{training.learning_rate:g}"]
    assert rdtf[6:] == ["0.06 M", "1.50 M", "95.2 s", "20.0 s", "1.2 GiB"]
    assert controls[0] == ["static", *["n/a"] * 8, "1.0 s", "n/a"]


def test_the_seconds_of_all_rows_are_added(cells: list[Cell], records: dict[str, Record]) -> None:
    # four trained rows of 95.2 s and 20 s, and three controls of 1 s
    said = "Training took 6.3 min and sampling 83.0 s, summed over all rows."
    assert costs.total(cells, records) == said
    assert costs.total(cells, {}) == "Nothing has been trained or sampled yet."


def test_a_row_without_a_record_shows_its_budget_alone(cells: list[Cell]) -> None:
    methods, _ = costs.table(cells, {}).groups
    assert methods[0][1] != "n/a"
    assert list(methods[0][6:]) == ["n/a"] * 5
