"""Geometry of people, traffic lights, signs, poles, trees and buildings."""

from functools import cache

import numpy as np

from lzu.datasets.synthetic.mesh import Mesh, MeshBuilder, sides

WALK_PHASES = 8
ARM_REACHES = (4.5, 7.0, 9.5, 12.5)


def _limb(
    builder: MeshBuilder,
    top: tuple[float, float, float],
    foot: tuple[float, float, float],
    half: float,
    slot: str,
) -> None:
    """Square limb between two points (x, y, z)."""
    corners = np.array([(-half, -half, 0), (half, -half, 0), (half, half, 0), (-half, half, 0)])
    builder.solid(corners * 0.85 + foot, corners + top, slot)


def _head(builder: MeshBuilder, x: float, z: float) -> None:
    angle = np.arange(8) * (np.pi / 4)
    ring = np.stack([0.105 * np.cos(angle), 0.09 * np.sin(angle), 0 * angle], 1)
    for low, high, slot, scale in ((0.0, 0.17, "skin", 1.0), (0.16, 0.25, "hair", 1.08)):
        base = ring * scale + (x, 0, z + low)
        builder.solid(
            base, ring * scale * (0.95 if slot == "skin" else 0.7) + (x, 0, z + high), slot
        )


def _torso(builder: MeshBuilder, hip: tuple[float, float], neck: tuple[float, float]) -> None:
    low = np.array([(-0.11, -0.16, 0), (0.11, -0.16, 0), (0.11, 0.16, 0), (-0.11, 0.16, 0)])
    high = low * (1.05, 1.35, 1)
    builder.solid(np.add(low, (hip[0], 0, hip[1])), np.add(high, (neck[0], 0, neck[1])), "paint")


def _walker(phase: float) -> Mesh:
    """Person of 1.75 m; `phase` in [0, 1) of the stride, negative: standing."""
    swing = 0.0 if phase < 0 else float(np.sin(2 * np.pi * phase))
    builder = MeshBuilder()
    for side in (-1, 1):
        foot = (0.28 * swing * side, 0.09 * side, 0.0)
        _limb(builder, (0.0, 0.09 * side, 0.9), foot, 0.085, "paint2")
        x = sorted((foot[0] - 0.08, foot[0] + 0.17))
        builder.box((x[0], x[1]), (foot[1] - 0.055, foot[1] + 0.055), (0.0, 0.08), "dark")
        builder.next_group()
    for side in (-1, 1):
        hand = (-0.26 * swing * side, 0.28 * side, 0.85)
        _limb(builder, (0.0, 0.25 * side, 1.42), hand, 0.055, "paint")
        builder.next_group()
    _torso(builder, (0.0, 0.86), (0.0, 1.48))
    _head(builder, 0.02, 1.5)
    return builder.build()


def _rider(seat: float, reach: float) -> Mesh:
    """Person sitting at height `seat` and holding a handlebar `reach` metres ahead."""
    builder = MeshBuilder()
    for side in (-1, 1):
        _limb(builder, (-0.12, 0.1 * side, seat), (0.16, 0.13 * side, seat - 0.16), 0.085, "paint2")
        _limb(
            builder,
            (0.16, 0.13 * side, seat - 0.1),
            (0.0, 0.13 * side, seat - 0.55),
            0.07,
            "paint2",
        )
        builder.next_group()
    _torso(builder, (-0.15, seat - 0.04), (0.08, seat + 0.56))
    for side in (-1, 1):
        _limb(
            builder,
            (0.08, 0.22 * side, seat + 0.5),
            (reach, 0.26 * side, seat + 0.14),
            0.055,
            "paint",
        )
    _head(builder, 0.14, seat + 0.58)
    return builder.build()


def _traffic_light() -> Mesh:
    """Head with three lamps facing +x, 1.05 m high, its foot at z = 0."""
    builder = MeshBuilder()
    builder.box((-0.14, 0.0), (-0.19, 0.19), (0.0, 1.05), "dark")
    back = sides((-0.15, 0.01), (-0.25, 0.25), (-0.06, 1.11))
    builder.face(back["front"], "amber", (1, 0, 0), tint=0.75)
    builder.decal(back["front"], (0.08, 0.92), (0.04, 0.96), "dark", detail=0.2, tint=0.7)
    builder.face(back["back"] + (0.16, 0, 0), "dark", (-1, 0, 0))
    for lamp, z in (("lamp_red", 0.86), ("lamp_yellow", 0.525), ("lamp_green", 0.19)):
        builder.disc((0.04, 0.0, z), 0.135, (1.0, 0.0, 0.0), lamp, detail=0.3)
    return builder.build()


_LETTERS = {
    "S": (
        (0, 1, 0.84, 1),
        (0, 0.2, 0.5, 0.9),
        (0, 1, 0.42, 0.58),
        (0.8, 1, 0.1, 0.5),
        (0, 1, 0, 0.16),
    ),
    "T": ((0, 1, 0.84, 1), (0.4, 0.6, 0, 0.9)),
    "O": ((0, 1, 0.84, 1), (0, 1, 0, 0.16), (0, 0.22, 0, 1), (0.78, 1, 0, 1)),
    "P": ((0, 0.22, 0, 1), (0, 1, 0.84, 1), (0, 1, 0.42, 0.58), (0.8, 1, 0.5, 0.9)),
}


def _stop_sign() -> Mesh:
    """Octagon of 0.8 m facing +x, its lower edge at z = 0."""
    builder = MeshBuilder()
    angle = np.arange(8) * (np.pi / 4) + np.pi / 8
    ring = np.stack([0 * angle, np.cos(angle), np.sin(angle)], 1) * (0.4 / np.cos(np.pi / 8))
    builder.face(np.add(ring, (0, 0, 0.4)), "white", (1, 0, 0))
    builder.face(np.add(ring, (-0.01, 0, 0.4)), "metal", (-1, 0, 0))
    builder.face(np.add(ring * 0.92, (0.01, 0, 0.4)), "red", (1, 0, 0), detail=0.6)
    panel = sides((-1, 0.02), (-0.29, 0.29), (0.29, 0.51))["front"]
    for k, letter in enumerate("STOP"):
        for a, b, c, d in _LETTERS[letter]:
            u = ((k + 0.8 * a) / 3.8, (k + 0.8 * b) / 3.8)
            builder.decal(panel, u, (c, d), "white", detail=0.07)
    return builder.build()


def _post(height: float, half: float) -> Mesh:
    builder = MeshBuilder()
    builder.box((-half, half), (-half, half), (0.0, height), "metal")
    return builder.build()


def _lamp_post() -> Mesh:
    builder = MeshBuilder()
    builder.box((-0.08, 0.08), (-0.08, 0.08), (0.0, 7.6), "metal")
    builder.next_group()
    builder.box((-0.05, 0.05), (0.0, 1.8), (7.5, 7.62), "metal")
    builder.box((-0.14, 0.14), (1.6, 2.3), (7.42, 7.6), "dark")
    return builder.build()


def _mast_arm(reach: float) -> Mesh:
    """Pole with an arm over the road, `reach` metres along +y at a height of 6 m."""
    builder = MeshBuilder()
    builder.box((-0.13, 0.13), (-0.13, 0.13), (0.0, 6.3), "metal")
    builder.next_group()
    builder.box((-0.07, 0.07), (0.0, reach), (5.9, 6.06), "metal")
    return builder.build()


def _ball(
    builder: MeshBuilder, centre: np.ndarray, radius: np.ndarray, rng: np.random.Generator
) -> None:
    rings, segments = 4, 7
    height = np.cos(np.linspace(0.12, np.pi - 0.25, rings + 1))
    spread = np.sqrt(1 - height**2)
    angle = np.arange(segments) * (2 * np.pi / segments) + rng.uniform(0, 1)
    points = np.stack(
        [
            spread[:, None] * np.cos(angle),
            spread[:, None] * np.sin(angle),
            np.broadcast_to(height[:, None], (rings + 1, segments)),
        ],
        -1,
    )
    points = points * rng.uniform(0.8, 1.15, (rings + 1, segments, 1)) * radius + centre
    slots = ("leaf", "leaf2", "leaf3")
    for r in range(rings):
        for s in range(segments):
            t = (s + 1) % segments
            quad = np.stack([points[r, s], points[r, t], points[r + 1, t], points[r + 1, s]])
            tint = 0.72 + 0.36 * (height[r] + 1) / 2 + rng.uniform(-0.1, 0.1)
            slot = slots[int(rng.integers(3))]
            builder.face(quad, slot, quad.mean(0) - centre, tint=float(tint))
    for ring, outward in ((points[0], (0, 0, 1)), (points[-1], (0, 0, -1))):
        builder.face(ring, "leaf", outward, tint=1.1 if outward[2] > 0 else 0.6)


def _tree(variant: int) -> Mesh:
    rng = np.random.default_rng([71, variant])
    height = rng.uniform(5.5, 10.5)
    crown = rng.uniform(1.5, 2.7)
    trunk = height * rng.uniform(0.3, 0.42)
    builder = MeshBuilder()
    ring = np.array([(-1, -0.5, 0), (0, -1, 0), (1, -0.5, 0), (1, 0.5, 0), (0, 1, 0), (-1, 0.5, 0)])
    builder.solid(ring * 0.2, ring * 0.12 + (0, 0, trunk + 0.5), "bark")
    for k in range(4):
        builder.next_group()
        offset = rng.uniform(-0.55, 0.55, 2) * crown * (k > 0)
        level = trunk + (height - trunk) * (0.45, 0.3, 0.55, 0.78)[k]
        radius = np.array([1, 1, 0.95]) * crown * (1.0, 0.75, 0.75, 0.62)[k]
        _ball(builder, np.array([*offset, level]), radius, rng)
    return builder.build(base_groups=(0,))


def _building(variant: int) -> Mesh:
    """Box whose front (+x) stands on the street; width along y."""
    rng = np.random.default_rng([72, variant])
    width, depth = rng.uniform(9, 20), rng.uniform(10, 14)
    storeys = int(rng.choice([2, 2, 3, 3, 4, 5, 7, 10]))
    ground, storey = rng.uniform(3.6, 4.6), rng.uniform(3.0, 3.5)
    height = ground + storeys * storey + 0.6
    shell = ((-depth, 0.0), (-width / 2, width / 2), (0.0, height))
    builder = MeshBuilder()
    builder.box(*shell, "paint")
    walls = sides(*shell)
    shop, frame = rng.random() < 0.6, rng.random() < 0.5
    opening = rng.uniform(0.42, 0.66)
    for name, span in (
        ("front", width),
        ("left", depth),
        ("right", depth),
        ("back", width),
    ):
        wall = walls[name]
        builder.decal(wall, (0, 1), (1 - 0.45 / height, 1), "paint2", detail=0.5)
        low, high = (ground - 0.75) / height, (ground - 0.15) / height
        builder.decal(wall, (0, 1), (low, high), "paint3" if shop else "paint2", detail=0.6)
        columns = max(2, round(span / rng.uniform(2.4, 3.4)))
        for c in range(columns):
            u = ((c + 0.5 - opening / 2) / columns, (c + 0.5 + opening / 2) / columns)
            v = (0.5 / height, (ground - 1.0) / height)
            if shop and name == "front":
                wide = ((c + 0.06) / columns, (c + 0.94) / columns)
                builder.decal(wall, wide, v, "glass", detail=1.2, tint=float(rng.uniform(0.8, 1.5)))
            else:
                builder.decal(wall, u, (0.9 / height, v[1]), "glass2", detail=1.0, tint=0.8)
            for level in range(storeys):
                base = ground + level * storey
                v = ((base + 0.8) / height, (base + storey - 0.45) / height)
                if frame:
                    grow = 0.12 / span
                    outer = (u[0] - grow, u[1] + grow)
                    rim = (v[0] - 0.15 / height, v[1] + 0.12 / height)
                    builder.decal(wall, outer, rim, "paint2", detail=0.45)
                tint = float(rng.choice([0.7, 0.9, 1.0, 1.3, 1.9], p=[0.3, 0.3, 0.2, 0.12, 0.08]))
                builder.decal(wall, u, v, "glass2", detail=0.9, tint=tint)
    return builder.build()


@cache
def meshes(name: str) -> tuple[Mesh, ...]:
    """The variants of a solid.

    "person": the phases of a stride, then standing; "rider": on a bicycle, on a motorcycle;
    "traffic_light", "stop_sign", "sign_post", "lamp_post", "mast_arm", "tree", "building".
    """
    match name:
        case "person":
            return *(_walker(k / WALK_PHASES) for k in range(WALK_PHASES)), _walker(-1)
        case "rider":
            return _rider(0.95, 0.3), _rider(0.92, 0.42)
        case "traffic_light":
            return (_traffic_light(),)
        case "stop_sign":
            return (_stop_sign(),)
        case "sign_post":
            return _post(2.9, 0.04), _post(3.4, 0.07)
        case "lamp_post":
            return (_lamp_post(),)
        case "mast_arm":
            return tuple(_mast_arm(reach) for reach in ARM_REACHES)
        case "tree":
            return tuple(_tree(variant) for variant in range(10))
        case "building":
            return tuple(_building(variant) for variant in range(28))
    raise ValueError(f"no solid is called {name!r}")
