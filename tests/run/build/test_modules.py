"""What a row's options are told before any work."""

from typing import Any

import pytest

from rdtf_bench import catalog
from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.run.build.modules import check_options
from rdtf_bench.run.table.context import find_assets
from rdtf_bench.spec.load import load_protocol, load_scale
from rdtf_bench.spec.plan import Cell, plan
from rdtf_bench.spec.schema import Row
from tests.plans import DATA


def cells(**options: Any) -> list[Cell]:
    """A table of one row."""
    spec, scale = load_protocol("table1"), load_scale("tiny")
    rows = (Row(label="mine", method="rdtf", options=options),)
    digests = {role: asset.digest for role, asset in find_assets(scale).items()}
    return plan(spec.model_copy(update={"rows": rows}), scale, DATA, digests, catalog.constants)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"k_max": 9}, "row 'mine': options of rdtf: k_min 3, k_max 9 and num_frames 8 must be in rising order"),
        ({"k_mix": 3}, r"row 'mine': rdtf has no option \['k_mix'\]"),
        ({"sti_fusion": "gates"}, "row 'mine': options of rdtf: sti_fusion: Input should be 'scalars' or 'gate'"),
        ({"sti_pool": 2.5}, "row 'mine': options of rdtf: sti_pool: Input should be a valid integer"),
    ],
)
def test_wrong_options_are_refused_with_their_row(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        check_options(cells(**options))


def test_right_options_and_control_rows_pass() -> None:
    check_options(cells(k_max=5))
