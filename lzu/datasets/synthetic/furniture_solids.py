"""Geometry of walls, fences, hedges, signs and street furniture.

What runs along the street comes in sections of `SECTION` metres: the painter sorts solids by their
distance, which is right for short ones only.
"""

from functools import cache

import numpy as np

from lzu.datasets.synthetic.mesh import Mesh, MeshBuilder, sides

SECTION = 4.0


def _panel(builder: MeshBuilder, half: float, z: tuple[float, float], slot: str) -> list:
    """An upright slab along x; returns its two faces as quads."""
    x = (-SECTION / 2, SECTION / 2)
    builder.box(x, (-half, half), z, slot)
    faces = sides(x, (-half, half), z)
    return [faces["left"], faces["right"]]


def _wall(height: float, coarse: bool) -> Mesh:
    """Of stone, with a coping; `coarse`: of large blocks."""
    builder = MeshBuilder()
    rng = np.random.default_rng([73, int(10 * height)])
    rows, columns = (4, 5) if coarse else (7, 8)
    for face in _panel(builder, 0.12, (0.0, height), "paint"):
        for row in range(rows):
            shift = 0.5 * (row % 2) / columns
            for column in range(columns):
                u = (column / columns + shift, min((column + 0.94) / columns + shift, 1.0))
                v = (row / rows, (row + 0.88) / rows)
                tint = float(rng.uniform(0.9, 1.12))
                builder.decal(face, u, v, "paint", detail=0.35, tint=tint)
        builder.decal(face, (0, 1), (0.95, 1), "paint2", detail=0.3)
    return builder.build()


def _boards(height: float) -> Mesh:
    """A fence of upright boards."""
    builder = MeshBuilder()
    rng = np.random.default_rng([74, int(10 * height)])
    for face in _panel(builder, 0.03, (0.05, height), "paint"):
        for k in range(14):
            u = (k / 14, (k + 0.86) / 14)
            builder.decal(
                face, u, (0, 1), "paint", detail=0.22, tint=float(rng.uniform(0.85, 1.15))
            )
        for v in ((0.15, 0.22), (0.78, 0.85)):
            builder.decal(face, (0, 1), v, "paint2", detail=0.1)
    return builder.build()


def _railing(height: float) -> Mesh:
    """A fence of bars. As annotators do, what is seen between them counts as fence; its colour is
    that of greenery in the shade."""
    builder = MeshBuilder()
    for face in _panel(builder, 0.02, (0.06, height), "leaf2"):
        for k in range(20):
            builder.decal(face, ((k + 0.3) / 20, (k + 0.62) / 20), (0, 1), "paint", detail=0.14)
        for v in ((0.04, 0.12), (0.86, 0.96)):
            builder.decal(face, (0, 1), v, "paint", detail=0.12)
    for x in (-SECTION / 2, SECTION / 2):
        builder.box((x - 0.05, x + 0.05), (-0.05, 0.05), (0.0, height + 0.1), "paint")
    return builder.build()


def _hedge(height: float) -> Mesh:
    builder = MeshBuilder()
    rng = np.random.default_rng([75, int(10 * height)])
    for face in _panel(builder, 0.45, (0.0, height), "leaf"):
        for _ in range(24):
            u, v = rng.uniform(0, 0.84), rng.uniform(0, 0.7)
            slot = ("leaf2", "leaf3")[int(rng.integers(2))]
            builder.decal(face, (u, u + 0.16), (v, v + 0.3), slot, detail=0.4)
    return builder.build()


def _guard_rail() -> Mesh:
    builder = MeshBuilder()
    for x in (-1.3, 1.3):
        builder.box((x - 0.06, x + 0.06), (-0.06, 0.06), (0.0, 0.7), "metal")
    builder.next_group()
    for face in _panel(builder, 0.04, (0.42, 0.76), "metal"):
        builder.decal(face, (0, 1), (0.4, 0.6), "dark", detail=0.1, tint=1.6)
    return builder.build()


def _plate(ring: list[tuple[float, float]], slot: str, facing: int) -> MeshBuilder:
    """A flat plate of (y, z) corners, its front at +x; facing 1: the front alone, -1: the back."""
    builder = MeshBuilder()
    corners = np.array([(0.01 * facing, y, z) for y, z in ring])
    builder.face(corners, slot if facing > 0 else "metal", (facing, 0, 0))
    return builder


def _regular(corners: int, radius: float, turn: float) -> list[tuple[float, float]]:
    angle = np.arange(corners) * (2 * np.pi / corners) + turn
    return [(radius * np.cos(a), radius + radius * np.sin(a)) for a in angle]


def _inner(ring: list[tuple[float, float]], share: float, slot: str, builder: MeshBuilder) -> None:
    """The same plate, smaller, on top of it."""
    points = np.array([(0.02, y, z) for y, z in ring])
    centre = points.mean(0) * (0, 1, 1)
    builder.face((points - centre) * (1, share, share) + centre, slot, (1, 0, 0), detail=0.3)


_SIGNS = {
    # corners, colour of the rim, of the plate, of what is on it
    "prohibition": (_regular(8, 0.34, np.pi / 8), "red", "white", "dark"),
    "warning": (_regular(3, 0.42, np.pi / 2), "red", "white", "dark"),
    "order": (_regular(8, 0.32, np.pi / 8), "sign_blue", "sign_blue", "white"),
    "priority": (_regular(4, 0.42, np.pi / 2), "white", "sign_yellow", ""),
    "parking": (
        [(-0.32, 0), (0.32, 0), (0.32, 0.64), (-0.32, 0.64)],
        "white",
        "sign_blue",
        "white",
    ),
    "direction": ([(-1.1, 0), (1.1, 0), (1.1, 0.9), (-1.1, 0.9)], "white", "sign_yellow", "dark"),
    "town": ([(-0.9, 0), (0.9, 0), (0.9, 0.7), (-0.9, 0.7)], "sign_blue", "sign_blue", "white"),
}


def _sign(name: str, facing: int) -> Mesh:
    ring, rim, plate, mark = _SIGNS[name]
    builder = _plate(ring, rim, facing)
    if facing > 0:
        _inner(ring, 0.8, plate, builder)
        if mark:
            _inner(ring, 0.3, mark, builder)
    return builder.build()


def _bin() -> Mesh:
    builder = MeshBuilder()
    builder.box((-0.22, 0.22), (-0.22, 0.22), (0.0, 0.9), "paint")
    builder.box((-0.25, 0.25), (-0.25, 0.25), (0.9, 1.0), "dark")
    return builder.build()


def _cabinet() -> Mesh:
    builder = MeshBuilder()
    shell = ((-0.2, 0.2), (-0.55, 0.55), (0.0, 1.25))
    builder.box(*shell, "paint")
    for name in ("front", "back"):
        builder.decal(sides(*shell)[name], (0.48, 0.52), (0.05, 0.95), "dark", detail=0.2)
    return builder.build()


def _cart() -> Mesh:
    """A wheeled bin or handcart."""
    builder = MeshBuilder()
    builder.box((-0.4, 0.3), (-0.3, 0.3), (0.05, 0.2), "dark")
    builder.box((-0.45, 0.45), (-0.4, 0.4), (0.2, 1.05), "paint")
    builder.box((-0.5, 0.5), (-0.44, 0.44), (1.05, 1.16), "paint2")
    return builder.build()


@cache
def meshes(name: str) -> tuple[Mesh, ...]:
    """The variants of a solid: "wall", "fence", "hedge", "guard_rail" (sections, along x); "sign"
    and "sign_back" (one for each sign, in the same order); "bin", "cabinet", "cart"."""
    match name:
        case "wall":
            return _wall(1.2, False), _wall(1.9, True), _wall(2.5, False)
        case "fence":
            return _boards(1.3), _boards(1.8), _railing(1.1), _railing(1.6)
        case "hedge":
            return _hedge(1.1), _hedge(1.7)
        case "guard_rail":
            return (_guard_rail(),)
        case "sign":
            return tuple(_sign(kind, 1) for kind in _SIGNS)
        case "sign_back":
            return tuple(_sign(kind, -1) for kind in _SIGNS)
        case "bin":
            return (_bin(),)
        case "cabinet":
            return (_cabinet(),)
        case "cart":
            return (_cart(),)
    raise ValueError(f"no solid is called {name!r}")
