"""Writes one tensor to a safetensors file part by part, so that the frames of a split need not fit into memory."""

import json
import struct
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

DTYPES = {torch.uint8: "U8", torch.float32: "F32"}
HEADER_BYTES = 256  # kept free until the shape is known; the format lets a header end in spaces


def save_stacked(parts: Iterable[Tensor], name: str, path: Path) -> None:
    """Write the parts, concatenated along their first axis. Raises ValueError if they do not fit together."""
    rows, size, first = 0, 0, None
    with path.open("wb") as file:
        file.write(bytes(8 + HEADER_BYTES))
        for part in parts:
            first = part if first is None else first
            if part.dtype != first.dtype or part.shape[1:] != first.shape[1:]:
                raise ValueError(f"{name}: a part is {part.dtype} {tuple(part.shape)}, the first {tuple(first.shape)}")
            rows, size = rows + len(part), size + file.write(part.contiguous().numpy().tobytes())
        if first is None:
            raise ValueError(f"{name}: there is no part")
        tensor = {"dtype": DTYPES[first.dtype], "shape": [rows, *first.shape[1:]], "data_offsets": [0, size]}
        file.seek(0)
        file.write(struct.pack("<Q", HEADER_BYTES) + json.dumps({name: tensor}).encode().ljust(HEADER_BYTES))
