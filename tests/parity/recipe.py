"""Make the weights and inputs of the reference vectors again, bit for bit, from a seed.

Every number comes from numpy's legacy RandomState, whose stream numpy's compatibility policy freezes, or from integer
arithmetic. Weights and inputs are therefore equal on every machine and need not be stored. The digests in the vectors
prove it.
"""

import hashlib
from collections.abc import Callable, Mapping
from math import prod

import numpy as np
import torch
from jaxtyping import Float, Float64, UInt8
from torch import Tensor

Shape = tuple[int, ...]
Rule = Callable[[int, str, Shape], Tensor]


def normal(seed: int, key: str, shape: Shape) -> Float[Tensor, "..."]:
    """Draw standard normal numbers that depend on the seed and on the name, and not on the order of calls."""
    own_seed = int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:4], "little")
    drawn = np.random.RandomState(own_seed).standard_normal(prod(shape))  # noqa: TID251  # frozen stream
    return torch.from_numpy(drawn.reshape(shape).astype(np.float32))


def fill(state_dict: Mapping[str, Tensor], rule: Rule, seed: int) -> dict[str, Tensor]:
    """Return a state dict of the same names and shapes with the rule's values; integer buffers keep theirs."""
    return {
        key: rule(seed, key, tuple(value.shape)).to(value.dtype) if value.is_floating_point() else value.clone()
        for key, value in state_dict.items()
    }


# ---- weights: one rule per network, by the last part of a parameter's name


def i3d_value(seed: int, key: str, shape: Shape) -> Float[Tensor, "..."]:
    """Return one I3D entry; `key` is its name in piergiaj/pytorch-i3d."""
    drawn, leaf = normal(seed, key, shape), key.rsplit(".", 1)[-1]
    if key.startswith("logits."):
        return drawn / _fan_in(shape) ** 0.5 if leaf == "weight" else 0.1 * drawn
    if leaf == "weight":
        return 0.2 / _fan_in(shape) ** 0.5 * drawn if len(shape) == 5 else 1.0 + 0.1 * drawn
    if leaf == "running_var":
        # small on purpose: the result then depends on the epsilon of batch normalisation (1e-3 against 1e-5)
        return 0.02 * torch.exp(0.3 * drawn.double()).float()
    return {"bias": 0.05, "running_mean": 0.01}[leaf] * drawn


def fast_vqa_value(seed: int, key: str, shape: Shape) -> Float[Tensor, "..."]:
    """Return one FAST-VQA entry; `key` is its name in the released checkpoint."""
    drawn, leaf = normal(seed, key, shape), key.rsplit(".", 1)[-1]
    if key == "vqa_head.fc_last.weight":
        return 0.2 * drawn / _fan_in(shape) ** 0.5
    if key == "vqa_head.fc_last.bias":
        return torch.full(shape, -0.11)
    if leaf.endswith("bias_table"):
        return 0.5 * drawn
    return _weight_or_bias(drawn, leaf)


def rdtf_value(seed: int, key: str, shape: Shape) -> Float[Tensor, "..."]:
    """Return one parameter of DFGN, STI or the released I2V-Adapter; `key` is its released name."""
    leaf = key.rsplit(".", 1)[-1]
    fusion = {"w1": 0.7, "w2": 0.6}
    return torch.full(shape, fusion[leaf]) if leaf in fusion else _weight_or_bias(normal(seed, key, shape), leaf)


def _weight_or_bias(drawn: Float[Tensor, "..."], leaf: str) -> Float[Tensor, "..."]:
    if leaf == "weight":
        return drawn / _fan_in(tuple(drawn.shape)) ** 0.5 if drawn.ndim >= 2 else 1.0 + 0.1 * drawn
    return 0.1 * drawn


def _fan_in(shape: Shape) -> int:
    return prod(shape[1:])


# ---- inputs


def video_u8(seed: int, frames: int, height: int, width: int) -> UInt8[Tensor, "C T H W"]:
    """Make a clip of ramps, a brightness that jumps between frames, noise, and an inverted square that moves.

    The order of the frames and the place of every pixel matter. Integer arithmetic only.
    """
    random = np.random.RandomState(seed)  # noqa: TID251  # frozen stream
    down, right, step, slope = (
        random.randint(low, high, size=3).reshape(-1, 1, 1, 1) for low, high in ((1, 6), (1, 6), (3, 19), (1, 4))
    )
    noise = random.randint(0, 32, size=(3, frames, height, width))
    y = np.arange(height).reshape(1, 1, -1, 1)
    x = np.arange(width).reshape(1, 1, 1, -1)
    t = np.arange(frames).reshape(1, -1, 1, 1)
    video = ((down * x + right * y) // slope) % 128 + (t * step * 5) % 96 + noise  # at most 127 + 95 + 31
    side, first_y, first_x = height // 4, random.randint(0, height), random.randint(0, width)
    for i in range(frames):
        top, left = (first_y + 11 * i) % (height - side), (first_x + 17 * i) % (width - side)
        video[:, i, top : top + side, left : left + side] = 255 - video[:, i, top : top + side, left : left + side]
    return torch.from_numpy(video.astype(np.uint8))


def i3d_input(video: UInt8[Tensor, "C T H W"]) -> Float[Tensor, "1 C T H W"]:
    """Scale bytes to [-1, 1] and add the batch axis."""
    return (2.0 * video.float() / 255.0 - 1.0).unsqueeze(0)


def fast_vqa_input(video: UInt8[Tensor, "C T H W"]) -> Float[Tensor, "1 C T H W"]:
    """Normalise bytes by ImageNet's mean and standard deviation and add the batch axis."""
    mean = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1, 1)
    std = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1, 1)
    return ((video.float() - mean) / std).unsqueeze(0)


def features(
    seed: int, n: int, d: int, decay: float, scale: float, shift: float, offset: float
) -> Float64[Tensor, "N D"]:
    """Make a feature matrix with a power-law spectrum and correlated columns, without calling BLAS.

    The values are representable in float32.
    """
    drawn = np.random.RandomState(seed).standard_normal((n, d))  # noqa: TID251  # frozen stream
    spectrum = np.arange(1, d + 1, dtype=np.float64) ** (-decay / 2.0)
    mixed = np.cumsum(drawn * spectrum * scale, axis=1) / np.sqrt(d)
    made = mixed + drawn * spectrum * scale + shift * spectrum + offset
    return torch.from_numpy(made.astype(np.float32).astype(np.float64))


# ---- digests


def digest(tensor: Tensor) -> str:
    """Return the SHA-256 of a tensor's bytes."""
    return hashlib.sha256(tensor.detach().cpu().contiguous().numpy().tobytes()).hexdigest()


def state_digest(state_dict: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of the names and bytes of all floating-point entries, sorted by name."""
    found = hashlib.sha256()
    for key in sorted(state_dict):
        if state_dict[key].is_floating_point():
            found.update(key.encode())
            found.update(state_dict[key].contiguous().numpy().tobytes())
    return found.hexdigest()


def names_digest(state_dict: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of the names and shapes of all entries, sorted by name."""
    lines = [f"{key} {list(value.shape)}\n" for key, value in sorted(state_dict.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
