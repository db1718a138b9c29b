from itertools import pairwise

import pytest
import torch
from jaxtyping import Float
from sklearn.cluster import KMeans
from torch import Tensor

from rdtf_bench.data.frames import ClusteredFrames, Representative, equal_intervals, ping_pong, rotated, whole_loop


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def groups(sizes: tuple[int, ...], *, dim: int = 320) -> Float[Tensor, "F D"]:
    """Frames in well separated groups, one after the other."""
    centres = 10 * torch.randn(len(sizes), dim, generator=generator(1))
    noise = 0.1 * torch.randn(sum(sizes), dim, generator=generator(2))
    return torch.repeat_interleave(centres, torch.tensor(sizes), dim=0) + noise


def test_equal_intervals_cover_the_loop_without_its_seam() -> None:
    assert equal_intervals(8, 8) == tuple(range(8))
    assert equal_intervals(16, 4) == (0, 4, 8, 12)
    assert equal_intervals(9, 8) == (0, 1, 2, 3, 4, 5, 6, 7)
    for num_frames in range(8, 60):
        starts = [*equal_intervals(num_frames, 8), num_frames]
        steps = {after - before for before, after in pairwise(starts)}
        assert steps <= {num_frames // 8, -(-num_frames // 8)}


def test_ping_pong_turns_without_repeating_the_ends() -> None:
    assert ping_pong(2, 5) == (0, 1, 0, 1, 0)
    assert ping_pong(5, 8) == (0, 1, 2, 3, 4, 3, 2, 1)
    assert ping_pong(1, 8) == (0,) * 8


def test_the_whole_loop_is_extended_only_where_it_is_short() -> None:
    assert whole_loop(7, 8) == ping_pong(7, 8)
    assert whole_loop(8, 8) == whole_loop(9, 8) == tuple(range(8))


@pytest.mark.parametrize("representative", ["random", "first"])
def test_each_group_of_frames_gives_one(representative: Representative) -> None:
    sizes = (1, 9, 2, 20, 5)
    ends = torch.tensor(sizes).cumsum(0)
    chosen = ClusteredFrames(groups(sizes)).draw(5, generator(), representative=representative)
    assert torch.bucketize(torch.tensor(chosen), ends, right=True).tolist() == [0, 1, 2, 3, 4]
    if representative == "first":
        assert chosen == (0, 1, 10, 12, 32)


def test_members_are_drawn_evenly() -> None:
    frames = ClusteredFrames(groups((4, 4)))
    draws = [frames.draw(2, generator(seed))[0] for seed in range(200)]
    counts = [draws.count(frame) for frame in range(4)]
    assert min(counts) > 25  # 50 expected of each, standard deviation 6


def test_a_draw_depends_on_its_generator_alone() -> None:
    frames = ClusteredFrames(torch.randn(30, 320, generator=generator()))
    assert frames.draw(8, generator(3)) == frames.draw(8, generator(3))
    assert len({frames.draw(8, generator(seed)) for seed in range(10)}) > 1


def test_few_frames_are_all_taken() -> None:
    assert ClusteredFrames(groups((3,))).draw(8, generator()) == (0, 1, 2)
    assert ClusteredFrames(groups((8,))).draw(8, generator()) == tuple(range(8))


@pytest.mark.parametrize("almost", [0.0, 1e-9])
def test_equal_frames_are_filled_up_without_a_warning(almost: float) -> None:
    features = torch.ones(20, 320, dtype=torch.float64)
    features[7] += 5
    features[12, 0] += almost
    frames = ClusteredFrames(features)
    chosen = frames.draw(4, generator())
    assert chosen == tuple(sorted(set(chosen)))
    assert len(chosen) == 4
    assert 7 in chosen
    assert chosen == frames.draw(4, generator())


@pytest.mark.parametrize(("num_frames", "dim"), [(64, 320), (64, 4096), (20, 3), (1, 5)])
def test_a_rotation_keeps_distances_in_no_more_dimensions_than_frames(num_frames: int, dim: int) -> None:
    """A draw then takes milliseconds; tests/benchmarks/frame_extraction.py measures it."""
    features = torch.randn(num_frames, dim, generator=generator()) + 100
    found = rotated(features)
    assert found.shape == (num_frames, min(num_frames, dim))
    assert found.dtype == features.dtype
    # float32 keeps seven digits of values of up to a few hundred
    torch.testing.assert_close(torch.pdist(found), torch.pdist(features), rtol=1e-5, atol=1e-4)


def test_equal_frames_stay_equal_to_the_bit() -> None:
    features = torch.randn(12, 500, generator=generator())[[0, 1, 2, 1, 3, 0, 1, 4, 5, 6, 7, 8]]
    found = rotated(features)
    assert torch.equal(found[1], found[3])
    assert torch.equal(found[1], found[6])
    assert len(torch.unique(found, dim=0)) == 9


def test_clusters_are_those_of_the_features_themselves() -> None:
    features = torch.randn(40, 500, generator=generator())
    seed = int(torch.randint(2**31, (1,), generator=generator(5)))
    labels = KMeans(n_clusters=6, n_init=1, random_state=seed).fit_predict(features.double().numpy())
    expected = sorted(labels.tolist().index(label) for label in range(6))
    for given in (features, rotated(features)):
        assert ClusteredFrames(given).draw(6, generator(5), representative="first") == tuple(expected)
