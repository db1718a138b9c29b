"""Training examples of the base. Everything that no adapter can change is computed once, when training starts."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rdtf_bench.baselines.i2vgen_xl.parts import Conditioning, Parts
from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.core.method import Training, TrainingClips
from rdtf_bench.core.video import to_unit
from rdtf_bench.data.frames import whole_loop
from rdtf_bench.diffusion.masks import Mask, task_named

AT_ONCE = 64  # batch size of the encoders


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Encoded training clips on the CPU; each training step sends its batch to the device."""

    latents: Float[Tensor, "N C F H W"]
    shard_sizes: tuple[int, ...]  # number of clips of each shard of the training split
    masks: tuple[Mask, ...]  # the masks that a training step draws from
    caption_states: Float[Tensor, "U L E"]  # one entry per different caption
    caption_numbers: Int[Tensor, " N"]
    no_caption: Float[Tensor, "L E"]
    image_embeddings: Float[Tensor, "N F E"]  # zeros for a frame that is the first known frame of no mask

    def texts(self, chosen: Sequence[int], dropped: Bool[Tensor, " B"]) -> Float[Tensor, "B L E"]:
        states = self.caption_states[self.caption_numbers[list(chosen)]]
        return torch.where(dropped[:, None, None], self.no_caption, states)

    def images(
        self, chosen: Sequence[int], known: Float[Tensor, "B F"], dropped: Bool[Tensor, " B"]
    ) -> Float[Tensor, "B E"]:
        embeddings = self.image_embeddings[list(chosen), known.argmax(1)]
        return torch.where(dropped[:, None], torch.zeros_like(embeddings), embeddings)


def training_masks(task: str, num_frames: int) -> tuple[Mask, ...]:
    """Return the condition masks of the task that a baseline is trained for.

    The image-to-video tasks give the first frame, as in the papers of the methods. Interpolation and prediction draw
    from the whole family of Table 7. Raises ProtocolError for a task that gives no frame.
    """
    kind = task_named(task)
    masks = kind.evaluated(num_frames) if kind.family == "generation" else kind.trained(num_frames)
    if not all(any(mask) for mask in masks):
        raise ProtocolError(
            f"task: {task!r} gives no frame, but I2VGen-XL makes a video from an image, so its baselines cannot be "
            "trained for it. Choose a task with known frames: it2v, i2v, interpolation or prediction."
        )
    return masks


def collect(parts: Parts, conditioning: Conditioning, clips: TrainingClips, training: Training) -> Examples:
    """Encode the training clips. Each clip is its frames at equal intervals over the whole loop.

    A sticker with too few frames is extended by playing it back and forth.
    """
    masks = training_masks(training.task, training.num_frames)
    captions = clips.captions if task_named(training.task).uses_text else [""] * len(clips.ids)
    different = sorted({*captions, ""})
    numbers = {caption: number for number, caption in enumerate(different)}
    states = torch.cat(
        [
            parts.encode_captions([different[number] for number in part], conditioning).cpu()
            for part in _in_parts(len(different))
        ]
    )
    return Examples(
        latents=_latents(clips, training.num_frames).movedim(2, 1),
        shard_sizes=tuple(clips.shard_sizes),
        masks=masks,
        caption_states=states,
        caption_numbers=torch.tensor([numbers[caption] for caption in captions]),
        no_caption=states[numbers[""]],
        image_embeddings=_embeddings(parts, clips, masks),
    )


def _latents(clips: TrainingClips, num_frames: int) -> Float[Tensor, "N F C H W"]:
    every = [clips.latents(index) for index in range(len(clips.ids))]
    return torch.stack([latents[list(whole_loop(len(latents), num_frames))] for latents in every])


def _embeddings(parts: Parts, clips: TrainingClips, masks: Sequence[Mask]) -> Float[Tensor, "N F E"]:
    num_frames = len(masks[0])
    width = parts.image_encoder.config.projection_dim
    embeddings = torch.zeros(len(clips.ids), num_frames, width)
    for place in sorted({mask.index(1) for mask in masks}):
        for part in _in_parts(len(clips.ids)):
            pictures = [_frame(clips, index, place, num_frames) for index in part]
            embeddings[list(part), place] = parts.embed_images(torch.stack(pictures)).cpu()
    return embeddings


def _frame(clips: TrainingClips, index: int, place: int, num_frames: int) -> Float[Tensor, "C H W"]:
    frames = clips.frames(index)
    number = whole_loop(len(frames), num_frames)[place]
    return to_unit(frames[None, number : number + 1])[0, 0]


def _in_parts(count: int) -> list[range]:
    return [range(start, min(start + AT_ONCE, count)) for start in range(0, count, AT_ONCE)]
