"""Graded faults of clips and of sets of clips, from just visible to broken.

Metrics are tried on them, and the embedded FAST-VQA is trained on them. The fault of a clip takes one clip (F C H W,
0..255), a strength in 0..1 and a generator. It keeps the shape, and values that leave the range are clamped at the end.
Strength 0 is the weakest fault, not an intact clip.
"""

import io
import math
from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur, rgb_to_grayscale

from rdtf_bench.core.errors import unknown_name
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.core.video import VideoU8

COLLAPSED_TO = 5
"""Number of different clips of a generator whose modes have collapsed."""

Clip = Float[Tensor, "F C H W"]
Distortion = Callable[[Clip, float, torch.Generator], Clip]


def blur(clip: Clip, strength: float, generator: torch.Generator) -> Clip:  # noqa: ARG001
    """Blur with a Gaussian of 0.3 to 3 px."""
    return _blurred(clip, 0.3 + 2.7 * strength)


def noise(clip: Clip, strength: float, generator: torch.Generator) -> Clip:
    """Add Gaussian noise with a standard deviation of 4 to 60 levels."""
    return clip + (4 + 56 * strength) * torch.randn(clip.shape, generator=generator)


def block(clip: Clip, strength: float, generator: torch.Generator) -> Clip:  # noqa: ARG001
    """Compress as JPEG with quality 50 down to 2, which shows blocks of 8 px and bleeding colours."""
    quality = round(50 * 0.04**strength)
    return torch.stack([_jpeg(frame, quality) for frame in clip])


def banding(clip: Clip, strength: float, generator: torch.Generator) -> Clip:  # noqa: ARG001
    """Reduce each colour channel to 12 down to 2 levels."""
    steps = 11 - 10 * strength
    return (clip / 255 * steps).round().clamp(max=math.floor(steps)) / math.floor(steps) * 255


def contrast(clip: Clip, strength: float, generator: torch.Generator) -> Clip:
    """Blend the clip towards one grey."""
    grey = 255 * (0.3 + 0.5 * _uniform(generator))
    return clip.lerp(torch.full_like(clip, grey), 0.1 + 0.75 * strength)


def freeze(clip: Clip, strength: float, generator: torch.Generator) -> Clip:
    """Replace a run of frames by its first frame; at full strength the run is the whole clip."""
    held = 2 + round((len(clip) - 2) * strength)
    first = int(_uniform(generator) * (len(clip) - held + 1))
    return clip[[first if first <= i < first + held else i for i in range(len(clip))]]


def jitter(clip: Clip, strength: float, generator: torch.Generator) -> Clip:
    """Move every frame by its own offset of up to 7 px."""
    reach = 0.5 + 6.5 * strength
    shifts = reach * (2 * torch.rand(len(clip), 2, 1, 1, generator=generator) - 1)
    return _displaced(clip, shifts.expand(-1, -1, *clip.shape[2:]))


def flicker(clip: Clip, strength: float, generator: torch.Generator) -> Clip:
    """Change brightness and colour from frame to frame."""
    gains = 0.7 * (0.1 + strength) * (2 * torch.rand(len(clip), 1, 1, 1, generator=generator) - 1)
    tints = 45 * (0.1 + strength) * torch.randn(len(clip), clip.shape[1], 1, 1, generator=generator)
    return clip * (1 - gains.abs()) + tints


def ghost(clip: Clip, strength: float, generator: torch.Generator) -> Clip:  # noqa: ARG001
    """Blend the other frames into each frame, near ones most, as weak video models do."""
    places = torch.arange(len(clip))
    gap = (places[:, None] - places).abs()
    weights = torch.exp(-gap / (0.4 + 3 * strength))
    return torch.einsum("ij,jchw->ichw", weights / weights.sum(1, keepdim=True), clip)


def warp(clip: Clip, strength: float, generator: torch.Generator) -> Clip:
    """Deform each frame by its own smooth displacement, so that shapes melt."""
    coarse = torch.randn(len(clip), 2, 6, 6, generator=generator)
    smooth = F.interpolate(coarse, size=clip.shape[2:], mode="bicubic")
    return _displaced(clip, (0.5 + 4.5 * strength) * smooth)


def blotches(clip: Clip, strength: float, generator: torch.Generator) -> Clip:
    """Add soft coloured clouds, as an undertrained denoiser leaves them."""
    cells = 3 + int(8 * _uniform(generator))
    coarse = torch.randn(*clip.shape[:2], cells, cells, generator=generator)
    return clip + (6 + 74 * strength) * F.interpolate(coarse, size=clip.shape[2:], mode="bicubic")


def dropout(clip: Clip, strength: float, generator: torch.Generator) -> Clip:
    """Replace frames by a flat grey: one of eight frames up to six."""
    lost = torch.randperm(len(clip), generator=generator)[: 1 + round((len(clip) - 3) * strength)]
    dropped = clip.clone()
    dropped[lost] = 255 * torch.rand(len(lost), 1, 1, 1, generator=generator)
    return dropped


def colour(clip: Clip, strength: float, generator: torch.Generator) -> Clip:  # noqa: ARG001
    """Desaturate the clip."""
    return clip.lerp(rgb_to_grayscale(clip, num_output_channels=3), 0.25 + 0.75 * strength)


def shuffle(clip: Clip, strength: float, generator: torch.Generator) -> Clip:
    """Exchange frames: one exchange up to two exchanges per frame."""
    order = list(range(len(clip)))
    for _ in range(1 + round((2 * len(clip) - 1) * strength)):
        i, j = torch.randperm(len(clip), generator=generator)[:2].tolist()
        order[i], order[j] = order[j], order[i]
    return clip[order]


def drop(clip: Clip, strength: float, generator: torch.Generator) -> Clip:
    """Drop frames and hold the frame before them: one of eight frames up to six."""
    lost = set(
        (1 + torch.randperm(len(clip) - 1, generator=generator)[: 1 + round((len(clip) - 3) * strength)]).tolist()
    )
    shown = [0]
    for i in range(1, len(clip)):
        shown.append(shown[-1] if i in lost else i)
    return clip[shown]


FAULTS: Mapping[str, Distortion] = {
    "blur": blur,
    "noise": noise,
    "block": block,
    "colour": colour,
    "freeze": freeze,
    "shuffle": shuffle,
    "drop": drop,
}
"""Faults of single clips on which metrics are tried."""


def with_fault(video: VideoU8, fault: str, strength: float, clip_ids: Sequence[str]) -> VideoU8:
    """Return the clips with a fault of FAULTS, or with `collapse`.

    The id of a clip decides which frames and pixels are affected.
    """
    if fault == "collapse":
        return collapse(video, strength)
    if fault not in FAULTS:
        raise unknown_name("fault", fault, [*FAULTS, "collapse"])
    return torch.stack([
        as_bytes(FAULTS[fault](clip.float(), strength, generator_for(clip_id, "fault", fault)))
        for clip, clip_id in zip(video, clip_ids, strict=True)
    ])  # fmt: skip


def collapse(video: VideoU8, strength: float) -> VideoU8:
    """Replace a fifth up to all of the clips by one of five, a fault that no single clip shows."""
    count = round(len(video) * (0.2 + 0.8 * strength))
    chosen = torch.randperm(len(video), generator=generator_for("collapse", len(video)))[:count]
    collapsed = video.clone()
    collapsed[chosen] = video[torch.arange(count) % COLLAPSED_TO]
    return collapsed


def swap_captions(captions: Sequence[str], strength: float) -> list[str]:
    """Give a fifth up to all of the captions to another clip."""
    count = max(2, round(len(captions) * (0.2 + 0.8 * strength)))
    chosen = torch.randperm(len(captions), generator=generator_for("caption swap", len(captions)))[:count].tolist()
    swapped = list(captions)
    for i, giver in zip(chosen, chosen[1:] + chosen[:1], strict=True):
        swapped[i] = captions[giver]
    return swapped


def as_bytes(clip: Clip) -> UInt8[Tensor, "F C H W"]:
    """Round and clamp a clip to bytes."""
    return clip.round().clamp(0, 255).byte()


def _uniform(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator))


def _blurred(clip: Clip, sigma_px: float) -> Clip:
    side = 2 * math.ceil(3 * sigma_px) + 1
    # the kernel is separable, so the axes are blurred one after the other
    return gaussian_blur(gaussian_blur(clip, [side, 1], [sigma_px, 1.0]), [1, side], [1.0, sigma_px])


def _jpeg(frame: Float[Tensor, "C H W"], quality: int) -> Float[Tensor, "C H W"]:
    pixels = frame.round().clamp(0, 255).byte().movedim(0, 2).numpy()
    with io.BytesIO() as file:
        Image.fromarray(pixels).save(file, format="JPEG", quality=quality)
        decoded = Image.open(file).convert("RGB")
        read = torch.frombuffer(bytearray(decoded.tobytes()), dtype=torch.uint8)
    return read.view(*pixels.shape).movedim(2, 0).float()


def _displaced(clip: Clip, shift_px: Float[Tensor, "F 2 H W"]) -> Clip:
    """Read each pixel from `shift_px` (right, down) away; the border is repeated outside the frame."""
    height, width = clip.shape[2:]
    down, right = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    read_at = torch.stack([right, down], dim=-1) + shift_px.movedim(1, 3)
    scaled = (2 * read_at + 1) / torch.tensor([width, height]) - 1
    return F.grid_sample(clip, scaled, mode="bilinear", padding_mode="border", align_corners=False)
