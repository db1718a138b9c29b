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


def test_a_layer_drawn_under_names_is_the_same_again_and_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    drawn = []
    for _ in range(2):
        with seeded(0, "layer"):
            drawn.append(torch.nn.Linear(3, 3).weight.detach())
    with seeded(1, "layer"):
        other = torch.nn.Linear(3, 3).weight.detach()
    assert torch.equal(*drawn)
    assert not torch.equal(drawn[0], other)
    assert torch.equal(torch.random.get_rng_state(), before)
