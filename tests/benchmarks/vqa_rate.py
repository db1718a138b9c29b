"""Seconds a clip of FAST-VQA-B (32 frames, 224 px, random weights) with the attention biases computed for every clip
and kept from clip to clip, in turns, and the memory that keeping takes.

OMP_NUM_THREADS=1 python tests/benchmarks/vqa_rate.py
"""

import time
from statistics import median

import torch
from jaxtyping import Float
from torch import Tensor

from rdtf_bench.core.seeds import generator_for
from rdtf_bench.metrics.features.fast_vqa import FastVQANetwork, GatedWindowAttention

REPEATS = 5


@torch.inference_mode()
def seconds(network: FastVQANetwork, fragments: Float[Tensor, "B C T H W"]) -> tuple[float, Float[Tensor, "..."]]:
    began = time.process_time()
    scores = network(fragments)
    return time.process_time() - began, scores


def main() -> None:
    torch.set_num_threads(1)
    anew = FastVQANetwork().eval()
    kept = FastVQANetwork().eval().keep_biases()
    kept.load_state_dict(anew.state_dict())
    fragments = torch.randn(1, 3, 32, 224, 224, generator=generator_for("benchmark"))
    for network in (anew, kept):
        seconds(network, fragments)
    taken: dict[str, list[float]] = {"anew": [], "kept": []}
    for _ in range(REPEATS):
        anew_s, expected = seconds(anew, fragments)
        kept_s, scores = seconds(kept, fragments)
        taken["anew"].append(anew_s)
        taken["kept"].append(kept_s)
        assert torch.equal(scores, expected)
    biases = [m._kept[1] for m in kept.modules() if isinstance(m, GatedWindowAttention) and m._kept is not None]
    ratio = median(first / second for first, second in zip(taken["anew"], taken["kept"], strict=True))
    print(
        f"computed for every clip {median(taken['anew']):.2f} s, kept {median(taken['kept']):.2f} s a clip on one CPU"
    )
    print(f"{ratio:.2f} times as fast, equal bits, {sum(bias.nbytes for bias in biases) / 2**30:.2f} GiB kept")


if __name__ == "__main__":
    main()
