"""Isolated padding: its content changes nothing, and real frames come out as without it."""

from typing import Any

import pytest
import torch

from rdtf_bench.diffusion.losses import masked_error
from rdtf_bench.models.rdtf import DFGN
from rdtf_bench.models.rdtf.dfgn import PAPER_TEXT

REAL = (3, 8, 5)
FLEXIBLE: list[dict[str, Any]] = [
    {"temporal_layer": "temporal_conv"},
    {"temporal_layer": "conv3d"},
    {"temporal_layer": "semantic_only"},
    {"temporal_layer": "none", "image_path": "latents"},
    {"sti_detail": "temporal_convs", "absent_frame": "learned"},
    {key: value for key, value in PAPER_TEXT.items() if key != "block_out_channels"},
]


def made(options: dict[str, Any], **changed: Any) -> DFGN:
    network = DFGN(**options, **changed, isolate_padding=True)
    with torch.no_grad():  # the zeros at the start would hide a path
        for parameter in network.parameters():
            parameter.add_(0.02)
    return network


def inputs(options: dict[str, Any]) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(2, len(REAL), 4, 8, 4, 4, generator=generator)
    return {
        "sample": latents[0],
        "image_latents": latents[1],
        "timestep": torch.tensor([10, 400, 900]),
        "clip_hidden_states": torch.randn(3, 5, options["cross_attention_dim"], generator=generator),
        "t5_hidden_states": torch.randn(3, 7, options["t5_dim"], generator=generator),
    }


def counted() -> torch.Tensor:
    return (torch.arange(8) < torch.tensor(REAL)[:, None]).float()


@pytest.mark.parametrize("variant", [{}, *FLEXIBLE], ids=lambda v: ",".join(map(str, v.values())) or "released")
def test_the_paddings_content_changes_neither_loss_nor_gradients(
    small_options: dict[str, Any], variant: dict[str, Any]
) -> None:
    network, given = made(small_options, **variant), inputs(small_options)
    target = torch.randn(given["sample"].shape, generator=torch.Generator().manual_seed(1))

    def loss_and_gradients(given: dict[str, Any]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        network.zero_grad()
        loss = masked_error(network(**given, real_frames=REAL).sample, target, counted())
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach(), {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}

    padding = 1 - counted()[:, None, :, None, None]
    noise = torch.randn(given["sample"].shape, generator=torch.Generator().manual_seed(2))
    other = {name: given[name] + 3 * padding * noise for name in ("sample", "image_latents")}
    loss, gradients = loss_and_gradients(given)
    changed_loss, changed_gradients = loss_and_gradients({**given, **other})
    torch.testing.assert_close(changed_loss, loss, rtol=0, atol=0)
    for name, gradient in gradients.items():
        torch.testing.assert_close(changed_gradients[name], gradient, rtol=1e-6, atol=1e-8)


def test_a_learned_absent_frame_stands_for_frames_of_zeros_and_is_learned(small_options: dict[str, Any]) -> None:
    network, given = DFGN(**small_options, absent_frame="learned").eval(), inputs(small_options)
    released = DFGN(**small_options).eval()
    released.load_state_dict({k: v for k, v in network.state_dict().items() if k != "absent_latent"})
    known = torch.tensor([1.0, 0, 0, 0, 0, 0, 0, 0])[:, None, None]
    some_absent = {**given, "image_latents": given["image_latents"] * known}
    with torch.no_grad():
        # it starts as zeros, and is not looked at where every frame is known
        assert torch.equal(network(**some_absent).sample, released(**some_absent).sample)
        network.absent_latent.fill_(0.5)
        assert torch.equal(network(**given).sample, released(**given).sample)
        assert (network(**some_absent).sample - released(**some_absent).sample).abs().max() > 1e-4
    network(**some_absent).sample.square().mean().backward()
    assert network.absent_latent.grad.abs().min() > 0


def test_without_it_the_network_sees_the_padding(small_options: dict[str, Any]) -> None:
    network, given = DFGN(**small_options).eval(), inputs(small_options)
    changed = {**given, "sample": given["sample"] + 1 - counted()[:, None, :, None, None]}
    with torch.no_grad():
        difference = (network(**changed).sample - network(**given).sample)[0, :, :3]
    assert difference.abs().max() > 1e-4


@pytest.mark.parametrize("variant", FLEXIBLE, ids=lambda v: ",".join(map(str, v.values())))
def test_real_frames_come_out_as_of_a_clip_without_padding(
    small_options: dict[str, Any], variant: dict[str, Any]
) -> None:
    network, given = made(small_options, **variant).eval(), inputs(small_options)
    with torch.no_grad():
        output = network(**given, real_frames=REAL).sample
        for row, real in enumerate(REAL):
            alone = {name: value[row : row + 1] for name, value in given.items()}
            short = {name: alone[name][:, :, :real] for name in ("sample", "image_latents")}
            expected = network(**{**alone, **short}).sample
            torch.testing.assert_close(output[row : row + 1, :, :real], expected, rtol=1e-4, atol=1e-5)


def test_parameters_keep_their_names_and_checkpointing_its_gradients(small_options: dict[str, Any]) -> None:
    network, given = made(small_options), inputs(small_options)
    assert network.state_dict().keys() == DFGN(**small_options).state_dict().keys()

    def gradients() -> list[torch.Tensor]:
        network.zero_grad()
        network(**given, real_frames=REAL).sample[:, :, :3].square().mean().backward()
        return [p.grad.clone() for p in network.parameters() if p.grad is not None]

    plain = gradients()
    network.enable_gradient_checkpointing()
    for ours, theirs in zip(gradients(), plain, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)


def test_real_frames_of_a_network_that_does_not_isolate_are_a_fault(small_options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="isolate_padding=True"):
        DFGN(**small_options)(**inputs(small_options), real_frames=REAL)
