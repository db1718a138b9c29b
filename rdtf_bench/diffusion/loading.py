"""Loading of networks, tokenizers and schedulers that diffusers or transformers saved: whole, or not at all."""

from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError

from rdtf_bench.core.errors import AssetError

_FAULTS = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    RuntimeError,
    ZeroDivisionError,
    SafetensorError,
    StrictDataclassError,
)
"""Exceptions that the libraries raise for configs and weights that are wrong or do not fit together."""


def load(kind: Any, folder: Path, **options: Any) -> Any:
    """Call `from_pretrained` of a class, offline. Raises AssetError if the folder holds no object of the class."""
    try:
        return kind.from_pretrained(folder, local_files_only=True, **options)
    except _FAULTS as fault:
        reason = f"{type(fault).__name__}: {str(fault).strip()[:300]}"
        raise AssetError(
            f"{folder}: {kind.__name__} cannot be loaded from this folder: {reason}. Give a folder that "
            f"{kind.__name__}.save_pretrained wrote."
        ) from fault


def load_network(kind: Any, folder: Path, **options: Any) -> Any:
    """Load a network. Raises AssetError unless the weights are exactly those that its config.json asks for.

    The libraries only warn in that case, and initialise absent weights randomly.
    """
    network, found = load(kind, folder, output_loading_info=True, **options)
    faults = {"lack": found["missing_keys"], "have the unknown": found["unexpected_keys"]}
    if told := [f"{word} {sorted(names)[0]} and {len(names) - 1} more" for word, names in faults.items() if names]:
        raise AssetError(
            f"{folder}: the weights do not match config.json: they {' and '.join(told)}. Give the config.json and the "
            "weights of one save_pretrained."
        )
    return network
