"""The README of the trained rows that ship with the package, from their cards. No torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rdtf_bench.core.store import write_text
from rdtf_bench.report import layouts
from rdtf_bench.run.table import shipped

INTRODUCTION = """# Trained rows

`rdtf-bench publish TABLE --with-weights` writes these folders and this file. Each folder is a finished training under
its key, which hashes everything that decides the weights. `rdtf-bench run` takes a row from here where a table asks for
exactly this training; `--retrain` trains it anew. `fit.json` holds the full identity, `log.jsonl` the loss of every
step. The mean loss is that of the first, sixth and last tenth of the steps.

"""
SHORT_COMMIT = 7


def write_index(folder: Path = shipped.FOLDER) -> None:
    """Write README.md of the folder with one line for each row."""
    head = ["row", "scale", "data", "seed", "steps", "hours", "processor", "commit", "mean loss", "folder"]
    lines = [_line(key, card) for key, card in sorted(shipped.cards(folder).items(), key=_order)]
    table = layouts.Table(heading="", head=head, groups=[lines], align="lllrrrllll")
    write_text(folder / "README.md", INTRODUCTION + layouts.document([table], format="md") + "\n")


def _order(item: tuple[str, Mapping[str, Any]]) -> tuple[str, str, str, int]:
    card = item[1]
    return card["scale"], card["data"], card["row"], card["seed"]


def _line(key: str, card: Mapping[str, Any]) -> list[str]:
    losses = card["mean_losses"]
    return [
        card["row"],
        card["scale"],
        card["data"],
        str(card["seed"]),
        f"diverged at {card['diverged_at_step']:,}" if "diverged_at_step" in card else f"{card['steps']:,}",
        f"{card['hours']:.1f}",
        card["processor"],
        str(card["commit"] or "unknown")[:SHORT_COMMIT],
        " ".join(f"{loss:.3f}" for loss in (losses[0], losses[len(losses) // 2], losses[-1])),
        key,
    ]
