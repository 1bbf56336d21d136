"""Geometry of cars, trucks, buses, motorcycles and bicycles."""

from functools import cache

import numpy as np

from lzu.datasets.synthetic.mesh import Mesh, MeshBuilder, Quad, sides

PAIR = ((0.04, 0.22), (0.78, 0.96))
"""Horizontal ranges of a pair of lamps on a vehicle's front or back."""


def wheels(builder: MeshBuilder, axles: tuple[float, ...], width: float, radius: float) -> None:
    """Add the tyres on each of the axles (x), as boxes on the ground."""
    for axle in axles:
        reach = (axle - 0.8 * radius, axle + 0.8 * radius)
        builder.box(reach, (-width / 2 + 0.01, width / 2 - 0.01), (0.0, 1.6 * radius), "tyre")


def wheel_discs(
    builder: MeshBuilder, axles: tuple[float, ...], width: float, radius: float
) -> None:
    """Add what is seen of the wheels from the side."""
    for axle in axles:
        for side in (-1, 1):
            axis = (0.0, float(side), 0.0)
            at = (axle, side * (width / 2 + 0.01), radius)
            builder.disc(at, radius, axis, "tyre", detail=radius)
            hub = (axle, side * (width / 2 + 0.02), radius)
            builder.disc(hub, 0.62 * radius, axis, "hub", detail=0.5 * radius)


def _lamps(builder: MeshBuilder, front: Quad, back: Quad, v: tuple[float, float]) -> None:
    for u in PAIR:
        builder.decal(front, u, v, "head", detail=0.2)
        builder.decal(back, u, v, "tail", detail=0.25)


_CAR_SHAPES: dict[str, dict[str, float]] = {
    # rear/front: where the cabin begins and ends, at its foot and roof, from the car's ends
    "sedan": dict(l=4.7, w=1.84, h=1.45, belt=0.92, r0=0.45, r1=1.05, f0=1.25, f1=2.1),
    "hatchback": dict(l=4.1, w=1.78, h=1.52, belt=0.95, r0=0.04, r1=0.5, f0=1.0, f1=1.75),
    "suv": dict(l=4.8, w=1.95, h=1.78, belt=1.1, r0=0.04, r1=0.3, f0=1.25, f1=1.9),
    "van": dict(l=5.0, w=2.0, h=2.0, belt=1.15, r0=0.03, r1=0.1, f0=0.7, f1=1.5),
}


def _car(shape: dict[str, float]) -> Mesh:
    length, width, height, belt = (shape[k] for k in ("l", "w", "h", "belt"))
    half, radius = length / 2, 0.34 if height < 1.7 else 0.38
    axles = (-half + 0.85, half - 0.9)
    builder = MeshBuilder()
    wheels(builder, axles, width, radius)
    builder.extrude(
        [
            (-half, 0.42),
            (-half + 0.18, 0.26),
            (half - 0.18, 0.26),
            (half, 0.42),
            (half - 0.04, belt - 0.2),
            (half - shape["f0"], belt),
            (-half + 0.04, belt),
        ],
        width / 2,
        "paint",
    )
    wheel_discs(builder, axles, width, radius)
    ends = sides((-half - 0.01, half + 0.01), (-width / 2, width / 2), (0.42, belt - 0.2))
    _lamps(builder, ends["front"], ends["back"], (0.55, 0.95))
    builder.decal(ends["front"], (0.28, 0.72), (0.3, 0.85), "dark", detail=0.2)
    builder.decal(ends["back"], (0.38, 0.62), (0.25, 0.6), "plate", detail=0.12)
    builder.decal(ends["back"], (0.02, 0.98), (-0.1, 0.12), "dark", detail=0.15)
    builder.decal(ends["front"], (0.02, 0.98), (-0.1, 0.12), "dark", detail=0.15)
    low, high = width / 2 - 0.04, width / 2 - 0.24
    foot = (-half + shape["r0"], half - shape["f0"])
    roof = (-half + shape["r1"], half - shape["f1"])
    bottom, top = (
        np.array([(x[0], -y, z), (x[1], -y, z), (x[1], y, z), (x[0], y, z)])
        for x, y, z in ((foot, low, belt), (roof, high, height))
    )
    builder.solid(bottom, top, "paint")
    corners = list(zip(bottom, top, strict=True))
    for right, left, panes in (
        (1, 0, ((0.08, 0.47), (0.53, 0.92))),
        (3, 2, ((0.08, 0.47), (0.53, 0.92))),
        (2, 1, ((0.05, 0.95),)),
        (0, 3, ((0.05, 0.95),)),
    ):
        (b0, t0), (b1, t1) = corners[left], corners[right]
        for pane in panes:
            builder.decal(np.stack([b0, b1, t1, t0]), pane, (0.12, 0.9), "glass", detail=0.3)
    return builder.build()


def _truck(length: float, height: float, cab: float) -> Mesh:
    width, half = 2.45, length / 2
    builder = MeshBuilder()
    axles = (half - 0.9, -half + 1.2, -half + 2.3) if length > 8 else (half - 0.9, -half + 1.4)
    wheels(builder, axles, width, 0.5)
    builder.box((-half + 0.1, half - 0.2), (-0.9, 0.9), (0.45, 1.0), "dark")
    wheel_discs(builder, axles, width - 0.02, 0.5)
    builder.next_group()
    cargo = ((-half, half - cab - 0.25), (-width / 2, width / 2), (0.95, height))
    builder.box(*cargo, "paint2")
    walls = sides(*cargo)
    for name in ("left", "right"):
        builder.decal(walls[name], (0, 1), (0.0, 0.07), "paint3", detail=0.3)
        builder.decal(walls[name], (0.2, 0.8), (0.42, 0.66), "paint", detail=0.8)
    builder.decal(walls["back"], (0.05, 0.49), (0.04, 0.94), "white", detail=1.0, tint=0.86)
    builder.decal(walls["back"], (0.51, 0.95), (0.04, 0.94), "white", detail=1.0, tint=0.86)
    builder.decal(walls["back"], (0, 1), (-0.09, -0.01), "dark", detail=0.3)
    for u in ((0.02, 0.14), (0.86, 0.98)):
        builder.decal(walls["back"], u, (-0.08, -0.01), "tail", detail=0.25)
    builder.next_group()
    profile = [
        (half - cab, 0.55),
        (half - 0.05, 0.55),
        (half, 0.8),
        (half - 0.05, 1.6),
        (half - 0.5, 2.55),
        (half - cab, 2.55),
    ]
    builder.extrude(profile, width / 2 - 0.05, "paint")
    low, high = width / 2 - 0.2, width / 2 - 0.25
    screen = np.array(
        [
            (half - 0.06, -low, 1.65),
            (half - 0.06, low, 1.65),
            (half - 0.45, high, 2.48),
            (half - 0.45, -high, 2.48),
        ]
    )
    builder.face(screen, "glass", (1, 0, 0.3), detail=0.4)
    front = sides((half - 1, half + 0.01), (-width / 2, width / 2), (0.6, 1.4))
    for u in PAIR:
        builder.decal(front["front"], u, (0.1, 0.35), "head", detail=0.2)
    builder.decal(front["front"], (0.28, 0.72), (0.1, 0.85), "dark", detail=0.3)
    side = sides((half - cab, half), (-width / 2 + 0.04, width / 2 - 0.04), (0.55, 2.55))
    for name, u in (("left", (0.35, 0.8)), ("right", (0.2, 0.65))):
        builder.decal(side[name], u, (0.55, 0.9), "glass", detail=0.4)
    return builder.build(base_groups=(0,))


def _bus(length: float) -> Mesh:
    width, height, half = 2.55, 3.15, length / 2
    axles = (half - 2.4, -half + 2.8)
    builder = MeshBuilder()
    wheels(builder, axles, width, 0.48)
    shell = ((-half, half), (-width / 2, width / 2), (0.32, height))
    builder.box(*shell, "paint")
    walls = sides(*shell)
    for name in ("left", "right"):
        builder.decal(walls[name], (0, 1), (0.0, 0.2), "paint2", detail=0.4)
        builder.decal(walls[name], (0.02, 0.98), (0.46, 0.83), "glass", detail=0.4)
        for u in np.linspace(0.12, 0.88, 7):
            builder.decal(walls[name], (u - 0.006, u + 0.006), (0.46, 0.83), "dark", detail=0.12)
        for u in (0.1, 0.62) if name == "right" else ():
            builder.decal(walls[name], (u, u + 0.1), (0.06, 0.83), "glass2", detail=0.5)
    for name, v in (("front", (0.3, 0.8)), ("back", (0.5, 0.82))):
        builder.decal(walls[name], (0, 1), (0.0, 0.18), "paint2", detail=0.4)
        builder.decal(walls[name], (0.06, 0.94), v, "glass", detail=0.4)
    builder.decal(walls["front"], (0.15, 0.85), (0.84, 0.96), "dark", detail=0.3)
    builder.decal(walls["front"], (0.2, 0.8), (0.87, 0.94), "amber", detail=0.2)
    builder.decal(walls["back"], (0.3, 0.7), (0.22, 0.42), "dark", detail=0.4)
    for u in ((0.03, 0.14), (0.86, 0.97)):
        builder.decal(walls["front"], u, (0.07, 0.15), "head", detail=0.2)
        builder.decal(walls["back"], u, (0.2, 0.4), "tail", detail=0.25)
    wheel_discs(builder, axles, width, 0.48)
    return builder.build()


def _tram() -> Mesh:
    """A car of a tram, its cab at +x."""
    width, height, half = 2.4, 3.5, 6.6
    builder = MeshBuilder()
    builder.box((-half + 0.6, half - 0.8), (-0.95, 0.95), (0.04, 0.5), "dark")
    builder.next_group()
    profile = [
        (-half, 0.32),
        (half - 0.15, 0.32),
        (half, 0.7),
        (half, 1.3),
        (half - 0.55, height),
        (-half, height),
    ]
    builder.extrude(profile, width / 2, "paint2")
    walls = sides((-half, half - 0.5), (-width / 2, width / 2), (0.32, height))
    for name in ("left", "right"):
        builder.decal(walls[name], (0, 1), (0.0, 0.3), "paint", detail=0.5)
        builder.decal(walls[name], (0.03, 0.97), (0.42, 0.82), "glass", detail=0.4)
        for u in np.linspace(0.1, 0.9, 6):
            builder.decal(walls[name], (u - 0.006, u + 0.006), (0.42, 0.82), "paint2", detail=0.12)
        for u in (0.16, 0.6):
            builder.decal(walls[name], (u, u + 0.12), (0.03, 0.82), "glass2", detail=0.5)
    screen = np.array(
        [
            (half + 0.01, -1.05, 1.35),
            (half + 0.01, 1.05, 1.35),
            (half - 0.4, 1.0, 2.9),
            (half - 0.4, -1.0, 2.9),
        ]
    )
    builder.face(screen, "glass", (1, 0, 0.3), detail=0.5)
    front = sides((-half, half + 0.01), (-width / 2, width / 2), (0.32, 1.3))["front"]
    builder.decal(front, (0, 1), (0.38, 1.0), "paint", detail=0.4)
    for u in PAIR:
        builder.decal(front, u, (0.5, 0.75), "head", detail=0.2)
    builder.box((-2.0, 1.5), (-0.8, 0.8), (height, height + 0.35), "paint3")
    return builder.build(base_groups=(0,))


def _bar(
    builder: MeshBuilder, a: tuple[float, float], b: tuple[float, float], width: float, slot: str
) -> None:
    """Bar between two (x, z) points in the plane y = 0, seen from both sides."""
    a_, b_ = np.array([a[0], 0, a[1]]), np.array([b[0], 0, b[1]])
    along = (b_ - a_) / np.linalg.norm(b_ - a_)
    across = np.array([-along[2], 0, along[0]]) * width / 2
    builder.face(np.stack([a_ - across, b_ - across, b_ + across, a_ + across]), slot, None)


def _ring(builder: MeshBuilder, x: float, radius: float, width: float) -> None:
    angle = np.linspace(0, 2 * np.pi, 13)
    outer = np.stack([x + radius * np.cos(angle), radius + radius * np.sin(angle)], 1)
    inner = np.stack(
        [x + (radius - width) * np.cos(angle), radius + (radius - width) * np.sin(angle)], 1
    )
    for k in range(12):
        points = np.array([outer[k], outer[k + 1], inner[k + 1], inner[k]])
        builder.face(np.stack([points[:, 0], 0 * angle[:4], points[:, 1]], 1), "tyre", None)
    builder.box((x - 0.05, x + 0.05), (-0.04, 0.04), (0.02, 2 * radius - 0.02), "tyre", tint=1.1)


def _bicycle() -> Mesh:
    builder = MeshBuilder()
    rear, front = -0.52, 0.52
    _ring(builder, rear, 0.34, 0.07)
    _ring(builder, front, 0.34, 0.07)
    for a, b in (
        ((rear, 0.34), (-0.05, 0.32)),
        ((rear, 0.34), (-0.18, 0.78)),
        ((-0.05, 0.32), (-0.2, 0.9)),
        ((-0.05, 0.32), (0.36, 0.82)),
        ((-0.18, 0.78), (0.36, 0.84)),
        ((front, 0.34), (0.34, 0.98)),
    ):
        _bar(builder, a, b, 0.075, "paint")
    builder.box((-0.32, -0.06), (-0.08, 0.08), (0.88, 0.95), "dark")
    builder.box((0.28, 0.36), (-0.28, 0.28), (0.97, 1.03), "dark")
    return builder.build()


def _motorcycle() -> Mesh:
    builder = MeshBuilder()
    for x in (-0.68, 0.72):
        builder.box((x - 0.3, x + 0.3), (-0.09, 0.09), (0.08, 0.54), "tyre")
        for side in (-1, 1):
            axis = (0.0, float(side), 0.0)
            builder.disc((x, side * 0.1, 0.31), 0.31, axis, "tyre", detail=0)
            builder.disc((x, side * 0.11, 0.31), 0.17, axis, "hub", detail=0.15)
    builder.box((-0.42, 0.4), (-0.2, 0.2), (0.26, 0.62), "dark")
    builder.extrude(
        [(-1.02, 0.72), (-0.5, 0.56), (0.42, 0.56), (0.62, 0.86), (0.2, 1.0), (-0.95, 0.86)],
        0.2,
        "paint",
    )
    builder.box((-0.8, -0.1), (-0.15, 0.15), (0.84, 0.94), "dark")
    builder.extrude([(0.6, 0.4), (0.8, 0.4), (0.52, 1.12), (0.38, 1.12)], 0.08, "metal")
    builder.box((0.36, 0.48), (-0.38, 0.38), (1.08, 1.15), "dark")
    builder.disc((0.72, 0.0, 0.9), 0.14, (1.0, 0.0, 0.0), "head", detail=0.14)
    tail = sides((-1.04, 0), (-0.2, 0.2), (0.7, 0.86))
    builder.decal(tail["back"], (0.1, 0.9), (0.0, 1.0), "tail", detail=0.14)
    return builder.build()


@cache
def meshes(name: str) -> tuple[Mesh, ...]:
    """The variants of a vehicle: "car", "truck", "bus", "train", "motorcycle" or "bicycle"."""
    match name:
        case "car":
            return tuple(_car(shape) for shape in _CAR_SHAPES.values())
        case "truck":
            return _truck(6.8, 3.2, 1.7), _truck(8.6, 3.6, 1.8), _truck(12.5, 3.9, 2.1)
        case "bus":
            return _bus(10.6), _bus(12.2)
        case "train":
            return (_tram(),)
        case "motorcycle":
            return (_motorcycle(),)
        case "bicycle":
            return (_bicycle(),)
    raise ValueError(f"no vehicle is called {name!r}")
