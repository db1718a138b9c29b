import torch

from rdtf_bench.core.seeds import generators_for, seed_for, seeded


def test_streams_are_hashed_and_not_added() -> None:
    assert seed_for(0, "clip", 7) != seed_for(1, "clip", 6)


def test_parts_do_not_run_together() -> None:
    assert seed_for("ab", "c") != seed_for("a", "bc")


def test_a_seed_never_changes() -> None:
    # first 8 bytes of sha256("0\x1fclip"), shifted right by one; from Python's hashlib
    assert seed_for(0, "clip") == 0x1D3EBBE492646CBF


def test_a_clips_noise_does_not_depend_on_its_batch() -> None:
    alone = torch.randn(3, generator=generators_for(0, ["b"], "noise")[0])
    together = torch.randn(3, generator=generators_for(0, ["a", "b"], "noise")[1])
    assert torch.equal(alone, together)


def test_seeded_draws_are_the_same_again_and_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    with seeded("weights"):
        first = torch.rand(3)
    with seeded("weights"):
        again = torch.rand(3)
    with seeded("other weights"):
        other = torch.rand(3)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)
