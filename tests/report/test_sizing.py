"""How the needs of training are written."""

from rdtf_bench.report.sizing import memory_text, probe_text
from rdtf_bench.run.sizing.need import Need
from rdtf_bench.run.sizing.probe import Probed
from rdtf_bench.spec.load import load_scale

GIB = 2**30


def need(activations: int) -> Need:
    return Need(
        trained=4 * GIB,
        frozen=0,
        gradients=4 * GIB,
        exchange=GIB // 2,
        moments=8 * GIB,
        average=2**20,
        around=GIB,
        activations=activations,
    )


def test_the_parts_stand_beside_their_sum_and_the_card_that_they_fit() -> None:
    needs = {
        "small": (need(GIB), 3 * GIB),
        "large": (need(60 * GIB), 3 * GIB),
        "samples": (need(0), 30 * GIB),
        "other": None,
    }
    text = memory_text(load_scale("paper"), needs, processes=4)
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.split()[:1] in [[x] for x in needs]}
    assert rows["small"] == ["4.00", "0", "4.00", "0.50", "8.00", "0.001", "1.00", "1.00", "18.50", "3.00", "24", "GB"]
    assert rows["large"][-3:] == ["over", "80", "GB"]
    assert rows["samples"][-2:] == ["40", "GB"]
    assert set(rows["other"]) == {"n/a"}
    assert "1 clip in a backward pass and 4 clips in a step, on each of 4 processes" in " ".join(text.split())


def test_a_note_says_what_is_gathered_of_sharded_weights() -> None:
    text = memory_text(load_scale("paper"), {"small": (need(GIB), GIB)}, processes=4, shard_weights=True)
    assert "exchange: what a process gathers beside its part of the weights" in " ".join(text.split())


def test_a_probe_is_shown_beside_what_the_scale_expects() -> None:
    scale = load_scale("paper")  # 50,000 steps
    text = probe_text(
        scale,
        {"RDTF": (Probed(seconds=0.72, peak_bytes=20 * GIB), 8.0), "CPU": (Probed(seconds=3.6, peak_bytes=None), 8.0)},
    )
    rows = [line.split() for line in text.splitlines()]
    assert ["RDTF", "0.72", "8", "10", "20.0"] in rows
    assert ["CPU", "3.6", "8", "50", "n/a"] in rows
