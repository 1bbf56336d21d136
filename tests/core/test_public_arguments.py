"""Every argument of every public function: wrong ranks, sizes, values and types are named."""

import importlib
import inspect
import pkgutil

import pytest
import torch
from torch import nn

import lzu
import lzu.core
from lzu import Warp, ZoomUnzoom, saliency
from lzu.core import lattice, mapping, pyramid, resample
from lzu.module import Zoomed

from .argument_tables import (
    Row,
    assert_refused,
    cases,
    choice,
    count,
    extent,
    finite,
    fraction,
    integer,
    items,
    parameters,
    positive,
    public_calls,
    shape,
    size,
    strict,
)

# Of the core, what gets nothing that has not been checked; a name alone stands for a whole module.
INTERNAL = {
    "arguments",
    "bilinear",
    "containers",
    "indices",
    "memory",
    "construction",
    "eight_bit",
    "fused",
    "inversion",
    "nonseparable",
    "polylines",
    "separable",
    "lattice.as_buffer",
    "lattice.coordinates",
    "lattice.pair",
    "lattice.restore_precision",
    "lattice.sample_frame",
    "mapping.attraction",
    "mapping.folded_kernels",
    "mapping.forward_axis",
    "mapping.forward_axis_grid",
    "mapping.grid_tiles",
    "pyramid.downsample_inverse",
    "resample.broadcast_batch",
    "resample.memory_format_of",
    "resample.require_images",
    "resample.require_levels",
    "warp.require_warp",
}

torch.manual_seed(0)
S = torch.rand(2, 1, 4, 5) + 0.1
WARP = Warp.from_saliency(S, fwhm=3)
NODES = torch.linspace(0, 1, 5)[None]
IMAGES, FEATURES = torch.rand(2, 3, 12, 16), torch.rand(2, 4, 6, 8)
BOXES = torch.tensor([[1.0, 2, 30, 40], [10, 20, 35, 60]])
BOXES_3D = torch.tensor([[0.0, 1, 11, 2, 2, 2, 0], [1, 1, 12, 2, 2, 2, 0]])
CAMERA = torch.tensor([[100.0, 0, 50], [0, 100, 50], [0, 0, 1]])
LABELS = torch.randint(0, 5, (2, 12, 16))
LENS = ZoomUnzoom(S, (12, 16), fwhm=3)
LEARNED = saliency.LearnedSaliency((4, 5), input_size=(9, 13))
NO_WARP = strict(None, "text", S)
OFFSETS = strict(float("nan"), float("inf"), "1", None, True, (1,), (1, 2, 3), ("1", "2"))
REGIONS = [lattice.Region((3, 4), origin) for origin in ((0, float("nan")), 5, ("0", "0"), (0,))]
MAPS = strict(5, [5], [(6, 8)], [((6, 8), (0, 3))])
LEVELS = strict(3, None, "text", [3], [FEATURES[0]], [FEATURES[None]], [FEATURES.int()])

BOX_SETTINGS = {"image_size": (80, 90), "lattice": (4, 5), "amplitude": 1, "bandwidth": 64}
BOX_KINDS = {"image_size": size(1), "lattice": size(2), "amplitude": positive}
BOX_KINDS |= {"bandwidth": positive, "chunk": count(1)}
WITHOUT_AMPLITUDE = {n: BOX_KINDS[n] for n in ("image_size", "lattice", "bandwidth")}
CAMERAS = finite(
    lambda good: [good[0], good[None, None], good[:2], good.int(), good.tolist(), good[None, :][:0]]
)


def zero_to_one(_):
    return [0, 1, -1, float("nan"), "0.5", None, True]


def boxes_3d(good):
    return [good[0], good[None], good[:, :6], good.tolist(), None, "text", good.bool()]


def labels(good):
    return [good[0, 0], good[None], good[:0], good[:, :0], good.float(), good.bool(), None, "text"]


TABLE = {
    # Made by its class methods, which check.
    "Warp": Row(lambda: None, {}, {"nodes": None, "_grids": None}),
    "Warp.from_saliency": Row(
        Warp.from_saliency,
        {"saliency": S, "fwhm": 3},
        {"saliency": finite(shape()), "fwhm": positive},
    ),
    "Warp.from_nodes": Row(
        Warp.from_nodes,
        {"x": NODES, "y": NODES},
        {
            "x": lambda good: [*shape()(good), good[:, :1], good.double(), good.half()],
            "y": lambda good: [*shape()(good), good[:, :1], good.double(), good.half()],
        },
        # A wrong lattice is of both.
        {"x": "", "y": ""},
    ),
    "Warp.from_node_grid": Row(
        Warp.from_node_grid,
        {"grid": Warp.identity((4, 5)).nodes.dense()},
        {"grid": lambda good: [*shape(last=True)(good), good.half()]},
    ),
    "Warp.identity": Row(
        Warp.identity, {"lattice": (4, 5), "batch": 2}, {"lattice": size(2), "batch": count(1)}
    ),
    "Warp.to": Row(WARP.to, {}, {}),
    "Warp.detach": Row(WARP.detach, {}, {}),
    "Warp.fixed": Row(WARP.fixed, {}, {}),
    "Warp.forward": Row(
        WARP.forward, {"points": torch.rand(2, 7, 2)}, {"points": shape(last=True, empty=False)}
    ),
    "Warp.inverse": Row(
        WARP.inverse, {"points": torch.rand(2, 7, 2)}, {"points": shape(last=True, empty=False)}
    ),
    "Warp.zoom": Row(
        WARP.zoom,
        {"images": IMAGES, "size": (6, 8)},
        {"images": lambda good: [*shape()(good), good[..., :0]], "size": size(2)},
    ),
    "Warp.unzoom": Row(
        WARP.unzoom,
        {"features": FEATURES, "size": (6, 8), "extent": (5, 7)},
        {
            "features": lambda good: [*shape()(good), good[..., :0], good.byte()],
            "size": size(1, optional=True),
            "extent": extent,
        },
    ),
    "Warp.zoom_grid": Row(WARP.zoom_grid, {"size": (6, 8)}, {"size": size(2)}),
    "Warp.unzoom_grid": Row(
        WARP.unzoom_grid,
        {"size": (6, 8), "extent": (5, 7)},
        {"size": size(1), "extent": extent},
    ),
    "Warp.unzoom_grids": Row(
        WARP.unzoom_grids, {"maps": [((6, 8), None)]}, {"maps": MAPS}, {"maps": ""}
    ),
    "Warp.valid_mask": Row(
        WARP.valid_mask, {"size": (6, 8), "extent": (5, 7)}, {"size": size(1), "extent": extent}
    ),
    "Warp.magnification": Row(
        WARP.magnification,
        {"size": (6, 8), "frame": "zoomed"},
        {"size": size(2), "frame": choice},
    ),
    "ZoomUnzoom": Row(
        ZoomUnzoom,
        {"saliency": S, "size": (6, 8), "fwhm": 3, "levels": "exact", "backend": "torch"},
        {
            "saliency": finite(shape()),
            "size": size(2),
            "fwhm": positive,
            "levels": choice,
            "backend": choice,
        },
    ),
    "ZoomUnzoom.warp": Row(LENS.warp, {}, {}),
    "ZoomUnzoom.zoom": Row(LENS.zoom, {"images": IMAGES}, {"images": shape()}),
    "ZoomUnzoom.forward": Row(LENS.forward, {"images": IMAGES}, {"images": shape()}),
    "ZoomUnzoom.unzoom": Row(
        LENS.unzoom,
        {"features": [FEATURES], "warp": WARP, "strides": 2, "offsets": 0.5},
        {
            "features": LEVELS,
            "warp": NO_WARP,
            "strides": lambda _: [0, -1, "2", [2, 2], [None], True, torch.ones(2)],
            "offsets": lambda _: [*OFFSETS(_), [0.5, 0.5]],
        },
        {"strides": "stride", "offsets": "offset"},
    ),
    "ZoomUnzoom.wrap": Row(
        LENS.wrap,
        {"model": nn.Identity(), "strides": 2},
        {"model": None, "strides": None, "offsets": None},
    ),
    "Zoomed": Row(
        Zoomed,
        {"lens": LENS, "model": nn.Identity(), "strides": 2},
        {"lens": None, "model": None, "strides": None, "offsets": None},
    ),
    "Zoomed.forward": Row(LENS.wrap(nn.Identity()), {"images": IMAGES}, {"images": shape()}),
    "saliency.from_boxes": Row(
        saliency.from_boxes,
        {"boxes": BOXES, "chunk": 8, **BOX_SETTINGS},
        {"boxes": items(4), **BOX_KINDS},
        {"boxes": "box"},
    ),
    "saliency.kernel_sum": Row(
        saliency.kernel_sum,
        {n: v for n, v in {"boxes": BOXES, "chunk": 8, **BOX_SETTINGS}.items() if n != "amplitude"},
        {"boxes": items(4), "chunk": count(1), **WITHOUT_AMPLITUDE},
        {"boxes": "box"},
    ),
    "saliency.from_kernel_sum": Row(
        saliency.from_kernel_sum,
        {"total": S[:, 0], "counts": [3, 4], "amplitude": 1},
        {
            "total": lambda good: [*shape(empty=False)(good), good[..., :1]],
            "counts": strict([3], [3, 4, 5], [3, -1], [3, 2.5], [3, "4"], 3, None),
            "amplitude": positive,
        },
    ),
    "saliency.BoxDensity": Row(
        saliency.BoxDensity,
        {"image_size": (80, 90), "lattice": (4, 5), "bandwidth": 64},
        WITHOUT_AMPLITUDE,
    ),
    "saliency.BoxDensity.add": Row(
        saliency.BoxDensity((80, 90), (4, 5)).add,
        {"boxes": BOXES},
        {
            "boxes": finite(
                lambda good: [good[0], good[None], good[:, :3], [good], good.bool(), None, "text"]
            )
        },
        {"boxes": "box"},
    ),
    "saliency.BoxDensity.saliency": Row(
        saliency.BoxDensity((80, 90), (4, 5)).saliency, {"amplitude": 1}, {"amplitude": positive}
    ),
    "saliency.from_boxes_3d": Row(
        saliency.from_boxes_3d,
        {"boxes_3d": BOXES_3D, "cam2img": CAMERA, "near": 0.1, "chunk": 8, **BOX_SETTINGS},
        {"boxes_3d": items(7), "cam2img": CAMERAS, "near": positive, **BOX_KINDS},
        {"boxes_3d": "box"},
    ),
    "saliency.project_boxes_3d": Row(
        saliency.project_boxes_3d,
        {"boxes_3d": BOXES_3D, "cam2img": CAMERA, "image_size": (80, 90), "near": 0.1},
        {
            "boxes_3d": finite(boxes_3d),
            "cam2img": CAMERAS,
            "image_size": size(1),
            "near": positive,
        },
        {"boxes_3d": "box"},
    ),
    "saliency.from_boundaries": Row(
        saliency.from_boundaries,
        {"labels": LABELS, "lattice": (4, 5), "boundary": 200, "background": 1, "ignore": 255},
        {
            "labels": labels,
            "lattice": size(2),
            "boundary": positive,
            "background": positive,
            "ignore": integer,
        },
    ),
    "saliency.semantic_boundaries": Row(
        saliency.semantic_boundaries,
        {"labels": LABELS, "ignore": 255},
        {"labels": lambda good: [good[0, 0], good.float(), None, "text"], "ignore": integer},
    ),
    "saliency.BoundaryDensity": Row(
        saliency.BoundaryDensity,
        {"lattice": (4, 5), "ignore": 255},
        {"lattice": size(2), "ignore": integer},
    ),
    "saliency.BoundaryDensity.add": Row(
        saliency.BoundaryDensity((4, 5)).add, {"labels": LABELS}, {"labels": labels}
    ),
    "saliency.BoundaryDensity.saliency": Row(
        saliency.BoundaryDensity((4, 5)).saliency,
        {"boundary": 200, "background": 1},
        {"boundary": positive, "background": positive},
    ),
    "saliency.compose": Row(
        lambda map_, weight: saliency.compose((S, 1), (map_, weight)),
        {"map_": S, "weight": 1},
        {"map_": finite(shape()), "weight": positive},
        {"map_": "the saliency of term 1", "weight": "the weight of term 1"},
    ),
    "saliency.Composed": Row(
        saliency.Composed,
        {"prior": S[:1], "source": lambda: S, "weight": 0.5},
        {
            "prior": lambda good: [*finite(shape())(good), S],
            "source": strict(None, 3, S),
            "weight": zero_to_one,
        },
        {"prior": ""},
    ),
    "saliency.Composed.forward": Row(saliency.Composed(S[:1], lambda: S), {}, {}),
    "saliency.LearnedSaliency": Row(
        saliency.LearnedSaliency,
        {
            "lattice": (4, 5),
            "input_size": (9, 13),
            "in_channels": 3,
            "channels": 16,
            "floor": 0.3,
        },
        {
            "lattice": size(2),
            "input_size": lambda _: [*size(5)(_), (8, 13)],
            "in_channels": count(1),
            "channels": lambda _: [*count(1)(_), 24],
            "floor": fraction,
        },
    ),
    "saliency.LearnedSaliency.forward": Row(
        LEARNED,
        {"images": IMAGES},
        {"images": lambda good: [*shape(empty=False)(good), good[:, :2], good[..., :0]]},
    ),
    "saliency.uniform": Row(
        saliency.uniform,
        {"lattice": (4, 5), "batch": 2, "dtype": torch.float32},
        {"lattice": size(2), "batch": count(1), "dtype": strict(torch.int64, None, "float32")},
    ),
    "saliency.magnification_bound": Row(
        saliency.magnification_bound,
        {"floor": 0.3, "lattice": (4, 5), "fwhm": 3},
        {"floor": fraction, "lattice": size(2), "fwhm": positive},
    ),
    "saliency.require_saliency": Row(
        saliency.require_saliency, {"saliency": S}, {"saliency": shape(), "name": None}
    ),
    "lattice.as_size": Row(
        lattice.as_size, {"size": (3, 4)}, {"size": size(2), "name": None, "minimum": None}
    ),
    "lattice.as_extent": Row(
        lattice.as_extent, {"extent": (3, 4), "size": (4, 5)}, {"extent": extent, "size": None}
    ),
    "lattice.as_region": Row(
        lattice.as_region,
        {"extent": lattice.Region((3, 4), (0.5, 0.5)), "size": (4, 5)},
        {"extent": lambda _: [*extent(_), *REGIONS], "size": None},
        {"extent": ""},
    ),
    "lattice.Region": Row(lambda: None, {}, {"extent": None, "origin": None}),
    "lattice.content_region": Row(
        lattice.content_region,
        {"size": (30, 40), "stride": 8, "offset": 3.5},
        {"size": size(2), "stride": positive, "offset": OFFSETS},
    ),
    "lattice.content_extent": Row(
        lattice.content_extent,
        {"size": (30, 40), "stride": 8},
        {"size": size(2), "stride": positive},
    ),
    "mapping.separable_nodes": Row(
        mapping.separable_nodes,
        {"saliency": S, "fwhm": 3},
        {"saliency": shape(empty=False), "fwhm": positive},
    ),
    "mapping.nonseparable_nodes": Row(
        mapping.nonseparable_nodes,
        {"saliency": S, "fwhm": 3},
        {"saliency": shape(empty=False), "fwhm": positive},
    ),
    "pyramid.unzoom_levels": Row(
        pyramid.unzoom_levels,
        {"features": [FEATURES], "warp": WARP, "extents": [(5, 7)], "finest": (12, 16)},
        {
            "features": lambda _: [*LEVELS(_), FEATURES],
            "warp": NO_WARP,
            "extents": lambda _: [[], [None, None], *[[bad] for bad in extent(_)]],
            "finest": size(2, optional=True),
        },
        {"extents": "extent"},
    ),
    "pyramid.downsampled_grid": Row(
        pyramid.downsampled_grid,
        {"warp": WARP, "size": (6, 8), "extent": (5, 7), "finest": (12, 16)},
        {"warp": NO_WARP, "size": size(1), "extent": extent, "finest": size(2)},
    ),
    "resample.sample": Row(
        resample.sample,
        {"images": IMAGES, "grid": torch.rand(2, 4, 5, 2)},
        {
            "images": lambda good: [*shape()(good), good[:, :, :0]],
            "grid": shape(last=True),
            "name": None,
        },
        {"images": "images", "grid": ""},
    ),
}


def core_functions() -> dict[str, object]:
    """Return all functions and classes of the core that do not count as internal, by name."""
    found = {}
    for module in pkgutil.iter_modules(lzu.core.__path__):
        if module.name in INTERNAL:
            continue
        for name, value in vars(importlib.import_module(f"lzu.core.{module.name}")).items():
            own = getattr(value, "__module__", "") == f"lzu.core.{module.name}"
            if own and not name.startswith("_") and callable(value) and not hasattr(lzu, name):
                found[f"{module.name}.{name}"] = value
    return {name: value for name, value in found.items() if name not in INTERNAL}


def public() -> dict[str, object]:
    """Return every public function, constructor and method, by the name of its row."""
    calls = core_functions()
    for name in set(lzu.__all__) - {"__version__", "saliency"}:
        calls |= public_calls(name, getattr(lzu, name))
    calls |= public_calls("Zoomed", Zoomed)
    for name in saliency.__all__:
        calls |= public_calls(f"saliency.{name}", getattr(saliency, name))
    # What a class's properties are is no argument's business.
    return {name: call for name, call in calls.items() if callable(call)}


def test_every_public_function_has_a_row():
    assert set(TABLE) == set(public())


@pytest.mark.parametrize("name", TABLE)
def test_every_argument_has_a_kind(name):
    row = TABLE[name]
    if name == "saliency.compose":  # of pairs, which the row names apart
        return
    call = public()[name]
    wanted = parameters(call) - {"self", "cls"}
    if inspect.isclass(call):
        wanted = parameters(call.__init__) - {"self"}
    assert wanted <= set(row.kinds)


@pytest.mark.parametrize(("row", "argument"), cases(TABLE))
def test_what_is_wrong_with_an_argument_is_said(row, argument):
    assert_refused(row, argument)
