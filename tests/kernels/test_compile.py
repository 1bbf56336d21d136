"""All kernels compile for the H200 (sm_90), here without a GPU: what PTX and SASS they become."""

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from lzu import kernels

triton = pytest.importorskip("triton")
pytestmark = pytest.mark.skipif(
    os.environ.get("TRITON_INTERPRET") == "1", reason="interpreted functions do not compile"
)

LAYOUTS = [torch.contiguous_format, torch.channels_last]
STRIDES = (8, 16, 32, 64, 128)
X, Y = torch.linspace(0, 1, 51)[None], torch.linspace(0, 1, 31)[None]


class OfflineDriver:
    """Says that the current device is an H200, under a number that no real device has."""

    def get_current_device(self) -> int:
        return 1 << 20

    def get_current_stream(self, device: int) -> int:
        return 0

    def get_current_target(self):
        from triton.backends.compiler import GPUTarget

        return GPUTarget("cuda", 90, 32)


@pytest.fixture
def compiled(monkeypatch, tmp_path):
    """Compile what the functions would launch, and list it."""
    from lzu.kernels import boxes, launch, nodes, nonseparable, resample

    compiled = []

    def compile_only(kernel, grid, *arguments, **options):
        options |= launch.OPTIONS
        compiled.append(kernel.run(*arguments, grid=grid, warmup=True, **options))

    for module in (boxes, nodes, nonseparable, resample):
        monkeypatch.setattr(module, "launch", compile_only)
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("triton.runtime.jit.driver", SimpleNamespace(active=OfflineDriver()))
    return compiled


def resources(kernel, path: Path) -> dict[str, int]:
    """Return the registers, and bytes of stack, local and shared memory, of a kernel."""
    path = path / "kernel.cubin"
    path.write_bytes(kernel.asm["cubin"])
    tool = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    done = subprocess.run([tool, "-res-usage", path], capture_output=True, text=True, check=True)
    fields = [field for field in done.stdout.split() if field.count(":") == 1]
    usage = dict(field.split(":") for field in fields)
    return {name: int(usage[name]) for name in ("REG", "STACK", "LOCAL", "SHARED")}


def assert_no_spills(kernel, path: Path, registers: int) -> None:
    usage = resources(kernel, path)
    assert usage["STACK"] == usage["LOCAL"] == 0
    assert usage["REG"] <= registers


def features(layout, dtype, strides=STRIDES, channels=256):
    shapes = [(1, channels, -(-608 // stride), 960 // stride) for stride in strides]
    return [torch.empty(s, dtype=dtype).contiguous(memory_format=layout) for s in shapes]


# The bound lets 1024 threads share a multiprocessor: enough loads in flight for its memory.
@pytest.mark.parametrize(
    ("layout", "dtype"),
    [*((layout, torch.float32) for layout in LAYOUTS), (LAYOUTS[1], torch.half)],
)
def test_zoom_and_unzoom(layout, dtype, compiled, tmp_path):
    images = torch.empty(1, 3, 1200, 1920, dtype=dtype).contiguous(memory_format=layout)
    kernels.zoom(images, X, Y, (600, 960))
    levels = features(layout, dtype)
    extents = [(599 / stride, 959 / stride) for stride in STRIDES]
    kernels.unzoom(levels, X, Y, extents)
    assert len(compiled) == 2
    for kernel in compiled:
        assert_no_spills(kernel, tmp_path, registers=64)
    wide = "ld.global.v4" in compiled[1].asm["ptx"] and "st.global.v4" in compiled[1].asm["ptx"]
    assert wide == (layout == torch.channels_last)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("channels", [3, 64])
def test_zoom_of_8_bits(channels, layout, compiled, tmp_path):
    images = torch.empty(1, channels, 1200, 1920, dtype=torch.uint8)
    kernels.zoom(images.contiguous(memory_format=layout), X, Y, (600, 960))
    assert_no_spills(compiled[0], tmp_path, registers=64)
    assert ".u8" in compiled[0].asm["ptx"] or ".b8" in compiled[0].asm["ptx"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_cropping_and_odd_channels(layout, compiled, tmp_path):
    kernels.unzoom(features(layout, torch.bfloat16, (8, 16), 37), X, Y, crops=True)
    assert_no_spills(compiled[0], tmp_path, registers=64)


def test_one_kernel_serves_maps_of_all_sizes(compiled):
    for size in ((16, 32), (1, 17), (33, 48), (1, 1)):
        kernels.unzoom([torch.empty(2, 64, *size)], X, Y, [(3.0, 4.0)])
        kernels.zoom(torch.empty(1, 3, *size), X, Y, (size[0] + 1, size[1] + 1))
    assert len({id(kernel) for kernel in compiled}) == 2


def test_nodes(compiled, tmp_path):
    lattice = (31, 51)
    kernels.separable_nodes(torch.empty(2, 1, *lattice))
    boxes, counts = torch.empty(2, 40, 4), torch.empty(2, dtype=torch.int32)
    for given in (None, counts):
        kernels.box_nodes(boxes, (1200, 1920), lattice, counts=given)
        kernels.boxes_to_saliency(boxes, (1200, 1920), lattice, counts=given)
    assert len(compiled) == 5
    for kernel in compiled:
        assert_no_spills(kernel, tmp_path, registers=255)
    # Saliency is summed in full precision, not in TF32.
    assert not any("tf32" in kernel.asm["ptx"] for kernel in compiled)


def test_nonseparable_inverse(compiled, tmp_path):
    kernels.nonseparable_inverse(torch.empty(1, 31, 51, 2), (600, 960))
    assert len(compiled) == 2
    for kernel in compiled:
        assert_no_spills(kernel, tmp_path, registers=48)


def test_tensors_on_the_cpu_need_the_interpreter():
    with pytest.raises(ValueError, match="Triton kernels run on CUDA tensors, these are on cpu"):
        kernels.zoom(torch.zeros(1, 1, 4, 4), X, Y, (3, 3))
