"""The ground: road, markings, sidewalks, shadows, and their texture."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from lzu.datasets.cityscapes.classes import IDS
from lzu.datasets.synthetic.camera import NEAR, Camera
from lzu.datasets.synthetic.config import SPLITS
from lzu.datasets.synthetic.drawlist import (
    SHIFT,
    clip_and_project,
    fixed_point,
    haze_share,
    lit,
)
from lzu.datasets.synthetic.road import LANE_WIDTH, PARKING_WIDTH, Road, ribbon
from lzu.datasets.synthetic.scene import Sequence, Snapshot
from lzu.datasets.synthetic.weather import Weather

TEXTURE = 512
TEXEL = 0.02
"""Metres a texel of the finest texture."""
BANDS = ((0.0, 1), (9.0, 3), (22.0, 10), (60.0, 40))
"""Distances in metres from which on the texture's detail is averaged over so many texels."""
RAIL = np.array((58, 60, 64))
"""Colour of a rail."""
BOXY = ("car", "truck", "bus", "trailer", "train")
"""What casts a shadow with corners."""


Lay = Callable[..., None]
"""Adds quads with a colour and a class: lay(quads, colour, name, fine=False)."""


@dataclass(frozen=True)
class Ground:
    """Flat polygons of a sequence in drawing order.

    Attributes:
        quads: (Q, 4, 3) world corners.
        colour: (Q, 3) BGR before light.
        semantic: (Q,) Cityscapes id.
        fine: (Q,) bool, drawn smoothly and only when near enough to matter.
        base: (3,) colour of the open country.
        base_semantic: its Cityscapes id.
    """

    quads: np.ndarray
    colour: np.ndarray
    semantic: np.ndarray
    fine: np.ndarray
    base: np.ndarray
    base_semantic: int


def make_ground(sequence: Sequence) -> Ground:
    """The ground of a sequence."""
    road = sequence.road
    rng = np.random.default_rng([sequence.config.seed, 11, sequence.index])
    grey = rng.uniform(74, 112)
    asphalt = np.array([grey * 1.03, grey, grey * 0.98])
    walk = np.array([150, 156, 160]) * rng.uniform(0.85, 1.12)
    paved = np.array([128, 134, 138]) * rng.uniform(0.85, 1.1)
    grass = np.array([70, 112, 92]) * rng.uniform(0.8, 1.1)
    is_paved = rng.random() < 0.5
    base = paved if is_paved else grass
    white, yellow = np.array([214, 218, 220]), np.array([70, 176, 214])
    rows: list[tuple[np.ndarray, np.ndarray, int, bool]] = []

    def lay(quads: np.ndarray, colour: np.ndarray, name: str, fine: bool = False) -> None:
        rows.append((quads, colour, IDS[name], fine))

    start, end, edge = road.start, road.end - 1, road.half_width
    outer = edge + road.sidewalk
    for side in (-1, 1):
        lay(ribbon(road, start, end, side * edge, side * outer), walk, "sidewalk")
        lay(ribbon(road, start, end, side * edge, side * (edge + 0.18)), walk * 1.15, "sidewalk")
    stalls, stall_class = asphalt * 0.94, "road"
    if sequence.config.street.furnished:
        key = [sequence.config.seed, 14, SPLITS.index(sequence.split), sequence.index]
        own = np.random.default_rng(key)
        _verges(road, grass, own, lay)
        if own.random() < 0.35:
            stalls, stall_class = paved * own.uniform(0.75, 0.95), "parking"
    lay(ribbon(road, start, end, -edge, edge), asphalt, "road")
    if road.parking:
        for side in (-1, 1):
            inner = side * (edge - PARKING_WIDTH)
            lay(ribbon(road, start, end, inner, side * edge), stalls, stall_class)
            line = (side * (edge - PARKING_WIDTH) - 0.06, side * (edge - PARKING_WIDTH) + 0.06)
            lay(ribbon(road, start, end, *line), white * 0.9, "road", True)
    for c in road.crossings:
        w = c.half_width
        for side in (-1, 1):
            far = side * 110
            for flank in (-1, 1):
                s = sorted((c.s + flank * w, c.s + flank * (w + 2.2)))
                lay(ribbon(road, *s, side * edge, far), walk, "sidewalk")
            lay(ribbon(road, c.s - w, c.s + w, side * (edge - 0.2), far), asphalt * 0.97, "road")
            lay(ribbon(road, c.s - 0.07, c.s + 0.07, side * (edge + 5), far), yellow, "road", True)
    _patches(road, asphalt, rng, lay)
    _markings(road, white, yellow, lay)
    if (sequence.actors.semantic == IDS["train"]).any():
        _rails(road, lay)
    return Ground(
        quads=np.concatenate([quads for quads, *_ in rows]),
        colour=np.concatenate([np.tile(c, (len(q), 1)) for q, c, *_ in rows]),
        semantic=np.concatenate([np.full(len(q), s) for q, _, s, _ in rows]),
        fine=np.concatenate([np.full(len(q), f) for q, *_, f in rows]),
        base=base,
        base_semantic=IDS["ground" if is_paved else "terrain"],
    )


def _verges(road: Road, grass: np.ndarray, rng: np.random.Generator, lay: Lay) -> None:
    """Grass along the kerb, and behind the pavement."""
    inner, outer = road.half_width, road.half_width + road.sidewalk
    strips = ((0.4, inner + 0.18, inner + rng.uniform(1.2, 1.8)), (0.6, outer, outer + 12.0))
    for side in (-1, 1):
        for share, near, far in strips:
            if rng.random() < share:
                strip = ribbon(road, road.start, road.end - 1, side * near, side * far)
                lay(strip, grass * rng.uniform(0.9, 1.1), "terrain")


def _rails(road: Road, lay: Lay) -> None:
    """In the inner lanes; as they lie in the street, they are part of it."""
    for side in (-1, 1):
        for d in (LANE_WIDTH / 2 - 0.72, LANE_WIDTH / 2 + 0.72):
            line = (side * d - 0.05, side * d + 0.05)
            lay(ribbon(road, road.start, road.end - 1, *line), RAIL, "road", True)


def _patches(road: Road, asphalt: np.ndarray, rng: np.random.Generator, lay: Lay) -> None:
    """Repairs and wheel tracks."""
    for _ in range(int((road.end - road.start) / 14)):
        s, d = rng.uniform(road.start, road.end), rng.uniform(-0.9, 0.9) * road.half_width
        length, width = rng.uniform(1.5, 8), rng.uniform(0.6, 2.4)
        tone = asphalt * rng.choice([0.86, 0.92, 1.07])
        lay(ribbon(road, s, s + length, d - width / 2, d + width / 2), tone, "road", True)


def _markings(road: Road, white: np.ndarray, yellow: np.ndarray, lay: Lay) -> None:
    gaps = [(c.s - c.half_width - 5.0, c.s + c.half_width + 5.0) for c in road.crossings]
    starts = [road.start] + [high for _, high in gaps]
    ends = [low for low, _ in gaps] + [road.end - 1]
    for low, high in zip(starts, ends, strict=True):
        if high - low < 3:
            continue
        for d in (-0.16, 0.16):
            lay(ribbon(road, low, high, d - 0.06, d + 0.06), yellow, "road", True)
        for lane in range(1, road.lanes):
            for side in (-1, 1):
                d = side * lane * LANE_WIDTH
                for at in np.arange(low, high - 3, 9.0):
                    lay(ribbon(road, at, at + 3, d - 0.07, d + 0.07), white, "road", True)
    reach = road.lanes * LANE_WIDTH
    for c in road.crossings:
        for flank in (-1, 1):
            if c.control != "none":
                line = sorted(
                    (c.s + flank * (c.half_width + 4.4), c.s + flank * (c.half_width + 4.9))
                )
                lanes = (0.2, reach) if flank > 0 else (-reach, -0.2)
                lay(ribbon(road, *line, *lanes), white, "road", True)
            if c.control == "signal":
                bar = sorted(
                    (c.s + flank * (c.half_width + 0.8), c.s + flank * (c.half_width + 3.4))
                )
                for d in np.arange(-road.half_width + 0.3, road.half_width - 0.5, 1.1):
                    lay(ribbon(road, *bar, d, d + 0.55), white, "road", True)


@cache
def _textures() -> dict[int, np.ndarray]:
    """Grey tiles around 128 for each step of BANDS; wrap in both directions."""
    rng = np.random.default_rng(5)
    total = np.zeros((TEXTURE, TEXTURE), np.float32)
    for cell, strength in ((1, 8.0), (4, 4.0), (16, 3.0), (64, 4.0), (128, 3.0)):
        grid = rng.normal(0, strength, (TEXTURE // cell,) * 2).astype(np.float32)
        grid = np.pad(grid, 2, mode="wrap")
        big = cv2.resize(grid, None, fx=cell, fy=cell, interpolation=cv2.INTER_CUBIC)
        total += big[2 * cell : 2 * cell + TEXTURE, 2 * cell : 2 * cell + TEXTURE]
    out = {}
    for _, step in BANDS:
        wrapped = np.pad(total, step, mode="wrap")
        smooth = cv2.blur(wrapped, (step, step))[step : step + TEXTURE, step : step + TEXTURE]
        out[step] = np.clip(128 + smooth, 0, 255).astype(np.uint8)
    return out


def texture(image: np.ndarray, camera: Camera) -> None:
    """Add the ground's grain to everything below the horizon, in place."""
    height, width = camera.size
    horizon = camera.horizon
    ray = camera.rotation.T @ np.linalg.inv(camera.intrinsic)
    tile = TEXTURE * TEXEL
    px, py, pz = camera.position
    to_ground = np.stack(
        [(px % tile) * ray[2] - pz * ray[0], (py % tile) * ray[2] - pz * ray[1], ray[2] * TEXEL]
    )
    rows = [horizon + camera.focal * pz / max(d, 1e-3) for d, _ in BANDS]
    for k, (_, step) in enumerate(BANDS):
        bottom = int(np.clip(np.ceil(rows[k]), 0, height))
        far = BANDS[k + 1][0] if k + 1 < len(BANDS) else 150.0
        top = horizon + camera.focal * pz / far
        top = int(np.clip(np.ceil(top), 0, height))
        if top >= bottom:
            continue
        # Near by, a texel covers several pixels: half the resolution is enough.
        half = 2 if camera.focal * TEXEL * step > 2.2 * far else 1
        place = np.array([[half, 0, half / 2], [0, half, top + half / 2], [0, 0, 1]])
        grain = cv2.warpPerspective(
            _textures()[step],
            to_ground @ place,
            (-(-width // half), -(-(bottom - top) // half)),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_WRAP,
        )
        if half > 1:
            grain = cv2.resize(grain, (width, bottom - top), interpolation=cv2.INTER_LINEAR)
        part = image[top:bottom]
        cv2.addWeighted(part, 1, cv2.cvtColor(grain, cv2.COLOR_GRAY2BGR), 1, -128, dst=part)


def shadows(
    sequence: Sequence, snapshot: Snapshot, camera: Camera, order: np.ndarray
) -> tuple[np.ndarray, float]:
    """(n, 8, 3) world polygons of the shadows of the near ones of `order`, and how dark they
    are."""
    actors, weather = sequence.actors, sequence.weather
    place = snapshot.position[order]
    near = np.hypot(*(place[:, :2] - camera.position[:2]).T) < 90
    rows = order[near & (place[:, 2] < 0.1) & ~actors.blocks[order]]
    half = snapshot.size[rows, :2] / 2
    slim = actors.semantic[rows] == IDS["pole"]
    half[slim] = 0.16
    angle = np.arange(8) * (np.pi / 4) + np.pi / 8
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)
    # Vehicles have square corners, the rest is round.
    square = np.clip(circle * 1.5, -1, 1)
    boxy = np.isin(actors.semantic[rows], [IDS[k] for k in BOXY])
    local = np.where(boxy[:, None, None], square * (0.98, 1.08), circle) * half[:, None]
    c, s = np.cos(snapshot.yaw[rows])[:, None], np.sin(snapshot.yaw[rows])[:, None]
    x = snapshot.position[rows, 0, None] + c * local[..., 0] - s * local[..., 1]
    y = snapshot.position[rows, 1, None] + s * local[..., 0] + c * local[..., 1]
    cast = -weather.sun[:2] * 0.35 * min(1.0, weather.direct * 3)
    shift = np.minimum(snapshot.size[rows, 2], 3)[:, None] * cast[:, None, None]
    points = np.stack([x + shift[0], y + shift[1], np.zeros_like(x)], -1)
    return points, 0.5 if weather.direct > 0.2 else 0.68


def draw(
    image: np.ndarray | None,
    ids: np.ndarray | None,
    ground: Ground,
    sequence: Sequence,
    snapshot: Snapshot,
    camera: Camera,
    order: np.ndarray,
) -> None:
    """Draw the ground's polygons on `image` and their Cityscapes ids + 1 on `ids`, in place."""
    weather = sequence.weather
    _fill(image, ids, ground.quads, ground.colour, ground.fine, ground.semantic, weather, camera)
    if image is not None:
        dark, factor = shadows(sequence, snapshot, camera, order)
        asphalt = ground.colour[ground.semantic == IDS["road"]][0]
        colour = np.tile(asphalt * factor, (len(dark), 1))
        fine = np.ones(len(dark), bool)
        _fill(image, None, dark, colour, fine, np.zeros(len(dark), int), weather, camera)


def _fill(
    image: np.ndarray | None,
    ids: np.ndarray | None,
    polygons: np.ndarray,
    colour: np.ndarray,
    fine: np.ndarray,
    semantic: np.ndarray,
    weather: Weather,
    camera: Camera,
) -> None:
    points = camera.to_camera(polygons)
    depth = points[..., 2]
    near, far = depth.min(1), depth.max(1)
    half = camera.size[1] / 2 / camera.focal
    beside = (points[..., 0] - half * depth > 0).all(1) | (points[..., 0] + half * depth < 0).all(1)
    small = fine & (near > 110 * camera.focal / camera.size[1])
    rows = np.flatnonzero((far > NEAR) & ~beside & (near < 260) & ~small)
    corners = list(fixed_point(camera.project(np.maximum(points[rows], (-np.inf, -np.inf, NEAR)))))
    light = np.full(len(rows), weather.ambient * 1.16 + weather.direct * weather.sun[2])
    shown = lit(colour[rows], light, weather)
    share = haze_share(np.maximum(depth[rows].mean(1), 0), weather)[:, None]
    shown = shown * (1 - share) + weather.haze * share
    colours = np.clip(np.rint(shown), 0, 255).astype(int).tolist()
    for k, row in enumerate(rows):
        polygon = corners[k]
        if near[row] < NEAR:
            polygon = clip_and_project(points[row], camera)
        if image is not None:
            kind = cv2.LINE_AA if fine[row] else cv2.LINE_8
            cv2.fillConvexPoly(image, polygon, colours[k], kind, SHIFT)
        if ids is not None and not fine[row]:
            cv2.fillConvexPoly(ids, polygon, int(semantic[row]) + 1, cv2.LINE_8, SHIFT)
