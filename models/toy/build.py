"""Build the toy networks (`rdtf-bench assets build toy`): train each one and write its folder with a card.

Every training saves checkpoints below `data`, so that an interrupted build can be continued by the same command.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rdtf_bench.assets import registry
from rdtf_bench.core.errors import unknown_name
from rdtf_bench.models.toy import autoencoder, base, clip, corpus, fast_vqa, i3d, text
from rdtf_bench.models.toy.card import WEIGHTS, write_card
from rdtf_bench.models.toy.corpus import Corpus

Say = Callable[[str], None]

ENCODERS = ("text_encoder", "image_encoder", "t5_encoder")
NAMES = ("autoencoder", *ENCODERS, "base", "clip", "vqa", "i3d")
LEARNT = ["toy stickers (training pairs, new draws among them)", "fluent (training split)", "toy scenes"]
VALIDATION_SCENES = 64
FVD_CLIPS = 256  # an FVD of fewer clips says little
BASE_DATA = ["toy scenes", "toy movers", "and no sticker"]
BASE_NOTES = (
    "The validation scenes are held-out draws. Clips are generated from the first frame and the caption with 10 DDIM "
    "steps at trailing timesteps. `static` repeats the first frame and `autoencoder` is the true clip, both decoded by "
    "the autoencoder. FVD (enet-lite0 64px) is that of 256 held-out clips, and its difference from `static` is paired."
)


@dataclass(frozen=True, kw_only=True)
class Work:
    """The folders of a build, and the function that reports its progress."""

    out: Path
    data: Path
    fluent: Path | None
    stickers: Path | None  # real stickers for measurement only, never for training
    say: Say

    def training(self, name: str) -> Path:
        """Create and return the checkpoint folder of a network."""
        folder = self.data / "training" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def weights(self, name: str) -> Path:
        """Return the folder of the weights built here, or of the shipped weights if there are none."""
        return self.out / name if (self.out / name / "config.json").is_file() else WEIGHTS / name

    def progress(self, what: str) -> Callable[[int, int, float], None]:
        """Return a callback that reports the training progress and the loss."""
        report = self.report
        return lambda done, total, loss: report(f"train {what} (loss {loss:.4f})", done, total)

    def report(self, what: str, done: int, total: int) -> None:
        """Report one line per tenth of the work."""
        if done * 10 // total != (done - 1) * 10 // total:
            self.say(f"{what}: {done} of {total}")

    def learnt(self, num_extra: int, num_scenes: int) -> dict[str, Corpus]:
        """Return the training datasets of the autoencoder and the encoders."""
        return {
            # fluent comes first, so that a build without it fails before any other work
            "fluent": corpus.fluent(self.fluent, split="train", data=self.data, on_progress=self.report),
            "toy": corpus.join(
                "toy",
                [
                    corpus.toy(self.data, split="train", on_progress=self.report),
                    corpus.toy_extra(self.data, count=num_extra, on_progress=self.report),
                ],
            ),
            "scenes": corpus.scenes(num_scenes, on_progress=self.report),
        }

    def measured(self) -> list[Corpus]:
        """Return the held-out datasets that the figures of the cards are measured on."""
        found = [
            corpus.toy(self.data, split="validation", on_progress=self.report),
            corpus.fluent(self.fluent, split="validation", data=self.data, on_progress=self.report),
            corpus.scenes(VALIDATION_SCENES, seed=corpus.SCENES_VALIDATION_SEED),
        ]
        if self.stickers is not None:
            found.append(
                corpus.stickers(self.stickers, name="stickers", split=None, data=self.data, on_progress=self.report)
            )
        return found


def build(
    name: str | None,
    *,
    out: Path,
    data: Path,
    fluent: Path | None,
    on_progress: Say,
    stickers: Path | None = None,
) -> None:
    """Train one toy network, or all if `name` is None, into `out`. The three encoders are always trained together.

    data: the work folder for datasets and checkpoints.
    fluent: the prepared fluent folder. Raises DataError if it is needed and absent.
    stickers: a folder of real stickers for measurement.
    Raises UnknownNameError if there is no toy network of this name.
    """
    if name is not None and name not in NAMES:
        raise unknown_name("toy network", name, NAMES)
    work = Work(out=out, data=data, fluent=fluent, stickers=stickers, say=on_progress)
    if name in (None, "autoencoder"):
        build_autoencoder(work, autoencoder.AutoencoderRecipe())
    if name is None or name in ENCODERS:
        build_encoders(work, text.EncodersRecipe())
    if name in (None, "base"):
        build_base(work, base.BaseRecipe())
    if name in (None, "i3d"):
        i3d.build(out / "i3d", work=work.training("i3d"), on_progress=work.report)
    if name in (None, "clip"):
        clip.build(out / "clip", data=data, fluent=fluent, stickers=stickers, on_progress=work.report)
    if name in (None, "vqa"):
        fast_vqa.build(
            out / "vqa",
            data=data,
            fluent=fluent,
            stickers=stickers,
            autoencoder=work.weights("autoencoder"),
            on_progress=work.report,
        )


def build_autoencoder(work: Work, recipe: autoencoder.AutoencoderRecipe) -> None:
    """Train the toy autoencoder and write it with its card."""
    sets = work.learnt(recipe.num_extra, recipe.num_scenes)
    network = autoencoder.train_autoencoder(
        {name: found.clips for name, found in sets.items()},
        recipe,
        folder=work.training("autoencoder"),
        on_progress=work.progress("autoencoder"),
    )
    folder = work.out / "autoencoder"
    autoencoder.save_autoencoder(network, folder)
    write_card(
        folder,
        name="autoencoder",
        module=autoencoder.__name__,
        recipe=recipe,
        data=LEARNT,
        validation=autoencoder.measure(folder, work.measured()),
        notes="PSNR is pooled over the eight frames of a clip and averaged over clips. All clips are held-out.",
    )


def build_encoders(work: Work, recipe: text.EncodersRecipe) -> None:
    """Train the toy text and image encoders and write each with its card."""
    folders = {name: work.out / name for name in ENCODERS}
    text.write_tokenizers(folders["text_encoder"], folders["t5_encoder"])
    encoders = text.train_encoders(
        work.learnt(recipe.num_extra, recipe.num_scenes),
        text.Tokenizers(folders["text_encoder"], folders["t5_encoder"]),
        recipe,
        folder=work.training("encoders"),
        on_progress=work.progress("encoders"),
    )
    places = {"text": folders["text_encoder"], "image": folders["image_encoder"], "t5": folders["t5_encoder"]}
    text.save_encoders(encoders, **places)
    figures = text.measure(**places, sets=work.measured())
    for name, folder in folders.items():
        other = "_clip_" if name == "t5_encoder" else "_t5_"
        write_card(
            folder,
            name=name,
            module=text.__name__,
            recipe=recipe,
            data=LEARNT,
            validation={key: value for key, value in figures.items() if other not in key},
            notes="R@1 retrieves a clip of the dataset by its caption. Any clip with that caption is a hit.",
        )


def base_validation(count: int = VALIDATION_SCENES) -> Corpus:
    """Draw held-out clips of both halves of the source domain, scenes and movers."""
    seed = corpus.SCENES_VALIDATION_SEED
    halves = [corpus.scenes(count // 2, seed=seed), corpus.movers(count // 2, seed=seed)]
    return corpus.join("source", halves)


def build_base(work: Work, recipe: base.BaseRecipe) -> None:
    """Train the base on toy scenes and movers alone."""
    parts = {
        "autoencoder": work.weights("autoencoder"),
        "text": work.weights("text_encoder"),
        "image": work.weights("image_encoder"),
    }
    seen = corpus.join(
        "source",
        [
            corpus.scenes(recipe.num_scenes, on_progress=work.report),
            corpus.movers(recipe.num_movers, on_progress=work.report),
        ],
    )
    unet = base.train_base(
        base.encode_clips(seen, **parts, recipe=recipe),
        recipe,
        folder=work.training("base"),
        on_progress=work.progress("base"),
    )
    folder = work.out / "base"
    base.save_base(unet, folder)
    write_card(
        folder,
        name="base",
        module=base.__name__,
        recipe=recipe,
        data=BASE_DATA,
        validation=base_figures(folder, parts, recipe),
        notes=BASE_NOTES,
    )


def base_figures(folder: Path, parts: Mapping[str, Path], recipe: base.BaseRecipe) -> dict[str, float]:
    """Return the figures of the card of a base; `parts` are the folders of autoencoder, text and image encoder."""
    few, many = base_validation(), base_validation(FVD_CLIPS)
    of_few, of_many = (base.encode_clips(clips, **parts, recipe=recipe) for clips in (few, many))
    efficientnet = registry.find("efficientnet_lite0").path
    return {
        **base.measure(folder, few, of_few, parts["autoencoder"], recipe),
        **base.fvd_against_static(folder, many, of_many, parts["autoencoder"], efficientnet, recipe),
    }
