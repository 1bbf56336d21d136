"""Places vehicles, cyclists and people, and says how they move."""

from dataclasses import dataclass

import numpy as np

from lzu.datasets.argoverse_hd.classes import CLASSES
from lzu.datasets.synthetic import palette as colours
from lzu.datasets.synthetic import street, vehicles
from lzu.datasets.synthetic.actors import ActorList
from lzu.datasets.synthetic.config import WorldConfig
from lzu.datasets.synthetic.palette import palette
from lzu.datasets.synthetic.populate import near_crossing, pick
from lzu.datasets.synthetic.road import LANE_WIDTH, PARKING_WIDTH, Road

RIGHT_ANGLE = np.pi / 2
LENGTHS = {"car": 4.7, "truck": 10.0, "bus": 12.0, "motorcycle": 2.2, "train": 27.0}
"""Metres that a vehicle takes of its lane."""


@dataclass(frozen=True)
class Plan:
    """How a sequence's traffic behaves.

    Attributes:
        ego_lane: lane of the ego vehicle, 0 next to the centre line.
        ego_speed: m/s, 0 when waiting at a crossing.
        stop_line: s at which traffic in the ego's direction waits, None if it flows.
        lead: gap in metres from the ego's front to the vehicle ahead.
        busy: factor on the number of vehicles.
        crowd: people per 100 m of sidewalk.
        duration: length of the sequence in seconds.
    """

    ego_lane: int
    ego_speed: float
    stop_line: float | None
    lead: float
    busy: float
    crowd: float
    duration: float


def draw_kind(config: WorldConfig, rng: np.random.Generator, rails: bool = False) -> str:
    """A random vehicle class, "" if the world has none; a train only on `rails`."""
    mix = {k: share for k, share in config.street.mix.items() if rails or k != "train"}
    # Trams are no class of the detector's, so nobody chooses their number.
    weights = np.array(
        [share * (config.multiplier(k) if k in CLASSES else 1.0) for k, share in mix.items()]
    )
    if weights.sum() == 0:
        return ""
    return str(rng.choice(list(mix), p=weights / weights.sum()))


def _paint(kind: str, rng: np.random.Generator) -> np.ndarray:
    match kind:
        case "car":
            return palette(paint=pick(rng, colours.CAR_PAINTS))
        case "truck":
            cargo = colours.TRUCK_PAINTS[:2] if rng.random() < 0.7 else colours.TRUCK_PAINTS
            return palette(
                paint=pick(rng, colours.TRUCK_PAINTS),
                paint2=pick(rng, cargo),
                paint3=pick(rng, colours.CAR_PAINTS),
            )
        case "bus":
            lower = colours.BUS_PAINTS[int(rng.integers(len(colours.BUS_PAINTS)))]
            return palette(paint=pick(rng, (lower,)), paint2=pick(rng, ((226, 228, 230),)))
    return palette(paint=pick(rng, colours.CYCLE_PAINTS))


def clothes(rng: np.random.Generator) -> np.ndarray:
    """Palette of a person."""
    return palette(
        paint=pick(rng, colours.CLOTHES),
        paint2=pick(rng, colours.TROUSERS),
        skin=pick(rng, colours.SKINS),
        hair=pick(rng, ((30, 36, 48), (60, 90, 120), (90, 90, 90), (20, 20, 22))),
    )


def add_vehicle(
    actors: ActorList, kind: str, s: float, d: float, rng: np.random.Generator, **motion: object
) -> None:
    """Add a vehicle of class `kind`; moving motorcycles and bicycles carry a rider."""
    if kind == "train":
        _add_tram(actors, s, d, rng, **motion)
        return
    options = vehicles.meshes(kind)
    share = (0.42, 0.24, 0.24, 0.1) if kind == "car" else None
    mesh = options[int(rng.choice(len(options), p=share))]
    ridden = kind in ("motorcycle", "bicycle") and motion.get("attribute") != "vehicle.parked"
    if kind in ("motorcycle", "bicycle"):
        motion["attribute"] = "cycle.with_rider" if ridden else "cycle.without_rider"
    scale = float(rng.uniform(0.95, 1.06))
    paint = _paint(kind, rng)
    index = actors.add((mesh,), paint, kind, s, d, label=kind, scale=scale, **motion)
    if ridden:
        sitting = street.meshes("rider")[0 if kind == "bicycle" else 1]
        motion["attribute"] = "pedestrian.sitting_lying_down"
        actors.add(
            (sitting,),
            clothes(rng),
            "rider",
            s,
            d,
            label="person",
            parent=index,
            scale=scale,
            **motion,
        )


def _add_tram(
    actors: ActorList, s: float, d: float, rng: np.random.Generator, **motion: object
) -> None:
    """A tram of two coupled cars, a cab at each end."""
    half = LENGTHS["train"] / 4
    motion.pop("yaw")
    lower = colours.BUS_PAINTS[int(rng.integers(len(colours.BUS_PAINTS)))]
    paint = palette(paint=pick(rng, (lower,)), paint2=pick(rng, ((226, 228, 230),)))
    for end, yaw in ((-1, np.pi), (1, 0.0)):
        actors.add(vehicles.meshes("train"), paint, "train", s + end * half, d, yaw=yaw, **motion)


def fill_lane(
    actors: ActorList,
    config: WorldConfig,
    rng: np.random.Generator,
    span: tuple[float, float],
    d: float,
    *,
    group: int,
    yaw: float,
    gap: tuple[float, float],
    moving: bool,
    keep_out: tuple[float, float] | None = None,
    rails: bool = False,
) -> None:
    """Fill lane `d` over `span` with vehicles that move as `group` does.

    `gap` is the least and the mean additional distance between bumpers in metres; nothing stands
    in `keep_out`; trams run only on `rails`.
    """
    at = span[0] + rng.uniform(0, gap[0] + gap[1])
    while at < span[1]:
        kind = draw_kind(config, rng, rails)
        if not kind:
            return
        length = LENGTHS[kind]
        middle = at + length / 2
        clear = keep_out is None or at + length < keep_out[0] or at > keep_out[1]
        if clear:
            sway = (rng.uniform(0, 0.3 * gap[0]) if moving else 0.0, rng.uniform(6, 14))
            add_vehicle(
                actors,
                kind,
                float(middle),
                float(d + rng.normal(0, 0.15)),
                rng,
                group=group,
                yaw=yaw + float(rng.normal(0, 0.01)),
                sway=(*sway, float(rng.uniform(0, 6.28))),
                attribute="vehicle.moving" if moving else "vehicle.stopped",
            )
        at += length + gap[0] + rng.exponential(gap[1])


def add_parked(
    actors: ActorList, config: WorldConfig, road: Road, rng: np.random.Generator
) -> None:
    """Parked vehicles along both kerbs."""
    if not road.parking:
        return
    occupancy = rng.uniform(0.25, 0.85) * config.street.parked
    edge = road.half_width - PARKING_WIDTH / 2
    for side in (-1, 1):
        at = road.start
        while at < road.end:
            if rng.random() < occupancy and not near_crossing(road, at, 6.0):
                mix = config.street.parked_mix
                weights = np.array([config.multiplier(k) * share for k, share in mix.items()])
                if weights.sum() > 0:
                    kind = list(mix)[int(rng.choice(len(mix), p=weights / weights.sum()))]
                    at += 4.0 * (kind == "truck")
                    yaw = 0.0 if side < 0 else np.pi
                    add_vehicle(
                        actors,
                        kind,
                        float(at),
                        float(side * edge + rng.normal(0, 0.08)),
                        rng,
                        yaw=yaw,
                        attribute="vehicle.parked",
                    )
                    at += 4.0 * (kind == "truck")
            at += rng.uniform(5.6, 7.0)


def add_side_traffic(
    actors: ActorList, config: WorldConfig, road: Road, plan: Plan, rng: np.random.Generator
) -> None:
    """Vehicles in the side streets: waiting, or crossing where the main street waits."""
    for crossing in road.crossings:
        flows = plan.stop_line is not None and 0 < crossing.s - plan.stop_line < 25
        for side in (-1, 1):
            yaw = -side * RIGHT_ANGLE
            s = crossing.s - side * (LANE_WIDTH / 2)
            if flows:
                speed = rng.uniform(5, 9)
                first = rng.uniform(-12, 12)
                reach = speed * plan.duration + 30
                # Coming from `side`, so the start lies towards it.
                for back in np.arange(first, reach, rng.uniform(13, 22)):
                    kind = draw_kind(config, rng)
                    if kind and back < 95 + first:
                        add_vehicle(
                            actors,
                            kind,
                            float(s),
                            float(side * back),
                            rng,
                            yaw=yaw,
                            speed_d=float(-side * speed),
                            attribute="vehicle.moving",
                        )
                continue
            at = road.half_width + 4.5
            while rng.random() < 0.5 * plan.busy and at < 60:
                kind = draw_kind(config, rng)
                if not kind:
                    break
                at += 6.0 if kind in ("truck", "bus") else 2.3
                add_vehicle(
                    actors, kind, float(s), side * at, rng, yaw=yaw, attribute="vehicle.stopped"
                )
                at += 6.5 if kind in ("truck", "bus") else 3.6


def add_people(
    actors: ActorList, config: WorldConfig, road: Road, plan: Plan, rng: np.random.Generator
) -> None:
    """People on the sidewalks and crosswalks, cyclists at the kerb, parked bicycles."""
    walkers = street.meshes("person")
    edge = road.half_width
    length = road.end - road.start

    def person(s: float, d: float, yaw: float, speed_s: float, speed_d: float) -> None:
        moving = speed_s != 0 or speed_d != 0
        stride = walkers[:-1] if moving else walkers[-1:]
        actors.add(
            stride,
            clothes(rng),
            "person",
            s,
            d,
            label="person",
            yaw=yaw,
            speed_s=speed_s,
            speed_d=speed_d,
            scale=float(rng.uniform(0.9, 1.08)),
            attribute="pedestrian.moving" if moving else "pedestrian.standing",
        )

    count = rng.poisson(plan.crowd * length / 100 * config.multiplier("person"))
    for _ in range(int(count)):
        side = int(rng.choice([-1, 1]))
        s = float(rng.uniform(road.start, road.end))
        d = side * (edge + rng.uniform(0.5, road.sidewalk - 0.3))
        if rng.random() < 0.75:
            direction = int(rng.choice([-1, 1]))
            speed = direction * rng.uniform(0.9, 1.6)
            person(s, d, 0.0 if direction > 0 else np.pi, speed, 0.0)
        else:
            person(s, d, float(rng.uniform(0, 6.28)), 0.0, 0.0)
    for crossing in road.crossings:
        waits = plan.stop_line is not None and 0 < crossing.s - plan.stop_line < 25
        expected = 2.5 * config.multiplier("person") * (2.0 if waits else 0.6)
        for _ in range(int(rng.poisson(expected))):
            flank = int(rng.choice([-1, 1]))
            s = crossing.s + flank * (crossing.half_width + rng.uniform(0.8, 3.2))
            direction = int(rng.choice([-1, 1]))
            if waits:
                d = -direction * rng.uniform(-edge * 0.7, edge + 6)
                person(s, d, direction * RIGHT_ANGLE, 0.0, direction * rng.uniform(1.0, 1.5))
            else:
                d = direction * (edge + rng.uniform(0.3, 1.5))
                person(s, d, -direction * RIGHT_ANGLE, 0.0, 0.0)
    often = 0.9 * config.street.cycles
    cycles = rng.poisson(often * length / 100 * config.multiplier("bicycle"))
    for _ in range(int(cycles)):
        side = int(rng.choice([-1, 1]))
        s = float(rng.uniform(road.start, road.end))
        if rng.random() < config.street.ridden:
            # Between the parked vehicles and the lanes.
            d = side * (road.lanes * LANE_WIDTH - 0.28)
            add_vehicle(
                actors,
                "bicycle",
                s,
                d,
                rng,
                yaw=0.0 if side < 0 else np.pi,
                speed_s=float(-side * rng.uniform(3.5, 6)),
                attribute="vehicle.moving",
            )
        else:
            d = side * (edge + rng.uniform(0.5, 1.2))
            yaw = float(rng.choice([0.0, RIGHT_ANGLE]) + rng.normal(0, 0.15))
            add_vehicle(actors, "bicycle", s, d, rng, yaw=yaw, attribute="vehicle.parked")


def add_lanes(
    actors: ActorList,
    config: WorldConfig,
    road: Road,
    plan: Plan,
    groups: dict[int, tuple[int, float]],
    rng: np.random.Generator,
) -> None:
    """Vehicles in all lanes. `groups` maps a lane (negative: in the ego's direction, -1 is the
    lane next to the centre line; positive: oncoming) to its displacement group and to the metres
    that the group moves during the sequence."""
    mean_gap = 13.0 / plan.busy
    for lane, (group, moved) in groups.items():
        forward = lane < 0
        index = abs(lane) - 1
        d = (index + 0.5) * LANE_WIDTH * (-1 if forward else 1)
        yaw = 0.0 if forward else np.pi
        keep_out = None
        if forward and index == plan.ego_lane:
            keep_out = (-9.0, 2.6 + plan.lead)
        stop = plan.stop_line
        if stop is None:
            # Some enter the stretch of road only later.
            span = (road.start - max(moved, 0.0), road.end - min(moved, 0.0))
            fill_lane(
                actors, config, rng, span, d,
                group=group, yaw=yaw, gap=(5.0, mean_gap), moving=True, keep_out=keep_out,
                rails=index == 0,
            )  # fmt: skip
            continue
        crossing = next(c for c in road.crossings if c.s > stop)
        beyond = crossing.s + (crossing.s - stop)
        queue = (road.start, stop) if forward else (beyond, beyond + 55)
        free = (beyond + 12, road.end) if forward else (road.start, crossing.s - 20)
        fill_lane(
            actors, config, rng, queue, d,
            group=0, yaw=yaw, gap=(1.6, 1.5), moving=False, keep_out=keep_out,
            rails=index == 0,
        )  # fmt: skip
        fill_lane(
            actors, config, rng, free, d,
            group=group, yaw=yaw, gap=(5.0, mean_gap), moving=True, rails=index == 0,
        )  # fmt: skip
