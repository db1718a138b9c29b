import math
from collections import Counter

import pytest
import torch

from rdtf_bench.core.errors import DataError
from rdtf_bench.core.intervals import clips_to_resolve, deviation, difference
from rdtf_bench.metrics.frechet import frechet_distance, of_resamples, without_each_group
from rdtf_bench.metrics.statistics import bootstrap_deviation, evened, groups, mean_without_each_group, resamples

IDS = [f"clip/{i:03}" for i in range(128)]
CAPTIONS = [f"caption {i}" for i in range(128)]


def test_fifty_balanced_groups() -> None:
    sizes = Counter(groups(IDS, CAPTIONS))
    assert sorted(sizes) == list(range(50))
    assert set(sizes.values()) == {2, 3}


def test_groups_go_with_the_id_and_not_with_the_order() -> None:
    forward = dict(zip(IDS, groups(IDS, CAPTIONS), strict=True))
    backward = dict(zip(IDS[::-1], groups(IDS[::-1], CAPTIONS[::-1]), strict=True))
    assert forward == backward
    # and not with the place in the list: hashing spreads neighbours
    assert [forward[clip] for clip in IDS] != [i % 50 for i in range(128)]


def test_groups_are_these_for_ever() -> None:
    # published records are paired by them; computed by this function at its first version
    assert groups(IDS[:12], CAPTIONS[:12], num_groups=4) == [0, 1, 3, 2, 3, 0, 0, 3, 1, 2, 2, 1]


def test_equal_captions_are_left_out_together() -> None:
    captions = [f"caption {i % 60}" for i in range(128)]
    found = groups(IDS, captions)
    for caption in set(captions):
        assert len({group for group, own in zip(found, captions, strict=True) if own == caption}) == 1
    assert max(Counter(found).values()) <= 2 * 3


def test_fewer_captions_make_fewer_groups() -> None:
    assert set(groups(IDS[:7], CAPTIONS[:7])) == set(range(7))


def test_one_caption_for_all_is_refused() -> None:
    with pytest.raises(DataError, match="of one cluster"):
        groups(IDS, ["a cat"] * 128)


def test_mean_without_each_group_by_hand() -> None:
    values = torch.tensor([1.0, 2.0, 3.0, 6.0])
    assert mean_without_each_group(values, [0, 1, 1, 2]) == pytest.approx((11 / 3, 7 / 2, 2.0))


def test_evened_is_nothing_for_equal_groups() -> None:
    without = (3.0, 5.0, 4.0)
    assert evened(4.5, without, [0, 1, 2, 0, 1, 2]) == pytest.approx(without)


def test_evened_takes_a_pure_bias_for_no_spread() -> None:
    # 1 / (n - m): what a bias of 1 / n does to groups of 1 and of 3 clips, with nothing random in it
    numbers = [0, 1, 1, 1, 2, 3, 3, 3] * 20
    sizes = Counter(numbers)
    without = tuple(1 / (160 - sizes[group]) for group in sorted(sizes))
    assert deviation(evened(1 / 160, without, numbers)) < 0.4 * deviation(without)


@pytest.mark.long
def test_interval_of_a_difference_covers_a_known_distance() -> None:
    """95 % intervals of the paired difference of two Frechet distances at n = 25 d; 4 % is three standard errors."""
    generator = torch.Generator().manual_seed(0)
    num_sets, n, d = 250, 100, 4
    numbers = [i % 25 for i in range(n)]
    found = []
    for _ in range(num_sets):
        real, shared, own = torch.randn(3, n, d, generator=generator, dtype=torch.float64)
        rows = []
        for fake in (0.5 + 1.2 * shared, 0.3 + 1.1 * shared + 0.5 * own):
            pair = {"fake": fake, "real": real}
            value = frechet_distance(**pair)
            rows.append((value, evened(value, without_each_group(**pair, groups=numbers), numbers)))
        (ours, ours_without), (theirs, theirs_without) = rows
        found.append(difference(ours, ours_without, minus=theirs, minus_without_group=theirs_without))
    expected = math.fsum(one.value for one in found) / num_sets
    covered = sum(one.ci_low <= expected <= one.ci_high for one in found) / num_sets
    assert covered == pytest.approx(0.95, abs=0.04)


def test_resamples_draw_whole_clusters() -> None:
    clusters = ["a", "b", "b", "c"]
    drawn = resamples(clusters, 200)
    assert len(drawn) == 200
    for chosen in drawn:
        found = Counter(chosen.tolist())
        assert found[1] == found[2]  # together or not at all
        assert found[0] + found[1] + found[3] == 3  # as many clusters as there are
    assert len({tuple(chosen.tolist()) for chosen in drawn}) > 5
    assert [chosen.tolist() for chosen in resamples(clusters, 200)] == [chosen.tolist() for chosen in drawn]


# the last: fewer features than clips, and more than clips of a resample that are different
@pytest.mark.parametrize(("n", "d"), [(12, 30), (40, 5), (40, 30)])
def test_the_distance_of_a_resample_is_that_of_its_clips(n: int, d: int) -> None:
    generator = torch.Generator().manual_seed(1)
    fake, real = torch.randn(2, n, d, generator=generator, dtype=torch.float64)
    drawn = resamples([str(i) for i in range(n)], 3)
    found = of_resamples(fake=fake, real=real, resamples=drawn)
    for value, chosen in zip(found, drawn, strict=True):
        assert value == pytest.approx(frechet_distance(fake=fake[chosen], real=real[chosen]), rel=1e-9)


def test_bootstrap_and_jackknife_agree_where_both_are_right() -> None:
    generator = torch.Generator().manual_seed(2)
    n = 400
    fake, real = torch.randn(2, n, 3, generator=generator, dtype=torch.float64)
    fake = 0.5 + fake
    numbers = [i % 50 for i in range(n)]
    jackknife = deviation(without_each_group(fake=fake, real=real, groups=numbers))
    bootstrap = bootstrap_deviation(
        of_resamples(fake=fake, real=real, resamples=resamples(list(map(str, range(n))), 400))
    )
    assert bootstrap == pytest.approx(jackknife, rel=0.25)  # 50 groups and 400 draws are 10 % and 4 % uncertain


def test_one_resample_has_no_deviation() -> None:
    with pytest.raises(DataError, match="at least 2 resamples"):
        bootstrap_deviation([1.0])


def test_four_times_the_clips_resolve_half_the_difference() -> None:
    whole = clips_to_resolve(0.02, deviation=0.01, n=500)
    assert clips_to_resolve(-0.01, deviation=0.01, n=500) == pytest.approx(4 * whole, abs=4)
    with pytest.raises(ValueError, match="no number of clips"):
        clips_to_resolve(0.0, deviation=0.01, n=500)
