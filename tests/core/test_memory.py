"""What is remembered between calls: only what is real, and by any number of threads."""

import copy
import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from lzu import Warp, ZoomUnzoom, saliency
from lzu.core import bilinear, lattice, mapping, pyramid, separable
from lzu.core.memory import Memory, constant
from lzu.saliency import boxes_3d

from .oracles import random_saliency

LEVELS = [(6, 10), (3, 5)]
CONSTANTS = [
    lattice.coordinates,
    lattice.pair,
    mapping.folded_kernels,
    mapping.grid_tiles,
    bilinear._indices,
    separable._cells,
    pyramid._places,
    boxes_3d._unit_corners,
    boxes_3d._edges,
]


def forget(build: Callable) -> None:
    """Empty the memory of a constant."""
    for cell in build.__closure__:
        if hasattr(cell.cell_contents, "cache_clear"):
            cell.cell_contents.cache_clear()
            return
    raise AssertionError(f"{build.__name__} remembers nothing")


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    for build in CONSTANTS:
        forget(build)
    yield
    for build in CONSTANTS:
        forget(build)


def test_no_constant_is_missing_here():
    modules = [module for name, module in sys.modules.items() if name.startswith("lzu.")]
    wrapped = {
        value
        for module in modules
        if not module.__name__.startswith("lzu.kernels")  # for GPUs: made of the same constants
        for value in vars(module).values()
        if getattr(value, "__code__", None) is lattice.pair.__code__
    }
    assert wrapped == set(CONSTANTS)


def results(prior: Tensor, boxes: Tensor, images: Tensor) -> list[Tensor]:
    """Return results of all that uses constants."""
    device = prior.device
    made = []
    features = [torch.rand(1, 2, *size, device=device) for size in LEVELS]
    for is_separable in (True, False):
        for anti_crop in (True, False):
            for levels in ("exact", "downsampled"):
                lens = ZoomUnzoom(
                    prior,
                    (24, 40),
                    fwhm=5,
                    separable=is_separable,
                    anti_crop=anti_crop,
                    levels=levels,
                )
                zoomed, warp = lens.zoom(images)
                made += [zoomed, *lens.unzoom(features, warp, strides=(4, 8))]
            points = torch.rand(1, 5, 2, device=device)
            made += [warp.forward(points), warp.inverse(points), warp.valid_mask((6, 10))]
            made += [warp.magnification((6, 10), frame=frame) for frame in ("source", "zoomed")]
            made += [warp.fixed().zoom_grid((6, 10)), warp.fixed().unzoom_grid((6, 10))]
    density = saliency.from_boxes([boxes, boxes[:1]], (48, 80), (7, 9))
    composed = saliency.Composed(prior, lambda: density)()
    camera = torch.tensor([[40.0, 0, 40], [0, 40, 24], [0, 0, 1]], device=device)
    cuboids = torch.tensor([[0.5, 1.5, 20, 4.5, 1.6, 1.9, 0.3]], device=device)
    projected, _ = saliency.project_boxes_3d(cuboids, camera, (48, 80))
    nodes = torch.linspace(0, 1, 5, device=device).unsqueeze(0)
    warp = Warp.from_nodes(nodes, nodes)
    grid = Warp.from_node_grid(warp.nodes.dense())
    return [*made, density, composed, projected, warp.x, grid.x, Warp.identity(device=device).x]


def inputs(**options) -> tuple[Tensor, Tensor, Tensor]:
    boxes = torch.tensor([[1.0, 2, 30, 30], [40, 5, 60, 40]], **options)
    return torch.rand(1, 1, 7, 9, **options) + 0.1, boxes, torch.rand(1, 3, 48, 80, **options)


def assert_real_calls_work() -> None:
    made = results(*inputs())
    assert {type(one) for one in made} == {Tensor}
    assert {one.device.type for one in made} == {"cpu"}
    assert all(bool(torch.isfinite(one).all()) for one in made)


@pytest.mark.parametrize("real_first", [False, True])
def test_fake_tensors_go_through_and_leave_nothing_behind(real_first):
    if real_first:
        assert_real_calls_work()
    with FakeTensorMode():
        assert {type(one) for one in results(*inputs())} == {FakeTensor}
    assert_real_calls_work()


@pytest.mark.parametrize("real_first", [False, True])
def test_real_tensors_go_through_a_fake_mode_that_takes_them(real_first):
    given = inputs()
    if real_first:
        assert_real_calls_work()
    lens = ZoomUnzoom(given[0], (24, 40), fwhm=5)
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert {type(one) for one in results(*given)} == {FakeTensor}
        assert isinstance(lens.zoom(given[2])[0], FakeTensor)
    assert type(lens.zoom(given[2])[0]) is Tensor
    assert_real_calls_work()


@pytest.mark.parametrize("real_first", [False, True])
def test_meta_tensors_go_through_and_leave_nothing_behind(real_first):
    if real_first:
        assert_real_calls_work()
    assert {one.device.type for one in results(*inputs(device="meta"))} == {"meta"}
    assert_real_calls_work()


def test_a_default_device_of_meta_changes_no_constant():
    prior, _, images = inputs()
    lenses = [ZoomUnzoom(prior, (24, 40), fwhm=5, separable=kind) for kind in (True, False)]
    with torch.device("meta"):
        zoomed = [lens.zoom(images)[0] for lens in lenses]
        Warp.identity()
    for lens, got in zip(lenses, zoomed, strict=True):
        assert torch.equal(got, lens.zoom(images)[0])
    assert_real_calls_work()


def test_a_lens_made_on_meta_zooms_once_it_has_values():
    prior, _, images = inputs()
    with torch.device("meta"):
        lens = ZoomUnzoom(torch.rand(1, 1, 7, 9) + 0.1, (24, 40), fwhm=5)
    lens.to_empty(device="cpu").load_state_dict({"saliency": prior})
    assert torch.equal(lens.zoom(images)[0], ZoomUnzoom(prior, (24, 40), fwhm=5).zoom(images)[0])


def test_transforms_of_functions_leave_nothing_behind():
    prior, _, images = inputs()
    lens = ZoomUnzoom(prior, (24, 40), fwhm=5)

    def loss(image: Tensor) -> Tensor:
        zoomed, warp = lens.zoom(image.unsqueeze(0))
        return (lens.unzoom(zoomed, warp) ** 2).sum()

    gradient = torch.func.vmap(torch.func.grad(loss))(images)
    leaf = images.clone().requires_grad_()
    loss(leaf[0]).backward()
    torch.testing.assert_close(gradient, leaf.grad)
    assert_real_calls_work()


def test_a_constant_made_in_a_transform_is_not_remembered():
    @constant
    def ones(n: int) -> Tensor:
        return torch.ones(n)

    def total(x: Tensor) -> Tensor:
        return (x * ones(3)).sum()

    torch.func.grad(total)(torch.rand(3))
    assert not torch._C._functorch.is_functorch_wrapped_tensor(ones(3))


def test_a_gradient_for_the_prior_is_carried_through_a_functional_call():
    prior, _, images = inputs()
    lens = ZoomUnzoom(prior, (24, 40), fwhm=5)
    lens.zoom(images)

    def loss(given: Tensor) -> Tensor:
        return (torch.func.functional_call(lens, {"saliency": given}, images)[0] ** 2).sum()

    leaf = prior.clone().requires_grad_()
    (Warp.from_saliency(leaf, fwhm=5).zoom(images, (24, 40)) ** 2).sum().backward()
    torch.testing.assert_close(torch.func.grad(loss)(prior), leaf.grad)


def test_a_constant_is_made_anew_under_a_mode_and_remembered_outside_of_it():
    @constant
    def ones(n: int) -> Tensor:
        return torch.ones(n)

    with FakeTensorMode():
        fake = ones(3)
    assert isinstance(fake, FakeTensor)
    assert type(ones(3)) is Tensor
    assert ones(3) is ones(3)
    with FakeTensorMode():
        assert isinstance(ones(3), FakeTensor)


def test_a_constant_made_in_inference_mode_can_be_differentiated_through():
    @constant
    def ones(n: int) -> torch.Tensor:
        return torch.ones(n)

    with torch.inference_mode():
        first = ones(3)
    assert ones(3) is first
    weight = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (weight * ones(3)).sum().backward()
    assert weight.grad.tolist() == [1, 1, 1]


def test_a_memory_forgets_the_oldest():
    memory = Memory(3)
    first = memory.get(0, lambda: torch.zeros(1))
    assert memory.get(0, lambda: torch.ones(1)) is first
    for key in range(1, 4):
        memory.get(key, lambda: torch.zeros(1))
    assert memory.get(0, lambda: torch.ones(1)) is not first


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_a_copied_memory_is_empty(clone):
    memory = Memory(3)
    memory.get(0, lambda: torch.zeros(1))
    assert clone(memory).get(0, lambda: torch.ones(1)).item() == 1


@dataclass(frozen=True)
class SlowKey:
    """A key that lets another thread run whenever it is looked up."""

    number: int

    def __hash__(self) -> int:
        time.sleep(0)
        return self.number


def test_threads_share_a_memory_that_forgets():
    memory, start = Memory(4), threading.Barrier(8)

    def run(thread: int) -> None:
        start.wait()
        for step in range(300):
            number = (step * (2 * thread + 1) + thread) % 7
            assert memory.get(SlowKey(number), lambda n=number: torch.tensor(n)).item() == number

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(run, thread) for thread in range(8)]:
            done.result()


def test_threads_share_a_lens_of_many_sizes():
    """More sizes than are kept, so that all threads forget, too."""
    prior = random_saliency(0, (7, 9), contrast=50)
    lens, reference = ZoomUnzoom(prior, (8, 9), fwhm=5), Warp.from_saliency(prior, fwhm=5)
    start = threading.Barrier(8)
    maps = [torch.rand(1, 1, n, n + 1) for n in range(2, 102)]
    expected = [reference.unzoom(features) for features in maps]
    interval = sys.getswitchinterval()

    def run(thread: int) -> None:
        start.wait()
        for step in range(2 * len(maps)):
            index = (step * (2 * thread + 1) + thread) % len(maps)
            if step % 50 == 0:
                lens.saliency.data.copy_(prior)  # the same values, and so the same warp
            assert torch.equal(lens.unzoom(maps[index], lens.warp()), expected[index])

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(run, thread) for thread in range(8)]:
                done.result()
    finally:
        sys.setswitchinterval(interval)


def test_threads_that_find_another_prior_all_zoom_by_it():
    priors = [random_saliency(seed, (7, 9), contrast=50) for seed in range(4)]
    images = torch.rand(1, 1, 12, 15)
    lens = ZoomUnzoom(priors[0], (8, 9), fwhm=5)
    for prior in priors * 3:
        lens.saliency.data.copy_(prior)
        expected = Warp.from_saliency(prior, fwhm=5).zoom(images, (8, 9))
        with ThreadPoolExecutor(8) as pool:
            zoomed = list(pool.map(lambda _: lens.zoom(images)[0], range(16)))
        assert all(torch.equal(one, expected) for one in zoomed)
