"""The path of a user who has the official weights, from `assets add` to `generate`, with stand-ins of these weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rdtf_bench.data.toy import stickers
from tests import official_stand_ins

SCALE = Path(__file__).with_name("rehearsal.yaml")
BASE = "ali-vilab/i2vgen-xl"  # its id on the hub, by which it is found among the assets


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """The commands, in order, the environment to give them in, and the places that they write to."""

    commands: Mapping[str, list[str]]
    environment: Mapping[str, str]  # keeps assets, store and tracking apart from the user's own
    store: Path
    sticker: Path
    tuned: Path
    scores: Path


def prepare(root: Path, *, num_clips: int, scale: Path = SCALE) -> Rehearsal:
    """Write the stand-ins, stickers with `num_clips` for the test, and as many to be scored against these."""
    weights = official_stand_ins.write(root / "weights")
    real, fake = root / "stickers", root / "others"
    stickers.write(real, counts={"train": 8, "validation": num_clips, "test": num_clips})
    stickers.write(fake, counts={"test": num_clips}, seed=1)
    store, sticker, tuned, scores = (root / name for name in ("runs", "sticker.gif", "tuned", "scores.json"))
    chosen = ["--scale", str(scale), "--data", f"asg={real}"]
    tune = ["finetune", "simda", "--data", str(real), "--base", BASE, "--out", str(tuned), "--size", "64"]
    folders = ["--real", str(real / "test"), "--fake", str(fake), "--captions", str(fake / "metadata.jsonl")]
    return Rehearsal(
        commands={
            **{f"assets add {name}": ["assets", "add", name, str(path)] for name, path in weights.items()},
            "run table1": ["run", "table1", *chosen],
            "run table1 again": ["run", "table1", *chosen],
            "run table2-prediction": ["run", "table2-prediction", *chosen],
            **{
                f"show {table}": ["show", table, *chosen, "--format", "json"]
                for table in ("table1", "table2-prediction")
            },
            **{
                f"show {table} as md": ["show", table, *chosen, "--format", "md"]
                for table in ("table1", "table2-prediction")
            },
            "generate": ["generate", "--prompt", "a red star", *chosen, "--out", str(sticker)],
            "finetune": [*tune, "--num-steps", "2", "--device", "cpu"],
            "score": ["score", *folders, "--num-frames", "8", "--size", "64", "--json", str(scores)],
        },
        environment={
            "RDTF_BENCH_ASSETS": str(root / "assets"),
            "RDTF_BENCH_STORE": str(store),
            "MLFLOW_TRACKING_URI": f"sqlite:///{root / 'mlflow.db'}",
            "HF_HUB_OFFLINE": "1",
        },
        store=store,
        sticker=sticker,
        tuned=tuned,
        scores=scores,
    )
