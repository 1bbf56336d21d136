"""What a synthetic world is made from."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from lzu.datasets.argoverse_hd.classes import CLASSES
from lzu.datasets.nuscenes.classes import CAMERAS
from lzu.datasets.synthetic.scenery import SCENERIES, Scenery
from lzu.errors import UserError

SPLITS = ("train", "val")
WORKS = ("trailer", "construction_vehicle", "traffic_cone", "barrier")
"""Classes of nuScenes that Argoverse-HD lacks."""
_OWN_NAME = {"pedestrian": "person"}


@dataclass(frozen=True)
class WorldConfig:
    """A synthetic world; equal configurations give equal bytes.

    Attributes:
        width, height: native image size in pixels; the field of view follows the width, so the
            same scene is seen at every size of the same aspect ratio.
        seed: seed of everything random in the world.
        train_sequences, val_sequences: number of sequences in each split.
        frames_per_sequence: frames in a sequence.
        frame_interval_s: time between frames in seconds (0.1 = 10 Hz); longer intervals make few
            frames more diverse.
        val_frames_per_sequence, val_frame_interval_s: the same of the validation split, if it
            differs (None: it does not). Online methods are evaluated on video, and learn from
            single frames, which may lie far apart.
        classes: which of the eight classes of Argoverse-HD appear, and which of the four that only
            nuScenes has: trailer, construction_vehicle, traffic_cone, barrier. A pedestrian is a
            person. Category ids never change.
        density: multiplier of the natural frequency of a class, by name; classes not named: 1.
        min_box_fraction: objects whose visible box is lower than this fraction of the image's
            height are not labelled (nor, well below it, drawn).
        min_visible_fraction: objects of which less than this fraction of the pixels inside the
            image is visible are not labelled.
        horizontal_fov_deg: horizontal field of view of the front camera in degrees.
        cameras: which of the six cameras of nuScenes' rig there are, in its layout; those of the
            other layouts show what CAM_FRONT sees. Six take six times as long as one.
        jpeg_quality: 1 to 100, of the written images.
        sensor_noise: amplitude of the sensor's noise in grey levels (0: none).
        scenery: "plain", or "city": a calmer street in which all classes of Cityscapes occur, in
            shares like its own (see `scenery.Scenery`).

    Raises:
        UserError: a value is out of range or a class is unknown.
    """

    width: int = 1920
    height: int = 1200
    seed: int = 0
    train_sequences: int = 65
    val_sequences: int = 24
    frames_per_sequence: int = 200
    frame_interval_s: float = 0.1
    val_frames_per_sequence: int | None = None
    val_frame_interval_s: float | None = None
    classes: tuple[str, ...] = CLASSES
    density: Mapping[str, float] = field(default_factory=dict)
    min_box_fraction: float = 0.008
    min_visible_fraction: float = 0.25
    horizontal_fov_deg: float = 69.0
    cameras: tuple[str, ...] = CAMERAS
    jpeg_quality: int = 90
    sensor_noise: float = 3.0
    scenery: str = "plain"

    def __post_init__(self) -> None:
        classes = dict.fromkeys(_OWN_NAME.get(name, name) for name in self.classes)
        object.__setattr__(self, "classes", tuple(classes))
        object.__setattr__(self, "cameras", tuple(self.cameras))
        density = {_OWN_NAME.get(name, name): value for name, value in self.density.items()}
        object.__setattr__(self, "density", density)
        for name, low in (("width", 64), ("height", 64)):
            _require(getattr(self, name) >= low, name, getattr(self, name), f"at least {low}")
        for name in ("frames_per_sequence", "val_frames_per_sequence"):
            count = getattr(self, name)
            _require(count is None or count >= 1, name, count, "at least 1")
        for name in ("seed", "train_sequences", "val_sequences", "sensor_noise"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        for name in ("frame_interval_s", "val_frame_interval_s"):
            interval = getattr(self, name)
            holds = interval is None or (math.isfinite(interval) and interval > 0)
            _require(holds, name, interval, "above 0")
        for name in ("min_box_fraction", "min_visible_fraction"):
            _require(0 <= getattr(self, name) < 1, name, getattr(self, name), "in [0, 1)")
        fov = self.horizontal_fov_deg
        _require(10 <= fov <= 140, "horizontal_fov_deg", fov, "from 10 to 140")
        _require(1 <= self.jpeg_quality <= 100, "jpeg_quality", self.jpeg_quality, "from 1 to 100")
        kinds = ", ".join(SCENERIES)
        _require(self.scenery in SCENERIES, "scenery", self.scenery, f"one of: {kinds}")
        _require(len(self.cameras) > 0, "cameras", self.cameras, "at least one camera")
        for name in self.cameras:
            known = ", ".join(CAMERAS)
            once = name in CAMERAS and self.cameras.count(name) == 1
            _require(once, "cameras", name, f"one of, and each once: {known}")
        for name in (*self.classes, *self.density):
            known = ", ".join((*CLASSES, *WORKS, *_OWN_NAME))
            _require(name in (*CLASSES, *WORKS), "classes/density", name, f"one of: {known}")
        for name, value in self.density.items():
            _require(math.isfinite(value) and value >= 0, f"density.{name}", value, "0 or more")

    @property
    def image_size(self) -> tuple[int, int]:
        """Native size as (height, width) in pixels."""
        return self.height, self.width

    @property
    def street(self) -> Scenery:
        """The numbers of its scenery."""
        return SCENERIES[self.scenery]

    @property
    def has_works(self) -> bool:
        """Whether any class appears that only nuScenes has."""
        return any(self.multiplier(name) > 0 for name in WORKS)

    @property
    def min_box_height(self) -> float:
        """Height in pixels below which a box is not labelled."""
        return self.min_box_fraction * self.height

    def sequences(self, split: str) -> int:
        """Number of sequences in `split` ("train" or "val")."""
        if split not in SPLITS:
            raise ValueError(f"unknown split {split!r}: expected one of {SPLITS}")
        return self.train_sequences if split == "train" else self.val_sequences

    def frames(self, split: str) -> int:
        """Number of frames in each sequence of `split`."""
        own = self.val_frames_per_sequence if split == "val" else None
        return self.frames_per_sequence if own is None else own

    def interval_s(self, split: str) -> float:
        """Seconds between the frames of `split`."""
        own = self.val_frame_interval_s if split == "val" else None
        return self.frame_interval_s if own is None else own

    def multiplier(self, name: str) -> float:
        """Density multiplier of class `name`; 0 if the class does not appear."""
        return float(self.density.get(name, 1.0)) if name in self.classes else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        values = asdict(self)
        values["classes"] = list(self.classes)
        values["cameras"] = list(self.cameras)
        return values

    def of_split(self, split: str) -> dict[str, Any]:
        """The plain values that `split` depends on: not how many sequences the other one has."""
        foreign = "val_" if split == "train" else "train_"
        return {key: v for key, v in self.to_dict().items() if not key.startswith(foreign)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "WorldConfig":
        """The inverse of `to_dict`; missing keys take their defaults, unknown ones are refused."""
        known = {item.name for item in fields(cls)}
        for key in values:
            if key not in known:
                raise UserError(
                    f"world setting {key!r} is unknown: use one of {', '.join(sorted(known))}"
                )
        return cls(**values)


def _require(holds: bool, key: str, value: object, rule: str) -> None:
    if not holds:
        raise UserError(f"world setting {key} is {value!r}: it must be {rule}")
