"""Cross-attention to the caption that looks at it once a clip.

The released network repeats the text for every frame, so that its keys and values are computed F times. They do not
depend on the frame (nor on the sampler's step), so here the queries of all frames of a clip meet one copy of them. The
output is the same.
"""

import torch.nn.functional as F
from diffusers.models.attention_processor import Attention
from jaxtyping import Float
from torch import Tensor, nn

Keys = Float[Tensor, "B L D"]
TextKeys = dict[str, tuple[Keys, Keys]]
"""By the name of the cross-attention: its keys and its values of each clip's text."""


class ClipwiseTextProcessor:
    """Takes TextKeys in the place of hidden states; the name says which entry is its own."""

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
    """The cross-attentions to the text, by the name of their place: every spatial transformer's second attention."""
    return {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, Attention) and ".attentions." in name and name.endswith(".attn2")
    }


def use_clipwise_text(network: nn.Module) -> None:
    for place, attention in text_attention_places(network).items():
        attention.set_processor(ClipwiseTextProcessor(place))
