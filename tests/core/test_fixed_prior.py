"""A fixed prior's warp is that of its buffer, whatever wrote to that, and however."""

import copy
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lzu.module
from lzu import Warp, ZoomUnzoom

from .oracles import random_saliency

SIZE, LATTICE = (24, 40), (7, 9)


def saliency_of(seed: int) -> Tensor:
    return random_saliency(seed, LATTICE, contrast=50)


def lens_of(seed: int, **settings) -> ZoomUnzoom:
    return ZoomUnzoom(saliency_of(seed), SIZE, fwhm=5, **settings)


def write_in_place(lens: nn.Module, new: Tensor) -> None:
    lens.saliency.copy_(new)


def write_to_data(lens: nn.Module, new: Tensor) -> None:
    lens.saliency.data.copy_(new)


def write_a_numpy_view(lens: nn.Module, new: Tensor) -> None:
    np.copyto(lens.saliency.numpy(), new.numpy())


def write_many_at_once(lens: nn.Module, new: Tensor) -> None:
    torch._foreach_copy_([lens.saliency.data], [new])


def set_the_storage(lens: nn.Module, new: Tensor) -> None:
    lens.saliency.set_(new.clone())


def swap_tensors(lens: nn.Module, new: Tensor) -> None:
    torch.utils.swap_tensors(lens.saliency, new.clone())


def replace_the_buffer(lens: nn.Module, new: Tensor) -> None:
    lens.saliency = new.clone()


def load_a_state(lens: nn.Module, new: Tensor) -> None:
    lens.load_state_dict({"saliency": new.clone()})


def assign_a_state(lens: nn.Module, new: Tensor) -> None:
    lens.load_state_dict({"saliency": new.clone()}, assign=True)


def assign_a_state_swapping(lens: nn.Module, new: Tensor) -> None:
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        lens.load_state_dict({"saliency": new.clone()}, assign=True)
    finally:
        torch.__future__.set_swap_module_params_on_conversion(False)


def load_into_a_replaced_buffer(lens: nn.Module, new: Tensor) -> None:
    lens.saliency = torch.zeros_like(lens.saliency)
    lens.load_state_dict({"saliency": new.clone()})


WRITERS: list[Callable[[nn.Module, Tensor], None]] = [
    write_in_place,
    write_to_data,
    write_a_numpy_view,
    write_many_at_once,
    set_the_storage,
    swap_tensors,
    replace_the_buffer,
    load_a_state,
    assign_a_state,
    assign_a_state_swapping,
    load_into_a_replaced_buffer,
]
# Those that reach a program's buffer, too, and need no method of the module.
IN_PLACE = WRITERS[:4]
of_writers = pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)


@pytest.fixture(params=["compared", "computed each time"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """Settings of a module as on a CPU, or as on a GPU that must not wait."""
    if request.param == "compared":
        return {}
    monkeypatch.setattr(lzu.module, "_waits", lambda device: True)
    return {"check": False}


@pytest.mark.parametrize("separable", [True, False])
@of_writers
def test_it_follows_every_write(write, way, separable):
    lens = lens_of(0, separable=separable, **way)
    images, features = torch.rand(1, 3, 48, 80), torch.rand(1, 2, 6, 10)
    for seed in (0, 1, 2):
        if seed:
            write(lens, saliency_of(seed))
        zoomed, warp = lens.zoom(images)
        expected = Warp.from_saliency(saliency_of(seed), fwhm=5, separable=separable)
        assert torch.equal(zoomed, expected.zoom(images, SIZE))
        assert torch.equal(lens.unzoom(features, warp), expected.unzoom(features))


@of_writers
def test_it_follows_what_is_written_in_inference_mode(write, way):
    images = torch.rand(1, 3, 48, 80)
    with torch.inference_mode():
        lens = lens_of(0, **way)
        lens.saliency = lens.saliency.clone()  # an inference tensor, which counts no writes
        lens.zoom(images)
        write(lens, saliency_of(1))
        assert torch.equal(lens.zoom(images)[0], lens_of(1).zoom(images)[0])
    # And can be trained with afterwards.
    images.requires_grad_()
    lens.zoom(images)[0].sum().backward()
    assert torch.isfinite(images.grad).all()


def test_a_warp_that_was_handed_out_stays_as_it_was(way):
    lens, features = lens_of(0, **way), torch.rand(1, 2, 6, 10)
    zoomed, warp = lens.zoom(torch.rand(1, 3, 48, 80))
    expected = lens.unzoom(features, warp)
    write_to_data(lens, saliency_of(1))
    lens.zoom(zoomed)
    assert torch.equal(lens.unzoom(features, warp), expected)


def test_a_copy_and_its_original_do_not_follow_each_other(way):
    lens, images = lens_of(0, **way), torch.rand(1, 3, 48, 80)
    before = lens.zoom(images)[0]
    twin = copy.deepcopy(lens)
    write_to_data(twin, saliency_of(1))
    assert torch.equal(lens.zoom(images)[0], before)
    assert torch.equal(twin.zoom(images)[0], lens_of(1).zoom(images)[0])


def test_another_dtype_of_equal_values_is_another_warp():
    lens = lens_of(0)
    assert lens.warp().dtype == torch.float32
    lens.saliency = lens.saliency.double()
    assert lens.warp().dtype == torch.float64


def test_bad_values_are_found_however_they_came():
    lens = lens_of(0)
    lens.warp()
    lens.saliency.data[0, 0, 2, 3] = float("nan")
    for _ in range(2):
        with pytest.raises(ValueError, match=r"batch item 0 has nan in cell \(row 2, column 3\)"):
            lens.warp()


def test_it_takes_another_state_by_functional_call(way):
    lens, images = lens_of(0, **way), torch.rand(1, 3, 48, 80)
    lens.zoom(images)
    state = {"saliency": saliency_of(1)}
    assert torch.equal(
        torch.func.functional_call(lens, state, images)[0], lens_of(1).zoom(images)[0]
    )


@pytest.mark.parametrize("separable", [True, False])
def test_the_warp_and_its_grids_are_computed_once_while_values_stay(separable, monkeypatch):
    lens = lens_of(0, separable=separable)
    images, levels = torch.rand(1, 3, 48, 80), [torch.rand(1, 2, 6, 10), torch.rand(1, 2, 3, 5)]
    lens.unzoom(levels, lens.zoom(images)[1], strides=(4, 8))

    def forbidden(*args: object) -> None:
        raise AssertionError("computed again")

    for name in ("zoom_grid", "unzoom_grids"):
        monkeypatch.setattr(type(lens.warp().nodes), name, forbidden)
    monkeypatch.setattr(Warp, "from_saliency", forbidden)
    for write in (lambda: None, lambda: write_to_data(lens, saliency_of(0))):
        write()
        lens.unzoom(levels, lens.zoom(images)[1], strides=(4, 8))


def test_nothing_waits_for_a_gpu_unless_it_checks(monkeypatch):
    def forbidden(*args: object) -> None:
        raise AssertionError("looked at a value")

    lens = lens_of(0, check=False)
    monkeypatch.setattr(lzu.module, "_waits", lambda device: True)
    monkeypatch.setattr(torch, "equal", forbidden)
    monkeypatch.setattr(Tensor, "__bool__", forbidden)
    monkeypatch.setattr(Tensor, "item", forbidden)
    lens.unzoom(torch.rand(1, 2, 6, 10), lens.zoom(torch.rand(1, 3, 48, 80))[1])
    # Nor while a CUDA graph is captured, which then follows the buffer at every replay.
    lens.check = True
    monkeypatch.setattr(lzu.module, "_is_captured", lambda device: True)
    lens.zoom(torch.rand(1, 3, 48, 80))


def test_averaged_models_follow_their_average():
    model, images = lens_of(0), torch.rand(1, 3, 48, 80)
    averaged = torch.optim.swa_utils.AveragedModel(model, use_buffers=True)
    for seed in (1, 2):
        write_in_place(model, saliency_of(seed))
        averaged.update_parameters(model)
        prior = averaged.module.saliency.clone()
        expected = ZoomUnzoom(prior, SIZE, fwhm=5).zoom(images)[0]
        assert torch.equal(averaged(images)[0], expected)


def test_the_average_of_mmengine_is_followed():
    averaged_model = pytest.importorskip("mmengine.model.averaged_model")
    model, images = lens_of(0), torch.rand(1, 3, 48, 80)
    averaged = averaged_model.ExponentialMovingAverage(model, momentum=0.5, update_buffers=True)
    averaged(images)
    for seed in (1, 2, 3):
        write_in_place(model, saliency_of(seed))
        averaged.update_parameters(model)
        prior = averaged.module.saliency.clone()
        expected = ZoomUnzoom(prior, SIZE, fwhm=5).zoom(images)[0]
        assert torch.equal(averaged(images)[0], expected)


RANK = """
import sys
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from lzu import ZoomUnzoom

rank, store, result = int(sys.argv[1]), sys.argv[2], sys.argv[3]
dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
torch.manual_seed(0)
prior, other = torch.rand(2, 1, 1, 7, 9) + 0.1
lens = ZoomUnzoom(prior, (24, 40), fwhm=5)
model = DistributedDataParallel(lens.wrap(torch.nn.Conv2d(3, 4, 3, 4, 1), strides=4))
images = torch.rand(1, 3, 48, 80)
before = model(images)
if rank == 0:
    lens.load_state_dict({"saliency": other})
zoomed = []
for _ in range(2):
    model(images).sum().backward()  # the first rank's buffers are sent to all before
    zoomed.append(lens.zoom(images)[0])
torch.save((zoomed, ZoomUnzoom(other, (24, 40), fwhm=5).zoom(images)[0]), f"{result}{rank}")
dist.destroy_process_group()
"""


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")
def test_both_ranks_zoom_by_the_broadcast_prior(tmp_path: Path):
    root = Path(lzu.module.__file__).parents[1]
    settings = {"PYTHONPATH": str(root), "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    files = [str(tmp_path / name) for name in ("store", "rank")]
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, str(rank), *files],
            env={**os.environ, **settings},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    try:
        for process in ranks:
            assert process.wait(timeout=120) == 0, process.stderr.read()
    finally:
        for process in ranks:
            process.kill()
            process.communicate()
    for rank in (0, 1):
        zoomed, expected = torch.load(tmp_path / f"rank{rank}")
        assert all(torch.equal(one, expected) for one in zoomed), f"rank {rank}"
