"""A command that a message quotes can be typed."""

import shlex

from rdtf_bench.run.protocols import load_scale, load_table
from rdtf_bench.spec.command import command, data_option
from rdtf_bench.spec.load import load_costs


def test_a_command_names_the_protocol_the_scale_and_quotes_the_options() -> None:
    typed = command("run", load_table("table1"), load_scale("tiny"), data_option("asg", "my stickers"))
    assert typed == "rdtf-bench run table1 --scale tiny --data 'asg=my stickers'"
    assert shlex.split(typed)[-1] == "asg=my stickers"


def test_a_protocol_that_names_its_scale_itself_is_taken_without_one() -> None:
    assert (
        command("run", load_costs("table8"), None, ["--store", "my runs"]) == "rdtf-bench run table8 --store 'my runs'"
    )


def test_built_in_data_needs_no_option() -> None:
    assert command("show", load_table("table1"), load_scale("tiny")) == "rdtf-bench show table1 --scale tiny"
    assert data_option("asg", None) == []
