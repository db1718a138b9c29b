"""A method's parameter counts as text."""

from collections.abc import Mapping

DENOISER = ("base", "trainable", "total")


def sizes_text(method: str, scale: str, counts: Mapping[str, int]) -> str:
    """The denoiser first, then what stands around it.

    >>> print(sizes_text("simda", "tiny", {"base": 1200, "trainable": 34, "total": 1234, "text_encoder": 5}))
    simda at scale tiny, parameters
      base                  1,200
      trainable                34
      total                 1,234
      text_encoder              5  beside the denoiser
    """
    lines = [f"{method} at scale {scale}, parameters"]
    for name, count in counts.items():
        beside = "" if name in DENOISER else "  beside the denoiser"
        lines.append(f"  {name:14} {count:>12,}{beside}")
    return "\n".join(lines)
