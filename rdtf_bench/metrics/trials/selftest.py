"""Probes that tell broken metrics from working ones without any dataset, as a gate before a table is scored.

Each probe checks one fault that has occurred in published code (red and blue exchanged, a wrong epsilon, a stale cache
...) and returns a description of the fault, or None. The module draws the clips itself. The expected answers are worked
out by hand, follow from an invariance of the metric, or were recorded once from networks whose weights cannot change.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rdtf_bench.core import video as quantisation
from rdtf_bench.core.errors import AssetError, unknown_name
from rdtf_bench.core.metric import Metric
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.core.video import VideoU8
from rdtf_bench.metrics import frechet, reference, vqa
from rdtf_bench.metrics.clip import ClipSimilarity
from rdtf_bench.metrics.features import fast_vqa, i3d, open_clip_model
from rdtf_bench.metrics.features.clip_networks import EfficientNetClips, I3DClips
from rdtf_bench.metrics.fvd import FrechetVideoDistance
from rdtf_bench.metrics.trials import validity
from rdtf_bench.metrics.trials.distortions import swap_captions

NUM_CLIPS = 16
IDS = tuple(f"selftest/{i:02}" for i in range(NUM_CLIPS))

# features 0, 100 ... of the first scene at 64 px, recorded from the first version of this package on a CPU
ENET_ANSWER = (3.862902, 4.549654, -1.209005, -2.212554, 0.421635, 0.560168, 0.276571, 0.345738, 2.003573, 1.183957)
# features of the same scene from `_small_i3d`
I3D_ANSWER = (-870.271057, -606.618164, -533.290039, -190.203888, 851.302856, 98.805481, -314.258331, -863.443604)
STRENGTHS = (0.0, 0.2, 0.6)
"""Strengths of the graded faults, far enough apart that each step shows on 16 clips."""
FVD_LADDERS = {
    "blur": STRENGTHS,
    "noise": (0.0, 0.1, 0.3),  # from 0.4 on, more noise does not move FVD (enet-lite0) of these scenes
    "freeze": STRENGTHS,
    "shuffle": (0.1,),  # three exchanges; FVD (enet-lite0) shows that frames are shuffled, but not how far
    "collapse": STRENGTHS,
}
VQA_NOISE = (0.2, 0.4, 0.6)
"""Strengths of noise for VQA; weaker noise moves the score of a few scenes too little to be ranked."""
TOLERANCE = 1e-3
"""Tolerance relative to the largest value: kernels differ by 1e-5, the faults by more than 1e-2."""


@dataclass(frozen=True, kw_only=True)
class Instruments:
    """The metrics under test."""

    fvd: FrechetVideoDistance
    vqa: vqa.FastVQA
    clip: ClipSimilarity
    seed: int = 0  # of the clips; the recorded answers are for 0

    def scenes(self, size_px: int = 64) -> VideoU8:
        """Draw the clips of this seed, as long as FVD expects them."""
        return scenes(self.seed, self.fvd.num_frames or 8, size_px)

    @cached_property
    def seen(self) -> dict[str, Float[Tensor, "N ..."]]:
        """Each metric's observations of the scenes, made once: FAST-VQA takes seconds for each clip on a CPU."""
        return {name: metric.observe(self.scenes(), IDS) for name, metric in _all(self).items()}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of one probe."""

    probe: str
    fault: str | None  # description of the fault, None if the probe passed

    @property
    def passed(self) -> bool:
        """Return whether the probe found no fault."""
        return self.fault is None


Probe = Callable[[Instruments], str | None]


def run(instruments: Instruments, probes: Iterable[str] | None = None) -> Iterator[Outcome]:
    """Run all probes, or those named, in order, and yield each outcome. Raises UnknownNameError before the first."""
    chosen = list(PROBES if probes is None else probes)
    for name in chosen:
        if name not in PROBES:
            raise unknown_name("probe", name, PROBES)
    for name in chosen:
        yield Outcome(probe=name, fault=PROBES[name](instruments))


def scenes(seed: int = 0, num_frames: int = 8, size_px: int = 64) -> VideoU8:
    """Draw NUM_CLIPS clips of a moving textured square on a coloured ground.

    Each clip has its own colours, size and path.
    """
    rows, columns = torch.meshgrid(torch.arange(size_px), torch.arange(size_px), indexing="ij")
    clips = []
    for clip_id in IDS:
        draw = torch.rand(12, generator=generator_for(seed, clip_id, "scene")).tolist()
        ground, square = torch.tensor(draw[0:3]), torch.tensor(draw[3:6])
        shade = 0.5 + 0.5 * (rows * draw[6] + columns * draw[7]) / (2 * size_px)
        side = size_px * (0.3 + 0.3 * draw[8])
        texture = 0.6 + 0.4 * ((rows // 4 + columns // 4) % 2)
        frames = []
        for frame in range(num_frames):
            top, left = (size_px - side) * torch.tensor(draw[9:11]) * (0.3 + 0.7 * frame / num_frames)
            inside = (rows >= top) & (rows < top + side) & (columns >= left) & (columns < left + side)
            frames.append(torch.where(inside, square.view(3, 1, 1) * texture, ground.view(3, 1, 1) * shade))
        clips.append(torch.stack(frames))
    return (torch.stack(clips) * 255).round().byte()


# ---- invariances


def identity(instruments: Instruments) -> str | None:
    """The distance of a set to itself is 0, and a second observation equals the first."""
    seen = instruments.seen["fvd"]
    distance = instruments.fvd.score(fake=seen, real=seen, captions=IDS, groups=range(NUM_CLIPS)).value
    if distance > 1e-6 * float(seen.double().var(0).sum()):
        return f"a set is {distance} away from itself"
    some = slice(NUM_CLIPS // 4)
    for name, metric in _all(instruments).items():
        if not torch.equal(metric.observe(instruments.scenes()[some], IDS[some]), instruments.seen[name][some]):
            return f"{name} observes something else the second time"
    return None


def order(instruments: Instruments) -> str | None:
    """The order of clips changes nothing."""
    turned = list(range(NUM_CLIPS))[::-1]
    for name, metric in _all(instruments).items():
        seen = instruments.seen[name]
        fake = seen + 0.1 * seen.flip(0) if name == "fvd" else seen
        values = [
            metric.score(fake=fake[at], real=seen[at], captions=[IDS[i] for i in at], groups=range(NUM_CLIPS)).value
            for at in (list(range(NUM_CLIPS)), turned)
        ]
        if abs(values[0] - values[1]) > 1e-9 * abs(values[0]):
            return f"{name} is {values[0]} in one order and {values[1]} in the other"
    return None


def batch_size(instruments: Instruments) -> str | None:
    """The observation of a clip depends neither on its batch nor on the training mode of the metric."""
    video = instruments.scenes()[:4]
    for name, metric in _all(instruments).items():
        assert isinstance(metric, nn.Module)
        together = metric.observe(video, IDS[:4])
        metric.train()
        alone = torch.cat([metric.observe(video[i : i + 1], IDS[i : i + 1]) for i in range(4)])
        metric.eval()
        if not torch.equal(together, alone):
            return f"{name}: a clip's observation depends on its batch, or on train and eval"
    return None


def duplicates(instruments: Instruments) -> str | None:
    """A clip that a distributed sampler repeats as padding counts once."""
    video = instruments.scenes()
    values = []
    for padding in (0, 3):
        metric = FrechetVideoDistance(instruments.fvd.network)
        metric.update(video.flip(1), real=True, clip_ids=IDS)
        metric.update(video, real=False, clip_ids=IDS)
        if padding:
            metric.update(video[:padding], real=False, clip_ids=IDS[:padding])
        values.append(float(metric.compute()))
    return None if values[0] == values[1] else f"3 clips that came twice moved FVD from {values[0]} to {values[1]}"


# ---- known answers


def embedded_answer(instruments: Instruments) -> str | None:
    """The features of EfficientNet-Lite0 equal the recorded ones: colours, range, resize, frames, layer are right."""
    network = instruments.fvd.network
    if not isinstance(network, EfficientNetClips):
        return None  # no answer is recorded for another network
    clips = EfficientNetClips(network.network, size_px=64)
    return _differs(clips(scenes()[:1])[0, ::100], ENET_ANSWER)


def i3d_answer(instruments: Instruments) -> str | None:  # noqa: ARG001
    """The logits of I3D are the recorded ones; the seeded batch statistics reveal a wrong epsilon."""
    network = _small_i3d()
    found = network(scenes()[:1])
    if found.shape != (1, network.num_features):
        return f"features of one clip have shape {tuple(found.shape)}, not (1, {network.num_features})"
    return _differs(found[0], I3D_ANSWER)


def time_mean(instruments: Instruments) -> str | None:  # noqa: ARG001
    """17 frames give two steps of I3D, and the feature is their mean."""
    network = _small_i3d()
    video = scenes(num_frames=17)[:1]
    found = network(video)
    if found.shape != (1, network.num_features):
        return f"17 frames give features of shape {tuple(found.shape)}, not (1, {network.num_features})"
    assert isinstance(network.network, i3d.I3D)
    with torch.inference_mode():
        steps = network.network.step_logits(network.prepared(video[0].movedim(1, 0)))
    return _differs(found[0], steps.mean(2)[0].tolist())


def frames(instruments: Instruments) -> str | None:  # noqa: ARG001
    """The networks see eight frames in order, each as often as the rule says."""
    numbered = torch.arange(0, 80, 10, dtype=torch.uint8).view(1, 8, 1, 1).expand(3, 8, 32, 32)
    seen = _small_i3d().prepared(numbered)[0, 0, :, 0, 0]
    shown = ((seen + 1) * 12.75).round().int().tolist()
    if shown != [frame for frame in range(8) for _ in range(2)]:
        return f"I3D sees frames {shown} of 0 to 7"
    if (at := vqa.frame_indices(8, 32)) != [*range(8)] * 4:
        return f"FAST-VQA sees frames {at} of 0 to 7"
    return None


def resize(instruments: Instruments) -> str | None:  # noqa: ARG001
    """The resize of the reference program reads 4 pixels at 0, 4/3 and 8/3 to make 3."""
    row = torch.tensor([0.0, 90, 180, 255]).expand(1, 1, 4, 4)
    found = (i3d.resize(row, profile="reference", size_px=3)[0, 0, 0] + 1) * 127.5
    return _differs(found, (0.0, 120.0, 230.0))


def covariance(instruments: Instruments) -> str | None:  # noqa: ARG001
    """Two points per side with variances 2 and 8 and means 11 apart have distance 121 + (sqrt 2 - sqrt 8)^2 = 123."""
    found = frechet.frechet_distance(fake=torch.tensor([[0.0], [2.0]]), real=torch.tensor([[10.0], [14.0]]))
    return (
        None if abs(found - 123) < 1e-9 else f"a distance of 123 is computed as {found}: does it divide by n for n - 1?"
    )


def bytes_rounded(instruments: Instruments) -> str | None:  # noqa: ARG001
    """Values just below a level are rounded to it; truncation would make all of them one less."""
    levels = torch.arange(1, 256).float()
    video = ((levels - 0.4) / 127.5 - 1).view(1, 1, 1, 1, -1)
    found = quantisation.to_uint8(video).flatten()
    wrong = int((found != levels).sum())
    return f"{wrong} of 255 levels are cut off instead of rounded" if wrong else None


def colours(instruments: Instruments) -> str | None:
    """FAST-VQA and CLIP read bytes in the order R, G, B: their mean colour is normalised to 0, red is not."""
    mean = torch.tensor([123.675, 116.28, 103.53])  # of ImageNet, which FAST-VQA was trained with
    if fault := _differs(fast_vqa.normalise(mean.view(1, 3, 1, 1, 1)).flatten() + 1, (1.0, 1.0, 1.0)):
        return f"FAST-VQA: {fault}"
    model = instruments.clip.model
    if not isinstance(model, open_clip_model.OpenClipModel):
        return None  # another model has its own preprocessing
    red = torch.zeros(1, 3, 8, 8).byte()
    red[:, 0] = 255
    expected = (torch.tensor([255.0, 0, 0]) - model.mean.flatten().cpu()) / model.std.flatten().cpu()
    fault = _differs(model.pixels(red)[0, :, 0, 0].cpu(), expected.tolist())
    return f"CLIP: {fault}" if fault else None


def gate(instruments: Instruments) -> str | None:  # noqa: ARG001
    """Where the corners of four fragments meet, opposite fragments have distance 2; a binary gate would give 1."""
    attention = fast_vqa.GatedWindowAttention(1, [1, 2, 2], [0, 1, 1], 1, has_fragment_table=True)
    assert attention.fragment_position_bias_table is not None
    with torch.no_grad():  # with tables of 0 within a fragment and 1 across, the bias is the distance
        attention.fragment_position_bias_table.fill_(0)
        attention.relative_position_bias_table.fill_(1)
        found = attention.gated_bias((1, 4, 4), (1, 2, 2), (0, 1, 1), (2, 2))[0, 0, 0].tolist()
    return None if found == [0, 1, 1, 2] else f"fragments with distances 0, 1, 1, 2 are computed to have {found}"


def activation(instruments: Instruments) -> str | None:  # noqa: ARG001
    """A model with GELU refuses weights that were trained with QuickGELU."""
    try:
        open_clip_model.require_same_activation("ViT-B-32", "openai")
    except AssetError:
        return None
    return "a model with GELU loads OpenAI's weights, which were trained with QuickGELU"


def fragments(instruments: Instruments) -> str | None:
    """The same clip is read at the same places, a clip with another id elsewhere."""
    metric = instruments.vqa
    video = instruments.scenes(size_px=50 * metric.config.grid)[:1]
    first, again, other = (metric.observe(video, [name]) for name in ("a", "a", "b"))
    if not torch.equal(first, again):
        return f"one clip scored {first.mean():.5f} and then {again.mean():.5f}: fragments are not seeded"
    return "fragments do not depend on the clip's id" if torch.equal(first, other) else None


def sides(instruments: Instruments) -> str | None:
    """Quality is measured on the generated clips: noise as fake scores worse than noise as real."""
    video, metric = instruments.scenes(), instruments.vqa
    noise = torch.randint(0, 256, video.shape, generator=generator_for("sides")).byte()
    good, bad = instruments.seen["vqa"], metric.observe(noise, IDS)
    ours = metric.score(fake=bad, real=good, captions=IDS, groups=range(NUM_CLIPS)).value
    theirs = metric.score(fake=good, real=bad, captions=IDS, groups=range(NUM_CLIPS)).value
    return None if ours < theirs else f"noise scores {ours:.4f} and clips {theirs:.4f}: are real and fake exchanged?"


def cache(instruments: Instruments) -> str | None:
    """Cached features belong to the requested clips."""
    network, video = instruments.fvd.network, instruments.scenes()[:4]
    changed = video.clone()
    changed[:, 3:] = 255 - changed[:, 3:]
    with TemporaryDirectory() as folder:
        for name, given in (("first", video), ("changed", changed)):
            found = reference.cached_features(network, given, IDS[:4], folder=Path(folder))
            if not torch.equal(found, network(given).cpu()):
                return f"the cache returned features of others for the {name} clips"
    return None


# ---- faults of growing strength


def ladder(metric: str, fault: str, strengths: Sequence[float] = STRENGTHS) -> Probe:
    """Return a probe that passes if the metric gets worse as a fault grows."""

    def climb(instruments: Instruments) -> str | None:
        video, under_test = instruments.scenes(), _all(instruments)[metric]
        found = validity.curve(
            under_test,
            fault,
            video=video,
            real=video,
            clip_ids=IDS,
            captions=IDS,
            higher_is_better=metric != "fvd",
            strengths=strengths,
        )
        if found.is_seen:
            return None
        shown = ", ".join(f"{value:.4g}" for value in found.values)
        return f"{metric} under growing {fault}: {shown} (rank correlation {found.rank_correlation:.2f})"

    climb.__doc__ = f"{metric} gets worse as {fault} grows (Spearman >= {validity.MONOTONE})."
    return climb


def captions(instruments: Instruments) -> str | None:
    """CLIP similarity falls as more captions are swapped; the embeddings of the captions stand in for clips."""
    metric = instruments.clip
    said = [
        f"a {colour} {thing}" for colour in ("red", "green", "blue", "white") for thing in ("cat", "car", "cup", "hat")
    ]
    seen = metric.model.embed_texts(metric.model.tokenize(said))[:, None]
    values = []
    for strength in (None, *STRENGTHS):
        given = said if strength is None else swap_captions(said, strength)
        values.append(metric.score(fake=seen, real=seen, captions=given, groups=range(NUM_CLIPS)).value)
    found = validity.Curve(fault="caption_swap", values=tuple(values), higher_is_better=True)
    return None if found.is_seen else f"clip under growing caption_swap: {values}"


PROBES: Mapping[str, Probe] = {
    "identity": identity,
    "order": order,
    "batch_size": batch_size,
    "duplicates": duplicates,
    "embedded_answer": embedded_answer,
    "i3d_answer": i3d_answer,
    "time_mean": time_mean,
    "frames": frames,
    "resize": resize,
    "covariance": covariance,
    "bytes_rounded": bytes_rounded,
    "colours": colours,
    "gate": gate,
    "activation": activation,
    "fragments": fragments,
    "sides": sides,
    "cache": cache,
    **{f"fvd_{fault}": ladder("fvd", fault, strengths) for fault, strengths in FVD_LADDERS.items()},
    "vqa_noise": ladder("vqa", "noise", VQA_NOISE),
    "captions": captions,
}


def _all(instruments: Instruments) -> dict[str, Metric]:
    return {"fvd": instruments.fvd, "vqa": instruments.vqa, "clip": instruments.clip}


def _small_i3d() -> I3DClips:
    """Build a small I3D whose running variances are near epsilon, so that a wrong epsilon shows.

    It has a 16th of the channels and reads frames of 32 px.
    """
    network = i3d.I3D(8, width=1 / 16, size_px=32)
    for name, value in network.state_dict().items():
        draw = torch.randn(value.shape, generator=generator_for("selftest i3d", name))
        if name.endswith("running_var"):
            value.copy_(0.01 * draw.abs() + 0.001)
        elif value.ndim > 1:
            value.copy_(0.2 * draw / value[0].numel() ** 0.5)
        elif value.is_floating_point():
            value.copy_(0.1 * draw + (1 if name.endswith("bn.weight") else 0))
    return I3DClips(network, weights_sha256="0" * 64)


def _differs(found: Float[Tensor, " D"], expected: Sequence[float]) -> str | None:
    wanted = torch.tensor(expected)
    if found.shape != wanted.shape:
        return f"{len(found)} values where {len(wanted)} are known"
    gap = float((found.cpu() - wanted).abs().max() / wanted.abs().max())
    return f"{gap:.1%} away from the known answer" if not gap <= TOLERANCE else None
