"""Whole paths of kernels: at full size on a GPU, captured in CUDA graphs, without waiting for it.

And tiny in Triton's interpreter, where a graph's replay is the run itself: so that what only a GPU
asks for has run before it meets one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest
import torch

from lzu import Warp, ZoomUnzoom, kernels, saliency
from lzu.core.lattice import content_extent

DTYPES = [torch.float32, torch.float16, torch.bfloat16]
LAYOUTS = [torch.contiguous_format, torch.channels_last]


@dataclass(frozen=True)
class Scene:
    """The sizes of a device's tests, and random inputs of these sizes."""

    device: torch.device
    image: tuple[int, int]
    size: tuple[int, int]
    lattice: tuple[int, int]
    strides: tuple[int, ...]
    channels: int

    @property
    def extents(self):
        return [content_extent(self.size, stride) for stride in self.strides]

    @property
    def on_gpu(self):
        return self.device.type == "cuda"

    def strong_centre(self, batch=1):
        h, w = self.lattice
        given = torch.ones(batch, 1, h, w, device=self.device)
        given[..., 2 * h // 5 : 3 * h // 5, 2 * w // 5 : 3 * w // 5] = 20
        return given * (1 + 0.1 * torch.rand_like(given))

    def maps(self, *shape, dtype=torch.float32, layout=torch.contiguous_format):
        return torch.rand(shape, device=self.device).to(dtype).contiguous(memory_format=layout)

    def levels(self, dtype=torch.float32, layout=torch.contiguous_format):
        padded = [-(-side // 32) * 32 for side in self.size]
        sizes = [tuple(-(-side // stride) for side in padded) for stride in self.strides]
        return [self.maps(1, self.channels, *size, dtype=dtype, layout=layout) for size in sizes]

    def boxes(self, batch, count):
        """Return boxes (batch, count, 4) of up to a tenth of the image, and four pixels."""
        reach = torch.tensor(self.image[::-1], dtype=torch.float32).to(self.device)
        corner = torch.rand(batch, count, 2, device=self.device) * reach * 0.9
        side = 4 + 0.1 * reach * torch.rand_like(corner)
        return torch.cat((corner, corner + side), dim=-1)


@pytest.fixture
def scene(device):
    if device.type == "cuda":
        return Scene(device, (1200, 1920), (600, 960), (31, 51), (8, 16, 32, 64, 128), 256)
    return Scene(device, (40, 60), (20, 31), (5, 7), (8, 16), 3)


def assert_close(result, exact):
    """Coordinates are float32: off by 1e-7 of a map's width; results are rounded once, at the end.

    The maps are noise of slope up to 1 a cell.
    """
    digits = {torch.float32: 24, torch.float16: 11, torch.bfloat16: 8}[result.dtype]
    if result.dtype == torch.bfloat16 and result.device.type == "cpu":
        digits -= 1  # Triton's interpreter cuts off
    torch.testing.assert_close(result.double(), exact, rtol=2.0**-digits, atol=1e-3)
    assert (result.double() - exact).square().mean().sqrt() < 2.0**-digits + 2e-4


@dataclass(frozen=True)
class Rerun:
    """What replays without a GPU: the run again, into the memory of the results."""

    run: Callable
    results: list

    def replay(self):
        for kept, new in zip(self.results, self.run(), strict=True):
            kept.copy_(new)


def captured(run, scene):
    """Return a CUDA graph of `run`, and the tensors that its replay fills."""
    if not scene.on_gpu:
        results = run()
        return Rerun(run, results), results
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(2):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = run()
    return graph, results


def poison(results):
    for result in results:
        result.fill_(torch.nan)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("anti_crop", [True, False])
def test_zoom_and_unzoom(anti_crop, dtype, layout, scene):
    warp = Warp.from_saliency(scene.strong_centre(), anti_crop=anti_crop)
    double = warp.to(dtype=torch.float64)
    images = scene.maps(1, 3, *scene.image, dtype=dtype, layout=layout)
    zoomed = kernels.zoom(images, warp.x, warp.y, scene.size)
    assert zoomed.is_contiguous(memory_format=layout)
    assert_close(zoomed, double.zoom(images.double(), scene.size))

    levels = scene.levels(dtype, layout)
    unzoomed = kernels.unzoom(levels, warp.x, warp.y, scene.extents, crops=not anti_crop)
    for level, extent, result in zip(levels, scene.extents, unzoomed, strict=True):
        assert result.is_contiguous(memory_format=layout)
        # One mask for both: rounding may decide it where a cell is just at the border.
        exact = double.unzoom(level.double(), extent=extent)
        shown = warp.valid_mask(level.shape[2:], extent)
        same = shown == double.valid_mask(level.shape[2:], extent)
        assert same.float().mean() > 0.95
        assert_close(torch.where(same, result, 0), torch.where(same, exact, 0))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_zoom_of_8_bits(layout, scene):
    warp = Warp.from_saliency(scene.strong_centre())
    images = (scene.maps(1, 3, *scene.image, layout=layout) * 256).byte()
    zoomed = kernels.zoom(images, warp.x, warp.y, scene.size)
    assert zoomed.dtype == torch.float32
    assert_close(zoomed / 255, warp.to(dtype=torch.float64).zoom(images.double() / 255, scene.size))


@pytest.mark.parametrize("anti_crop", [True, False])
def test_nonseparable_inverse(anti_crop, scene):
    warp = Warp.from_saliency(scene.strong_centre(2), separable=False, anti_crop=anti_crop)
    double = warp.to(dtype=torch.float64)
    padded = (scene.size[0] // 8 + 1, scene.size[1] // 8)
    for size, extent in ((scene.size, None), (padded, scene.extents[0]), ((5, 8), (0.5, 0.9))):
        inverse = kernels.nonseparable_inverse(warp.nodes.dense(), size, extent, crops=warp.crops)
        assert torch.isfinite(inverse).all()
        exact = double.unzoom_grid(size, extent)
        torch.testing.assert_close(inverse.double(), exact, rtol=0, atol=2e-5)


@pytest.mark.parametrize("count", [1, 40, 300])
def test_nodes_and_saliency(count, scene):
    boxes = scene.boxes(3, count)
    counts = torch.tensor([count, 0, (count + 1) // 2], device=scene.device)
    items = [item[:n].double() for item, n in zip(boxes, counts.tolist(), strict=True)]
    exact = saliency.from_boxes(items, scene.image, scene.lattice)
    result = kernels.boxes_to_saliency(boxes, scene.image, scene.lattice, counts=counts)
    torch.testing.assert_close(result.double(), exact, rtol=1e-4, atol=1e-9)
    expected = Warp.from_saliency(exact, fwhm=10)
    for nodes in (
        kernels.box_nodes(boxes, scene.image, scene.lattice, counts=counts, fwhm=10),
        kernels.separable_nodes(result, fwhm=10),
    ):
        for axis, exactly in zip(nodes, (expected.x, expected.y), strict=True):
            torch.testing.assert_close(axis.double(), exactly, rtol=0, atol=1e-6)
            assert (axis[:, 0] == 0).all()
            assert (axis[:, -1] == 1).all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_adaptive_path_in_a_graph(layout, scene):
    boxes, images = scene.boxes(1, 40), scene.maps(1, 3, *scene.image, layout=layout)
    counts = torch.tensor([40], device=scene.device, dtype=torch.int32)
    levels = scene.levels(layout=layout)

    def run():
        x, y = kernels.box_nodes(boxes, scene.image, scene.lattice, counts=counts, fwhm=10)
        zoomed = kernels.zoom(images, x, y, scene.size)
        return [x, y, zoomed, *kernels.unzoom(levels, x, y, scene.extents)]

    graph, results = captured(run, scene)
    for count in (40, 7, 0):
        boxes.copy_(scene.boxes(1, 40))
        images.copy_(torch.rand_like(images))
        counts.fill_(count)
        poison(results)
        graph.replay()
        x, y, zoomed, *unzoomed = results
        given = saliency.from_boxes(boxes[:, :count].double(), scene.image, scene.lattice)
        exact = Warp.from_saliency(given, fwhm=10)
        torch.testing.assert_close(x.double(), exact.x, rtol=0, atol=1e-6)
        torch.testing.assert_close(y.double(), exact.y, rtol=0, atol=1e-6)
        used = Warp.from_nodes(x, y).to(dtype=torch.float64)
        assert_close(zoomed, used.zoom(images.double(), scene.size))
        for level, extent, result in zip(levels, scene.extents, unzoomed, strict=True):
            assert_close(result, used.unzoom(level.double(), extent=extent))


def box_lens(scene, backend):
    settings = {"image_size": scene.image, "lattice": scene.lattice, "check": False}
    source = partial(saliency.from_boxes, **settings)
    return ZoomUnzoom(source, scene.size, fwhm=10, check=False, backend=backend)


def test_a_lens_of_boxes_in_a_graph(scene):
    boxes, images = scene.boxes(1, 40), scene.maps(1, 3, *scene.image)
    levels = scene.levels()
    plain, fast = box_lens(scene, "torch"), box_lens(scene, "triton")

    def run():
        zoomed, warp = fast.zoom(images, boxes[0])
        return [zoomed, *fast.unzoom(levels, warp, strides=scene.strides)]

    graph, results = captured(run, scene)
    boxes.copy_(scene.boxes(1, 40))
    poison(results)
    graph.replay()
    zoomed, warp = plain.zoom(images.double(), boxes[0].double())
    unzoomed = plain.unzoom([m.double() for m in levels], warp, strides=scene.strides)
    for result, exact in zip(results, [zoomed, *unzoomed], strict=True):
        torch.testing.assert_close(result.double(), exact, rtol=1e-3, atol=2e-3)


def test_the_nonseparable_inverse_in_a_graph(scene):
    nodes = Warp.from_saliency(scene.strong_centre(), separable=False).nodes.dense().contiguous()
    graph, results = captured(lambda: [kernels.nonseparable_inverse(nodes, scene.size)], scene)
    for _ in range(2):
        warp = Warp.from_saliency(scene.strong_centre(), separable=False)
        nodes.copy_(warp.nodes.dense())
        poison(results)
        graph.replay()
        exact = warp.to(dtype=torch.float64).unzoom_grid(scene.size)
        torch.testing.assert_close(results[0].double(), exact, rtol=0, atol=2e-5)


def test_nothing_waits_for_the_gpu(scene):
    boxes, images, levels = scene.boxes(1, 40), scene.maps(1, 3, *scene.image), scene.levels()
    counts = torch.tensor([33], device=scene.device, dtype=torch.int32)
    grid = Warp.from_saliency(scene.strong_centre(), separable=False).nodes.dense()
    lens = box_lens(scene, "triton")

    def run():
        given = kernels.boxes_to_saliency(boxes, scene.image, scene.lattice, counts=counts)
        x, y = kernels.separable_nodes(given)
        kernels.box_nodes(boxes, scene.image, scene.lattice, counts=counts)
        kernels.zoom(images, x, y, scene.size)
        kernels.unzoom(levels, x, y, scene.extents)
        kernels.nonseparable_inverse(grid, scene.size)
        for found in (boxes, [boxes[0], boxes[0, :3]]):
            warp = lens.zoom(images, found)[1]
            lens.unzoom(levels, warp, strides=scene.strides)

    run()
    if scene.on_gpu:
        torch.cuda.set_sync_debug_mode("error")
    try:
        run()
    finally:
        if scene.on_gpu:
            torch.cuda.set_sync_debug_mode("default")
