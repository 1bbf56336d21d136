"""From the world at a frame to the polygons of a picture, sorted far to near."""

from dataclasses import dataclass

import cv2
import numpy as np

from lzu.datasets.synthetic.camera import NEAR, Camera
from lzu.datasets.synthetic.mesh import Mesh
from lzu.datasets.synthetic.scene import Sequence, Snapshot
from lzu.datasets.synthetic.weather import Weather

SHIFT = 4
"""Binary digits of subpixel precision in OpenCV's polygon coordinates."""
LIMIT = 40000.0
"""Largest pixel coordinate handed to OpenCV; only polygons far outside the image reach it."""
DETAIL_PIXELS = 1.1
"""Surface details smaller than this are left out."""
COARSE = 8
"""Pixels (a power of two) a cell of the map that finds hidden buildings."""
SLIVER_PIXELS = 1.4
"""So are details that are seen so obliquely that one side is shorter than this."""


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


def build(
    sequence: Sequence,
    snapshot: Snapshot,
    camera: Camera,
    order: np.ndarray,
    shells: bool = False,
) -> DrawList:
    """Polygons of the actors in `order`; `shells`: without surface details."""
    if len(order) == 0:
        return DrawList([], [], np.zeros(0, int), np.zeros(0, bool), order, np.zeros((0, 4)))
    meshes = [snapshot.meshes[i] for i in order]
    if shells:
        meshes = [mesh.shell for mesh in meshes]
    place = _Placement.of(sequence, snapshot, camera, order)
    part, owner = _front_faces(meshes, place, camera, snapshot, order)
    points = place.points(part["faces"], owner).transpose(2, 1, 0).copy()  # (3, 8, F)

    depth = points[2]
    nearest, crossing = depth.min(0), depth.min(0) < NEAR
    scale = camera.focal / np.maximum(depth, NEAR)
    height, width = camera.size
    x, y = points[0] * scale + width / 2, points[1] * scale + height / 2
    left, right, top, bottom = x.min(0), x.max(0), y.min(0), y.max(0)
    keep = (right > 0) & (left < width) & (bottom > 0) & (top < height)
    sliver = np.minimum(right - left, bottom - top) < SLIVER_PIXELS
    keep &= ~(sliver & (part["detail"] > 0))
    keep = (keep | crossing) & (depth.max(0) > NEAR)

    rows = np.flatnonzero(keep)
    away = _group_distance(meshes, place, len(order))[owner[rows], part["group"][rows]]
    rows = rows[np.lexsort((rows, -away, owner[rows]))]
    owner, part = owner[rows], {name: values[rows] for name, values in part.items()}
    pixels = np.stack([x[:, rows], y[:, rows]], -1).transpose(1, 0, 2)
    polygons = list(fixed_point(pixels))
    outline = part["detail"] == 0
    bounds = np.tile(np.array([np.inf, np.inf, -np.inf, -np.inf]), (len(order), 1))
    whole = np.flatnonzero(outline & ~crossing[rows])
    for column, values, reduce in (
        (0, left, np.minimum),
        (1, top, np.minimum),
        (2, right, np.maximum),
        (3, bottom, np.maximum),
    ):
        reduce.at(bounds[:, column], owner[whole], values[rows[whole]])
    for k in np.flatnonzero(crossing[rows]):
        polygons[k] = clip_and_project(points[:, :, rows[k]].T, camera)
        if outline[k] and len(polygons[k]):
            corners = polygons[k] / (1 << SHIFT) + 0.5
            box = bounds[owner[k]]
            box[:2], box[2:] = (
                np.minimum(box[:2], corners.min(0)),
                np.maximum(box[2:], corners.max(0)),
            )
    colours = snapshot.palette[order[owner], part["slot"]] * part["tint"][:, None]
    return DrawList(
        polygons=polygons,
        colours=_shade(sequence.weather, camera, colours, part, nearest[rows]),
        actor=order[owner],
        outline=outline,
        order=order,
        bounds=bounds,
    )


def _front_faces(
    meshes: list[Mesh],
    place: "_Placement",
    camera: Camera,
    snapshot: Snapshot,
    order: np.ndarray,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Columns of the faces that are turned to the camera and large enough, among them "normal"
    (F, 3) in the camera frame; and the index of each face's mesh."""
    owner = np.repeat(np.arange(len(meshes)), [len(m.faces) for m in meshes])
    reach = np.linalg.norm(snapshot.size[order], axis=1)
    closest = np.maximum(place.offset[:, 2] - reach, NEAR)
    detail = np.concatenate([m.detail for m in meshes])
    large = (detail == 0) | (detail * camera.focal >= DETAIL_PIXELS * closest[owner])
    owner = owner[large]
    faces = np.concatenate([m.faces for m in meshes])[large]
    a, b, c = (place.points(faces[:, k], owner).T for k in (0, 1, 2))
    (ux, uy, uz), (vx, vy, vz) = b - a, c - a
    normal = np.stack([uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx])
    facing = (normal * a).sum(0) < 0
    facing |= np.concatenate([m.two_sided for m in meshes])[large]
    part = {
        name: np.concatenate([getattr(m, name) for m in meshes])[large][facing]
        for name in ("slot", "group", "emissive", "tint")
    }
    part |= {"faces": faces[facing], "detail": detail[large][facing], "normal": normal.T[facing]}
    return part, owner[facing]


def _group_distance(meshes: list[Mesh], place: "_Placement", count: int) -> np.ndarray:
    """(count, most groups of a mesh) horizontal distance of each group; undercarriages: inf."""
    sizes = np.array([len(m.centres) for m in meshes])
    centres = np.concatenate([m.centres for m in meshes])
    owner = np.repeat(np.arange(count), sizes)
    base = np.isneginf(centres[:, 2])
    at = place.points(np.where(base[:, None], 0, centres), owner)
    table = np.zeros((count, int(sizes.max())))
    column = np.arange(len(owner)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    table[owner, column] = np.where(base, np.inf, np.hypot(at[:, 0], at[:, 2]))
    return table


def without_hidden_buildings(
    sequence: Sequence, snapshot: Snapshot, camera: Camera, order: np.ndarray
) -> np.ndarray:
    """`order` without the buildings that others hide, found by drawing their shells coarsely."""
    buildings = order[sequence.actors.blocks[order]]
    shells = build(sequence, snapshot, camera, buildings, shells=True)
    height, width = camera.size
    coarse = np.zeros((-(-height // COARSE), -(-width // COARSE)), np.uint16)
    finer = SHIFT + COARSE.bit_length() - 1
    for polygon, actor in zip(shells.polygons, shells.actor, strict=True):
        cv2.fillConvexPoly(coarse, polygon, int(actor) + 1, cv2.LINE_8, finer)
    shown = np.zeros(len(sequence.actors) + 1, bool)
    shown[np.unique(coarse)] = True
    return order[shown[order + 1] | ~sequence.actors.blocks[order]]


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


def _shade(
    weather: Weather,
    camera: Camera,
    own: np.ndarray,
    part: dict[str, np.ndarray],
    depth: np.ndarray,
) -> list[tuple[int, int, int]]:
    """Colours of faces with own colours (F, 3), in light and haze."""
    normal = part["normal"]
    unit = normal / np.maximum(np.sqrt((normal * normal).sum(1)), 1e-9)[:, None]
    sun = camera.rotation @ weather.sun
    up = camera.rotation @ np.array([0.0, 0.0, 1.0])
    light = weather.ambient * (1 + 0.16 * (unit @ up)) + weather.direct * np.maximum(unit @ sun, 0)
    glow = part["emissive"][:, None]
    colour = np.where(glow, own, lit(own, light, weather))
    share = haze_share(depth, weather)[:, None] * np.where(glow, 0.6, 1.0)
    colour = colour * (1 - share) + weather.haze * share
    return [tuple(c) for c in np.clip(np.rint(colour), 0, 255).astype(int).tolist()]


def fixed_point(pixels: np.ndarray) -> np.ndarray:
    """Pixels (corners at integers) as OpenCV's fixed-point coordinates (centres at integers)."""
    fixed = np.clip((pixels - 0.5) * (1 << SHIFT), -LIMIT * (1 << SHIFT), LIMIT * (1 << SHIFT))
    return np.rint(fixed).astype(np.int32)


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
    return fixed_point(camera.project(np.array(out, np.float64).reshape(-1, 3)))
