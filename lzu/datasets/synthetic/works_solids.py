"""Geometry of trailers, construction vehicles, traffic cones and barriers."""

from functools import cache

import numpy as np

from lzu.datasets.synthetic.mesh import Mesh, MeshBuilder, sides
from lzu.datasets.synthetic.vehicles import PAIR, wheel_discs, wheels


def _trailer(length: float, height: float) -> Mesh:
    """A semi-trailer; its front at +x stands on legs or on a truck."""
    width, half = 2.85, length / 2
    axles = (-half + 1.3, -half + 2.5, -half + 3.7)
    builder = MeshBuilder()
    for y in (-0.8, 0.8):
        builder.box((half - 2.6, half - 2.4), (y - 0.1, y + 0.1), (0.0, 0.8), "metal")
    builder.box((-half + 0.2, half - 0.4), (-0.8, 0.8), (0.75, 1.15), "dark")
    wheels(builder, axles, width, 0.5)
    wheel_discs(builder, axles, width - 0.02, 0.5)
    builder.next_group()
    cargo = ((-half, half), (-width / 2, width / 2), (1.1, height))
    builder.box(*cargo, "paint")
    walls = sides(*cargo)
    for name in ("left", "right"):
        builder.decal(walls[name], (0, 1), (0.0, 0.06), "paint2", detail=0.3)
        builder.decal(walls[name], (0.12, 0.6), (0.35, 0.7), "paint3", detail=0.9)
        for u in np.linspace(0.1, 0.9, 9):
            builder.decal(walls[name], (u - 0.003, u + 0.003), (0.07, 0.98), "paint2", detail=0.1)
    for u in ((0.04, 0.49), (0.51, 0.96)):
        builder.decal(walls["back"], u, (0.08, 0.95), "paint2", detail=1.0, tint=1.15)
    builder.decal(walls["back"], (0, 1), (0.0, 0.07), "dark", detail=0.3)
    for u in PAIR:
        builder.decal(walls["back"], u, (0.01, 0.06), "tail", detail=0.25)
    return builder.build(base_groups=(0,))


def _excavator() -> Mesh:
    """On tracks; its arm reaches forward."""
    builder = MeshBuilder()
    for side in (-1, 1):
        y = sorted((side * 1.45, side * 0.85))
        profile = [(-2.9, 0.0), (0.5, 0.0), (0.9, 0.4), (0.6, 0.8), (-3.0, 0.8), (-3.2, 0.4)]
        near, far = (np.array([(px, one, pz) for px, pz in profile]) for one in y)
        builder.solid(near, far, "tyre", tint=1.4)
    builder.box((-2.2, -0.2), (-0.85, 0.85), (0.4, 0.95), "dark")
    builder.next_group()
    house = ((-3.1, 0.6), (-1.35, 1.35), (0.95, 2.05))
    builder.box(*house, "paint")
    walls = sides(*house)
    builder.decal(walls["back"], (0.1, 0.9), (0.2, 0.75), "dark", detail=0.5)
    for name in ("left", "right"):
        builder.decal(walls[name], (0.05, 0.55), (0.35, 0.7), "dark", detail=0.4)
    builder.next_group()
    cab = ((-1.1, 0.6), (0.2, 1.35), (2.05, 3.2))
    builder.box(*cab, "paint")
    for face in sides(*cab).values():
        builder.decal(face, (0.08, 0.92), (0.05, 0.85), "glass", detail=0.5)
    builder.next_group()
    builder.extrude([(0.1, 1.5), (0.6, 1.3), (2.6, 2.75), (2.5, 3.1), (2.1, 3.1)], 0.28, "paint")
    builder.next_group()
    builder.extrude([(2.2, 3.0), (2.5, 3.1), (3.0, 1.0), (2.65, 0.9)], 0.2, "paint")
    builder.next_group()
    builder.extrude([(2.3, 0.3), (2.6, 0.02), (3.2, 0.1), (3.2, 0.9), (2.6, 1.1)], 0.6, "dark")
    return builder.build(base_groups=(0,))


def _loader() -> Mesh:
    """A wheel loader with its shovel down."""
    builder = MeshBuilder()
    axles, width = (-1.7, 1.15), 2.6
    wheels(builder, axles, width, 0.72)
    builder.box((-2.6, 1.6), (-0.7, 0.7), (0.5, 1.2), "dark")
    wheel_discs(builder, axles, width, 0.72)
    builder.next_group()
    builder.extrude(
        [(-3.2, 0.7), (-0.3, 0.7), (-0.3, 2.0), (-2.9, 1.85), (-3.2, 1.6)], 1.0, "paint"
    )
    rear = sides((-3.21, 0), (-1.0, 1.0), (0.7, 1.6))["back"]
    builder.decal(rear, (0.15, 0.85), (0.2, 0.9), "dark", detail=0.5)
    for u in PAIR:
        builder.decal(rear, u, (0.02, 0.16), "tail", detail=0.2)
    builder.next_group()
    cab = ((-0.9, 0.6), (-0.8, 0.8), (1.2, 3.2))
    builder.box(*cab, "paint")
    for face in sides(*cab).values():
        builder.decal(face, (0.06, 0.94), (0.38, 0.9), "glass", detail=0.6)
    builder.next_group()
    builder.extrude([(0.6, 0.7), (1.5, 0.7), (2.5, 0.5), (2.5, 0.9), (1.4, 1.6)], 0.6, "paint")
    builder.next_group()
    builder.extrude([(2.4, 0.1), (3.2, 0.02), (3.1, 0.3), (2.6, 1.1), (2.4, 1.1)], 1.45, "metal")
    return builder.build(base_groups=(0,))


def _cone() -> Mesh:
    """Of orange with two white bands."""
    builder = MeshBuilder()
    builder.box((-0.205, 0.205), (-0.205, 0.205), (0.0, 0.06), "dark")
    angle = np.arange(8) * (np.pi / 4)
    ring = np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1)
    bands = ((0.06, "paint"), (0.38, "white"), (0.56, "paint"), (0.7, "white"), (0.86, "paint"))
    tops = (*(low for low, _ in bands[1:]), 1.07)
    for (low, slot), high in zip(bands, tops, strict=True):
        radii = [0.17 - 0.13 * z / 1.07 for z in (low, high)]
        bottom, top = (ring * r + (0, 0, z) for r, z in zip(radii, (low, high), strict=True))
        builder.solid(bottom, top, slot)
    return builder.build()


def _barrier(striped: bool) -> Mesh:
    """Across its heading, with a foot; `striped`: of plastic, else of concrete."""
    half, foot, top, height = 1.265, 0.25, 0.09, 0.98
    builder = MeshBuilder()
    profile = [(-foot, 0), (foot, 0), (foot, 0.12), (top, height), (-top, height), (-foot, 0.12)]
    builder.extrude(profile, half, "paint")
    for side in (-1, 1):
        quad = np.array(
            [(foot, -half, 0.12), (foot, half, 0.12), (top, half, height), (top, -half, height)]
        )
        quad = quad * (side, side, 1)
        if striped:
            for k in range(3):
                u = ((k + 0.25) / 3, (k + 0.75) / 3)
                builder.decal(quad, u, (0.1, 0.95), "white", detail=0.35)
        else:
            builder.decal(quad, (0.0, 1.0), (0.0, 0.06), "paint2", detail=0.1)
            builder.decal(quad, (0.46, 0.54), (0.5, 0.8), "amber", detail=0.2)
    return builder.build()


@cache
def meshes(name: str) -> tuple[Mesh, ...]:
    """The variants of a solid: "trailer", "construction_vehicle", "traffic_cone" or "barrier"."""
    match name:
        case "trailer":
            return _trailer(10.4, 3.8), _trailer(12.4, 3.95), _trailer(13.6, 4.0)
        case "construction_vehicle":
            return _excavator(), _loader()
        case "traffic_cone":
            return (_cone(),)
        case "barrier":
            return _barrier(True), _barrier(False)
    raise ValueError(f"no solid is called {name!r}")
