"""Cross-frame attention: what the extra branch looks at, and that known frames stay free of noise."""

import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor
from torch.nn import functional

from rdtf_bench.baselines import i2v_adapter
from rdtf_bench.baselines.i2v_adapter import CrossFrameAttention
from rdtf_bench.baselines.i2vgen_xl.tuning import noisy_batch, velocity_error
from rdtf_bench.baselines.i2vgen_xl.unet import Context, find_known
from rdtf_bench.core.seeds import generators_for
from rdtf_bench.diffusion.latents import decode
from tests.baselines.small_base import FIRST, SAMPLER, Build, conditions, disturb

CLIPS, FRAMES, TOKENS, WIDTH, HEADS = 2, 4, 6, 8, 2


def disturbed() -> tuple[Attention, CrossFrameAttention]:
    generator = torch.Generator().manual_seed(0)
    attention = Attention(query_dim=WIDTH, heads=HEADS, dim_head=WIDTH // HEADS)
    context = Context()
    context.num_frames = FRAMES
    context.known = find_known(torch.tensor([[0.0, 1, 0, 1], [1, 0, 0, 0]]))
    processor = CrossFrameAttention(attention, context)
    with torch.no_grad():
        for parameter in (*attention.parameters(), *processor.parameters()):
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return attention, processor


def by_hand(attention: Attention, processor: CrossFrameAttention, states: Tensor, known: tuple[int, ...]) -> Tensor:
    """Eq. 4 for one clip, frame by frame and head by head."""
    own, added = [], []
    given = torch.cat([states[frame] for frame in known])
    for frame in states:
        own.append(_attend(attention.to_q(frame), attention.to_k(frame), attention.to_v(frame)))
        added.append(_attend(processor.to_q(frame), attention.to_k(given), attention.to_v(given)))
    return attention.to_out[0](torch.stack(own)) + processor.to_out(torch.stack(added))


def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    heads = []
    for q, k, v in zip(*(states.chunk(HEADS, dim=-1) for states in (query, key, value)), strict=True):
        heads.append(functional.softmax(q @ k.T / q.shape[-1] ** 0.5, dim=-1) @ v)
    return torch.cat(heads, dim=-1)


@torch.no_grad()
def test_every_frame_attends_to_itself_and_to_all_known_frames_of_its_clip() -> None:
    attention, processor = disturbed()
    states = torch.randn(CLIPS * FRAMES, TOKENS, WIDTH, generator=torch.Generator().manual_seed(1))
    found = processor(attention, states)
    first, second = states.chunk(CLIPS)
    expected = torch.cat([by_hand(attention, processor, first, (1, 3)), by_hand(attention, processor, second, (0,))])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-5)  # sums of 48 products of order 10, in float32


def test_known_frames_come_out_as_the_autoencoder_has_them(build: Build) -> None:
    method = build(i2v_adapter)
    disturb(method)
    given = conditions(FIRST, (0, 1, 0, 1, 0, 1, 0, 1))
    made = method.generate(given, generators_for(0, given.clip_ids, "sample"), SAMPLER)
    clean = method.parts.encode_known(given.frames, given.known).movedim(2, 1)
    known = given.known.bool()
    # decoded with the others or alone: the last bits may differ
    torch.testing.assert_close(made[known], decode(method.parts.autoencoder, clean)[known], atol=1e-5, rtol=0)


def test_the_network_sees_known_frames_free_of_noise(build: Build) -> None:
    method = build(i2v_adapter)
    seen: list[Tensor] = []
    method.network.register_forward_pre_hook(lambda _, args: seen.append(args[0].clone()))
    known = torch.tensor([(0, 1, 0, 0, 0, 0, 0, 1)], dtype=torch.float32)
    generator = torch.Generator().manual_seed(0)
    clean = torch.randn(1, 4, 8, 8, 8, generator=generator)
    inputs = {
        name: tensor
        for name, tensor in method.denoiser_inputs(batch_size=1, num_frames=8, size_px=64).items()
        if name in ("encoder_hidden_states", "image_embeddings", "fps")
    }
    batch = noisy_batch(method, clean, known, inputs, counted=1 - known, generators=[generator])
    velocity_error(method.network, batch)
    given = conditions((0, 1, 0, 0, 0, 0, 0, 1))
    method.generate(given, generators_for(0, given.clip_ids, "sample"), SAMPLER)
    assert len(seen) == 1 + SAMPLER.num_steps
    for noisy in seen[1:]:  # one clip in two branches of guidance
        expected = method.parts.encode_known(given.frames, given.known)[:, :, [1, 7]]
        assert torch.equal(noisy[:, :, [1, 7]], expected.expand(2, -1, -1, -1, -1))
    assert torch.equal(seen[0][:, :, [1, 7]], clean[:, :, [1, 7]])
    assert not torch.equal(seen[0][:, :, 0], clean[:, :, 0])


def test_only_unknown_frames_count(build: Build) -> None:
    known = torch.tensor([(1.0, 0, 0, 1)])
    assert build(i2v_adapter).counted(known, "it2v").tolist() == [[0, 1, 1, 0]]
