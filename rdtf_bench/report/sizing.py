"""Write what training needs of a machine: memory from the model, seconds from a probe."""

from collections.abc import Mapping

from rdtf_bench.report import layouts
from rdtf_bench.run.sizing.need import RESERVE_BYTES, Need
from rdtf_bench.run.sizing.probe import TIMED_STEPS, WARM_UP_STEPS, Probed
from rdtf_bench.spec.scale import Scale

GIB = 2**30
CARDS_GB = (24, 40, 80)
"""Sizes of common cards. A card of 24 GB has at least 24e9 bytes."""

PARTS = {
    "trained weights": "trained",
    "frozen weights": "frozen",
    "gradients": "gradients",
    "exchange": "exchange",
    "AdamW": "moments",
    "average": "average",
    "encoders": "around",
    "activations": "activations",
}
"""Columns of the memory of training, and the fields of `Need` that they show."""


def memory_text(
    scale: Scale, needs: Mapping[str, tuple[Need, int] | None], *, processes: int, shard_weights: bool = False
) -> str:
    """Write the memory that each row needs; None stands for a plug-in that cannot say it."""
    head = ("GiB of one device", *PARTS, "training", "sampling", "fits")
    rows = [[label, *_memory_cells(needed)] for label, needed in needs.items()]
    training = scale.training
    share = training.batch_size // processes
    at_once = min(training.micro_batch_size or share, share)
    recomputed = "recomputed" if training.gradient_checkpointing else "kept"
    notes = [
        f"Scale {scale.name}: {_clips(at_once)} in a backward pass and {_clips(share)} in a step, on each of "
        f"{processes} processes; mixed precision {training.mixed_precision}, activations {recomputed}; "
        f"{_clips(scale.sampling.batch_size)} are sampled together.",
        "Counted on tensors without values, in the precisions of a GPU. Real steps on a CPU agree with such a count; "
        "no GPU has confirmed it yet.",
        f"A card fits if {RESERVE_BYTES / GIB:.0f} GiB stay free for CUDA, its libraries and fragmentation (a guess).",
        "encoders: the frozen networks beside the denoiser. exchange: "
        + (
            "what a process gathers beside its part of the weights: those outside the blocks and two blocks at a time, "
            "with their gradients."
            if shard_weights
            else "the gradients that processes exchange."
        ),
    ]
    return layouts.document([layouts.Table(head=head, groups=[rows])], format="text", title="Memory", notes=notes)


def probe_text(scale: Scale, probed: Mapping[str, tuple[Probed, float]]) -> str:
    """Write the seconds of a step of each row, beside those that the scale expects, and the hours of a training."""
    steps = scale.training.num_steps
    head = ("probe", "s/step", "scale says", f"hours of {steps:,} steps", "peak GiB of the device")
    rows = [
        [
            label,
            f"{found.seconds:.3g}",
            f"{expected_s:.3g}",
            f"{found.seconds * steps / 3600:.3g}",
            "n/a" if found.peak_bytes is None else f"{found.peak_bytes / GIB:.1f}",
        ]
        for label, (found, expected_s) in probed.items()
    ]
    note = (
        f"Median of {TIMED_STEPS} training steps after {WARM_UP_STEPS}, on one process of this machine and on random "
        "latents: reading the training clips is not part of it."
    )
    return layouts.document([layouts.Table(head=head, groups=[rows])], format="text", title="Probe", notes=[note])


def _memory_cells(needs: tuple[Need, int] | None) -> list[str]:
    if needs is None:
        return ["n/a"] * (len(PARTS) + 3)
    needed, sampling = needs
    parts = [getattr(needed, field) for field in PARTS.values()]
    return [*(_gib(size) for size in (*parts, needed.total, sampling)), _cards(max(needed.total, sampling))]


def _clips(count: int) -> str:
    return f"{count} clip" if count == 1 else f"{count} clips"


def _gib(size: int) -> str:
    """Return a size in GiB; one that is not 0 shows a digit.

    >>> _gib(3 * 2**30), _gib(2**20), _gib(0)
    ('3.00', '0.001', '0')
    """
    return "0" if size == 0 else f"{size / GIB:.2f}" if size >= GIB / 100 else f"{size / GIB:.1g}"


def _cards(num_bytes: int) -> str:
    most = num_bytes + RESERVE_BYTES
    return next((f"{card} GB" for card in CARDS_GB if most <= card * 10**9), f"over {CARDS_GB[-1]} GB")
