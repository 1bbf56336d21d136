"""Places the street's fixed furniture: buildings, trees, poles, lights and signs."""

import numpy as np

from lzu.datasets.synthetic import palette as colours
from lzu.datasets.synthetic import street
from lzu.datasets.synthetic.actors import ActorList
from lzu.datasets.synthetic.palette import palette
from lzu.datasets.synthetic.road import LANE_WIDTH, Crossing, Road
from lzu.datasets.synthetic.scenery import Scenery

RIGHT_ANGLE = np.pi / 2


def pick(rng: np.random.Generator, options: tuple) -> tuple[int, int, int]:
    """A random colour, slightly varied."""
    colour = np.array(options[int(rng.integers(len(options)))], float) * rng.uniform(0.88, 1.1)
    b, g, r = np.clip(colour + rng.normal(0, 5, 3), 12, 250)
    return float(b), float(g), float(r)


def near_crossing(road: Road, s: float, margin: float) -> bool:
    """Whether s is within `margin` metres of a side street's edge."""
    return any(abs(s - c.s) < c.half_width + margin for c in road.crossings)


def add_buildings(
    actors: ActorList, scenery: Scenery, road: Road, rng: np.random.Generator
) -> None:
    """Rows of houses along both sides and into the side streets, with parks between."""
    meshes = street.meshes("building")
    urban = rng.uniform(*scenery.urban)

    def place(s: float, d: float, yaw: float, variant: int) -> None:
        wall = pick(rng, colours.WALLS)
        shade = rng.choice([0.62, 0.78, 1.2, 1.35]) * rng.uniform(0.94, 1.06, 3)
        trim = tuple(np.clip(np.array(wall) * shade, 20, 240))
        awning = pick(rng, colours.TRUCK_PAINTS + colours.CAR_PAINTS)
        pane = tuple(rng.uniform(48, 105) * np.array((1.1, 1.0, 0.9)) + rng.normal(0, 4, 3))
        actors.add(
            (meshes[variant],),
            palette(paint=wall, paint2=trim, paint3=awning, glass2=pane),
            "building",
            s,
            d,
            yaw=yaw,
            blocks=True,
        )

    front = road.half_width + road.sidewalk
    for side in (-1, 1):
        setback = float(rng.choice([0.0, 0.0, 3.0, 7.0]))
        at = road.start
        while at < road.end:
            variant = int(rng.integers(len(meshes)))
            width = meshes[variant].size[1]
            middle = at + width / 2
            blocked = near_crossing(road, middle, width / 2 + 2.5)
            if not blocked and rng.random() < urban:
                place(middle, side * (front + setback + 0.2), -side * RIGHT_ANGLE, variant)
                at += width + float(rng.choice([0.1, 0.1, 1.5, 4.0]))
            else:
                at += 3.0 if blocked else rng.uniform(6, 18)
    for crossing in road.crossings:
        for side in (-1, 1):
            for flank in (-1, 1):
                at = front + 20.0
                while at < 75:
                    variant = int(rng.integers(len(meshes)))
                    width = meshes[variant].size[1]
                    s = crossing.s + flank * (crossing.half_width + 3.5)
                    place(s, side * (at + width / 2), np.pi if flank > 0 else 0.0, variant)
                    at += width + 1.0
        # Something closes the view at the end of each side street.
        for side in (-1, 1):
            variant = int(rng.integers(len(meshes)))
            place(crossing.s, side * 100.0, -side * RIGHT_ANGLE, variant)


def plant(
    actors: ActorList, rng: np.random.Generator, season: np.ndarray, s: float, d: float
) -> None:
    """Add a tree whose leaves have the colour of the `season`, a factor on blue, green and red."""
    trees = street.meshes("tree")
    tone = season * rng.uniform(0.85, 1.15)
    leaves = {
        slot: tuple(np.clip(colours.BASE_PALETTE[colours.SLOTS[slot]] * tone, 15, 200))
        for slot in ("leaf", "leaf2", "leaf3")
    }
    actors.add(
        (trees[int(rng.integers(len(trees)))],),
        palette(**leaves),
        "vegetation",
        s,
        d,
        yaw=float(rng.uniform(0, 6.28)),
        scale=float(rng.uniform(0.75, 1.1)),
    )


def add_trees_and_posts(
    actors: ActorList, scenery: Scenery, road: Road, rng: np.random.Generator
) -> None:
    """Street trees, parks and lamp posts."""
    season = rng.uniform((0.75, 0.8, 0.7), (1.15, 1.1, 1.5))
    spacing, leafy = rng.uniform(9, 22), rng.uniform(*scenery.leafy)
    for side in (-1, 1):
        for s in np.arange(road.start, road.end, spacing):
            at = s + rng.uniform(-1.5, 1.5)
            if rng.random() < leafy and not near_crossing(road, at, 7.0):
                plant(actors, rng, season, at, side * (road.half_width + 1.0))
        for s in np.arange(road.start, road.end, 11.0):
            if rng.random() < 0.5 and not near_crossing(road, s, 4.0):
                depth = road.half_width + road.sidewalk + rng.uniform(16, 34)
                plant(actors, rng, season, s + rng.uniform(-4, 4), side * depth)
        for s in np.arange(road.start + (side > 0) * 16, road.end, 32.0):
            if not near_crossing(road, s, 2.0):
                yaw = np.pi if side > 0 else 0.0
                post = street.meshes("lamp_post")
                d = side * (road.half_width + 0.45)
                actors.add(post, palette(), "pole", float(s), d, yaw=yaw)


def _signals(
    actors: ActorList, road: Road, crossing: Crossing, index: int, rng: np.random.Generator
) -> None:
    head, arms = street.meshes("traffic_light"), street.meshes("mast_arm")
    poles = street.meshes("sign_post")
    edge = road.half_width + 0.9
    reach = crossing.half_width + 2.2

    def hang(s: float, d: float, z: float, yaw: float, side: int) -> None:
        actors.add(
            head,
            palette(amber=(30, 150, 200) if housing else (36, 38, 40)),
            "traffic light",
            s,
            d,
            z=z,
            yaw=yaw,
            label="traffic_light",
            crossing=index,
            side=side,
        )

    housing = bool(rng.random() < 0.5)
    heads = range(max(0, road.lanes - 2), road.lanes)
    longest = edge - (heads[0] + 0.5) * LANE_WIDTH + 0.3
    arm = min(int(np.searchsorted(street.ARM_REACHES, longest)), len(arms) - 1)
    both_sides = bool(rng.random() < 0.5)
    # Heads stand beyond the crossing, facing the traffic that waits before it.
    for toward, side in ((1, -1), (-1, 1)):
        s = crossing.s + toward * reach
        facing = np.pi if toward > 0 else 0.0
        shift = -0.3 * toward
        # The arm runs along the actor's left, that is, over the road.
        actors.add((arms[arm],), palette(), "pole", s, side * edge, yaw=facing + np.pi)
        for lane in heads:
            hang(s + shift, side * (lane + 0.5) * LANE_WIDTH, 5.0, facing, 0)
        hang(s + shift, side * edge, 2.7, facing, 0)
        actors.add((poles[1],), palette(), "pole", s, -side * edge, scale=1.1)
        if both_sides:
            hang(s + shift, -side * (edge - 0.1), 2.7, facing, 0)
        hang(s + shift, -side * edge, 2.7, side * RIGHT_ANGLE, 1)


def _stop(actors: ActorList, road: Road, crossing: Crossing) -> None:
    sign, post = street.meshes("stop_sign"), street.meshes("sign_post")
    edge, reach = road.half_width + 0.8, crossing.half_width + 1.6
    corners = (
        (-reach, -edge, np.pi),
        (reach, edge, 0.0),
        (reach, -edge, -RIGHT_ANGLE),
        (-reach, edge, RIGHT_ANGLE),
    )
    for shift, d, yaw in corners:
        ds, dd = 0.06 * np.cos(yaw), 0.06 * np.sin(yaw)
        actors.add((post[0],), palette(), "pole", crossing.s + shift, d)
        actors.add(
            sign,
            palette(),
            "traffic sign",
            crossing.s + shift + ds,
            d + dd,
            z=2.05,
            yaw=yaw,
            label="stop_sign",
        )


def add_controls(actors: ActorList, road: Road, rng: np.random.Generator) -> None:
    """Traffic lights and stop signs at the crossings."""
    for index, crossing in enumerate(road.crossings):
        if crossing.control == "signal":
            _signals(actors, road, crossing, index, rng)
        elif crossing.control == "stop":
            _stop(actors, road, crossing)
