"""The toy I3D of the FVD metric: the real network at reduced width, and the recipe that trains it on toy actions.

A class of Kinetics-400 names an object and an action. Here these are two labels of a clip ("star", "jumping"), which
the network predicts by two softmaxes over one vector of logits. Any single frame shows the object; only the order of
the frames shows the action.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int64, UInt8
from PIL import Image
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import update_bn
from torchvision.transforms.functional import pil_to_tensor

from rdtf_bench.core.method import Training
from rdtf_bench.core.seeds import generator_for, seeded
from rdtf_bench.data.toy import movers as toy_movers
from rdtf_bench.data.toy import scenes as toy_scenes
from rdtf_bench.data.toy import stickers as toy_stickers
from rdtf_bench.diffusion.training import of_loss, train
from rdtf_bench.metrics.features.i3d import I3D, TRAINED_FRAMES, save_reduced
from rdtf_bench.models.toy.card import Card, write_card
from rdtf_bench.models.toy.corpus import OnProgress

NAME = "toy-i3d"
SIZE_PX = 64
ACTIONS = (*toy_stickers.ACTIONS, *toy_movers.MOTIONS, *toy_scenes.MOVES)
THINGS = (*toy_stickers.SHAPES, *toy_movers.THINGS, *toy_scenes.SCENES)
TRAINING_SEED, VALIDATION_SEED = 2, 3  # random seeds of the clips; the training data of the generators have 0 and 1
NOTES = (
    "Top-1 accuracy on held-out draws of 16 frames: of 32 actions and of 20 things. `still` is the accuracy of the "
    "action if the middle frame is repeated, that is, without any information from time. The toy stickers are those of "
    "the validation split, and no pair of subject and action among them was in the training. The network hardly "
    "separates camera moves over scenes. It was trained on no real clip, so its distances are not those of I3D."
)

Draw = Callable[[int], tuple[UInt8[Tensor, "F C H W"], str, str]]
"""Maps the number of a clip to its frames, its action and its thing."""


@dataclass(frozen=True, kw_only=True)
class I3DRecipe:
    """Hyperparameters of the network and its training."""

    seed: int = 0
    width: float = 1 / 8
    num_clips: int = 500  # number of toy stickers, of movers and of scenes
    num_validation: int = 100
    num_steps: int = 3000
    batch_size: int = 8
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warmup_steps: int = 50
    ema_decay: float = 0.99
    max_grad_norm: float = 1.0
    checkpoint_every: int = 100
    batches_of_statistics: int = 60  # number of batches that the batch norm statistics of the averaged weights need


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Clips with their labels: the index of the action in ACTIONS and of the thing in THINGS."""

    name: str
    clips: UInt8[Tensor, "N F C H W"]
    labels: Int64[Tensor, "N 2"]


def network_options(recipe: I3DRecipe) -> dict[str, Any]:
    """Return the arguments of I3D for this recipe."""
    return {"num_classes": len(ACTIONS) + len(THINGS), "width": recipe.width, "size_px": SIZE_PX}


def new_network(recipe: I3DRecipe) -> I3D:
    """Return the network with random weights, which the seed of the recipe decides."""
    with seeded(recipe.seed, NAME):
        return I3D(**network_options(recipe)).to(memory_format=torch.channels_last_3d)


# ---- procedural actions


def sticker(index: int, *, seed: int, split: str) -> tuple[UInt8[Tensor, "F C H W"], str, str]:
    """Draw a toy sticker with 16 frames on white."""
    draw = replace(toy_stickers.sticker(split, index, seed=seed), num_frames=TRAINED_FRAMES)
    white = Image.new("RGBA", (toy_stickers.SIZE_PX,) * 2, (255, 255, 255, 255))
    frames = [Image.alpha_composite(white, frame.convert("RGBA")) for frame in toy_stickers.render(draw)]
    return torch.stack([pil_to_tensor(frame.convert("RGB")) for frame in frames]), draw.action, draw.shape


def mover(index: int, *, seed: int) -> tuple[UInt8[Tensor, "F C H W"], str, str]:
    """Draw a clip of a moving object; return it with its motion and its object."""
    clip, caption = toy_movers.clip(index, seed=seed, num_frames=TRAINED_FRAMES, size_px=SIZE_PX)
    pairs = ((motion, thing) for motion in toy_movers.MOTIONS for thing in toy_movers.THINGS)
    return clip, *next(pair for pair in pairs if caption.startswith("a {1} {0} ".format(*pair)))


def scene(index: int, *, seed: int) -> tuple[UInt8[Tensor, "F C H W"], str, str]:
    """Draw a clip of a landscape; return it with the motion of the camera and the landscape."""
    clip, caption = toy_scenes.clip(index, seed=seed, num_frames=TRAINED_FRAMES, size_px=SIZE_PX)
    pairs = ((move, name) for move in toy_scenes.MOVES for name in toy_scenes.SCENES)
    return clip, *next((move, name) for move, name in pairs if caption == move.format(scene=name))


def draws(*, training: bool) -> dict[str, Draw]:
    """Return the drawing function of each kind of clip.

    Validation clips have another random seed, and validation stickers have other pairs of subject and action.
    """
    seed, split = (TRAINING_SEED, "train") if training else (VALIDATION_SEED, "validation")
    return {
        toy_stickers.NAME: lambda index: sticker(index, seed=seed, split=split),
        toy_movers.NAME: lambda index: mover(index, seed=seed),
        toy_scenes.NAME: lambda index: scene(index, seed=seed),
    }


def labelled(count: int, *, training: bool, on_progress: OnProgress) -> list[Labelled]:
    """Draw `count` labelled clips of each kind."""
    return [drawn(name, draw, count, on_progress) for name, draw in draws(training=training).items()]


def drawn(name: str, draw: Draw, count: int, on_progress: OnProgress) -> Labelled:
    """Draw `count` clips of one kind with their labels."""
    clips, labels = torch.empty(count, TRAINED_FRAMES, 3, SIZE_PX, SIZE_PX, dtype=torch.uint8), []
    for index in range(count):
        clips[index], action, thing = draw(index)
        labels.append((ACTIONS.index(action), THINGS.index(thing)))
        on_progress(f"i3d: draw {name}", index + 1, count)
    return Labelled(name=name, clips=clips, labels=torch.tensor(labels))


# ---- training


def train_i3d(
    sets: Sequence[Labelled], recipe: I3DRecipe, *, folder: Path, on_step: Callable[[int, float], None]
) -> I3D:
    """Train on labelled datasets, which are drawn equally often; `folder` holds the checkpoint."""
    network = new_network(recipe).train()

    def loss_at(_: int, generator: torch.Generator) -> Tensor:
        video, labels = batch(sets, recipe.batch_size, generator)
        return loss(network(video), labels)

    train(
        dict(network.named_parameters()),
        of_loss(loss_at, recipe.seed),
        _training(recipe),
        folder=folder,
        on_step=lambda step, logged: on_step(step, logged["loss"]),
    )
    # batch norm statistics are computed anew: the averaged weights have none, and a checkpoint holds none
    numbers = range(recipe.batches_of_statistics)
    generators = (generator_for(recipe.seed, NAME, "statistics", number) for number in numbers)
    update_bn((batch(sets, recipe.batch_size, generator)[0] for generator in generators), network)
    return network.eval()


def _training(recipe: I3DRecipe) -> Training:
    given = {name: value for name, value in asdict(recipe).items() if name in Training.__dataclass_fields__}
    return Training(task="actions", num_frames=TRAINED_FRAMES, **given)


def loss(logits: Float[Tensor, "B K"], labels: Int64[Tensor, "B 2"]) -> Float[Tensor, ""]:
    """Return the cross-entropy of the action plus that of the thing."""
    of_action, of_thing = torch.split(logits, [len(ACTIONS), len(THINGS)], dim=1)
    return functional.cross_entropy(of_action, labels[:, 0]) + functional.cross_entropy(of_thing, labels[:, 1])


def batch(
    sets: Sequence[Labelled], count: int, generator: torch.Generator
) -> tuple[Float[Tensor, "B C F H W"], Int64[Tensor, "B 2"]]:
    """Draw a batch of clips, each from any of the sets, with the labels of action and thing."""
    chosen = [sets[i] for i in torch.randint(len(sets), (count,), generator=generator).tolist()]
    places = [int(torch.randint(len(found.clips), (), generator=generator)) for found in chosen]
    pairs = list(zip(chosen, places, strict=True))
    video = torch.stack([found.clips[place] for found, place in pairs])
    return to_input(video), torch.stack([found.labels[place] for found, place in pairs])


def to_input(video: UInt8[Tensor, "B F C H W"]) -> Float[Tensor, "B C F H W"]:
    """Scale frames from 0 to 255 to the network's -1 to 1."""
    return (video.movedim(2, 1) * (2 / 255) - 1).contiguous(memory_format=torch.channels_last_3d)


# ---- figures


@torch.inference_mode()
def top1(network: I3D, found: Labelled) -> tuple[float, float]:
    """Return the top-1 accuracy of the action and that of the thing."""
    logits = torch.cat([network(to_input(part)) for part in torch.split(found.clips, 16)])
    guesses = [part.argmax(1) for part in torch.split(logits, [len(ACTIONS), len(THINGS)], dim=1)]
    action, thing = (torch.stack(guesses, dim=1) == found.labels).double().mean(0).tolist()
    return action, thing


def measure(network: I3D, sets: Sequence[Labelled]) -> dict[str, float]:
    """Return the top-1 accuracies on each dataset, and that of the action if the middle frame is repeated."""
    figures = {}
    for found in sets:
        middle = found.clips[:, TRAINED_FRAMES // 2, None].expand_as(found.clips)
        figures[f"{found.name}_action_top1"], figures[f"{found.name}_thing_top1"] = top1(network, found)
        figures[f"{found.name}_still_action_top1"], _ = top1(network, replace(found, clips=middle))
    return figures


def build(folder: Path, *, work: Path, recipe: I3DRecipe | None = None, on_progress: OnProgress) -> Card:
    """Train the network and write its folder and card; `work` holds the checkpoint."""
    recipe = recipe or I3DRecipe()
    network = train_i3d(
        labelled(recipe.num_clips, training=True, on_progress=on_progress),
        recipe,
        folder=work,
        on_step=lambda step, loss: on_progress(f"i3d: training (loss {loss:.3f})", step + 1, recipe.num_steps),
    )
    folder.mkdir(parents=True, exist_ok=True)
    save_reduced(network, folder, name=NAME, options=network_options(recipe))
    return write_card(
        folder,
        name=NAME,
        module=__name__,
        recipe=recipe,
        data=["toy stickers (pairs of the training split)", "toy movers", "toy scenes", "all at 16 frames"],
        validation=measure(network, labelled(recipe.num_validation, training=False, on_progress=on_progress)),
        notes=NOTES,
    )
