"""Pinhole cameras and the rig of six on the ego vehicle.

World frame: x, y on the ground, z up, metres. Ego frame: x forward, y left, z up, its origin on the
ground below the rig. Camera frame: x right, y down, z forward. Pixel (0, 0) is the *corner* of the
image, so pixel centres are at +0.5.
"""

from dataclasses import dataclass

import numpy as np

from lzu.datasets.synthetic.config import WorldConfig

CAMERAS: dict[str, tuple[float, float, tuple[float, float, float]]] = {
    # yaw (deg, to the left), field of view relative to the front camera's, place in the ego frame
    "CAM_FRONT": (0.0, 1.0, (1.5, 0.0, 1.6)),
    "CAM_FRONT_RIGHT": (-55.0, 1.0, (1.4, -0.5, 1.6)),
    "CAM_BACK_RIGHT": (-110.0, 1.0, (0.9, -0.5, 1.6)),
    "CAM_BACK": (180.0, 1.57, (-0.3, 0.0, 1.6)),
    "CAM_BACK_LEFT": (110.0, 1.0, (0.9, 0.5, 1.6)),
    "CAM_FRONT_LEFT": (55.0, 1.0, (1.4, 0.5, 1.6)),
}
"""nuScenes' six cameras. Argoverse-HD's `ring_front_center` is CAM_FRONT."""

NEAR = 0.25
"""Distance in metres of the near clipping plane."""


@dataclass(frozen=True)
class Pose:
    """Ego pose in the world: position in metres; yaw (to the left) and pitch (up) in radians."""

    x: float
    y: float
    yaw: float
    pitch: float


@dataclass(frozen=True)
class Camera:
    """A pinhole camera in the world.

    Attributes:
        name: key of `CAMERAS`.
        size: image (height, width) in pixels.
        focal: focal length in pixels; the principal point is the image's centre.
        rotation: (3, 3), world to camera.
        position: (3,) in the world.
    """

    name: str
    size: tuple[int, int]
    focal: float
    rotation: np.ndarray
    position: np.ndarray

    @property
    def intrinsic(self) -> np.ndarray:
        """(3, 3) matrix to homogeneous pixels."""
        height, width = self.size
        return np.array([[self.focal, 0, width / 2], [0, self.focal, height / 2], [0, 0, 1.0]])

    @property
    def horizon(self) -> float:
        """Row of the horizon at the image's centre column, in pixels."""
        up = self.rotation[:, 2]
        # The horizon is where rays are level: up . (x, y, 1) = 0.
        return float(self.size[0] / 2 - self.focal * up[2] / up[1])

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) world points in the camera frame."""
        return (points - self.position) @ self.rotation.T

    def project(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) camera-frame points with z > 0 to (..., 2) pixels, x first."""
        height, width = self.size
        scale = self.focal / points[..., 2:]
        return points[..., :2] * scale + np.array([width / 2, height / 2], points.dtype)


def make_camera(config: WorldConfig, pose: Pose, name: str = "CAM_FRONT") -> Camera:
    """Camera `name` of the rig on an ego vehicle at `pose`."""
    if name not in CAMERAS:
        raise ValueError(f"unknown camera {name!r}: expected one of {tuple(CAMERAS)}")
    yaw, field_ratio, place = CAMERAS[name]
    half = np.deg2rad(config.horizontal_fov_deg) / 2
    focal = config.width / 2 / np.tan(min(half * field_ratio, 1.35))
    turn = pose.yaw + np.deg2rad(yaw)
    c, s = np.cos(turn), np.sin(turn)
    # The rig pitches about the ego's lateral axis; cameras to the side roll instead, which is left
    # out, so that every horizon is level.
    p = pose.pitch * np.cos(np.deg2rad(yaw))
    forward = np.array([c * np.cos(p), s * np.cos(p), np.sin(p)])
    right = np.array([s, -c, 0.0])
    down = np.cross(forward, right)
    c, s = np.cos(pose.yaw), np.sin(pose.yaw)
    position = np.array(
        [pose.x + c * place[0] - s * place[1], pose.y + s * place[0] + c * place[1], place[2]]
    )
    return Camera(name, config.image_size, focal, np.stack([right, down, forward]), position)


def calibration(pose: Pose, name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Place (x, y, z) and rotation, a quaternion (w, x, y, z) from the camera's frame to the ego's,
    of a camera on a rig whose ego frame is level: the rig's pitch is in the rotation."""
    yaw, _, place = CAMERAS[name]
    turn = np.deg2rad(yaw) / 2
    tilt = -pose.pitch * np.cos(np.deg2rad(yaw)) / 2
    # Turned about z, then tilted about y; (w, x, y, z) of the product of both.
    a = np.array([np.cos(turn), 0, 0, np.sin(turn)])
    b = np.array([np.cos(tilt), 0, np.sin(tilt), 0])
    optical = np.array([0.5, -0.5, 0.5, -0.5])  # x right, y down, z forward in x forward, z up
    rotation = _times(_times(a, b), optical)
    return place, tuple(float(value) for value in rotation)


def _times(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Product of two quaternions (w, x, y, z)."""
    w, v = a[0] * b[0] - a[1:] @ b[1:], a[0] * b[1:] + b[0] * a[1:] + np.cross(a[1:], b[1:])
    return np.concatenate([[w], v])
