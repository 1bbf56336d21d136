"""Pictures of a sequence, with the labels that belong to them."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from lzu.datasets.cityscapes.classes import IDS
from lzu.datasets.synthetic import backdrop, drawlist, ego_vehicle
from lzu.datasets.synthetic import ground as ground_layer
from lzu.datasets.synthetic.camera import Camera, make_camera
from lzu.datasets.synthetic.config import SPLITS, WorldConfig
from lzu.datasets.synthetic.drawlist import SHIFT, DrawList
from lzu.datasets.synthetic.ground import Ground
from lzu.datasets.synthetic.labels import Box2D, boxes_2d
from lzu.datasets.synthetic.scene import Sequence, Snapshot, make_sequence, snapshot

FIRST_ACTOR = 64
"""Value of actor 0 in an id map; below it: 0 sky, Cityscapes id + 1 for what is no actor."""


@dataclass(frozen=True)
class Stage:
    """A sequence with what its pictures share.

    Attributes:
        sequence: the drive.
        ground: its flat polygons.
        sky: panorama (backdrop.make_sky).
    """

    sequence: Sequence
    ground: Ground
    sky: np.ndarray


@dataclass(frozen=True)
class Frame:
    """A rendered frame.

    Attributes:
        image: (H, W, 3) uint8 BGR, or None.
        boxes: labelled 2-D boxes, None unless wanted.
        semantic: (H, W) uint8 Cityscapes ids, None unless wanted.
        instance: (H, W) uint16 id map (0 to 63: background, i + 64: actor i), None unless boxes or
            the semantic map are wanted.
        camera: the camera.
        snapshot: the state of the world.
    """

    image: np.ndarray | None
    boxes: tuple[Box2D, ...] | None
    semantic: np.ndarray | None
    instance: np.ndarray | None
    camera: Camera
    snapshot: Snapshot


def make_stage(config: WorldConfig, split: str, index: int) -> Stage:
    """Sequence `index` of `split` ("train" or "val"), ready to be rendered."""
    sequence = make_sequence(config, split, index)
    return Stage(sequence, ground_layer.make_ground(sequence), backdrop.make_sky(sequence))


def render(
    stage: Stage,
    frame: int,
    camera: str = "CAM_FRONT",
    *,
    image: bool = True,
    boxes: bool = True,
    semantic: bool = False,
) -> Frame:
    """Render frame number `frame` as seen by one camera of the rig (camera.CAMERAS)."""
    sequence = stage.sequence
    config = sequence.config
    state = snapshot(sequence, frame)
    view = make_camera(config, state.pose, camera)
    least = np.where(sequence.actors.annotated, 0.75 * config.min_box_height, 0.01 * config.height)
    seen = drawlist.in_view(state, view, least)
    order = drawlist.paint_order(sequence, state, view, seen)
    order = drawlist.without_hidden_buildings(sequence, state, view, order)
    polygons = drawlist.build(sequence, state, view, order)
    picture = _paint(stage, frame, state, view, polygons) if image else None
    ids = marks = None
    if boxes or semantic:
        ids, marks = _identify(stage, state, view, polygons, ground=semantic)
    found = None
    if boxes:
        found = boxes_2d(sequence, state, view, polygons, ids, marks, FIRST_ACTOR)
    return Frame(
        image=picture,
        boxes=found,
        semantic=_semantic(ids, sequence) if semantic else None,
        instance=ids,
        camera=view,
        snapshot=state,
    )


def _paint(
    stage: Stage, frame: int, state: Snapshot, view: Camera, polygons: DrawList
) -> np.ndarray:
    sequence = stage.sequence
    image = np.empty((*view.size, 3), np.uint8)
    backdrop.draw(image, sequence, stage.sky, stage.ground.base, view)
    ground_layer.draw(image, None, stage.ground, sequence, state, view, polygons.order)
    ground_layer.texture(image, view)
    fill, smooth = cv2.fillConvexPoly, cv2.LINE_AA
    for polygon, colour in zip(polygons.polygons, polygons.colours, strict=True):
        fill(image, polygon, colour, smooth, SHIFT)
    config = sequence.config
    if config.street.furnished:
        ego_vehicle.paint(image, sequence.weather)
    if config.sensor_noise > 0:
        key = [config.seed, SPLITS.index(sequence.split), sequence.index, frame]
        dy, dx = np.random.default_rng(key).integers(0, 64, 2)
        noise = _noise(*view.size, config.sensor_noise)[
            dy : dy + view.size[0], dx : dx + view.size[1]
        ]
        cv2.addWeighted(image, 1, noise, 1, -128, dst=image)
    return image


@lru_cache(maxsize=4)
def _noise(height: int, width: int, amplitude: float) -> np.ndarray:
    """Sensor noise around 128, larger than the image by 64 pixels each way."""
    rng = np.random.default_rng(6)
    shape = (height + 64, width + 64, 3)
    grey = rng.normal(0, 0.8 * amplitude, shape[:2]).astype(np.float32)
    colour = rng.normal(0, 0.6 * amplitude, (shape[0] // 2, shape[1] // 2, 3)).astype(np.float32)
    colour = cv2.resize(colour, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.clip(np.rint(128 + grey[..., None] + colour), 0, 255).astype(np.uint8)


def _identify(
    stage: Stage, state: Snapshot, view: Camera, polygons: DrawList, ground: bool
) -> tuple[np.ndarray, dict[int, tuple[int, int, int, int, int]]]:
    """Id map, and for each labelled actor its window (left, top, right, bottom) in whole pixels
    and the number of its pixels before nearer ones were drawn over it."""
    sequence = stage.sequence
    height, width = view.size
    ids = np.zeros(view.size, np.uint16)
    if ground:
        horizon = int(np.clip(round(view.horizon), 0, height))
        ids[horizon:] = stage.ground.base_semantic + 1
        ground_layer.draw(None, ids, stage.ground, sequence, state, view, polygons.order)
    rows = np.flatnonzero(polygons.outline)
    actor = polygons.actor[rows]
    starts = np.flatnonzero(np.r_[True, actor[1:] != actor[:-1]]) if len(rows) else []
    ends = [*starts[1:], len(rows)] if len(rows) else []
    place = {int(a): k for k, a in enumerate(polygons.order)}
    marks: dict[int, tuple[int, int, int, int, int]] = {}
    fill, hard = cv2.fillConvexPoly, cv2.LINE_8
    for start, end in zip(starts, ends, strict=True):
        who = int(actor[start])
        value = who + FIRST_ACTOR
        for row in rows[start:end]:
            fill(ids, polygons.polygons[row], value, hard, SHIFT)
        if not sequence.actors.annotated[who]:
            continue
        low_x, low_y, high_x, high_y = polygons.bounds[place[who]]
        left, top = max(int(low_x) - 1, 0), max(int(low_y) - 1, 0)
        right, bottom = min(int(high_x) + 2, width), min(int(high_y) + 2, height)
        if left < right and top < bottom:
            whole = int(np.count_nonzero(ids[top:bottom, left:right] == value))
            marks[who] = (left, top, right, bottom, whole)
    if ground and sequence.config.street.furnished:
        ego_vehicle.identify(ids)
    return ids, marks


def _semantic(ids: np.ndarray, sequence: Sequence) -> np.ndarray:
    table = np.zeros(FIRST_ACTOR + len(sequence.actors), np.uint8)
    table[0] = IDS["sky"]
    table[1:FIRST_ACTOR] = np.arange(FIRST_ACTOR - 1)
    table[FIRST_ACTOR:] = sequence.actors.semantic
    return table[ids]
