"""The street: a gently curving centre line, its cross-section, and its crossings."""

from dataclasses import dataclass

import numpy as np

from lzu.datasets.synthetic.scenery import Scenery

LANE_WIDTH = 3.4
PARKING_WIDTH = 2.3


@dataclass(frozen=True)
class Crossing:
    """A side street at right angles.

    Attributes:
        s: position along the main street in metres.
        half_width: half the width of the side street.
        control: "signal", "stop" or "none".
        phase: offset of the signal's cycle in seconds.
    """

    s: float
    half_width: float
    control: str
    phase: float


@dataclass(frozen=True)
class Road:
    """Main street: `s` is the arc length, `d` the distance to the left of the centre line (m).

    Attributes:
        start: s of the first sample of the centre line; samples are 1 m apart.
        x, y, heading: centre line in world coordinates, heading in radians.
        lanes: lanes in each direction.
        parking: whether there is a parking lane on each side.
        sidewalk: width of the sidewalks in metres.
        crossings: side streets in order of s.
    """

    start: float
    x: np.ndarray
    y: np.ndarray
    heading: np.ndarray
    lanes: int
    parking: bool
    sidewalk: float
    crossings: tuple[Crossing, ...]

    @property
    def end(self) -> float:
        """s of the last sample."""
        return self.start + len(self.x) - 1

    @property
    def half_width(self) -> float:
        """From the centre line to the kerb in metres."""
        return self.lanes * LANE_WIDTH + (PARKING_WIDTH if self.parking else 0.3)

    def to_world(self, s: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """World x, y and heading at (s, d), elementwise."""
        at = np.clip(np.asarray(s) - self.start, 0, len(self.x) - 1)
        k = np.minimum(at.astype(np.intp), len(self.x) - 2)
        f = at - k
        x = self.x[k] * (1 - f) + self.x[k + 1] * f
        y = self.y[k] * (1 - f) + self.y[k + 1] * f
        heading = self.heading[k] * (1 - f) + self.heading[k + 1] * f
        return x - d * np.sin(heading), y + d * np.cos(heading), heading


def make_road(
    rng: np.random.Generator,
    start: float,
    end: float,
    controls: np.ndarray,
    scenery: Scenery,
) -> Road:
    """A random street from `start` to `end`; `controls` are the probabilities of a crossing's
    control being a signal, a stop sign or nothing."""
    length = int(np.ceil(end - start)) + 2
    s = start + np.arange(length)
    bend = rng.normal(0, 0.05, 3) * (rng.random() < 0.75)
    wave = rng.uniform((300, 180, 110), (700, 320, 180))
    heading = sum(
        b * np.sin(2 * np.pi * s / w + p)
        for b, w, p in zip(bend, wave, rng.uniform(0, 6.3, 3), strict=True)
    )
    heading = np.zeros(length) + heading
    x = np.concatenate([[0.0], np.cumsum(np.cos(heading[:-1]))])
    y = np.concatenate([[0.0], np.cumsum(np.sin(heading[:-1]))])
    crossings = []
    at = start + rng.uniform(15, 60)
    while at < end:
        control = ("signal", "stop", "none")[int(rng.choice(3, p=controls))]
        half = float(rng.choice([3.6, 4.2, 7.0])) if control == "signal" else 3.6
        crossings.append(Crossing(float(at), half, control, float(rng.uniform(0, 30))))
        at += rng.uniform(55, 120)
    return Road(
        start=start,
        x=x,
        y=y,
        heading=heading,
        lanes=int(rng.choice([1, 2, 3], p=scenery.lanes)),
        parking=bool(rng.random() < 0.7),
        sidewalk=float(rng.uniform(*scenery.pavement)),
        crossings=tuple(crossings),
    )


def ribbon(road: Road, s0: float, s1: float, d0: float, d1: float, step: float = 6.0) -> np.ndarray:
    """Strip of the ground as (n, 4, 3) world quads, at most `step` metres long each."""
    count = max(1, int(np.ceil((s1 - s0) / step)))
    s = np.linspace(s0, s1, count + 1)
    edges = [np.stack(road.to_world(s, np.full_like(s, d))[:2], 1) for d in (d0, d1)]
    quads = np.stack([edges[0][:-1], edges[0][1:], edges[1][1:], edges[1][:-1]], 1)
    return np.concatenate([quads, np.zeros((*quads.shape[:2], 1))], 2)
