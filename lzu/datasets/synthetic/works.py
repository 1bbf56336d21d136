"""Adds what only nuScenes has classes for: road works with construction vehicles, cones and
barriers, rows of barriers and cones along the street, and trailers, parked or behind trucks."""

import numpy as np

from lzu.datasets.argoverse_hd.classes import CLASSES
from lzu.datasets.cityscapes.classes import IDS
from lzu.datasets.synthetic import palette as colours
from lzu.datasets.synthetic import works_solids as solids
from lzu.datasets.synthetic.actors import ActorList
from lzu.datasets.synthetic.config import SPLITS, WORKS, WorldConfig
from lzu.datasets.synthetic.palette import palette
from lzu.datasets.synthetic.populate import pick
from lzu.datasets.synthetic.road import LANE_WIDTH, Road

STREAM = 14
"""Of random numbers: what else is in the sequence has its own."""
RIGHT_ANGLE = np.pi / 2
SEMANTIC = {
    "trailer": "trailer",
    "construction_vehicle": "truck",
    "traffic_cone": "dynamic",
    "barrier": "static",
}
YELLOWS = ((30, 170, 235), (30, 190, 245), (20, 130, 235), (60, 160, 220))
ORANGES = ((30, 90, 240), (20, 70, 225), (40, 110, 250))
PLASTICS = ((36, 36, 200), (30, 100, 240), (200, 110, 40))
CONCRETES = ((150, 154, 156), (128, 134, 138), (170, 172, 172))
SLIM = (IDS["pole"], IDS["vegetation"])
"""Of these only the foot is in the way."""
KERB = (0.05, 3.6)
"""Metres from the edge of the lanes that works and trailers, up to 3 m wide, take."""
EGO = (-5.0, 5.0)
"""Metres along its lane that the ego vehicle takes at the start."""


def add_works(
    actors: ActorList, config: WorldConfig, split: str, index: int, road: Road, duration: float
) -> None:
    """Add the classes of `config.WORKS` that the world has to a street that is otherwise complete.

    What stands or walks where road works or a parked trailer are to be is taken away before.
    """
    rng = np.random.default_rng([config.seed, STREAM, SPLITS.index(split), index])
    share = {kind: config.multiplier(kind) for kind in WORKS}
    _add_towed(actors, share["trailer"], rng)
    sites = max(share[kind] for kind in WORKS if kind != "trailer")
    lanes, kerb = road.lanes * LANE_WIDTH, road.half_width
    works = (lanes + KERB[0], lanes + KERB[1])
    for side in (-1, 1):
        taken: list[tuple[float, float]] = []
        for span in _places(road, taken, 0.9 * sites, (13.0, 22.0), rng):
            # The cones at its ends stand a little before it.
            _clear(actors, side, (span[0] - 0.8, span[1] + 0.8), works, duration)
            _add_site(actors, road, side, span, {k: v / sites for k, v in share.items()}, rng)
        for low, high in _places(road, taken, 0.5 * share["trailer"], (15.0, 16.0), rng):
            _clear(actors, side, (low, high), works, duration)
            s, d = (low + high) / 2, side * (lanes + 1.68 + rng.normal(0, 0.03))
            yaw = _along(side) + rng.normal(0, 0.01)
            _add(actors, "trailer", s, d, rng, yaw=yaw, attribute="vehicle.parked")
        for kind, step, turn in (("barrier", 2.75, RIGHT_ANGLE), ("traffic_cone", 3.2, 0.0)):
            for low, high in _places(road, taken, 0.5 * share[kind], (9.0, 20.0), rng):
                # On the kerb, between the road and the people.
                _clear(actors, side, (low, high), (kerb + 0.05, kerb + 0.6), duration)
                for s in np.arange(low + step / 2, high, step):
                    yaw = turn + rng.normal(0, 0.02)
                    _add(actors, kind, s, side * (kerb + 0.33), rng, yaw=yaw)


def _along(side: int) -> float:
    """Heading, relative to the road's, of the traffic on a side of it."""
    return 0.0 if side < 0 else np.pi


def _places(
    road: Road,
    taken: list[tuple[float, float]],
    rate: float,
    length: tuple[float, float],
    rng: np.random.Generator,
) -> list[tuple[float, float]]:
    """Stretches of a side, `rate` in 100 m but for lack of room; they are added to `taken`."""
    found = []
    for _ in range(int(rng.poisson(rate * (road.end - road.start) / 100))):
        reach = rng.uniform(*length)
        low = float(rng.uniform(road.start + 1, max(road.end - reach - 1, road.start + 2)))
        high = float(low + reach)
        free = all(high + 2 < a or low - 2 > b for a, b in taken)
        if free and not any(
            low - 6 < c.s + c.half_width and high + 6 > c.s - c.half_width for c in road.crossings
        ):
            taken.append((low, high))
            found.append((low, high))
    return found


def _clear(
    actors: ActorList,
    side: int,
    span: tuple[float, float],
    band: tuple[float, float],
    duration: float,
) -> None:
    """Take away what stands in a stretch of a side, or walks through it; `band` is its least and
    largest distance from the centre line."""

    def stays(row: dict) -> bool:
        length, width, _ = row["meshes"][0].size
        along = abs(np.cos(row["yaw"])) * length + abs(np.sin(row["yaw"])) * width
        across = abs(np.sin(row["yaw"])) * length + abs(np.cos(row["yaw"])) * width
        if row["semantic"] in SLIM:
            along = across = 0.3
        ends = (row["s"], row["s"] + row["speed_s"] * duration)
        d = side * row["d"]
        beside = d + across / 2 < band[0] or d - across / 2 > band[1]
        away = min(ends) - along / 2 > span[1] or max(ends) + along / 2 < span[0]
        return beside or away or row["blocks"] or row["group"] != 0 or row["crossing"] >= 0

    actors.keep([stays(row) for row in actors.rows])


def _add_site(
    actors: ActorList,
    road: Road,
    side: int,
    span: tuple[float, float],
    share: dict[str, float],
    rng: np.random.Generator,
) -> None:
    """Road works at the kerb: a vehicle, cones towards the lane and at both ends, barriers before
    and behind them. `share` is the probability that a site has a class."""
    low, high = span
    edge = road.lanes * LANE_WIDTH
    has = {kind: rng.random() < share[kind] for kind in WORKS}
    if has["construction_vehicle"]:
        yaw = _along(side) + float(rng.choice([0.0, np.pi])) + rng.normal(0, 0.03)
        s = (low + high) / 2 + rng.uniform(-1.5, 1.5)
        d = side * (edge + 2.0)
        _add(actors, "construction_vehicle", s, d, rng, yaw=yaw, attribute="vehicle.parked")
    if has["barrier"]:
        for s in (low + 0.4, high - 0.4):
            _add(actors, "barrier", s, side * (edge + 1.75), rng, yaw=rng.normal(0, 0.05))
    if has["traffic_cone"]:
        for s in np.arange(low + 1.3, high - 1.0, rng.uniform(1.8, 3.0)):
            _add(actors, "traffic_cone", s, side * (edge + 0.22), rng)
        for s in (low - 0.5, high + 0.5):
            for shift in (0.5, 1.5, 2.5):
                _add(actors, "traffic_cone", s, side * (edge + shift), rng)


def _add_towed(actors: ActorList, often: float, rng: np.random.Generator) -> None:
    """Trailers behind trucks in the lanes, where there is room."""
    truck, options = CLASSES.index("truck"), solids.meshes("trailer")
    standing = [
        (_lane(row), row["s"], row["meshes"][0].size[0] / 2)
        for row in actors.rows
        if row["label"] >= 0 and row["speed_s"] == row["speed_d"] == row["z"] == 0
    ]
    for row in list(actors.rows):
        driven = row["attribute"] in ("vehicle.moving", "vehicle.stopped")
        along = abs(np.sin(row["yaw"])) < 0.5
        if row["label"] != truck or not driven or not along:
            continue
        wanted = rng.random() < 0.6 * often
        mesh = options[int(rng.integers(len(options)))]
        ahead = 1.0 if np.cos(row["yaw"]) > 0 else -1.0
        front = row["s"] - ahead * (row["meshes"][0].size[0] * row["scale"] / 2 + 0.5)
        back = front - ahead * mesh.size[0]
        # Vehicles sway along their lane, each in its own time.
        low, high = sorted((front, back - ahead * 3.5))
        others = [(s - half, s + half) for lane, s, half in standing if lane == _lane(row)]
        if ahead > 0:
            others.append(EGO)
        if wanted and all(b < low or a > high for a, b in others):
            motion = {key: row[key] for key in ("group", "yaw", "sway", "attribute")}
            paint = _paint("trailer", rng)
            s = (front + back) / 2
            actors.add((mesh,), paint, "trailer", s, row["d"], kind="trailer", **motion)


def _lane(row: dict) -> int:
    """Number of the lane that an actor is in."""
    return round(row["d"] / LANE_WIDTH - 0.5)


def _paint(kind: str, rng: np.random.Generator) -> np.ndarray:
    match kind:
        case "trailer":
            own = pick(rng, colours.TRUCK_PAINTS)
            trim = tuple(np.array(own) * 0.8)
            return palette(paint=own, paint2=trim, paint3=pick(rng, colours.CAR_PAINTS))
        case "construction_vehicle":
            return palette(paint=pick(rng, YELLOWS))
        case "traffic_cone":
            return palette(paint=pick(rng, ORANGES))
    raise ValueError(f"{kind} has no paint of its own")


def _add(
    actors: ActorList,
    kind: str,
    s: float,
    d: float,
    rng: np.random.Generator,
    yaw: float = 0.0,
    attribute: str = "",
) -> None:
    options = solids.meshes(kind)
    variant = int(rng.integers(len(options)))
    if kind == "barrier":
        stone = pick(rng, (PLASTICS, CONCRETES)[variant])
        paint = palette(paint=stone, paint2=tuple(np.array(stone) * 0.7))
    else:
        paint = _paint(kind, rng)
    actors.add(
        (options[variant],),
        paint,
        SEMANTIC[kind],
        float(s),
        float(d),
        kind=kind,
        yaw=float(yaw),
        scale=float(rng.uniform(0.95, 1.02)),
        attribute=attribute,
    )
