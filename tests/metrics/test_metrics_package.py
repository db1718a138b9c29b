import subprocess
import sys

import pytest

import rdtf_bench.metrics


def test_importing_the_package_imports_no_torch() -> None:
    heavy = "{'torch', 'torchmetrics'}"
    code = f"import sys, rdtf_bench.metrics as m; print(dir(m)); sys.exit(bool({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "FrechetVideoDistance" in done.stdout


def test_every_name_is_there() -> None:
    for name in rdtf_bench.metrics.__all__:
        assert getattr(rdtf_bench.metrics, name).__module__.startswith("rdtf_bench.metrics.")


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'FrechetVideoDistanc'"):
        _ = rdtf_bench.metrics.FrechetVideoDistanc
