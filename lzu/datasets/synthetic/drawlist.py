"""From the world at a frame to the polygons of a picture, sorted far to near."""

from dataclasses import dataclass

import numpy as np

from lzu.datasets.synthetic.camera import NEAR, Camera
from lzu.datasets.synthetic.mesh import VERTICES
from lzu.datasets.synthetic.scene import Sequence, Snapshot
from lzu.datasets.synthetic.weather import Weather

SHIFT = 4
"""Binary digits of subpixel precision in OpenCV's polygon coordinates."""
LIMIT = 40000.0
"""Largest pixel coordinate handed to OpenCV; only polygons far outside the image reach it."""
DETAIL_PIXELS = 1.1
"""Surface details smaller than this are left out."""


@dataclass(frozen=True)
class DrawList:
    """Polygons in drawing order.

    Attributes:
        polygons: (n, 2) int32 corners each, pixels times 2**SHIFT, pixel centres at integers.
        colours: BGR tuple of each.
        actor: (F,) index of the actor that each belongs to.
        outline: (F,) bool, False for surface details.
        order: indices of the drawn actors, far to near.
        bounds: (len(order), 4) left, top, right, bottom of each in pixels, before clipping to the
            image; pixel corners at integers.
    """

    polygons: list[np.ndarray]
    colours: list[tuple[int, int, int]]
    actor: np.ndarray
    outline: np.ndarray
    order: np.ndarray
    bounds: np.ndarray


def in_view(snapshot: Snapshot, camera: Camera, least_pixels: np.ndarray) -> np.ndarray:
    """(N,) bool: actors that may be seen and are at least `least_pixels` (N,) high."""
    centre = snapshot.position.copy()
    centre[:, 2] += snapshot.size[:, 2] / 2
    at = camera.to_camera(centre)
    # Solids such as lamp posts are not centred on their origin: be generous.
    radius = 0.6 * np.linalg.norm(snapshot.size, axis=1) + 0.5 * snapshot.size[:, 1]
    depth = at[:, 2]
    height, width = camera.size
    inside = depth > NEAR - radius
    for axis, extent in ((0, width), (1, height)):
        half = extent / 2 / camera.focal
        slack = radius * np.sqrt(1 + half**2)
        inside &= np.abs(at[:, axis]) < half * np.maximum(depth, 0) + slack
    distance = np.maximum(np.linalg.norm(at, axis=1) - radius, 1.0)
    return inside & (snapshot.size[:, 2] * camera.focal / distance >= least_pixels)


def paint_order(
    sequence: Sequence, snapshot: Snapshot, camera: Camera, seen: np.ndarray
) -> np.ndarray:
    """Indices of the `seen` actors from far to near, without those that buildings hide entirely.

    Solids are sorted by their distance, except against buildings, which are too long for that: a
    solid is drawn just before the farthest building that lies between it and the camera.
    """
    index = np.flatnonzero(seen)
    blocks = sequence.actors.blocks[index]
    buildings, solids = index[blocks], index[~blocks]
    eye = camera.position[:2]

    def distance(rows: np.ndarray) -> np.ndarray:
        return np.hypot(*(snapshot.position[rows, :2] - eye).T)

    buildings = buildings[np.argsort(-distance(buildings), kind="stable")]
    rank = np.full(len(solids), len(buildings))
    hidden = np.zeros(len(solids), bool)
    if len(buildings) and len(solids):
        offset = snapshot.position[solids, :2] - eye
        far = distance(solids)
        across = np.stack([-offset[:, 1], offset[:, 0]], 1) / np.maximum(far, 1e-6)[:, None]
        half = 0.5 * np.hypot(snapshot.size[solids, 0], snapshot.size[solids, 1])
        targets = np.stack(
            [offset + across * (k * half)[:, None] for k in (-1, 0, 1)]
        )  # (3, solids, 2), relative to the eye
        blocked = np.stack([_crosses(targets, b, snapshot, eye) for b in buildings])
        some = blocked.any(1)
        rank = np.where(some.any(0), some.argmax(0), rank)
        hidden = blocked.all(1).any(0)
    ridden = 0.05 * (sequence.actors.parent[solids] >= 0)
    keys = np.concatenate([2 * rank, 2 * np.arange(len(buildings)) + 1])
    near = np.concatenate([-(distance(solids) - ridden), np.zeros(len(buildings))])
    everyone = np.concatenate([solids, buildings])
    drawn = np.concatenate([~hidden, np.ones(len(buildings), bool)])
    order = np.lexsort((near, keys))
    return everyone[order][drawn[order]]


def _crosses(targets: np.ndarray, building: int, snapshot: Snapshot, eye: np.ndarray) -> np.ndarray:
    """(...) bool: whether the segment from the eye to each target crosses the building."""
    c, s = np.cos(snapshot.yaw[building]), np.sin(snapshot.yaw[building])
    turn = np.array([[c, -s], [s, c]])
    start = (eye - snapshot.position[building, :2]) @ turn
    along = targets @ turn
    depth, width, _ = snapshot.size[building]
    along = np.where(np.abs(along) < 1e-9, 1e-9, along)
    low = (np.array([-depth, -width / 2]) - start) / along
    high = (np.array([0.0, width / 2]) - start) / along
    enter = np.minimum(low, high).max(-1)
    leave = np.maximum(low, high).min(-1)
    return (enter < leave) & (leave > 0) & (enter < 1)


def build(sequence: Sequence, snapshot: Snapshot, camera: Camera, order: np.ndarray) -> DrawList:
    """Polygons of the actors in `order`."""
    if len(order) == 0:
        return DrawList([], [], np.zeros(0, int), np.zeros(0, bool), order, np.zeros((0, 4)))
    meshes = [snapshot.meshes[i] for i in order]
    counts = np.array([len(m.faces) for m in meshes])
    owner = np.repeat(np.arange(len(order)), counts)
    gather = {
        name: np.concatenate([getattr(m, name) for m in meshes])
        for name in ("faces", "slot", "group", "detail", "emissive", "two_sided", "tint")
    }
    place = _Placement.of(sequence, snapshot, camera, order)
    points = place.points(gather["faces"], owner)

    depth_min, depth_max = points[..., 2].min(1), points[..., 2].max(1)
    keep = depth_max > NEAR
    keep &= gather["detail"] * camera.focal >= DETAIL_PIXELS * np.maximum(depth_min, NEAR) * (
        gather["detail"] > 0
    )
    normal = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    facing = (normal * points[:, 0]).sum(1) < 0
    keep &= facing | gather["two_sided"]

    pixels = camera.project(np.maximum(points, (-np.inf, -np.inf, NEAR)).astype(np.float32))
    low, high = pixels.min(1), pixels.max(1)
    height, width = camera.size
    crossing = depth_min < NEAR
    off = (high[:, 0] < 0) | (low[:, 0] > width) | (high[:, 1] < 0) | (low[:, 1] > height)
    keep &= crossing | ~off

    groups = np.array([len(m.centres) for m in meshes])
    first = np.concatenate([[0], np.cumsum(groups)[:-1]])
    centres = np.concatenate([m.centres for m in meshes])
    base = np.isneginf(centres[:, 2])
    away = place.points(
        np.where(base[:, None], 0, centres), np.repeat(np.arange(len(order)), groups)
    )
    reach = np.where(base, np.inf, np.hypot(away[:, 0], away[:, 2]))[first[owner] + gather["group"]]

    rows = np.flatnonzero(keep)
    rows = rows[np.lexsort((rows, -reach[rows], owner[rows]))]
    colours = _colours(
        sequence.weather, snapshot, camera, order, owner, gather, points, normal, rows
    )
    fixed = np.clip((pixels[rows] - 0.5) * (1 << SHIFT), -LIMIT * 16, LIMIT * 16)
    polygons = list(np.rint(fixed).astype(np.int32))
    for k in np.flatnonzero(crossing[rows]):
        polygons[k] = clip_and_project(points[rows[k]], camera)
    whole = _bounds(polygons, owner[rows], gather["detail"][rows] == 0, len(order))
    return DrawList(
        polygons=polygons,
        colours=colours,
        actor=order[owner[rows]],
        outline=gather["detail"][rows] == 0,
        order=order,
        bounds=whole,
    )


@dataclass(frozen=True)
class _Placement:
    """Similarity from the local frames of actors to the camera frame."""

    matrix: np.ndarray  # (n, 3, 3)
    offset: np.ndarray  # (n, 3)

    @classmethod
    def of(
        cls, sequence: Sequence, snapshot: Snapshot, camera: Camera, order: np.ndarray
    ) -> "_Placement":
        yaw, scale = snapshot.yaw[order], sequence.actors.scale[order]
        c, s, zero = np.cos(yaw) * scale, np.sin(yaw) * scale, np.zeros(len(order))
        local = np.stack([c, -s, zero, s, c, zero, zero, zero, scale], 1).reshape(-1, 3, 3)
        matrix = camera.rotation @ local
        offset = camera.to_camera(snapshot.position[order])
        return cls(matrix.astype(np.float32), offset.astype(np.float32))

    def points(self, local: np.ndarray, owner: np.ndarray) -> np.ndarray:
        """Camera-frame points of (F, 8, 3) or (F, 3) local ones; owner (F,)."""
        flat = local[:, None] if local.ndim == 2 else local
        out = np.matmul(flat, self.matrix[owner].transpose(0, 2, 1)) + self.offset[owner][:, None]
        return out[:, 0] if local.ndim == 2 else out


def haze_share(depth: np.ndarray, weather: Weather) -> np.ndarray:
    """Share of the haze's colour at a distance in metres."""
    return 1 - np.exp(-np.maximum(depth, 0) / weather.visibility)


def lit(colour: np.ndarray, light: np.ndarray, weather: Weather) -> np.ndarray:
    """(n, 3) colours under (n,) light."""
    return colour * light[:, None] * weather.tint


def _colours(
    weather: Weather,
    snapshot: Snapshot,
    camera: Camera,
    order: np.ndarray,
    owner: np.ndarray,
    gather: dict[str, np.ndarray],
    points: np.ndarray,
    normal: np.ndarray,
    rows: np.ndarray,
) -> list[tuple[int, int, int]]:
    own = snapshot.palette[order[owner[rows]], gather["slot"][rows]]
    own = own * gather["tint"][rows, None]
    unit = normal[rows] / np.maximum(np.linalg.norm(normal[rows], axis=1, keepdims=True), 1e-9)
    sun = camera.rotation @ weather.sun
    up = camera.rotation @ np.array([0.0, 0.0, 1.0])
    light = weather.ambient * (1 + 0.16 * (unit @ up)) + weather.direct * np.maximum(unit @ sun, 0)
    glow = gather["emissive"][rows]
    colour = np.where(glow[:, None], own, lit(own, light, weather))
    share = haze_share(points[rows, 0, 2], weather)[:, None] * np.where(glow, 0.6, 1.0)[:, None]
    colour = colour * (1 - share) + weather.haze * share
    return [tuple(c) for c in np.clip(np.rint(colour), 0, 255).astype(int).tolist()]


def clip_and_project(points: np.ndarray, camera: Camera) -> np.ndarray:
    """(n, 3) camera-frame polygon, clipped at the near plane, as fixed-point pixels."""
    inside = points[:, 2] > NEAR
    out = []
    for a in range(len(points)):
        b = (a + 1) % len(points)
        if inside[a]:
            out.append(points[a])
        if inside[a] != inside[b]:
            f = (NEAR - points[a, 2]) / (points[b, 2] - points[a, 2])
            out.append(points[a] + f * (points[b] - points[a]))
    pixels = camera.project(np.array(out, np.float64).reshape(-1, 3))
    fixed = np.clip((pixels - 0.5) * (1 << SHIFT), -LIMIT * 16, LIMIT * 16)
    return np.rint(fixed).astype(np.int32)


def _bounds(
    polygons: list[np.ndarray], owner: np.ndarray, outline: np.ndarray, count: int
) -> np.ndarray:
    bounds = np.tile(np.array([np.inf, np.inf, -np.inf, -np.inf]), (count, 1))
    if not polygons:
        return bounds
    padded = np.stack([p if len(p) == VERTICES else _pad(p) for p in polygons]) / (1 << SHIFT) + 0.5
    rows = np.flatnonzero(outline)
    np.minimum.at(bounds[:, :2], owner[rows], padded[rows].min(1))
    np.maximum.at(bounds[:, 2:], owner[rows], padded[rows].max(1))
    return bounds


def _pad(polygon: np.ndarray) -> np.ndarray:
    """Polygon of any number of corners with the same bounds in `VERTICES` rows."""
    box = np.stack([polygon.min(0), polygon.max(0)])
    return np.concatenate([box, np.repeat(box[-1:], VERTICES - 2, 0)])
