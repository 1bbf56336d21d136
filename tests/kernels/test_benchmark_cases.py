"""The benchmarks' cases for a GPU, all of them, tiny and in Triton's interpreter.

What each measures is its baseline's result, too; only how a GPU is timed is left out (see
`tests/benchmarks/test_measure_gpu.py`).
"""

import inspect
from itertools import product

import pytest
import torch

pytest.importorskip("triton")
pytest.importorskip("pytest_benchmark")

from benchmarks import inputs, test_gpu, test_warp
from benchmarks.measure import total_bytes
from lzu.core.lattice import content_extent

TARGET, PADDED, STRIDES = (12, 20), (16, 32), (8, 16)
CASES = {
    name: function
    for name, function in vars(test_gpu).items()
    if name.startswith("test_") and inspect.isfunction(function)
}


def combinations(function):
    """Return the keyword arguments of each case that `parametrize` makes of a function."""
    marks = [mark.args for mark in function.pytestmark if mark.name == "parametrize"]
    names = [name for name, _ in marks]
    return [dict(zip(names, values, strict=True)) for values in product(*(v for _, v in marks))]


def all_cases():
    for name, function in CASES.items():
        for settings in combinations(function):
            shown = "-".join(str(value).removeprefix("torch.") for value in settings.values())
            yield pytest.param(function, settings, id=f"{name}-{shown}")


@pytest.fixture
def tiny(monkeypatch):
    for module in (inputs, test_gpu, test_warp):
        monkeypatch.setattr(module, "TARGET", TARGET)
        monkeypatch.setattr(module, "STRIDES", STRIDES)
    monkeypatch.setattr(inputs, "PADDED", PADDED)
    monkeypatch.setattr(inputs, "CHANNELS", 3)
    extents = [content_extent(TARGET, stride) for stride in STRIDES]
    monkeypatch.setattr(test_gpu, "EXTENTS", extents)


@pytest.mark.parametrize(("function", "settings"), all_cases())
def test_a_case_runs_and_gives_what_its_baseline_gives(function, settings, device, tiny):
    measured = []

    def measure(benchmark, name, operation, *, inputs, dtype, cost_of=None, **others):
        assert total_bytes(inputs) > 0
        outputs = operation()
        measured.append(name)
        assert total_bytes(outputs) > 0
        if cost_of is not None:
            _, baseline = cost_of
            digits = {torch.float32: 12, torch.float16: 10, torch.bfloat16: 6}[dtype]
            for one, other in zip(outputs, baseline(), strict=True):
                torch.testing.assert_close(one.float(), other.float(), rtol=0, atol=2.0**-digits)

    with torch.inference_mode():
        function(benchmark=None, measure=measure, device=device, **settings)
    assert len(measured) == 1


def test_there_are_cases_for_fixed_and_adaptive_paths():
    assert {"test_fixed_path", "test_adaptive_path", "test_nonseparable_inverse"} <= set(CASES)
