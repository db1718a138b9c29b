"""Video quality without a reference, by FAST-VQA (Wu et al. 2022, arXiv:2207.02595).

The network reads fragments: one patch at native resolution from every cell of a grid. The offset of each patch is drawn
from the clip's id. A clip therefore has one score, and the clips of all methods are read at the same places.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rdtf_bench.assets import registry
from rdtf_bench.core.errors import AssetError, DataError, InputError, ProtocolError, first_line
from rdtf_bench.core.metric import Score
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.core.video import VideoU8, require_clips
from rdtf_bench.metrics import sample_ids
from rdtf_bench.metrics.features import originals
from rdtf_bench.metrics.features.fast_vqa import (
    FastVQANetwork,
    draw_offsets,
    fragments,
    normalise,
    read_checkpoint,
)
from rdtf_bench.metrics.features.precision import full_precision
from rdtf_bench.metrics.states import ClipMetric
from rdtf_bench.metrics.statistics import mean_without_each_group

LABEL = "VQA"
UNIT = ""
HIGHER_IS_BETTER = True
VERSION = 1
MIN_CLIPS = 2
ASSETS = ("vqa",)
USES = ("fake",)

FRAGMENT_PX = 32
CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"


@dataclass(frozen=True, kw_only=True)
class Config:
    """The options of the metric: the network and which part of a clip it reads."""

    network: str = "toy-fast-vqa"
    """Name that the asset must have: in its config.json, or `fast-vqa-b` or `faster-vqa` for a released .pth file."""
    num_frames: int = 8
    """Number of frames that the network reads, at equal intervals; a shorter clip loops. The released networks were
    trained on 32."""
    grid: int = 2
    """Number of grid cells of 32 px along each side; 7 for the released networks."""
    draws: int = 1
    """Number of random draws of fragments, whose raw scores are averaged."""

    @classmethod
    def of(cls, network: str) -> "Config":
        """Return the frames and the grid that a network was trained on."""
        return cls(network=network, num_frames=32, grid=7) if network in RELEASED else cls(network=network)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """The map from raw scores, which have no unit, to 0..1.

    A rescaled score of 0.5 is the average of the set of clips from which mean and standard deviation were taken.
    """

    mean: float
    std: float
    aligned: int  # number of consecutive frames that share their offsets

    def rescale(self, raw: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
        """Return the logistic function of the standardised raw scores, in float64."""
        return torch.sigmoid((raw.double() - self.mean) / self.std)


# VQAssessment/FAST-VQA-and-FasterVQA@9f264e4 vqa.py, which does not state the set behind the constants
RELEASED = {
    "fast-vqa-b": Scale(mean=-0.110198185, std=0.04178565, aligned=32),
    "faster-vqa": Scale(mean=0.14759505, std=0.03613452, aligned=8),
}


class Judge(nn.Module):
    """A frozen network with its name, the name that headings give it, and the scale of its scores."""

    def __init__(self, network: FastVQANetwork, *, name: str, scale: Scale, heading: str = "") -> None:
        super().__init__()
        self.network, self.name, self.scale, self.heading = network.keep_biases(), name, scale, heading or name
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "Judge":  # noqa: ARG002
        """Stay in eval mode: a frozen network uses no dropout, whatever module holds it."""
        return super().train(False)

    def forward(self, spliced: Float[Tensor, "C T H W"]) -> Float[Tensor, ""]:
        """Return the raw score of one clip's fragments (0..255): the mean of the score map."""
        device = next(self.network.parameters()).device
        with full_precision(device):
            return self.network(normalise(spliced[None].to(device))).mean()


def load(path: Path, name: str) -> Judge:
    """Load a network from a folder (config.json, model.safetensors) or a released .pth file.

    Raises AssetError if it is not the network `name`.
    """
    if path.is_dir():
        judge = _load_folder(path)
    elif name in RELEASED:
        network = FastVQANetwork()
        network.load_upstream(read_checkpoint(path))
        judge = Judge(network, name=name, scale=RELEASED[name], heading=originals.heading(name, path))
    else:
        raise AssetError(
            f"vqa: {path} is not a folder with {CONFIG_FILE} and {WEIGHTS_FILE}, which {name!r} needs. "
            f"Released weights are read for these names: {', '.join(RELEASED)}."
        )
    if judge.name != name:
        raise AssetError(f"vqa: {path} holds {judge.name!r}, not {name!r}. Name it in the options, or another asset.")
    return judge


def save(judge: Judge, folder: Path, network_options: Mapping[str, Any]) -> None:
    """Write a folder that `load` reads; `network_options` are the arguments of FastVQANetwork."""
    weights = {key: value.contiguous() for key, value in judge.network.state_dict().items()}
    save_file(weights, folder / WEIGHTS_FILE)
    config = {"name": judge.name, "network": dict(network_options), "scale": asdict(judge.scale)}
    (folder / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _load_folder(folder: Path) -> Judge:
    try:
        config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        options: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in config["network"].items()}
        network = FastVQANetwork(**options)
        network.load_upstream(load_file(folder / WEIGHTS_FILE))
        return Judge(network, name=config["name"], scale=Scale(**config["scale"]))
    except (OSError, KeyError, TypeError, AttributeError, ValueError, SafetensorError) as error:
        raise AssetError(
            f"vqa: {folder} cannot be read as a FAST-VQA network: {first_line(error)}. Give the folder that "
            "rdtf_bench.metrics.vqa.save wrote."
        ) from error


class FastVQA(ClipMetric):
    """FAST-VQA as a torchmetrics metric.

    It keeps the raw score and the id of every clip, so that states merge and sync. `judge` is a network with its scale,
    the path of the network that `config` names, or None for the embedded one. Without a `config` a network reads the
    frames and the grid that it was trained on. `options` go to torchmetrics.
    """

    higher_is_better = HIGHER_IS_BETTER

    raw: list[Tensor]
    ids: list[Tensor]

    def __init__(self, judge: Judge | Path | str | None = None, config: Config | None = None, **options: Any) -> None:
        super().__init__(**options)
        judge = judge or registry.verified("toy/vqa")
        self.judge = load(Path(judge), (config or Config()).network) if isinstance(judge, (str, Path)) else judge
        self.config = config or Config.of(self.judge.name)
        _check(self.config, self.judge)
        for state in ("raw", "ids"):
            self.add_state(state, default=[], dist_reduce_fx="cat")

    @property
    def yardstick(self) -> str:
        config = self.config
        draws = "" if config.draws == 1 else f" {config.draws} draws"
        return f"{self.judge.heading} {config.num_frames}f {config.grid}x{config.grid}{draws}"

    def observe(self, video: VideoU8, clip_ids: Sequence[str]) -> Float[Tensor, "B K"]:
        """Return the raw scores of each clip on the CPU, one for each of the K draws of fragments."""
        require_clips(video)
        if len(clip_ids) != len(video):
            raise DataError(f"vqa: {len(video)} clips came with {len(clip_ids)} ids. Give one id for each clip.")
        if video.shape[1] < 2:
            raise DataError("vqa: clips of one frame are no videos. Give clips of at least 2 frames.")
        # one clip per pass: the bits do not depend on the rest of the batch
        return torch.stack([self._observe(clip, name) for clip, name in zip(video, clip_ids, strict=True)]).cpu()

    def update(self, video: VideoU8, clip_ids: Sequence[str] | None = None) -> None:
        """Add clips.

        With ids, a clip that a sampler repeats as padding counts once. Without ids, the offsets of fragments are drawn
        from the bytes of the clip.
        """
        ids = sample_ids.hashed(clip_ids, len(video))
        names = [_content_id(clip) for clip in video] if clip_ids is None else clip_ids
        self.raw.append(self.observe(video, names).to(self.device))
        self.ids.append(ids.to(self.device))

    def no_clips(self) -> Mapping[str, Tensor]:
        return {"raw": torch.zeros(0, self.config.draws), "ids": torch.zeros(0, dtype=torch.long)}

    def compute(self) -> Float[Tensor, ""]:
        """Return the mean of the rescaled scores, in 0..1."""
        raw = self.rows("raw")
        if len(raw) == 0:
            raise DataError("vqa: no clips were given. Add at least one with `update` before `compute`.")
        return self.per_clip(raw[sample_ids.first_of_each(self.rows("ids"))]).mean()

    def per_clip(self, raw: Float[Tensor, "N K"]) -> Float[Tensor, " N"]:
        """Return the score of each clip in 0..1: raw scores averaged over draws, then rescaled."""
        finite = raw.isfinite().all(1)
        if not bool(finite.all()):
            raise DataError(
                f"vqa: the score of clip {int(finite.int().argmin())} is NaN or infinite. Clips are bytes, so look for "
                "the fault in the weights of the network."
            )
        return self.judge.scale.rescale(raw.double().mean(1))

    def draw_deviation(self, raw: Float[Tensor, "N K"]) -> float:
        """Return the standard deviation of the rescaled score over draws of fragments, averaged over clips.

        Raises DataError for a single draw.
        """
        if raw.shape[1] < 2:
            raise DataError("vqa: the deviation over draws needs at least 2 of them. Set draws to 2 or more.")
        return float(self.judge.scale.rescale(raw.flatten()).view(raw.shape).std(1).mean())

    def score(
        self,
        *,
        fake: Float[Tensor, "N K"],
        real: Float[Tensor, "..."],
        captions: Sequence[str],
        groups: Sequence[int],
    ) -> Score:
        """Return the mean over clips, with and without each group.

        `Score.beside` has the mean raw score and, for several draws, the deviation over draws.
        """
        del real, captions
        per_clip = self.per_clip(fake)
        without = mean_without_each_group(per_clip, groups)
        config, n = self.config, len(per_clip)
        where = f"{config.num_frames} frames, {config.grid}x{config.grid} of {FRAGMENT_PX} px, draws {config.draws}"
        name = f"vqa[{self.judge.heading}, {where}, n {n}]"
        beside = {"raw": float(fake.double().mean())}
        if config.draws > 1:
            beside["draw_deviation"] = self.draw_deviation(fake)
        return Score(value=float(per_clip.mean()), n=n, without_group=without, name=name, beside=beside)

    def _observe(self, clip: UInt8[Tensor, "F C H W"], clip_id: str) -> Float[Tensor, " K"]:
        config, aligned = self.config, min(self.judge.scale.aligned, self.config.num_frames)
        video = clip[frame_indices(len(clip), config.num_frames)].movedim(1, 0)
        scores = []
        for draw in range(config.draws):
            down, right = draw_offsets(
                *video.shape[2:],
                grid=config.grid,
                size=FRAGMENT_PX,
                groups=config.num_frames // aligned,
                generator=generator_for(clip_id, "fragments", draw),
            )
            spliced = fragments(
                video, offsets_h=down, offsets_w=right, grid=config.grid, size=FRAGMENT_PX, aligned=aligned
            )
            scores.append(self.judge(spliced))
        return torch.stack(scores)


def build(config: Config, *, assets: Mapping[str, Path], device: torch.device) -> FastVQA:
    """Build the metric from its options and the paths of its assets."""
    return FastVQA(assets["vqa"], config).to(device)


def frame_indices(given: int, wanted: int) -> list[int]:
    """Return frames at equal intervals, from the first one; a clip that is too short starts again."""
    if given < wanted:
        return [i % given for i in range(wanted)]
    return [i * given // wanted for i in range(wanted)]


def _check(config: Config, judge: Judge) -> None:
    """Raise ProtocolError if the network cannot read that many frames or fragments."""
    frames, side = config.num_frames, config.grid * FRAGMENT_PX
    if config.network != judge.name:
        raise ProtocolError(
            f"vqa: network: the options name {config.network!r}, but the asset is {judge.name!r}. Name it in the "
            "options, or give another asset."
        )
    if min(frames, config.grid, config.draws) < 1:
        raise ProtocolError(
            f"vqa: num_frames, grid and draws must be at least 1, and they are {frames}, {config.grid} and "
            f"{config.draws}."
        )
    if frames % min(judge.scale.aligned, frames):
        raise ProtocolError(
            f"vqa: num_frames: {frames} is not a multiple of {judge.scale.aligned}, which {judge.name} needs. "
            "Choose a multiple."
        )
    try:
        judge.network.fragments_backbone.adapted_window((frames, side, side))
    except InputError as error:
        raise ProtocolError(
            f"vqa: num_frames {frames} and grid {config.grid} do not fit {judge.name}: {error}"
        ) from error


def _content_id(clip: UInt8[Tensor, "F C H W"]) -> str:
    return sha256(clip.cpu().contiguous().numpy().tobytes()).hexdigest()
