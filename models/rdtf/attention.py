"""Cross-attention to the caption that computes the keys and values once per clip.

The released network repeats the text for every frame, so it computes the keys and values F times. They depend neither
on the frame nor on the sampler step. Here the queries of all frames of a clip attend to one copy of them, and the
output is the same.
"""

import torch.nn.functional as F
from diffusers.models.attention_processor import Attention
from jaxtyping import Float
from torch import Tensor, nn

Keys = Float[Tensor, "B L D"]
TextKeys = dict[str, tuple[Keys, Keys]]
"""Maps the name of each cross-attention to the keys and the values of the clips' texts."""


class ClipwiseTextProcessor:
    """Attend to precomputed TextKeys in place of hidden states; `place` is the name of this layer's entry."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __call__(
        self,
        attn: Attention,
        hidden_states: Float[Tensor, "BF P C"],
        encoder_hidden_states: TextKeys,
        attention_mask: None = None,  # noqa: ARG002
    ) -> Float[Tensor, "BF P C"]:
        keys, values = (
            part.view(*part.shape[:2], attn.heads, -1).transpose(1, 2) for part in encoder_hidden_states[self.place]
        )
        queries = attn.to_q(hidden_states).reshape(len(keys), -1, attn.heads, keys.shape[-1]).transpose(1, 2)
        seen = F.scaled_dot_product_attention(queries, keys, values).transpose(1, 2)
        output: Tensor = attn.to_out[0](seen.reshape(*hidden_states.shape[:2], -1))
        return output


def text_attention_places(network: nn.Module) -> dict[str, Attention]:
    """Return the cross-attentions to the text by module name: the second attention of every spatial transformer."""
    return {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, Attention) and ".attentions." in name and name.endswith(".attn2")
    }


def use_clipwise_text(network: nn.Module) -> None:
    """Make every cross-attention to the text take TextKeys."""
    for place, attention in text_attention_places(network).items():
        attention.set_processor(ClipwiseTextProcessor(place))
