"""FAST-VQA: a Video Swin over fragments with gated relative position biases and one score per location.

The paper is Wu et al. 2022, arXiv:2207.02595. The module reproduces the numbers of the released program
VQAssessment/FAST-VQA-and-FasterVQA@9f264e4 (MIT); its blocks are torchvision's. Axes: T frames (tokens in time inside
the blocks), N tokens of a window, G cells of the fragment grid along one side, K groups of frames that share their
offsets, S windows of a clip, A attention heads.
"""

import pickle
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped, UInt8
from torch import Tensor, nn
from torchvision.models.swin_transformer import PatchMerging, SwinTransformerBlock
from torchvision.models.video.swin_transformer import PatchEmbed3d, ShiftedWindowAttention3d

from rdtf_bench.core.errors import AssetError, InputError

Axes = tuple[int, int, int]  # time, height, width

MEAN_RGB = (123.675, 116.28, 103.53)
STD_RGB = (58.395, 57.12, 57.375)
BASE_SIZE: Axes = (32, 224, 224)  # input size of the official window (8, 7, 7)
NUM_FRAGMENT_STAGES = 3  # the last stage has no fragment table
OTHER_REGION_BIAS = -100.0  # added between tokens that are neighbours only because of the cyclic shift


def window_and_shift(tokens: Axes, window: Axes, shift: Axes) -> tuple[Axes, Axes]:
    """Limit the window to the input, and drop the shift of every axis that fits into one window."""
    fits = [n <= w for n, w in zip(tokens, window, strict=True)]
    return (
        cast(Axes, tuple(n if whole else w for n, w, whole in zip(tokens, window, fits, strict=True))),
        cast(Axes, tuple(0 if whole else s for s, whole in zip(shift, fits, strict=True))),
    )


def partition(hidden: Shaped[Tensor, "B T H W C"], window: Axes) -> Shaped[Tensor, "B S N C"]:
    """Cut the tokens into windows; every axis must be a multiple of the window's."""
    t, h, w = window
    nt, nh, nw = (n // size for n, size in zip(hidden.shape[1:4], window, strict=True))
    cut = hidden.reshape(hidden.shape[0], nt, t, nh, h, nw, w, hidden.shape[4])
    return cut.permute(0, 1, 3, 5, 2, 4, 6, 7).flatten(4, 6).flatten(1, 3)


def unpartition(windows: Shaped[Tensor, "B S N C"], tokens: Axes, window: Axes) -> Shaped[Tensor, "B T H W C"]:
    """Put the windows of `partition` back into place."""
    nt, nh, nw = (n // size for n, size in zip(tokens, window, strict=True))
    cut = windows.reshape(windows.shape[0], nt, nh, nw, *window, windows.shape[3])
    return cut.permute(0, 1, 4, 2, 5, 3, 6, 7).flatten(5, 6).flatten(3, 4).flatten(1, 2)


def fragment_distance(tokens: Axes, window: Axes, shift: Axes, grid: tuple[int, int]) -> Float[Tensor, "S N N"]:
    """Return the city-block distance between the fragments of each two tokens of a window, in cells of the grid.

    The gate of the paper is binary (eq. 6: same fragment or not). The released weights were trained with this distance.
    """
    rows, columns = (
        F.interpolate(torch.arange(float(cells))[None, None], size=n)[0, 0]  # nearest
        for cells, n in zip(grid, tokens[1:], strict=True)
    )
    cells = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1).expand(*tokens, 2)
    cells = cells.roll([-s for s in shift], dims=(0, 1, 2))
    windows = partition(cells[None], window)[0]
    return (windows[:, :, None] - windows[:, None]).abs().sum(-1)


def shift_regions(tokens: Axes, window: Axes, shift: Axes) -> Int[Tensor, "S N"]:
    """Return the number of the region that each token of the shifted input came from.

    Attention is restricted to tokens of the same region.
    """
    regions = torch.zeros(1, *tokens, 1, dtype=torch.long)
    for axis, (n, w, s) in enumerate(zip(tokens, window, shift, strict=True)):
        along = torch.zeros(n, dtype=torch.long)
        along[n - w : n - s] = 1
        along[n - s if s else 0 :] = 2
        regions = 3 * regions + along.view([-1 if a == axis + 1 else 1 for a in range(5)])
    return partition(regions, window)[0, :, :, 0]


class GatedWindowAttention(ShiftedWindowAttention3d):  # type: ignore[misc]
    """torchvision's shifted-window attention with a second bias table and a window per call.

    The second table is for pairs of tokens of the same fragment.
    """

    def __init__(
        self,
        dim: int,
        window_size: list[int],
        shift_size: list[int],
        num_heads: int,
        *,
        has_fragment_table: bool,
        attention_dropout: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(dim, window_size, shift_size, num_heads, attention_dropout=attention_dropout, dropout=dropout)
        # the index follows from the window and is not saved with the weights
        self.register_buffer("relative_position_index", self.relative_position_index, persistent=False)
        table = torch.zeros_like(self.relative_position_bias_table)
        self.fragment_position_bias_table = nn.Parameter(table) if has_fragment_table else None
        if self.fragment_position_bias_table is not None:
            nn.init.trunc_normal_(self.fragment_position_bias_table, std=0.02)
        self.keeps_bias = False
        self._kept: tuple[object, Float[Tensor, "1 K N N"]] | None = None

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_kept": None}  # a copy, also in another process, computes it again

    def position_bias(self, table: Float[Tensor, "P A"], window: Axes) -> Float[Tensor, "A N N"]:
        """Return the biases of all pairs of a window, which may be smaller than the table's own window."""
        t, h, w = window
        index = self.relative_position_index.view(*self.window_size, *self.window_size)[:t, :h, :w, :t, :h, :w]
        return table[index.reshape(t * h * w, t * h * w)].permute(2, 0, 1)

    def gated_bias(self, tokens: Axes, window: Axes, shift: Axes, grid: tuple[int, int]) -> Float[Tensor, "#S A N N"]:
        """Return the bias of the attention logits.

        It is fragment + distance * (relative - fragment), plus OTHER_REGION_BIAS between regions of the shift.
        """
        device = self.relative_position_bias_table.device
        bias = self.position_bias(self.relative_position_bias_table, window)[None]
        if self.fragment_position_bias_table is not None:
            within = self.position_bias(self.fragment_position_bias_table, window)[None]
            distance = fragment_distance(tokens, window, shift, grid)[:, None].to(device)
            bias = torch.lerp(within, bias, distance.to(bias.dtype))
        if any(shift):
            regions = shift_regions(tokens, window, shift).to(device)
            apart = (regions[:, None] != regions[:, :, None])[:, None]
            bias = bias + OTHER_REGION_BIAS * apart
        return bias

    def bias_of_all_windows(
        self, tokens: Axes, window: Axes, shift: Axes, grid: tuple[int, int], num_windows: int
    ) -> Float[Tensor, "1 K N N"]:
        """Return the gated bias of each of the K heads of all windows.

        The clip does not decide it. With `keeps_bias` it stays for the next clip, until the tables get other values.
        """
        tables = [t for t in (self.relative_position_bias_table, self.fragment_position_bias_table) if t is not None]
        states = [(t.data_ptr(), t.dtype, t.device, None if t.is_inference() else t._version) for t in tables]
        wanted = (tokens, window, shift, grid, states)
        if self._kept is not None and self._kept[0] == wanted:
            return self._kept[1]
        self._kept = None  # frees it before the next one is made
        bias = self.gated_bias(tokens, window, shift, grid).expand(num_windows, -1, -1, -1).flatten(0, 1)[None]
        if self.keeps_bias:
            self._kept = (wanted, bias)
        return bias

    def forward(
        self, hidden: Float[Tensor, "B T H W C"], window: Axes, grid: tuple[int, int] | None
    ) -> Float[Tensor, "B T H W C"]:
        b, t, h, w, c = hidden.shape
        window, shift = window_and_shift((t, h, w), window, cast(Axes, tuple(self.shift_size)))
        pad_t, pad_h, pad_w = (-n % size for n, size in zip((t, h, w), window, strict=True))
        hidden = F.pad(hidden, (0, 0, 0, pad_w, 0, pad_h, 0, pad_t))
        tokens = (t + pad_t, h + pad_h, w + pad_w)
        windows = partition(hidden.roll([-s for s in shift], dims=(1, 2, 3)), window)
        num_windows, length = windows.shape[1:3]
        # the heads of all windows share one axis, so that the bias is not copied per clip
        qkv = self.qkv(windows).view(b, num_windows, length, 3, self.num_heads, c // self.num_heads)
        query, key, value = qkv.permute(3, 0, 1, 4, 2, 5).flatten(2, 3)
        bias = self.bias_of_all_windows(tokens, window, shift, grid or window[1:], num_windows)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(hidden.dtype))
        windows = attended.view(b, num_windows, self.num_heads, length, -1).transpose(2, 3).flatten(3)
        hidden = unpartition(self.proj(windows), tokens, window).roll(shift, dims=(1, 2, 3))
        return hidden[:, :t, :h, :w]


class GatedBlock(SwinTransformerBlock):  # type: ignore[misc]
    """A Swin block whose attention takes the window and the grid per call."""

    def forward(
        self, hidden: Float[Tensor, "B T H W C"], window: Axes, grid: tuple[int, int] | None
    ) -> Float[Tensor, "B T H W C"]:
        hidden = hidden + self.stochastic_depth(self.attn(self.norm1(hidden), window, grid))
        return hidden + self.stochastic_depth(self.mlp(self.norm2(hidden)))


class GatedStage(nn.Module):
    """The blocks of one resolution, and the patch merging after them."""

    def __init__(
        self, *, dim: int, depth: int, num_heads: int, window: Axes, has_fragment_table: bool, has_downsample: bool
    ) -> None:
        super().__init__()
        shifts = [[0, 0, 0], [size // 2 for size in window]]
        self.blocks = nn.ModuleList(
            GatedBlock(
                dim,
                num_heads,
                list(window),
                shifts[i % 2],
                attn_layer=partial(GatedWindowAttention, has_fragment_table=has_fragment_table),
            )
            for i in range(depth)
        )
        self.downsample = PatchMerging(dim) if has_downsample else None

    def forward(
        self, hidden: Float[Tensor, "B T H W C"], window: Axes, grid: tuple[int, int] | None
    ) -> Float[Tensor, "B T h w D"]:
        for block in self.blocks:
            hidden = block(hidden, window, grid)
        return hidden if self.downsample is None else self.downsample(hidden)


class GatedSwin(nn.Module):
    """Video Swin with gated position biases, whose window shrinks with the input."""

    def __init__(
        self,
        *,
        embed_dim: int,
        depths: tuple[int, ...],
        num_heads: tuple[int, ...],
        window: Axes,
        base_size: Axes,
        grid: tuple[int, int] | None,
    ) -> None:
        super().__init__()
        self.window, self.base_size, self.grid = window, base_size, grid
        self.patch_embed = PatchEmbed3d(patch_size=[2, 4, 4], embed_dim=embed_dim, norm_layer=nn.LayerNorm)
        self.layers = nn.ModuleList(
            GatedStage(
                dim=embed_dim * 2**i,
                depth=depth,
                num_heads=heads,
                window=window,
                has_fragment_table=i < NUM_FRAGMENT_STAGES,
                has_downsample=i + 1 < len(depths),
            )
            for i, (depth, heads) in enumerate(zip(depths, num_heads, strict=True))
        )
        self.norm = nn.LayerNorm(embed_dim * 2 ** (len(depths) - 1))

    def adapted_window(self, size: Axes) -> Axes:
        """Return the window for an input of `size`; raise InputError if there is none."""
        window = tuple(w * n // base for w, n, base in zip(self.window, size, self.base_size, strict=True))
        if any(n > base for n, base in zip(size, self.base_size, strict=True)) or 0 in window:
            frames, height, width = size
            raise InputError(
                f"fragments of {frames} frames, {height}x{width} px: the window {self.window} of inputs of "
                f"{self.base_size} becomes {window}. Every axis must be at most the base size and leave a window of 1."
            )
        return cast(Axes, window)

    def forward(self, fragments: Float[Tensor, "B 3 T H W"]) -> Float[Tensor, "B D t h w"]:
        _, _, frames, height, width = fragments.shape
        window = self.adapted_window((frames, height, width))
        hidden = self.patch_embed(fragments)
        for layer in self.layers:
            hidden = layer(hidden, window, self.grid)
        return self.norm(hidden).movedim(-1, 1)


class LocalQualityHead(nn.Module):
    """The intra-patch non-linear regression head (sec. 3.3): one score per location, without pooling before it."""

    def __init__(self, *, dim: int, hidden_dim: int = 64, dropout: float = 0.5) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.fc_hid = nn.Conv3d(dim, hidden_dim, 1)
        self.fc_last = nn.Conv3d(hidden_dim, 1, 1)

    def forward(self, features: Float[Tensor, "B D t h w"]) -> Float[Tensor, "B 1 t h w"]:
        return self.fc_last(self.dropout(F.gelu(self.fc_hid(self.dropout(features)))))


class FastVQANetwork(nn.Module):
    """FAST-VQA from normalised fragments to a map of scores; higher is better.

    The defaults are FAST-VQA-B (28.1 M parameters). FasterVQA is the same network with other weights. `base_size`
    (frames, height, width) is the input size of `window`; a smaller input has a proportionally smaller window. `grid`
    is the fragment grid (rows, columns) that the gate assumes; None takes the height and width of the window, as the
    released code does (7x7 at 224 px). Submodules have the names of the released checkpoints, except `mlp.0` and
    `mlp.3` (`mlp.fc1` and `mlp.fc2` there).
    """

    def __init__(
        self,
        *,
        embed_dim: int = 96,
        depths: tuple[int, ...] = (2, 2, 6, 2),
        num_heads: tuple[int, ...] = (3, 6, 12, 24),
        window: Axes = (8, 7, 7),
        base_size: Axes = BASE_SIZE,
        grid: tuple[int, int] | None = None,
        head_dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.fragments_backbone = GatedSwin(
            embed_dim=embed_dim, depths=depths, num_heads=num_heads, window=window, base_size=base_size, grid=grid
        )
        self.vqa_head = LocalQualityHead(dim=embed_dim * 2 ** (len(depths) - 1), dropout=head_dropout)

    def forward(self, fragments: Float[Tensor, "B 3 T H W"]) -> Float[Tensor, "B 1 t h w"]:
        return self.vqa_head(self.fragments_backbone(fragments))

    def keep_biases(self) -> "FastVQANetwork":
        """Compute the attention biases once and not for every clip: half of the time of FAST-VQA-B, for 1 GiB.

        For frozen networks alone: a table that is changed through its `data` goes unnoticed.
        """
        self.requires_grad_(False)
        for module in self.modules():
            if isinstance(module, GatedWindowAttention):
                module.keeps_bias = True
        return self

    def load_upstream(self, state_dict: dict[str, Tensor]) -> None:
        """Load weights with the released names.

        Raises AssetError if an entry is missing, unknown or of another shape.
        """
        renamed = {own_name(key): value for key, value in state_dict.items() if not key.endswith(POSITION_INDEX)}
        try:
            self.load_state_dict(renamed, strict=True)
        except RuntimeError as error:
            raise AssetError(f"these are not the weights of this FAST-VQA network: {error}") from error


POSITION_INDEX = ".relative_position_index"  # the released code saves it; here it follows from the window


def own_name(key: str) -> str:
    """Return this module's name of a weight from its released name."""
    return key.replace(".mlp.fc1.", ".mlp.0.").replace(".mlp.fc2.", ".mlp.3.")


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read the `state_dict` of a released .pth file; code in the file is never run."""
    # the released training code saves NumPy scalars beside the weights, with NumPy 1 or 2
    scalar: Any = np._core.multiarray.scalar  # type: ignore[attr-defined]
    dtypes = [type(np.dtype(name)) for name in ("float64", "float32", "int64")]
    allowed: list[Any] = [
        np.dtype,
        *dtypes,
        *((scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    ]
    try:
        with torch.serialization.safe_globals(allowed):
            saved = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        raise AssetError(f"{path}: cannot be read as a checkpoint of weights alone: {error}") from error
    if not isinstance(saved, dict) or not isinstance(saved.get("state_dict"), dict):
        raise AssetError(f"{path}: a FAST-VQA checkpoint must hold a dictionary with 'state_dict'; this file has none.")
    return saved["state_dict"]


def normalise(fragments: Float[Tensor, "B 3 T H W"]) -> Float[Tensor, "B 3 T H W"]:
    """Normalise pixels in 0..255 by the mean and the standard deviation of ImageNet."""
    mean, std = (fragments.new_tensor(values).view(3, 1, 1, 1) for values in (MEAN_RGB, STD_RGB))
    return (fragments - mean) / std


def fits_grid(height_px: int, width_px: int, *, grid: int, size: int) -> tuple[int, int]:
    """Return the size of a frame that holds the grid: the frame's own, or enlarged with the same aspect ratio."""
    side = grid * size
    short = min(height_px, width_px)
    if short >= side:
        return height_px, width_px
    return -(-height_px * side // short), -(-width_px * side // short)


def draw_offsets(
    height_px: int, width_px: int, *, grid: int = 7, size: int = 32, groups: int = 1, generator: torch.Generator
) -> tuple[Int[Tensor, "G G K"], Int[Tensor, "G G K"]]:
    """Draw the offset of each fragment in its cell, in pixels down and right.

    The offsets are uniform and drawn in the order of the released code.
    """
    rooms = [side // grid - size for side in fits_grid(height_px, width_px, grid=grid, size=size)]
    down, right = (
        torch.randint(room, (grid, grid, groups), generator=generator)
        if room > 0
        else torch.zeros(grid, grid, groups, dtype=torch.long)
        for room in rooms
    )
    return down, right


def fragments(
    video: UInt8[Tensor, "C T H W"] | Float[Tensor, "C T H W"],
    *,
    offsets_h: Int[Tensor, "G G K"],
    offsets_w: Int[Tensor, "G G K"],
    grid: int = 7,
    size: int = 32,
    aligned: int = 32,
) -> Float[Tensor, "C T h w"]:
    """Cut one patch of `size` px at native resolution from every cell of the grid and splice them (sec. 3.1).

    Pixels stay in 0..255. Groups of `aligned` consecutive frames share their offsets.
    DEVIATION: a frame that is too small for the grid is enlarged first, and the grid covers the enlarged frame. The
    released code keeps the grid of the small frame, which reads only its top left part.
    """
    frames, height, width = video.shape[1:]
    aligned = min(aligned, frames)
    if offsets_h.shape != (grid, grid, frames // aligned) or frames % aligned:
        raise InputError(
            f"{frames} frames in groups of {aligned} on a grid of {grid}x{grid}: the number of frames must be a "
            f"multiple of the group, and offsets must have the shape (grid, grid, groups), not "
            f"{tuple(offsets_h.shape)}."
        )
    height, width = fits_grid(height, width, grid=grid, size=size)
    pixels = video.float()
    if (height, width) != video.shape[2:]:
        pixels = F.interpolate(pixels.movedim(1, 0), size=(height, width), mode="bilinear").movedim(0, 1)
    spliced = pixels.new_empty(video.shape[0], frames, grid * size, grid * size)
    for (row, column, group), offset_h in zip(np.ndindex(*offsets_h.shape), offsets_h.flatten().tolist(), strict=True):
        top = height // grid * row + offset_h
        left = width // grid * column + int(offsets_w[row, column, group])
        during = slice(group * aligned, (group + 1) * aligned)
        spliced[:, during, row * size : (row + 1) * size, column * size : (column + 1) * size] = pixels[
            :, during, top : top + size, left : left + size
        ]
    return spliced
