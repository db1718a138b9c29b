"""Messages about many faults, and about names that nobody knows."""

from rdtf_bench.core.errors import listed, unknown_name


def test_of_many_faults_five_are_named_and_the_others_counted() -> None:
    lines = [f"clip {number}" for number in range(1_234)]
    assert listed(lines[:5]).splitlines() == [f"  clip {number}" for number in range(5)]
    assert listed(lines).splitlines()[4:] == ["  clip 4", "  ... and 1,229 more"]


def test_an_unknown_name_gets_a_close_match_only_where_there_is_one() -> None:
    assert str(unknown_name("metric", "fwd", ["fvd", "vqa"])) == (
        "there is no metric 'fwd'. Did you mean 'fvd'? Known: fvd, vqa."
    )
    assert "Did you mean" not in str(unknown_name("metric", "x", ["fvd", "vqa"]))
