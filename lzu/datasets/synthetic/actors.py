"""Everything that stands or moves in a sequence, as arrays."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from lzu.datasets.argoverse_hd.classes import CLASSES
from lzu.datasets.cityscapes.classes import IDS
from lzu.datasets.nuscenes.classes import CLASSES as KINDS
from lzu.datasets.synthetic.mesh import Mesh

_KIND_OF_LABEL = {"person": "pedestrian", **{name: name for name in CLASSES if name in KINDS}}


@dataclass(frozen=True)
class Actors:
    """N actors; positions are on the road: s along it, d to the left (road.Road).

    Attributes:
        meshes: for each actor its mesh, or a stride of meshes for people who walk.
        palette: (N, slots, 3) colours.
        label: (N,) category id in `CLASSES` of Argoverse-HD, or -1.
        kind: (N,) class of nuScenes, "" for none; riders have none, they count with their cycle.
        semantic: (N,) Cityscapes id.
        group: (N,) row of the sequence's displacements that carries the actor along s.
        s, d, z, yaw: (N,) place at time 0; yaw relative to the road's heading.
        speed_s, speed_d: (N,) own speed in m/s along and across the road.
        sway: (N, 3) amplitude (m), period (s) and phase of an oscillation along s.
        scale: (N,) size factor.
        blocks: (N,) bool, hides what is behind it (buildings).
        parent: (N,) index of the vehicle that a rider sits on, or -1.
        attribute: (N,) nuScenes-like attribute name, "" for none.
        crossing: (N,) index of the crossing whose signal a traffic light shows, or -1.
        side: (N,) 0 for lights of the main street, 1 for those of the side street.
    """

    meshes: tuple[tuple[Mesh, ...], ...]
    palette: np.ndarray
    label: np.ndarray
    kind: tuple[str, ...]
    semantic: np.ndarray
    group: np.ndarray
    s: np.ndarray
    d: np.ndarray
    z: np.ndarray
    yaw: np.ndarray
    speed_s: np.ndarray
    speed_d: np.ndarray
    sway: np.ndarray
    scale: np.ndarray
    blocks: np.ndarray
    parent: np.ndarray
    attribute: tuple[str, ...]
    crossing: np.ndarray
    side: np.ndarray

    def __len__(self) -> int:
        return len(self.meshes)

    @cached_property
    def annotated(self) -> np.ndarray:
        """(N,) bool: of a class of Argoverse-HD or nuScenes."""
        return (self.label >= 0) | np.array([kind != "" for kind in self.kind], bool)


@dataclass
class ActorList:
    """Collects actors row by row."""

    rows: list[dict] = field(default_factory=list)

    def add(
        self,
        meshes: tuple[Mesh, ...],
        palette: np.ndarray,
        semantic: str,
        s: float,
        d: float,
        *,
        label: str = "",
        kind: str = "",
        group: int = 0,
        z: float = 0.0,
        yaw: float = 0.0,
        speed_s: float = 0.0,
        speed_d: float = 0.0,
        sway: tuple[float, float, float] = (0.0, 1.0, 0.0),
        scale: float = 1.0,
        blocks: bool = False,
        parent: int = -1,
        attribute: str = "",
        crossing: int = -1,
        side: int = 0,
    ) -> int:
        """Append one actor (see `Actors` for the meaning); returns its index.

        Its `kind` follows from its label if there is one.
        """
        self.rows.append(
            dict(
                meshes=meshes,
                palette=palette,
                label=CLASSES.index(label) if label else -1,
                kind=_KIND_OF_LABEL.get(label, kind) if parent < 0 else "",
                semantic=IDS[semantic],
                group=group,
                s=s,
                d=d,
                z=z,
                yaw=yaw,
                speed_s=speed_s,
                speed_d=speed_d,
                sway=sway,
                scale=scale,
                blocks=blocks,
                parent=parent,
                attribute=attribute,
                crossing=crossing,
                side=side,
            )
        )
        return len(self.rows) - 1

    def keep(self, which: list[bool]) -> None:
        """Take away all rows but these; riders stay or go with what they sit on."""
        whose = [k if row["parent"] < 0 else row["parent"] for k, row in enumerate(self.rows)]
        left = [k for k, owner in enumerate(whose) if which[owner]]
        place = {old: new for new, old in enumerate(left)} | {-1: -1}
        rows = [self.rows[k] for k in left]
        self.rows = [{**row, "parent": place[row["parent"]]} for row in rows]

    def build(self) -> Actors:
        """All rows as arrays."""
        columns = {key: [row[key] for row in self.rows] for key in self.rows[0]}
        arrays = {
            key: tuple(column) if key in ("meshes", "kind", "attribute") else np.array(column)
            for key, column in columns.items()
        }
        arrays["palette"] = arrays["palette"].astype(np.float32)
        return Actors(**arrays)
