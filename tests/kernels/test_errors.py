"""Wrong arguments: one clear error each, before anything is launched."""

import re

import pytest
import torch

from lzu import kernels

NODES = torch.linspace(0, 1, 5)[None], torch.linspace(0, 1, 4)[None]
MAPS = torch.zeros(2, 3, 6, 7)
BOXES = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])


def wants(kind, message):
    return pytest.raises(kind, match=re.escape(message))


def test_maps(device):
    x, y = (axis.to(device) for axis in NODES)
    maps = MAPS.to(device)
    with wants(ValueError, "images must be (B, C, H, W), got (3, 6, 7)"):
        kernels.zoom(maps[0], x, y, (4, 4))
    with wants(TypeError, "levels[1] must be floating point, got torch.int64"):
        kernels.unzoom([maps, maps.long()], x, y)
    with wants(TypeError, "levels[0] must be a tensor (B, C, H, W), got str"):
        kernels.unzoom(["no"], x, y)
    with wants(TypeError, "images must be one of float32, float16, bfloat16"):
        kernels.zoom(maps.double(), x, y, (4, 4))
    with wants(ValueError, "images have 2 batch items, the warp has 3"):
        kernels.zoom(maps, x.expand(3, -1), y.expand(3, -1), (4, 4))
    with wants(ValueError, "x is on"):
        kernels.zoom(maps.to("meta"), x, y, (4, 4))
    with wants(ValueError, "size must be at least 2 in height and width, got (1, 4)"):
        kernels.zoom(maps, x, y, (1, 4))
    with wants(ValueError, "images' size must be at least 1"):
        kernels.zoom(maps[:, :, :0], x, y, (4, 4))
    with wants(ValueError, "the size of levels[0] must be at least 1"):
        kernels.unzoom([maps[..., :0]], x, y)
    with wants(ValueError, "1 feature maps, but 2 extents"):
        kernels.unzoom([maps], x, y, [None, None])
    with wants(ValueError, "extent must be positive and finite"):
        kernels.unzoom([maps], x, y, [(0, 3)])
    with wants(ValueError, "its extent must be given"):
        kernels.unzoom([maps[:, :, :1]], x, y)


def test_nodes(device):
    x, y = (axis.to(device) for axis in NODES)
    maps = MAPS.to(device)
    with wants(TypeError, "y must be one of float32 for the Triton kernels, got torch.float64"):
        kernels.zoom(maps, x, y.double(), (4, 4))
    with wants(ValueError, "x must be (B, w), got (5,)"):
        kernels.zoom(maps, x[0], y, (4, 4))
    with wants(ValueError, "x and y must be nodes (B, w) and (B, h), got (1, 5) and (2, 4)"):
        kernels.unzoom([maps], x, y.expand(2, -1))
    with wants(ValueError, "lattices of 2 to 1024 cells an axis, got (4, 1)"):
        kernels.zoom(maps, x[:, :1], y, (4, 4))
    with wants(ValueError, "lattices of 2 to 1024 cells an axis, got (4, 1025)"):
        kernels.zoom(maps, torch.zeros(1, 1025, device=device), y, (4, 4))


def test_gradients(device):
    x, y = (axis.to(device) for axis in NODES)
    maps = MAPS.to(device).requires_grad_()
    with wants(RuntimeError, "images requires a gradient, and the Triton kernels have none"):
        kernels.zoom(maps, x, y, (4, 4))
    with wants(RuntimeError, "x requires a gradient"):
        kernels.unzoom([MAPS.to(device)], x.clone().requires_grad_(), y)
    with wants(RuntimeError, "saliency requires a gradient"):
        kernels.separable_nodes(torch.ones(1, 1, 4, 5, device=device, requires_grad=True))
    with torch.no_grad():
        assert kernels.zoom(maps, x, y, (4, 4)).shape == (2, 3, 4, 4)


def test_saliency(device):
    saliency = torch.ones(1, 1, 4, 5, device=device)
    with wants(ValueError, "saliency must be (B, 1, h, w), got (1, 4, 5)"):
        kernels.separable_nodes(saliency[0])
    with wants(TypeError, "saliency must be one of float32, float16, bfloat16"):
        kernels.separable_nodes(saliency.double())
    with wants(ValueError, "fwhm must be positive and finite"):
        kernels.separable_nodes(saliency, fwhm=0)


@pytest.mark.parametrize("function", ["boxes_to_saliency", "box_nodes"])
def test_boxes(function, device):
    make = getattr(kernels, function)
    boxes = BOXES.to(device)
    with wants(ValueError, "boxes must be (B, n, 4), got (1, 4)"):
        make(boxes[0], (10, 20))
    with wants(TypeError, "boxes must be a tensor (B, n, 4), got list"):
        make([boxes], (10, 20))
    with wants(TypeError, "boxes must be one of float32, float16, bfloat16, int32, int64"):
        make(boxes.double(), (10, 20))
    with wants(ValueError, "lattice must be at least 2"):
        make(boxes, (10, 20), (1, 5))
    with wants(ValueError, "image_size must be at least 1"):
        make(boxes, (0, 20))
    with wants(ValueError, "amplitude must be positive and finite, got 0"):
        make(boxes, (10, 20), amplitude=0)
    with wants(ValueError, "bandwidth must be positive and finite, got inf"):
        make(boxes, (10, 20), bandwidth=float("inf"))
    with wants(TypeError, "counts must be one of int32, int64"):
        make(boxes, (10, 20), counts=torch.ones(1, device=device))
    with wants(ValueError, "counts must be (1,), one for each item of the boxes, got (2,)"):
        make(boxes, (10, 20), counts=torch.ones(2, dtype=torch.int32, device=device))
    with wants(ValueError, "but counts on meta"):
        make(boxes, (10, 20), counts=torch.ones(1, dtype=torch.int32, device="meta"))


def test_nonseparable_nodes(device):
    grid = torch.zeros(1, 4, 5, 2, device=device)
    with wants(ValueError, "nodes must be (B, h, w, 2), got (4, 5, 2)"):
        kernels.nonseparable_inverse(grid[0], (4, 4))
    with wants(TypeError, "nodes must be one of float32"):
        kernels.nonseparable_inverse(grid.double(), (4, 4))
    with wants(ValueError, "lattices of 2 to 1024 cells an axis, got (1, 5)"):
        kernels.nonseparable_inverse(grid[:, :1], (4, 4))
    with wants(ValueError, "size must be at least 1"):
        kernels.nonseparable_inverse(grid, (0, 4))


def test_more_items_than_a_grid_has_room_for(device):
    x, y = (axis.to(device) for axis in NODES)
    many = torch.zeros(1, 1, 1, 2, device=device).expand(70000, -1, -1, -1)
    with wants(ValueError, "up to 65535 items, got a grid of (1, 1, 70000)"):
        kernels.zoom(many, x, y, (2, 2))
