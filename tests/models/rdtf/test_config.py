"""The options of RDTF: values from which no network or training can be made are refused."""

from dataclasses import replace
from typing import Any

import pytest

from rdtf_bench.core.errors import ProtocolError
from tests.models.rdtf.small import CONFIG


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"k_max": 9}, "k_max 9 and num_frames 8"),
        ({"k_min": 6, "k_max": 5}, "k_min 6, k_max 5"),
        ({"norm_num_groups": 3}, "multiples of norm_num_groups 3"),
        ({"attention_head_dim": 9}, "attention_head_dim 9 is wider"),
        ({"condition_dropout": 0.5}, "condition_dropout 0.5"),
        ({"sti_pool": 0}, "sti_pool 0 must be 1 or more"),
        ({"curriculum_history_steps": 0}, "curriculum_history_steps 0 must be 1 or more"),
        ({"zero_terminal_snr": True, "prediction_type": "epsilon"}, "Set prediction_type to v_prediction"),
    ],
)
def test_options_that_cannot_be_are_refused_by_name(changed: Any, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        replace(CONFIG, **changed)
