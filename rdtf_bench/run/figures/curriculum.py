"""Figure 5: which tasks and masked lengths a curriculum draws in each part of a training."""

from rdtf_bench import catalog
from rdtf_bench.run.build.modules import typed_config
from rdtf_bench.run.figures.losses import Followed
from rdtf_bench.run.figures.plan import Row


def rows(followed: Followed, num_parts: int) -> list[Row]:
    """Return one row for each part of the training, task and masked length, with the share of the cases in percent."""
    config = typed_config("method", followed.method, followed.options, f"method {followed.method}")
    course = catalog.load("course", followed.method)
    parts = course.shares(config, followed.losses, task=followed.task, num_parts=num_parts)
    return [
        {"part": number, "task": task, "masked_frames": level, "share_pct": round(100 * share, 3)}
        for number, part in enumerate(parts, start=1)
        for (task, level), share in part.items()
    ]
