"""The kernels at full size on a GPU, captured in CUDA graphs, and without waiting for it."""

import pytest
import torch

from lzu import Warp, kernels, saliency

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
]

DTYPES = [torch.float32, torch.float16, torch.bfloat16]
LAYOUTS = [torch.contiguous_format, torch.channels_last]
STRIDES = (8, 16, 32, 64, 128)
IMAGE, SIZE, LATTICE = (1200, 1920), (600, 960), (31, 51)
EXTENTS = [((SIZE[0] - 1) / stride, (SIZE[1] - 1) / stride) for stride in STRIDES]


def strong_centre(batch=1):
    given = torch.ones(batch, 1, *LATTICE, device="cuda")
    given[..., 12:19, 20:31] = 20
    return given * (1 + 0.1 * torch.rand_like(given))


def random_maps(*shape, dtype=torch.float32, layout=torch.contiguous_format):
    return torch.rand(shape, device="cuda").to(dtype).contiguous(memory_format=layout)


def random_levels(dtype=torch.float32, layout=torch.contiguous_format, batch=1):
    sizes = [(-(-608 // stride), -(-960 // stride)) for stride in STRIDES]
    return [random_maps(batch, 256, *size, dtype=dtype, layout=layout) for size in sizes]


def random_boxes(batch, count):
    corner = torch.rand(batch, count, 2, device="cuda") * torch.tensor((1800, 1100), device="cuda")
    return torch.cat((corner, corner + 8 + 90 * torch.rand_like(corner)), dim=-1)


def assert_close(result, exact):
    """Coordinates are float32: off by 1e-7 of a map's width; results are rounded once, at the end.

    The maps are noise of slope up to 1 a cell.
    """
    digits = {torch.float32: 24, torch.float16: 11, torch.bfloat16: 8}[result.dtype]
    torch.testing.assert_close(result.double(), exact, rtol=2.0**-digits, atol=1e-3)
    assert (result.double() - exact).square().mean().sqrt() < 2.0**-digits + 2e-4


def captured(run):
    """Return a CUDA graph of `run`, and the tensors that its replay fills."""
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
def test_zoom_and_unzoom(anti_crop, dtype, layout):
    warp = Warp.from_saliency(strong_centre(), anti_crop=anti_crop)
    double = warp.to(dtype=torch.float64)
    images = random_maps(1, 3, *IMAGE, dtype=dtype, layout=layout)
    zoomed = kernels.zoom(images, warp.x, warp.y, SIZE)
    assert zoomed.is_contiguous(memory_format=layout)
    assert_close(zoomed, double.zoom(images.double(), SIZE))

    levels = random_levels(dtype, layout)
    unzoomed = kernels.unzoom(levels, warp.x, warp.y, EXTENTS, crops=not anti_crop)
    for level, extent, result in zip(levels, EXTENTS, unzoomed, strict=True):
        assert result.is_contiguous(memory_format=layout)
        # One mask for both: rounding may decide it where a cell is just at the border.
        exact = double.unzoom(level.double(), extent=extent)
        shown = warp.valid_mask(level.shape[2:], extent)
        same = shown == double.valid_mask(level.shape[2:], extent)
        assert same.float().mean() > 0.95
        assert_close(torch.where(same, result, 0), torch.where(same, exact, 0))


@pytest.mark.parametrize("anti_crop", [True, False])
def test_nonseparable_inverse(anti_crop):
    warp = Warp.from_saliency(strong_centre(2), separable=False, anti_crop=anti_crop)
    double = warp.to(dtype=torch.float64)
    for size, extent in ((SIZE, None), ((76, 120), EXTENTS[0]), ((5, 8), EXTENTS[4])):
        inverse = kernels.nonseparable_inverse(warp.nodes.dense(), size, extent, crops=warp.crops)
        assert torch.isfinite(inverse).all()
        exact = double.unzoom_grid(size, extent)
        torch.testing.assert_close(inverse.double(), exact, rtol=0, atol=2e-5)


@pytest.mark.parametrize("count", [1, 40, 300])
def test_nodes_and_saliency(count):
    boxes = random_boxes(3, count)
    counts = torch.tensor([count, 0, (count + 1) // 2], device="cuda")
    items = [item[:n].double() for item, n in zip(boxes, counts.tolist(), strict=True)]
    exact = saliency.from_boxes(items, IMAGE, LATTICE)
    result = kernels.boxes_to_saliency(boxes, IMAGE, LATTICE, counts=counts)
    torch.testing.assert_close(result.double(), exact, rtol=1e-4, atol=1e-9)
    expected = Warp.from_saliency(exact, fwhm=10)
    for nodes in (
        kernels.box_nodes(boxes, IMAGE, LATTICE, counts=counts, fwhm=10),
        kernels.separable_nodes(result, fwhm=10),
    ):
        for axis, exactly in zip(nodes, (expected.x, expected.y), strict=True):
            torch.testing.assert_close(axis.double(), exactly, rtol=0, atol=1e-6)
            assert (axis[:, 0] == 0).all()
            assert (axis[:, -1] == 1).all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_adaptive_path_in_a_graph(layout):
    boxes, images = random_boxes(1, 40), random_maps(1, 3, *IMAGE, layout=layout)
    counts = torch.tensor([40], device="cuda", dtype=torch.int32)
    levels = random_levels(layout=layout)

    def run():
        x, y = kernels.box_nodes(boxes, IMAGE, LATTICE, counts=counts, fwhm=10)
        zoomed = kernels.zoom(images, x, y, SIZE)
        return [x, y, zoomed, *kernels.unzoom(levels, x, y, EXTENTS)]

    graph, results = captured(run)
    for count in (40, 7, 0):
        boxes.copy_(random_boxes(1, 40))
        images.copy_(torch.rand_like(images))
        counts.fill_(count)
        poison(results)
        graph.replay()
        x, y, zoomed, *unzoomed = results
        given = saliency.from_boxes(boxes[:, :count].double(), IMAGE, LATTICE)
        exact = Warp.from_saliency(given, fwhm=10)
        torch.testing.assert_close(x.double(), exact.x, rtol=0, atol=1e-6)
        torch.testing.assert_close(y.double(), exact.y, rtol=0, atol=1e-6)
        used = Warp.from_nodes(x, y).to(dtype=torch.float64)
        assert_close(zoomed, used.zoom(images.double(), SIZE))
        for level, extent, result in zip(levels, EXTENTS, unzoomed, strict=True):
            assert_close(result, used.unzoom(level.double(), extent=extent))


def test_the_nonseparable_inverse_in_a_graph():
    nodes = Warp.from_saliency(strong_centre(), separable=False).nodes.dense().contiguous()
    graph, results = captured(lambda: [kernels.nonseparable_inverse(nodes, SIZE)])
    for _ in range(2):
        warp = Warp.from_saliency(strong_centre(), separable=False)
        nodes.copy_(warp.nodes.dense())
        poison(results)
        graph.replay()
        exact = warp.to(dtype=torch.float64).unzoom_grid(SIZE)
        torch.testing.assert_close(results[0].double(), exact, rtol=0, atol=2e-5)


def test_nothing_waits_for_the_gpu():
    boxes, images, levels = random_boxes(1, 40), random_maps(1, 3, *IMAGE), random_levels()
    counts = torch.tensor([33], device="cuda", dtype=torch.int32)
    grid = Warp.from_saliency(strong_centre(), separable=False).nodes.dense()

    def run():
        given = kernels.boxes_to_saliency(boxes, IMAGE, LATTICE, counts=counts)
        x, y = kernels.separable_nodes(given)
        kernels.box_nodes(boxes, IMAGE, LATTICE, counts=counts)
        kernels.zoom(images, x, y, SIZE)
        kernels.unzoom(levels, x, y, EXTENTS)
        kernels.nonseparable_inverse(grid, SIZE)

    run()
    torch.cuda.set_sync_debug_mode("error")
    try:
        run()
    finally:
        torch.cuda.set_sync_debug_mode("default")
