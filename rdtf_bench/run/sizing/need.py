"""The memory that a device needs to train a row and to sample it, known from configurations alone.

The denoiser runs one forward and one backward pass on fake tensors, which have shapes and no values. Every storage that
the pass makes is counted until it is freed, with the precisions that autocast has on a GPU. The weights, gradients,
moments and averages follow from the parameters. Nothing is counted of CUDA itself: see RESERVE_BYTES.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from rdtf_bench import catalog
from rdtf_bench.core.method import Configs, Training
from rdtf_bench.diffusion.guidance import two_scales
from rdtf_bench.diffusion.latents import decode, pixels_per_latent
from rdtf_bench.diffusion.sharding import blocks
from rdtf_bench.run.costs.parameters import COST_FUNCTIONS, configured
from rdtf_bench.run.sizing.live import LiveBytes, autocast_as_on_cuda
from rdtf_bench.spec.identities import FitIdentity, SamplerIdentity
from rdtf_bench.spec.scale import Scale

FUNCTIONS = (*COST_FUNCTIONS, "recompute_activations")
FLOAT32_BYTES = 4
DENOISER = ("base", "trainable", "total")
"""Names of `parameter_counts` that count the denoiser, beside which the others stand."""

RESERVE_BYTES = 2 * 2**30
"""Bytes that should stay free for the CUDA context, the workspaces of its libraries and fragmentation.

A guess, which no GPU has confirmed yet. So it decides which cards are recommended, and never that a run is refused.
"""


@dataclass(frozen=True, kw_only=True)
class Need:
    """The bytes that one device holds at the peak of a training step, by what they are for."""

    trained: int  # weights that are trained
    frozen: int  # weights of the denoiser that are not
    gradients: int
    exchange: int  # what several processes exchange: a copy of the gradients, or the sharded weights gathered at a time
    moments: int  # of AdamW
    average: int  # the moving average of the weights
    around: int  # frozen networks beside the denoiser
    activations: int  # everything else at the peak: what the backward pass needs, and its intermediate results

    @property
    def total(self) -> int:
        """Return the sum of all parts in bytes."""
        return sum(vars(self).values())


def is_known(method: str) -> bool:
    """Return whether the module of a method can say what it needs; a plug-in may not."""
    module = catalog.load("method", method)
    return all(hasattr(module, name) for name in FUNCTIONS)


def training_need(fit: FitIdentity, training: Training, scale: Scale, *, processes: int = 1) -> Need:
    """Return what one of these processes needs to train a row with these settings, which may not be its own.

    With `training.shard_weights`, each process holds its part of the weights, gradients, moments and average.
    """
    module, config, configs = configured(fit.method, scale, fit.options, functions=FUNCTIONS)
    network = _denoiser(module, config, configs)
    if training.gradient_checkpointing:
        module.recompute_activations(network)
    trained, frozen, around = _weights(network, module.parameter_counts(config, configs), configs)
    share = math.ceil(training.batch_size / processes)
    at_once = min(training.micro_batch_size or share, share)
    inputs = module.denoiser_inputs(
        config, configs, batch_size=at_once, num_frames=training.num_frames, size_px=scale.clip.size_px
    )
    peak = _peak_of_step(network, inputs, training, accumulates=at_once < share)
    parts = processes if training.shard_weights else 1
    part = math.ceil(trained / parts)
    gradients = trained if processes > 1 else 0
    return Need(
        trained=part,
        frozen=math.ceil(frozen / parts),
        gradients=part,
        exchange=_gathered(network) if training.shard_weights else gradients,
        moments=2 * part,
        average=part if training.ema_decay > 0 else 0,
        around=around,
        activations=max(peak - trained, 0),
    )


def _gathered(network: nn.Module) -> int:
    """Return the bytes that a process holds of sharded weights beside its part of them.

    The weights outside the blocks stay for the whole step. Of the blocks, the largest one and the next one are there
    together, each with its whole gradients until they are summed over the processes.
    """

    def size(parameters: Iterable[nn.Parameter]) -> int:
        return sum(parameter.nbytes * (2 if parameter.requires_grad else 1) for parameter in parameters)

    found = blocks(network)
    inside = {id(parameter) for block in found for parameter in block.parameters()}
    outside = size(parameter for parameter in network.parameters() if id(parameter) not in inside)
    return outside + 2 * max((size(block.parameters()) for block in found), default=0)


def sampling_bytes(fit: FitIdentity, sampler: SamplerIdentity, scale: Scale) -> int:
    """Return the bytes at the peak of sampling: of all networks, and of the denoiser's or the decoder's activations."""
    module, config, configs = configured(fit.method, scale, fit.options, functions=FUNCTIONS)
    network = _denoiser(module, config, configs)
    weights = sum(_weights(network, module.parameter_counts(config, configs), configs))
    num_frames, batch_size = fit.training.num_frames, scale.sampling.batch_size
    branches = len(two_scales(image=sampler.guidance_image, text=sampler.guidance_text))
    inputs = module.denoiser_inputs(
        config, configs, batch_size=branches * batch_size, num_frames=num_frames, size_px=scale.clip.size_px
    )
    with torch.device("meta"):
        autoencoder = AutoencoderKL.from_config(dict(configs["autoencoder"])).eval()
    make_fake(autoencoder)
    side = scale.clip.size_px // pixels_per_latent(autoencoder.config)
    latents = torch.zeros(batch_size, num_frames, autoencoder.config.latent_channels, side, side)
    with torch.no_grad():
        denoising = _peak(lambda: _output(network, inputs, mixed_precision="no"), network)
    return weights + max(denoising, _peak(lambda: decode(autoencoder, latents), autoencoder))


def _denoiser(module: ModuleType, config: Any, configs: Configs) -> nn.Module:
    network: nn.Module = module.denoiser_on_meta(config, configs)
    make_fake(network)
    return network.eval()


def _weights(network: nn.Module, counts: Mapping[str, int], configs: Configs) -> tuple[int, int, int]:
    """Return the bytes of the trained and the frozen weights of the denoiser, and of the networks beside it."""
    sizes = [(parameter.requires_grad, parameter.nbytes) for parameter in network.parameters()]
    trained = sum(size for is_trained, size in sizes if is_trained)
    around = sum(count for role, count in counts.items() if role in configs and role not in DENOISER) * FLOAT32_BYTES
    return trained, sum(size for _, size in sizes) - trained, around


def make_fake(network: nn.Module) -> None:
    """Replace parameters and buffers by fake tensors on the CPU. Operations on them allocate nothing.

    Inputs may stay real, so that a network can read the values of a mask.
    """
    with FakeTensorMode(allow_non_fake_inputs=True):
        for module in network.modules():
            for name, parameter in list(module.named_parameters(recurse=False)):
                fake = torch.empty(parameter.shape, dtype=parameter.dtype)
                setattr(module, name, nn.Parameter(fake, requires_grad=parameter.requires_grad))
            for name, buffer in list(module.named_buffers(recurse=False)):
                setattr(module, name, torch.empty(buffer.shape, dtype=buffer.dtype))


def _peak_of_step(network: nn.Module, inputs: Mapping[str, Tensor], training: Training, *, accumulates: bool) -> int:
    """Return the most bytes that a forward and a backward pass hold beside the weights, gradients included."""

    def step() -> None:
        if accumulates:  # the gradients of an earlier pass are there from the start
            for parameter in network.parameters():
                parameter.grad = torch.empty_like(parameter) if parameter.requires_grad else None
        output = _output(network, inputs, mixed_precision=training.mixed_precision)
        (output - torch.zeros_like(output)).square().sum().backward()  # type: ignore[no-untyped-call]

    return _peak(step, network)


def _output(network: nn.Module, inputs: Mapping[str, Tensor], *, mixed_precision: str) -> Tensor:
    """Return the prediction in float32. A network with weights in bfloat16 is always computed under autocast."""
    in_half = any(parameter.dtype == torch.bfloat16 for parameter in network.parameters())
    with torch.autocast("cpu", torch.bfloat16, enabled=in_half or mixed_precision != "no"):
        sample: Tensor = network(**inputs).sample
    return sample.float()


def _peak(step: Callable[[], object], network: nn.Module) -> int:
    """Return the most bytes that a call of the network holds beside its weights."""
    live = LiveBytes()
    live.hold((*network.parameters(), *network.buffers()))
    weights = live.held
    with live, autocast_as_on_cuda():
        step()
    return live.peak - weights
