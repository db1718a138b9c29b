"""Training examples of the base: latents, captions and first frames, encoded when a training step asks for them."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rdtf_bench.baselines.i2vgen_xl.encoders import Conditioning, Encoders
from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.core.method import Training, TrainingClips
from rdtf_bench.core.video import to_unit
from rdtf_bench.data.frames import whole_loop
from rdtf_bench.diffusion.masks import Mask, task_named

CAPTIONS_KEPT = 4_096  # states in CPU memory, 0.3 MB each at full size
EMBEDDINGS_KEPT = 65_536  # 4 kB each at full size


class Examples:
    """Encodes the training clips on the CPU; each training step sends its batch to the device.

    Each clip is its frames at equal intervals over the whole loop, or played back and forth if it has too few. What
    recurs is cached. A caption and a frame are encoded in a batch of one, so that the result does not depend on what is
    in the cache.
    """

    def __init__(
        self, encoders: Encoders, conditioning: Conditioning, clips: TrainingClips, training: Training
    ) -> None:
        self.masks = training_masks(training.task, training.num_frames)  # those that a training step draws from
        self._encoders, self._conditioning, self._clips = encoders, conditioning, clips
        self._num_frames = training.num_frames
        self._uses_text = task_named(training.task).uses_text
        self._states = lru_cache(CAPTIONS_KEPT)(self._encode_caption)
        self._embedding = lru_cache(EMBEDDINGS_KEPT)(self._embed_frame)
        self.no_caption = self._encode_caption("")

    def latents(self, chosen: Sequence[int]) -> Float[Tensor, "B C F H W"]:
        """Return the latents of these clips, each with the number of frames of the training."""
        every = [self._clips.latents(index) for index in chosen]
        return torch.stack([latents[list(whole_loop(len(latents), self._num_frames))] for latents in every]).movedim(
            2, 1
        )

    def texts(self, chosen: Sequence[int], dropped: Bool[Tensor, " B"]) -> Float[Tensor, "B L E"]:
        """Return the caption states of these clips. Dropped captions, and those of tasks without text, are empty."""
        return torch.stack(
            [
                self._states(self._clips.captions[index]) if self._uses_text and not drop else self.no_caption
                for index, drop in zip(chosen, dropped.tolist(), strict=True)
            ]
        )

    def images(
        self, chosen: Sequence[int], known: Float[Tensor, "B F"], dropped: Bool[Tensor, " B"]
    ) -> Float[Tensor, "B E"]:
        """Return the embeddings of the first known frames, and zeros where they are dropped."""
        places = known.argmax(1).tolist()
        nothing = torch.zeros(self._encoders.image_encoder.config.projection_dim)
        return torch.stack(
            [
                nothing if drop else self._embedding(index, place)
                for index, place, drop in zip(chosen, places, dropped.tolist(), strict=True)
            ]
        )

    def _encode_caption(self, caption: str) -> Float[Tensor, "L E"]:
        return self._encoders.encode_captions([caption], self._conditioning)[0].cpu()

    def _embed_frame(self, index: int, place: int) -> Float[Tensor, " E"]:
        number = whole_loop(len(self._clips.latents(index)), self._num_frames)[place]
        return self._encoders.embed_images(to_unit(self._clips.frames(index, [number])[None])[0])[0].cpu()


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
