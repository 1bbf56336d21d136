"""Furnishes a city's street with what the classes of Cityscapes need beside traffic."""

import numpy as np

from lzu.datasets.synthetic import furniture_solids as solids
from lzu.datasets.synthetic import palette as colours
from lzu.datasets.synthetic import street
from lzu.datasets.synthetic.actors import ActorList
from lzu.datasets.synthetic.config import SPLITS, WorldConfig
from lzu.datasets.synthetic.furniture_solids import SECTION
from lzu.datasets.synthetic.palette import palette
from lzu.datasets.synthetic.populate import near_crossing, pick, plant
from lzu.datasets.synthetic.road import Road

STREAM = 13
"""Of random numbers: what is added here changes nothing else in the sequence."""
RUNS = ("wall", "fence", "hedge", "open")
CLASS_OF_RUN = {"wall": "wall", "fence": "fence", "hedge": "vegetation"}
STONES = ((128, 136, 142), (112, 126, 140), (88, 100, 128), (150, 154, 156))
WOODS = ((70, 104, 138), (58, 78, 104), (120, 130, 136), (60, 82, 66), (180, 184, 186))
BINS = ((60, 120, 60), (60, 66, 70), (40, 150, 220), (120, 124, 126))


def furnish(actors: ActorList, config: WorldConfig, split: str, index: int, road: Road) -> None:
    """Add walls, fences, hedges, bushes, signs, guard rails and small things to a street that has
    its houses already."""
    rng = np.random.default_rng([config.seed, STREAM, SPLITS.index(split), index])
    for side in (-1, 1):
        spans = _open_spans(actors, road, side)
        _add_runs(actors, road, side, spans, rng)
        _add_bushes(actors, road, side, spans, rng)
        _add_signs(actors, road, side, rng)
        _add_guard_rail(actors, road, side, rng)
        _add_things(actors, road, side, rng)


def _open_spans(actors: ActorList, road: Road, side: int) -> list[tuple[float, float]]:
    """Stretches of a side of the street where no house and no side street touches the pavement."""
    front = road.half_width + road.sidewalk
    taken = [(c.s - c.half_width - 3.0, c.s + c.half_width + 3.0) for c in road.crossings]
    for row in actors.rows:
        if row["blocks"] and 0 < side * row["d"] < front + 2.0:
            half = row["meshes"][0].size[1] / 2
            taken.append((row["s"] - half, row["s"] + half))
    spans, at = [], road.start
    for low, high in sorted(taken):
        if low - at > SECTION:
            spans.append((at, low))
        at = max(at, high)
    if road.end - at > SECTION:
        spans.append((at, road.end))
    return spans


def _add_runs(
    actors: ActorList,
    road: Road,
    side: int,
    spans: list[tuple[float, float]],
    rng: np.random.Generator,
) -> None:
    """Walls, fences and hedges along the back of the pavement."""
    d = side * (road.half_width + road.sidewalk + 0.35)
    for low, high in spans:
        at = low
        while at + SECTION < high:
            kind = str(rng.choice(RUNS, p=(0.26, 0.34, 0.25, 0.15)))
            length = rng.uniform(12, 40)
            if kind == "open":
                at += 0.5 * length
                continue
            options = solids.meshes(kind)
            mesh = options[int(rng.integers(len(options)))]
            paint = _run_paint(kind, rng)
            for s in np.arange(at, min(at + length, high - SECTION), SECTION):
                actors.add((mesh,), paint, CLASS_OF_RUN[kind], float(s + SECTION / 2), d)
            at += length + 1.0


def _run_paint(kind: str, rng: np.random.Generator) -> np.ndarray:
    own = pick(rng, STONES if kind == "wall" else WOODS)
    trim = tuple(np.clip(np.array(own) * rng.choice([0.75, 1.2]), 20, 240))
    return palette(paint=own, paint2=trim)


def _add_bushes(
    actors: ActorList,
    road: Road,
    side: int,
    spans: list[tuple[float, float]],
    rng: np.random.Generator,
) -> None:
    """Trees behind the pavement, where there is room."""
    season = rng.uniform((0.75, 0.8, 0.7), (1.15, 1.1, 1.5))
    for low, high in spans:
        for s in np.arange(low + 2, high - 2, rng.uniform(4, 7)):
            depth = road.half_width + road.sidewalk + rng.uniform(3.0, 9.0)
            plant(actors, rng, season, float(s), side * depth)


def _add_signs(actors: ActorList, road: Road, side: int, rng: np.random.Generator) -> None:
    fronts, backs = solids.meshes("sign"), solids.meshes("sign_back")
    d = side * (road.half_width + 0.7)
    for s in np.arange(road.start + 4, road.end, rng.uniform(17, 26)):
        s = float(s + rng.uniform(-3, 3))
        if rng.random() < 0.2 or near_crossing(road, s, 1.0):
            continue
        post = street.meshes("sign_post")[0]
        actors.add((post,), palette(), "pole", s, d)
        ahead = rng.random() < (0.85 if side < 0 else 0.3)
        yaw = np.pi if ahead else 0.0
        z = 2.85
        for _ in range(int(rng.choice([1, 2], p=[0.65, 0.35]))):
            kind = int(rng.choice(len(fronts), p=(0.2, 0.17, 0.15, 0.13, 0.2, 0.09, 0.06)))
            height = fronts[kind].size[2]
            z -= height + 0.04
            place = s + 0.07 * np.cos(yaw)
            actors.add((fronts[kind],), palette(), "traffic sign", place, d, z=z, yaw=yaw)
            # The back of a sign is none: it has no meaning for who sees it.
            actors.add((backs[kind],), palette(), "static", place, d, z=z, yaw=yaw)


def _add_guard_rail(actors: ActorList, road: Road, side: int, rng: np.random.Generator) -> None:
    start, length = rng.uniform(road.start, road.end), rng.uniform(16, 36)
    if rng.random() < 0.65:
        return
    for s in np.arange(start, min(start + length, road.end - SECTION), SECTION):
        if not near_crossing(road, s, 4.0):
            d = side * (road.half_width + 0.25)
            actors.add(solids.meshes("guard_rail"), palette(), "guard rail", float(s), d)


def _add_things(actors: ActorList, road: Road, side: int, rng: np.random.Generator) -> None:
    """Bins and cabinets, which stand, and carts, which somebody will take away."""
    kinds = (("bin", "static"), ("cabinet", "static"), ("cart", "dynamic"))
    for s in np.arange(road.start, road.end, rng.uniform(14, 24)):
        if near_crossing(road, s, 2.0):
            continue
        name, label = kinds[int(rng.choice(3, p=(0.45, 0.25, 0.3)))]
        own = pick(rng, BINS)
        paint = palette(paint=own, paint2=pick(rng, colours.CAR_PAINTS))
        d = side * (road.half_width + road.sidewalk - rng.uniform(0.3, 0.7))
        yaw = float(rng.choice([0.0, np.pi / 2]))
        actors.add(
            solids.meshes(name), paint, label, float(s + rng.uniform(-4, 4)), float(d), yaw=yaw
        )
