"""Solids as lists of flat faces.

Local frame of every solid: x forward, y left, z up, in metres; the origin is on the ground below
its centre. Faces are stored with `VERTICES` corners each (short ones repeat their last corner), so
that whole scenes are transformed in one array operation.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lzu.datasets.synthetic.palette import EMISSIVE, SLOTS

VERTICES = 8

Quad = np.ndarray  # (4, 3): bottom left, bottom right, top right, top left, seen from outside


@dataclass(frozen=True)
class Mesh:
    """A solid.

    Attributes:
        faces: (F, 8, 3) float32 corners, counter-clockwise seen from outside.
        slot: (F,) colour slot.
        group: (F,) convex group; groups are drawn far to near, faces within one in stored order.
        detail: (F,) size in metres of a surface detail, 0 for faces that make up the outline.
        emissive: (F,) bool, not shaded.
        two_sided: (F,) bool, drawn from behind too.
        tint: (F,) brightness factor.
        centres: (G, 3) centres of the groups. Groups of undercarriage have z = -inf: drawn first.
        size: (length, width, height) in metres of the solid's box.
    """

    faces: np.ndarray
    slot: np.ndarray
    group: np.ndarray
    detail: np.ndarray
    emissive: np.ndarray
    two_sided: np.ndarray
    tint: np.ndarray
    centres: np.ndarray
    size: tuple[float, float, float]

    @cached_property
    def extent(self) -> np.ndarray:
        """(2, 3) least and largest corner of the solid's box, which stands on the ground."""
        outline = self.faces[self.detail == 0].reshape(-1, 3).astype(np.float64)
        low, high = outline.min(0), outline.max(0)
        return np.stack([np.minimum(low, (np.inf, np.inf, 0.0)), high])

    @cached_property
    def shell(self) -> "Mesh":
        """The mesh without its surface details."""
        keep = self.detail == 0
        columns = ("faces", "slot", "group", "detail", "emissive", "two_sided", "tint")
        return replace(self, **{name: getattr(self, name)[keep] for name in columns})


class MeshBuilder:
    """Collects faces; `build` gives the mesh."""

    def __init__(self) -> None:
        self._faces: list[np.ndarray] = []
        self._rows: list[tuple[int, int, float, bool, float]] = []
        self._group = 0

    def next_group(self) -> None:
        """Start a new convex group."""
        self._group += 1

    def face(
        self,
        points: np.ndarray,
        slot: str,
        outward: np.ndarray | tuple[float, float, float] | None,
        detail: float = 0.0,
        tint: float = 1.0,
    ) -> np.ndarray:
        """Add a convex face of (n, 3) corners, n <= 8, turned so that its normal has a positive
        product with `outward` (None: two-sided)."""
        points = np.asarray(points, np.float64)
        if outward is not None:
            normal = np.cross(points[1] - points[0], points[2] - points[0])
            if normal @ np.asarray(outward) < 0:
                points = points[::-1]
        pad = np.repeat(points[-1:], VERTICES - len(points), axis=0)
        self._faces.append(np.concatenate([points, pad]))
        self._rows.append((SLOTS[slot], self._group, detail, outward is None, tint))
        return points

    def solid(self, bottom: np.ndarray, top: np.ndarray, slot: str, tint: float = 1.0) -> None:
        """Convex solid between two (n, 3) polygons with corresponding corners."""
        centre = np.concatenate([bottom, top]).mean(0)
        rolled_bottom, rolled_top = np.roll(bottom, -1, 0), np.roll(top, -1, 0)
        for a, b, c, d in zip(bottom, rolled_bottom, rolled_top, top, strict=True):
            quad = np.stack([a, b, c, d])
            self.face(quad, slot, quad.mean(0) - centre, tint=tint)
        for cap in (bottom, top):
            self.face(cap, slot, cap.mean(0) - centre, tint=tint)

    def box(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        z: tuple[float, float],
        slot: str,
        tint: float = 1.0,
    ) -> None:
        """Box with the given ranges."""
        corners = [(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])]
        low, high = (np.array([(*corner, level) for corner in corners]) for level in z)
        self.solid(low, high, slot, tint)

    def extrude(self, profile: list[tuple[float, float]], half_width: float, slot: str) -> None:
        """Convex (x, z) profile of at most 8 corners extruded over y in +-half_width."""
        near, far = (
            np.array([(px, sign * half_width, pz) for px, pz in profile]) for sign in (-1, 1)
        )
        self.solid(near, far, slot)

    def disc(
        self,
        centre: tuple[float, float, float],
        radius: float,
        axis: tuple[float, float, float],
        slot: str,
        detail: float,
        two_sided: bool = False,
    ) -> None:
        """Disc of fourteen sides, in two halves, facing along `axis` (x or y axis)."""
        for turn in (0.0, np.pi):
            angle = np.linspace(0, np.pi, 8) + turn
            ring = np.zeros((8, 3))
            ring[:, 1 if axis[0] else 0] = radius * np.cos(angle)
            # The halves overlap a little: smooth edges would leave a seam.
            ring[:, 2] = radius * (
                np.sin(angle) - 0.04 * np.cos(turn) * (np.sin(angle) ** 2 < 0.01)
            )
            self.face(ring + centre, slot, None if two_sided else axis, detail=detail)

    def decal(
        self,
        quad: Quad,
        u: tuple[float, float],
        v: tuple[float, float],
        slot: str,
        detail: float,
        tint: float = 1.0,
    ) -> None:
        """Part of a face: `quad` in bilinear coordinates in [0, 1], u right and v up."""
        quad = np.asarray(quad, np.float64)
        corners = []
        for a, b in ((u[0], v[0]), (u[1], v[0]), (u[1], v[1]), (u[0], v[1])):
            low = quad[0] * (1 - a) + quad[1] * a
            high = quad[3] * (1 - a) + quad[2] * a
            corners.append(low * (1 - b) + high * b)
        outward = np.cross(quad[1] - quad[0], quad[3] - quad[0])
        self.face(np.stack(corners), slot, outward, detail=detail, tint=tint)

    def build(self, base_groups: tuple[int, ...] = ()) -> Mesh:
        """The mesh; `base_groups` are drawn before all others."""
        faces = np.stack(self._faces).astype(np.float32)
        slot, group, detail, two_sided, tint = (np.array(c) for c in zip(*self._rows, strict=True))
        centres = np.stack(
            [
                faces[group == g].reshape(-1, 3).mean(0) if (group == g).any() else np.zeros(3)
                for g in range(self._group + 1)
            ]
        ).astype(np.float32)
        for g in base_groups:
            centres[g, 2] = -np.inf
        outline = faces[detail == 0].reshape(-1, 3)
        size = outline.max(0) - np.minimum(outline.min(0), (np.inf, np.inf, 0.0))
        return Mesh(
            faces=faces,
            slot=slot.astype(np.int32),
            group=group.astype(np.int32),
            detail=detail.astype(np.float32),
            emissive=np.isin(slot, EMISSIVE),
            two_sided=two_sided.astype(bool),
            tint=tint.astype(np.float32),
            centres=centres,
            size=(float(size[0]), float(size[1]), float(size[2])),
        )


def sides(
    x: tuple[float, float], y: tuple[float, float], z: tuple[float, float]
) -> dict[str, Quad]:
    """The four upright faces of a box as quads: "front" (+x), "back", "left" (+y), "right"."""

    def quad(a: tuple[float, float], b: tuple[float, float]) -> Quad:
        return np.array([(*a, z[0]), (*b, z[0]), (*b, z[1]), (*a, z[1])])

    return {
        "front": quad((x[1], y[0]), (x[1], y[1])),
        "back": quad((x[0], y[1]), (x[0], y[0])),
        "left": quad((x[1], y[1]), (x[0], y[1])),
        "right": quad((x[0], y[0]), (x[1], y[0])),
    }
