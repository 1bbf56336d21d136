"""What only a GPU runs of the benchmarks, at small sizes in Triton's interpreter.

In a process of its own: the interpreter must be chosen before Triton is imported.
"""

import importlib
import os
import subprocess
import sys

import pytest

MODULES = ("test_gpu", "test_inverse", "test_training", "test_warp")

PATHS = """
import torch
from benchmarks import test_gpu as gpu
from lzu.core.lattice import content_extent
from lzu import Warp

torch.manual_seed(0)
gpu.TARGET, gpu.SOURCE = (24, 40), (48, 80)
gpu.EXTENTS = [content_extent(gpu.TARGET, stride) for stride in (8, 16)]
image = torch.rand(1, 3, *gpu.SOURCE)
maps = [torch.rand(1, 4, 3, 5), torch.rand(1, 4, 2, 3)]
gpu.STRIDES = (8, 16)
fixed = {name: make(image, maps)() for name, make in gpu.FIXED.items()}
for one, other in zip(*fixed.values(), strict=True):
    torch.testing.assert_close(one, other, rtol=0, atol=1e-4)
found = torch.tensor([[10.0, 8, 30, 20], [40, 20, 60, 40]])
for make in gpu.ADAPTIVE.values():
    sizes = [tuple(one.shape[2:]) for one in make(image, maps, found)()]
    assert sizes == [(24, 40), (3, 5), (2, 3)]
warp = Warp.from_saliency(gpu.prior(image.device), separable=False)
inverses = [make(warp)() for make in gpu.INVERSE.values()]
torch.testing.assert_close(*inverses, rtol=0, atol=1e-4)
print("all ran")
"""


@pytest.mark.parametrize("name", MODULES)
def test_every_file_of_cases_can_be_imported(name):
    pytest.importorskip("triton")
    importlib.import_module(f"benchmarks.{name}")


def test_the_tests_that_need_a_gpu_can_be_imported():
    pytest.importorskip("triton")
    importlib.import_module("tests.kernels.test_gpu")


def test_the_paths_of_a_gpu_run_in_the_interpreter(request):
    pytest.importorskip("triton")
    env = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(request.config.rootpath)}
    done = subprocess.run(
        [sys.executable, "-c", PATHS],
        cwd=request.config.rootpath,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "all ran", done.stderr
