"""CLIP similarity of clips and captions: the probability of a clip's own caption among all test captions.

All figures follow from one tensor of cosines, clips x frames x captions. The score is the mean probability of the own
caption under a softmax over all captions, as in zero-shot classification (Radford et al. 2021, sec. 3.1). CLIPSIM
is the mean cosine with the own caption (Wu et al. 2021, GODIVA, arXiv:2104.14806, sec. 4.2.1). Equal captions count as
one candidate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from rdtf_bench.assets import registry
from rdtf_bench.core.errors import DataError
from rdtf_bench.core.metric import Score
from rdtf_bench.core.video import VideoU8, require_clips
from rdtf_bench.metrics import sample_ids
from rdtf_bench.metrics.features import open_clip_model
from rdtf_bench.metrics.states import ClipMetric
from rdtf_bench.metrics.statistics import mean_without_each_group

LABEL = "CLIP"
UNIT = ""
HIGHER_IS_BETTER = True
VERSION = 1
MIN_CLIPS = 2
ASSETS = ("clip",)
USES = ("fake", "captions")


@dataclass(frozen=True, kw_only=True)
class Config:
    """No options: the asset is the model, and the scale of the softmax comes from the model."""


@runtime_checkable
class ImageTextModel(Protocol):
    """A frozen model that embeds frames and captions as unit vectors of one space."""

    name: str

    @property
    def scale(self) -> float:
        """Return the factor by which cosines are multiplied before a softmax over captions."""
        ...

    def __call__(self, video: VideoU8) -> Float[Tensor, "B F D"]: ...

    def tokenize(self, captions: Sequence[str]) -> Int64[Tensor, "N L"]:
        """Return the tokens of captions, padded or cut to one length."""
        ...

    def embed_texts(self, tokens: Int64[Tensor, "N L"]) -> Float[Tensor, "N D"]:
        """Return the unit embeddings of tokenized captions."""
        ...


@dataclass(frozen=True, kw_only=True)
class Similarities:
    """Cosines of every frame with every candidate caption, and the index of each clip's own caption."""

    cosines: Float[Tensor, "N F K"]  # K candidates, all different
    own: Int64[Tensor, " N"]
    scale: float


def clip_candidates(found: Similarities) -> Float[Tensor, " N"]:
    """Return the probability of the own caption among all candidates, averaged over frames; chance is 1 / K."""
    probabilities = (found.scale * found.cosines).softmax(-1)
    return _of_own(probabilities, found).mean(1)


def clipsim(found: Similarities) -> Float[Tensor, " N"]:
    """Return the cosine with the own caption, averaged over frames."""
    return _of_own(found.cosines, found).mean(1)


def ranks(found: Similarities) -> Int64[Tensor, " N"]:
    """Return the rank of the own caption by mean cosine over frames, from 1; tied captions rank before it."""
    cosines = found.cosines.mean(1)
    own = cosines.gather(1, found.own[:, None])
    return (cosines >= own).sum(1)


def recall(found: Similarities, k: int) -> Float[Tensor, " N"]:
    """Return R@k per clip: 1 if the own caption is among the first k, else 0."""
    return (ranks(found) <= k).double()


def reciprocal_rank(found: Similarities) -> Float[Tensor, " N"]:
    """Return the reciprocal rank of the own caption, whose mean is the MRR."""
    return 1 / ranks(found).double()


def relative_matching(*, fake: Similarities, real: Similarities) -> Float[Tensor, " N"]:
    """Return CLIPSIM of each generated clip divided by that of the real clip with the same caption (GODIVA's RM).

    A value of 1 means that the generated clip matches its caption as well as the real one. Raises DataError if a real
    clip has no positive cosine with its caption, because the ratio is then meaningless.
    """
    generated, original = clipsim(fake), clipsim(real)
    if len(generated) != len(original):
        raise DataError(f"{len(generated)} generated clips cannot be matched with {len(original)} real ones")
    if not bool((original > 0).all()):
        raise DataError(f"real clip {int((original > 0).int().argmin())} has no positive cosine with its own caption")
    return generated / original


def figures(found: Similarities) -> dict[str, float]:
    """Return all figures of one similarity tensor as means over clips.

    They are comparable only for the same list of candidates.
    """
    per_clip = {"clip_candidates": clip_candidates(found), "clipsim": clipsim(found), "mrr": reciprocal_rank(found)}
    per_clip |= {f"r@{k}": recall(found, k) for k in (1, 5, 10)}
    return {name: float(values.mean()) for name, values in per_clip.items()}


class ClipSimilarity(ClipMetric):
    """CLIP similarity as a torchmetrics metric.

    It keeps embeddings, tokens and ids, so that states merge and sync. `model` is a folder in open_clip's layout, a
    model, or None for the embedded one. `options` go to torchmetrics.
    """

    higher_is_better = HIGHER_IS_BETTER

    embeddings: list[Tensor]  # one row per frame
    frame_counts: list[Tensor]
    tokens: list[Tensor]
    ids: list[Tensor]

    def __init__(self, model: ImageTextModel | Path | str | None = None, **options: Any) -> None:
        super().__init__(**options)
        model = model or registry.verified("toy/clip")
        self.model = open_clip_model.load(Path(model)) if isinstance(model, (str, Path)) else model
        for state in ("embeddings", "frame_counts", "tokens", "ids"):
            self.add_state(state, default=[], dist_reduce_fx="cat")

    @property
    def yardstick(self) -> str:
        return self.model.name

    def observe(self, video: VideoU8, clip_ids: Sequence[str]) -> Float[Tensor, "B F D"]:
        """Return the unit embeddings of each clip's frames, on the CPU. The ids are ignored."""
        del clip_ids
        require_clips(video)
        return self.model(video).cpu()

    def update(self, video: VideoU8, captions: Sequence[str], *, clip_ids: Sequence[str] | None = None) -> None:
        """Add clips with one caption each. With ids, a clip that a sampler repeats as padding counts once."""
        tokens, ids = self._tokens(captions, len(video)), sample_ids.hashed(clip_ids, len(video))
        self.embeddings.append(self.observe(video, ()).flatten(0, 1).to(self.device))
        self.frame_counts.append(torch.full((len(video),), video.shape[1], device=self.device))
        self.tokens.append(tokens.to(self.device))
        self.ids.append(ids.to(self.device))

    def no_clips(self) -> Mapping[str, Tensor]:
        tokens, number = self.model.tokenize([""]), torch.zeros(0, dtype=torch.long)
        embeddings = self.model.embed_texts(tokens)
        return {"embeddings": embeddings[:0], "frame_counts": number, "tokens": tokens[:0], "ids": number}

    def similarities(self) -> Similarities:
        """Return the similarities of all clips so far; every figure of this module follows from them."""
        counts = sorted(set(self.rows("frame_counts").tolist()))
        if not counts:
            raise DataError(f"no clips were given; CLIP similarity needs at least {MIN_CLIPS}")
        if len(counts) > 1:
            raise DataError(f"clips of {counts} frames: CLIP similarity compares clips of one length")
        first = sample_ids.first_of_each(self.rows("ids"))
        embeddings = self.rows("embeddings")
        frames = embeddings.view(-1, counts[0], embeddings.shape[1])
        return self._similarities(frames[first], self.rows("tokens")[first])

    def compute(self) -> Float[Tensor, ""]:
        """Return the mean probability of the own caption; raise DataError for fewer than 2 clips."""
        return clip_candidates(self.similarities()).mean()

    def score(
        self,
        *,
        fake: Float[Tensor, "N F D"],
        real: Float[Tensor, "..."],
        captions: Sequence[str],
        groups: Sequence[int],
    ) -> Score:
        """Return the score of observations, with the other figures in `Score.beside`.

        The candidates are all captions, also for the values without a group. `chance` is the mean probability of a
        caption that is drawn from them.
        """
        del real
        found = self._similarities(fake, self._tokens(captions, len(fake)))
        per_clip = clip_candidates(found)
        without = mean_without_each_group(per_clip, groups)
        num_candidates = found.cosines.shape[2]
        name = f"clip[{self.model.name}, {num_candidates} candidates, scale {found.scale:.4g}, n {len(per_clip)}]"
        beside = {figure: value for figure, value in figures(found).items() if figure != "clip_candidates"}
        beside["chance"] = 1 / num_candidates
        value = float(per_clip.mean())
        return Score(value=value, n=len(per_clip), without_group=without, name=name, beside=beside)

    def _tokens(self, captions: Sequence[str], num_clips: int) -> Int64[Tensor, "N L"]:
        if len(captions) != num_clips:
            raise DataError(f"{num_clips} clips came with {len(captions)} captions: each clip needs its own")
        if empty := [str(i) for i, caption in enumerate(captions) if not caption.strip()]:
            raise DataError(f"clips {', '.join(empty)} have no caption: CLIP similarity needs a caption for every clip")
        return self.model.tokenize(captions)

    def _similarities(self, frames: Float[Tensor, "N F D"], tokens: Int64[Tensor, "N L"]) -> Similarities:
        if len(frames) < MIN_CLIPS:
            raise DataError(f"CLIP similarity needs at least {MIN_CLIPS} clips, there is {len(frames)}")
        finite = frames.isfinite().flatten(1).all(1)
        if not bool(finite.all()):
            raise DataError(f"the embeddings of clip {int(finite.int().argmin())} are NaN or infinite")
        candidates, own = torch.unique(tokens, dim=0, return_inverse=True)
        if len(candidates) < 2:
            raise DataError("all clips have the same caption: CLIP similarity needs at least 2 different captions")
        texts = self.model.embed_texts(candidates).to(frames.device)
        cosines = frames.double() @ texts.double().T
        return Similarities(cosines=cosines, own=own.to(cosines.device), scale=self.model.scale)


def build(config: Config, *, assets: Mapping[str, Path], device: torch.device) -> ClipSimilarity:
    """Build the metric from the paths of its assets."""
    del config
    return ClipSimilarity(open_clip_model.load(assets["clip"], device)).to(device)


def _of_own(values: Float[Tensor, "N F K"], found: Similarities) -> Float[Tensor, "N F"]:
    index = found.own[:, None, None].expand(-1, values.shape[1], 1)
    return values.gather(2, index)[..., 0]
