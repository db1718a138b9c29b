# ruff: noqa: ARG002 (the constructor's arguments are read from self.config, where diffusers puts them)
"""The discrete frame generation network (sec. "Discrete frame generation network").

The network is built from diffusers' 3-D blocks. Its parameters have the names of the authors' code
(mails9523/mails9523.github.io@de717c7), so that their checkpoints load with `load_state_dict`. The default options give
the network of that code, with 960,118,452 parameters, the 0.96 B of Table 8. `PAPER_TEXT` follows the text of the paper
instead.
"""

from collections.abc import Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from diffusers.models.modeling_utils import ModelMixin
from diffusers.models.transformers.transformer_temporal import TransformerTemporalModel
from diffusers.models.unets.unet_3d_blocks import UNetMidBlock3DCrossAttn, get_down_block, get_up_block
from diffusers.models.unets.unet_3d_condition import UNet3DConditionOutput
from diffusers.models.unets.unet_i2vgen_xl import I2VGenXLTransformerTemporalEncoder
from diffusers.utils.accelerate_utils import apply_forward_hook
from jaxtyping import Float, Int
from safetensors import safe_open
from torch import Tensor, nn

from rdtf_bench.core.errors import StoreError
from rdtf_bench.models.rdtf.attention import TextKeys, text_attention_places, use_clipwise_text
from rdtf_bench.models.rdtf.padding import PaddedFrames, each_clip_alone, isolate
from rdtf_bench.models.rdtf.sti import STI, Conv3D, NoTemporalLayer, TemporalLayer, temporal_conv

LATENT_CHANNELS = 4
WEIGHTS = "diffusion_pytorch_model.safetensors"  # the file that save_pretrained writes

PAPER_TEXT: dict[str, Any] = {
    "block_out_channels": (320, 640, 1280, 1280),
    "temporal_attention": False,
    "sti_place": "after_spatial_attention",
    "sti_detail": "temporal_convs",
    "sti_fusion": "gate",
    "sti_residual": True,
    "image_path": "latents",
    "text_map": "two_linear",
}
"""Options that follow section 3 and Table 6 of the paper where these differ from the released code."""

PRESETS: dict[str, dict[str, Any]] = {"released": {}, "paper_text": PAPER_TEXT}
"""Named option sets for `DFGN(**PRESETS[name])`. The defaults give the released network."""


@torch.no_grad()
def start_as_identity(convolutions: nn.Sequential) -> None:
    """Initialise I2VGen-XL's small image encoder (3x3 convolutions with SiLU between) as the identity.

    x = SiLU(x) - SiLU(-x), so each layer carries x and -x in its first channels. The other channels keep their random
    weights. DEVIATION: the released code keeps torch's initialisation. With it the known frames reach the network at a
    twentieth of the amplitude of the noise, and the network ignores them for hundreds of steps.
    """
    first, *between, last = (layer for layer in convolutions if isinstance(layer, nn.Conv2d))
    eye = torch.eye(first.in_channels)
    both = torch.cat([eye, -eye])
    for layer, weights in ((first, both), *((layer, both @ both.T) for layer in between), (last, both.T)):
        rows, columns = weights.shape
        assert layer.bias is not None
        nn.init.zeros_(layer.weight[:rows])
        nn.init.zeros_(layer.bias[:rows])
        layer.weight[:rows, :columns, 1, 1] = weights


def _require_same_parameters(folder: Path, kind: type["DFGN"]) -> None:
    with torch.device("meta"):
        network = kind.from_config(kind.load_config(folder))
    wanted = {name: list(parameter.shape) for name, parameter in network.state_dict().items()}
    with safe_open(folder / WEIGHTS, framework="pt") as file:
        found = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 (no mapping)
    if differing := sorted(name for name in wanted | found if wanted.get(name) != found.get(name)):
        first = differing[0]
        raise StoreError(
            f"{folder}: the weights do not match the network that config.json describes: {len(differing)} parameters "
            f"differ. The first is {first} ({found.get(first, 'absent')} in the weights, {wanted.get(first, 'absent')} "
            "by config.json). Give the config.json and the weights of one save_pretrained"
        )


class NoTemporalAttention(nn.Module):
    """Return the input unchanged where a block expects a temporal transformer."""

    def forward(self, hidden_states: Float[Tensor, "BF C H W"], **_: object) -> tuple[Float[Tensor, "BF C H W"]]:
        return (hidden_states,)


class AfterSpatialAttention(nn.Module):
    """Place a temporal layer behind the spatial transformer, where a block expects a temporal transformer (paper)."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(
        self, hidden_states: Float[Tensor, "BF C H W"], num_frames: int, **_: object
    ) -> tuple[Float[Tensor, "BF C H W"]]:
        return (self.layer(hidden_states, num_frames),)


class DFGN(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Predict the noise or velocity of a clip of latents from the noisy clip, its known frames and its caption.

    attention_head_dim: number of channels per head; a transformer has width / attention_head_dim heads.
    transformer_in_heads: number of heads of the temporal transformer behind the first convolution.
    temporal_layer: the layer behind each resnet; "temporal_conv" is the "3D-Conv" of Table 3.
    sti_*: see `STI`. sti_place: "after_resnets" (released, 22 places) or "after_spatial_attention" (paper, 16 places).
    temporal_attention: False leaves out the temporal transformers and `transformer_in` (the paper names none).
    image_path: "encoder" sends the known latents through I2VGen-XL's small encoder; "latents" concatenates them.
    absent_frame: the latent of a frame that is not known: "zeros" (released), or "learned", one latent for all of them.
    text_map: "t5_mlp" maps only the T5 states (released); "two_linear" gives each encoder a linear layer (paper).
    isolate_padding: True keeps padding frames out of every layer that mixes frames (`padding.py`).
    """

    _supports_gradient_checkpointing = True

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        block_out_channels: Sequence[int] = (320, 640, 1024, 1280),
        attention_head_dim: int = 64,
        cross_attention_dim: int = 1024,
        t5_dim: int = 768,
        num_frames: int = 8,
        *,
        layers_per_block: int = 2,
        norm_num_groups: int = 32,
        transformer_in_heads: int = 8,
        temporal_layer: TemporalLayer = "sti",
        temporal_attention: bool = True,
        sti_place: Literal["after_resnets", "after_spatial_attention"] = "after_resnets",
        sti_heads: int = 8,
        sti_head_dim: int = 32,
        sti_pool: int = 2,
        sti_detail: Literal["frames_as_channels", "temporal_convs"] = "frames_as_channels",
        sti_fusion: Literal["scalars", "gate"] = "scalars",
        sti_residual: bool = False,
        image_path: Literal["encoder", "latents"] = "encoder",
        absent_frame: Literal["zeros", "learned"] = "zeros",
        text_map: Literal["t5_mlp", "two_linear"] = "t5_mlp",
        isolate_padding: bool = False,
    ) -> None:
        super().__init__()
        self.gradient_checkpointing = False  # switched by diffusers' enable_gradient_checkpointing
        width = block_out_channels[0]
        self.conv_in = nn.Conv2d(2 * LATENT_CHANNELS, width, kernel_size=3, padding=1)
        self.transformer_in: nn.Module = NoTemporalAttention()
        if temporal_attention:
            self.transformer_in = TransformerTemporalModel(
                num_attention_heads=transformer_in_heads,
                attention_head_dim=attention_head_dim,
                in_channels=width,
                norm_num_groups=norm_num_groups,
            )
        self._make_conditions()
        self.time_proj = Timesteps(width, True, 0)
        self.time_embedding = TimestepEmbedding(width, 4 * width, act_fn="silu")
        self._make_blocks()
        for block in [*self.down_blocks, self.mid_block, *self.up_blocks]:
            self._place_temporal_layers(block)
        use_clipwise_text(self)
        if isolate_padding:
            isolate(self)
        self.conv_norm_out = nn.GroupNorm(norm_num_groups, width, eps=1e-5)
        self.conv_act = nn.SiLU()
        self.conv_out = nn.Conv2d(width, LATENT_CHANNELS, kernel_size=3, padding=1)

    @classmethod
    def from_pretrained(cls, folder: str | PathLike[str], **options: Any) -> "DFGN":
        """Load a network as diffusers does. Raises StoreError if the weights of a local folder do not match its
        config.json, where diffusers only warns."""
        path = Path(folder) / (options.get("subfolder") or "")
        if (path / WEIGHTS).is_file():
            _require_same_parameters(path, cls)
        loaded: DFGN = super().from_pretrained(folder, **options)
        return loaded

    def _make_conditions(self) -> None:
        text_dim, t5_dim = self.config.cross_attention_dim, self.config.t5_dim
        if self.config.text_map == "t5_mlp":
            self.context_T5_clip_embedding = nn.Sequential(
                nn.Linear(t5_dim, 2 * text_dim), nn.SiLU(), nn.Linear(2 * text_dim, text_dim)
            )
        else:
            self.context_t5_map = nn.Linear(t5_dim, text_dim)
            self.context_clip_map = nn.Linear(text_dim, text_dim)
        if self.config.absent_frame == "learned":
            self.absent_latent = nn.Parameter(torch.zeros(LATENT_CHANNELS, 1, 1, 1))
        if self.config.image_path == "encoder":
            between = 4 * LATENT_CHANNELS
            self.image_latents_proj_in = nn.Sequential(
                nn.Conv2d(LATENT_CHANNELS, between, 3, padding=1),
                nn.SiLU(),
                nn.Conv2d(between, between, 3, padding=1),
                nn.SiLU(),
                nn.Conv2d(between, LATENT_CHANNELS, 3, padding=1),
            )
            start_as_identity(self.image_latents_proj_in)
            self.image_latents_temporal_encoder = I2VGenXLTransformerTemporalEncoder(
                dim=LATENT_CHANNELS,
                num_attention_heads=2,
                attention_head_dim=LATENT_CHANNELS,
                ff_inner_dim=between,
                activation_fn="gelu",
            )

    def _make_blocks(self) -> None:
        """Build the blocks of I2VGen-XL's U-Net: cross-attention at every level but the coarsest one."""
        widths = self.config.block_out_channels
        # diffusers' 3-D blocks take the number of channels per head under the name num_attention_heads
        shared = {
            "temb_channels": 4 * widths[0],
            "resnet_eps": 1e-5,
            "resnet_act_fn": "silu",
            "resnet_groups": self.config.norm_num_groups,
            "cross_attention_dim": self.config.cross_attention_dim,
            "num_attention_heads": self.config.attention_head_dim,
        }
        levels, layers = len(widths), self.config.layers_per_block
        self.down_blocks = nn.ModuleList(
            get_down_block(
                "CrossAttnDownBlock3D" if level < levels - 1 else "DownBlock3D",
                num_layers=layers,
                in_channels=widths[max(level - 1, 0)],
                out_channels=widths[level],
                add_downsample=level < levels - 1,
                downsample_padding=1,
                **shared,
            )
            for level in range(levels)
        )
        mid = {key: value for key, value in shared.items() if key != "temb_channels"}
        self.mid_block = UNetMidBlock3DCrossAttn(in_channels=widths[-1], temb_channels=shared["temb_channels"], **mid)
        upwards = widths[::-1]
        self.up_blocks = nn.ModuleList(
            get_up_block(
                "UpBlock3D" if level == 0 else "CrossAttnUpBlock3D",
                num_layers=layers + 1,
                in_channels=upwards[min(level + 1, levels - 1)],
                out_channels=upwards[level],
                prev_output_channel=upwards[max(level - 1, 0)],
                add_upsample=level < levels - 1,
                resolution_idx=level,
                **shared,
            )
            for level in range(levels)
        )

    def _place_temporal_layers(self, block: Any) -> None:
        behind_attention = self.config.sti_place == "after_spatial_attention"
        widths = [resnet.out_channels for resnet in block.resnets]
        block.temp_convs = nn.ModuleList(
            NoTemporalLayer() if behind_attention else self._temporal_layer(width) for width in widths
        )
        if not hasattr(block, "temp_attentions"):
            return
        if behind_attention:
            layers = [AfterSpatialAttention(self._temporal_layer(attn.in_channels)) for attn in block.attentions]
            block.temp_attentions = nn.ModuleList(layers)
        elif not self.config.temporal_attention:
            block.temp_attentions = nn.ModuleList(NoTemporalAttention() for _ in block.attentions)

    def _temporal_layer(self, channels: int) -> nn.Module:
        config, groups = self.config, self.config.norm_num_groups
        match config.temporal_layer:
            case "none":
                return NoTemporalLayer()
            case "temporal_conv":
                return temporal_conv(channels, groups)
            case "conv3d":
                return Conv3D(channels, groups)
        branches: dict[str, Literal["both", "detail", "semantic"]]
        branches = {"sti": "both", "detail_only": "detail", "semantic_only": "semantic"}
        return STI(
            channels,
            config.num_frames,
            num_groups=groups,
            num_heads=config.sti_heads,
            head_dim=config.sti_head_dim,
            pool=config.sti_pool,
            detail=config.sti_detail,
            fusion=config.sti_fusion,
            residual=config.sti_residual,
            branches=branches[config.temporal_layer],
        )

    @apply_forward_hook  # type: ignore[untyped-decorator] # diffusers' offloading moves the network at this call too
    def text_keys(
        self, clip_hidden_states: Float[Tensor, "B L1 D1"], t5_hidden_states: Float[Tensor, "B L2 D2"]
    ) -> TextKeys:
        """Return the keys and values of the text for every cross-attention; they serve all frames and sampler steps."""
        if self.config.text_map == "t5_mlp":
            tokens = torch.cat([self.context_T5_clip_embedding(t5_hidden_states), clip_hidden_states], dim=1)
        else:
            tokens = torch.cat(
                [self.context_t5_map(t5_hidden_states), self.context_clip_map(clip_hidden_states)], dim=1
            )
        return {
            place: (attention.to_k(tokens), attention.to_v(tokens))
            for place, attention in text_attention_places(self).items()
        }

    def called_apart(self) -> list[nn.Module]:
        """Return the layers that `text_keys` calls before their blocks; sharded weights are gathered there."""
        places = text_attention_places(self).values()
        return [layer for attention in places for layer in (attention.to_k, attention.to_v)]

    def forward(
        self,
        sample: Float[Tensor, "B C F H W"],
        timestep: Int[Tensor, "*batch"] | int,
        image_latents: Float[Tensor, "B C F H W"],
        clip_hidden_states: Float[Tensor, "B L1 D1"] | None = None,
        t5_hidden_states: Float[Tensor, "B L2 D2"] | None = None,
        text_keys: TextKeys | None = None,
        real_frames: Sequence[int] | None = None,
    ) -> UNet3DConditionOutput:
        """Return the prediction for each clip.

        image_latents: the latents of the known frames, and zeros for all other frames.
        text_keys: the output of `text_keys`, in place of the hidden states of both text encoders.
        real_frames: with `isolate_padding`, the number of frames of each clip that are not padding; default: all.
        """
        batch_size, num_frames = sample.shape[0], sample.shape[2]
        if real_frames is not None:
            num_frames = self._padded(num_frames, real_frames)
        if text_keys is None:
            if clip_hidden_states is None or t5_hidden_states is None:
                raise TypeError("give both clip_hidden_states and t5_hidden_states, or text_keys made from them")
            text_keys = self.text_keys(clip_hidden_states, t5_hidden_states)
        timesteps = torch.as_tensor(timestep, device=sample.device).expand(batch_size)
        emb = self.time_embedding(self.time_proj(timesteps).to(sample.dtype)).repeat_interleave(num_frames, dim=0)
        image = self._image_condition(image_latents, num_frames)
        hidden = torch.cat([sample, image], dim=1).transpose(1, 2).flatten(0, 1)
        hidden = self.conv_in(hidden)
        hidden = self.transformer_in(hidden, num_frames=num_frames, return_dict=False)[0]
        hidden = self._through_blocks(hidden, emb, text_keys, num_frames)
        output = self.conv_out(self.conv_act(self.conv_norm_out(hidden)))
        return UNet3DConditionOutput(sample=output.unflatten(0, (batch_size, num_frames)).transpose(1, 2))

    def _padded(self, num_frames: int, real_frames: Sequence[int]) -> PaddedFrames:
        if not self.config.isolate_padding:
            raise TypeError("real_frames needs a network that was built with isolate_padding=True")
        return PaddedFrames(num_frames, real_frames)

    def _image_condition(
        self, image_latents: Float[Tensor, "B C F H W"], num_frames: int
    ) -> Float[Tensor, "B C F H W"]:
        if self.config.absent_frame == "learned":
            absent = (image_latents == 0).all(dim=(1, 3, 4), keepdim=True)
            image_latents = torch.where(absent, self.absent_latent, image_latents)
        if self.config.image_path == "latents":
            return image_latents
        frames = self.image_latents_proj_in(image_latents.transpose(1, 2).flatten(0, 1))
        if isinstance(num_frames, PaddedFrames):
            mixed = each_clip_alone(self._mix_image, frames, num_frames)
        else:
            mixed = self._mix_image(frames, num_frames)
        return mixed.view(len(image_latents), -1, *mixed.shape[1:]).transpose(1, 2)

    def _mix_image(self, frames: Float[Tensor, "BF C H W"], num_frames: int) -> Float[Tensor, "BF C H W"]:
        """Apply the temporal encoder, which attends over the frames of each pixel."""
        batch_size, (height, width) = len(frames) // num_frames, frames.shape[-2:]
        pixels = frames.view(batch_size, num_frames, *frames.shape[1:]).permute(0, 3, 4, 1, 2).flatten(0, 2)
        mixed = self.image_latents_temporal_encoder(pixels)
        return mixed.unflatten(0, (batch_size, height, width)).permute(0, 3, 4, 1, 2).flatten(0, 1)

    def _through_blocks(
        self, hidden: Float[Tensor, "BF C H W"], emb: Float[Tensor, "BF E"], text_keys: TextKeys, num_frames: int
    ) -> Float[Tensor, "BF C H W"]:
        skips = [hidden]
        for block in self.down_blocks:
            text = {"encoder_hidden_states": text_keys} if hasattr(block, "attentions") else {}
            hidden, outputs = self._run(block, hidden, temb=emb, num_frames=num_frames, **text)
            skips.extend(outputs)
        hidden = self._run(self.mid_block, hidden, emb, encoder_hidden_states=text_keys, num_frames=num_frames)
        count = self.config.layers_per_block + 1
        for block in self.up_blocks:
            skips, outputs = skips[:-count], skips[-count:]
            text = {"encoder_hidden_states": text_keys} if hasattr(block, "attentions") else {}
            hidden = self._run(
                block,
                hidden,
                res_hidden_states_tuple=tuple(outputs),
                temb=emb,
                num_frames=num_frames,
                upsample_size=skips[-1].shape[2:] if skips else None,
                **text,
            )
        return hidden

    def _run(self, block: nn.Module, *args: Any, **options: Any) -> Any:
        """Run a block. With gradient checkpointing its activations are recomputed in the backward pass."""
        if torch.is_grad_enabled() and self.gradient_checkpointing:
            return self._gradient_checkpointing_func(partial(block, **options), *args)
        return block(*args, **options)
