"""Every argument of every kernel's function: wrong ranks, sizes, values and types are named.

Values on the device are not looked at, by design.
"""

import pytest
import torch

pytest.importorskip("triton")

from lzu import kernels
from tests.core.argument_tables import (
    Row,
    assert_refused,
    cases,
    extent,
    parameters,
    positive,
    shape,
    size,
    strict,
)

NODES = {"x": torch.linspace(0, 1, 5)[None], "y": torch.linspace(0, 1, 4)[None]}
GRID = torch.rand(1, 4, 5, 2)
MAPS = torch.rand(1, 3, 6, 7)
BOXES = {
    "boxes": torch.tensor([[[1.0, 2, 30, 40], [10, 20, 35, 60]]]),
    "image_size": (80, 90),
    "lattice": (4, 5),
    "counts": torch.tensor([2]),
    "amplitude": 1,
    "bandwidth": 64,
}


def nodes(good):
    return [*shape()(good), good[:, :1], good.double(), good.half()]


def counts(good):
    return [good[0], good[None], good[:0], good.float(), good.bool(), [2], 2, "text"]


NODE_KINDS = {"x": nodes, "y": nodes}
BOX_KINDS = {
    "boxes": shape(last=True, empty=False),
    "image_size": size(1),
    "lattice": size(2),
    "counts": counts,
    "amplitude": positive,
    "bandwidth": positive,
}
# A lattice is of both axes.
BOTH = {"x": "", "y": ""}

TABLE = {
    "box_nodes": Row(kernels.box_nodes, {**BOXES, "fwhm": 3}, {**BOX_KINDS, "fwhm": positive}),
    "boxes_to_saliency": Row(kernels.boxes_to_saliency, BOXES, BOX_KINDS),
    "separable_nodes": Row(
        kernels.separable_nodes,
        {"saliency": torch.rand(1, 1, 4, 5) + 0.1, "fwhm": 3},
        {"saliency": lambda good: [*shape(empty=False)(good), good.double()], "fwhm": positive},
    ),
    "zoom": Row(
        kernels.zoom,
        {"images": MAPS, **NODES, "size": (4, 5)},
        {
            "images": lambda good: [*shape(empty=False)(good), good[..., :0], good.double()],
            **NODE_KINDS,
            "size": size(2),
        },
        BOTH,
    ),
    "unzoom": Row(
        kernels.unzoom,
        {"levels": [MAPS], **NODES, "extents": [(5, 6)]},
        {
            "levels": strict(3, None, MAPS, "text", [3], [MAPS[0]], [MAPS.int()], [MAPS.byte()]),
            **NODE_KINDS,
            "extents": lambda _: [[], [None, None], *[[bad] for bad in extent(_)]],
        },
        {**BOTH, "extents": "extent"},
    ),
    "nonseparable_inverse": Row(
        kernels.nonseparable_inverse,
        {"nodes": GRID, "size": (4, 5), "extent": (3, 4)},
        {"nodes": shape(last=True, empty=False), "size": size(1), "extent": extent},
    ),
}


def test_every_function_has_a_row():
    assert set(TABLE) == set(kernels.__all__)


@pytest.mark.parametrize("name", TABLE)
def test_every_argument_has_a_kind(name):
    assert parameters(getattr(kernels, name)) == set(TABLE[name].kinds)


@pytest.mark.parametrize(("row", "argument"), cases(TABLE))
def test_what_is_wrong_with_an_argument_is_said(row, argument, device):
    if device.type == "cuda":
        pytest.skip("what is checked is the same wherever the tensors are")
    assert_refused(row, argument)
