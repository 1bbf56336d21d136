"""3-D labels of a moment, and who of them is to be seen."""

from collections.abc import Sequence as Many
from dataclasses import dataclass, replace

import numpy as np

from lzu.datasets.synthetic.camera import NEAR
from lzu.datasets.synthetic.mesh import Mesh
from lzu.datasets.synthetic.render import Frame
from lzu.datasets.synthetic.scene import Sequence, Snapshot


@dataclass(frozen=True)
class Box3D:
    """An object in the world.

    Attributes:
        kind: class of nuScenes.
        track: actor, the same in all frames of a sequence.
        centre: (x, y, z) world, metres, middle of the box.
        size: (length, width, height) in metres, the same in all frames. A cycle's box holds its
            rider; a walker's holds every phase of the stride.
        yaw: heading in the world, radians in [-pi, pi).
        velocity: (x, y) world, m/s.
        attribute: nuScenes' attribute name, "" for none.
        visible: fraction of its pixels that nothing hides, over the cameras that show it; 0 if none
            does. Of a cycle and its rider it is that of the more visible, as one hides the other.
        solid_angle: what the cameras see of it, in steradians; 0 if none shows it.
    """

    kind: str
    track: int
    centre: tuple[float, float, float]
    size: tuple[float, float, float]
    yaw: float
    velocity: tuple[float, float]
    attribute: str
    visible: float = 0.0
    solid_angle: float = 0.0


def boxes_3d(sequence: Sequence, state: Snapshot, reach: float = 80.0) -> tuple[Box3D, ...]:
    """All objects of nuScenes' classes within `reach` metres of the ego vehicle, all round."""
    actors = sequence.actors
    away = np.hypot(state.position[:, 0] - state.pose.x, state.position[:, 1] - state.pose.y)
    present = (away < reach) & (state.position[:, 2] > -NEAR)
    present &= np.array([kind != "" for kind in actors.kind])
    riders = {int(p): k for k, p in enumerate(actors.parent) if p >= 0}
    out = []
    for who in np.flatnonzero(present):
        i = int(who)
        solids = actors.meshes[i] + (actors.meshes[riders[i]] if i in riders else ())
        low, high = _extent(solids) * float(actors.scale[i])
        middle, yaw = (low + high) / 2, float(state.yaw[i])
        c, s = np.cos(yaw), np.sin(yaw)
        x, y, z = state.position[i]
        out.append(
            Box3D(
                kind=actors.kind[i],
                track=i,
                centre=(
                    float(x + c * middle[0] - s * middle[1]),
                    float(y + s * middle[0] + c * middle[1]),
                    float(z + middle[2]),
                ),
                size=tuple(float(v) for v in high - low),
                yaw=float((yaw + np.pi) % (2 * np.pi) - np.pi),
                velocity=(float(state.velocity[i, 0]), float(state.velocity[i, 1])),
                attribute=actors.attribute[i],
            )
        )
    return tuple(out)


def _extent(solids: Many[Mesh]) -> np.ndarray:
    both = np.stack([mesh.extent for mesh in solids])
    return np.stack([both[:, 0].min(0), both[:, 1].max(0)])


def seen_boxes_3d(
    sequence: Sequence, frames: Many[Frame], reach: float = 80.0
) -> tuple[Box3D, ...]:
    """`boxes_3d` of the moment that `frames` show, one or more cameras, with what is seen of them.

    A camera *shows* an object that has a box among the frame's 2-D labels, a cycle if it or its
    rider has one: so it is as large and as free as the world's `min_box_fraction` and
    `min_visible_fraction` ask for.
    """
    parent = sequence.actors.parent
    visible: dict[int, float] = {}
    whole: dict[int, float] = {}
    angle: dict[int, float] = {}
    for frame in frames:
        shown: dict[int, float] = {}
        pixels: dict[int, int] = {}
        for box in frame.boxes or ():
            who = int(parent[box.track]) if parent[box.track] >= 0 else box.track
            shown[who] = max(shown.get(who, 0.0), box.visible)
            pixels[who] = pixels.get(who, 0) + box.pixels
        for who, count in pixels.items():
            visible[who] = visible.get(who, 0) + count
            whole[who] = whole.get(who, 0) + count / shown[who]
            angle[who] = angle.get(who, 0) + count / frame.camera.focal**2
    return tuple(
        replace(
            box,
            visible=visible[box.track] / whole[box.track],
            solid_angle=angle[box.track],
        )
        if box.track in visible
        else box
        for box in boxes_3d(sequence, frames[0].snapshot, reach)
    )
