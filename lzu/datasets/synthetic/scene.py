"""A sequence of the synthetic world, and its state at a frame."""

from dataclasses import dataclass

import numpy as np

from lzu.datasets.synthetic.actors import ActorList, Actors
from lzu.datasets.synthetic.camera import Pose
from lzu.datasets.synthetic.config import SPLITS, WorldConfig
from lzu.datasets.synthetic.furniture import furnish
from lzu.datasets.synthetic.mesh import Mesh
from lzu.datasets.synthetic.palette import LAMP_ON, SLOTS
from lzu.datasets.synthetic.populate import add_buildings, add_controls, add_trees_and_posts
from lzu.datasets.synthetic.road import LANE_WIDTH, Road, make_road
from lzu.datasets.synthetic.street import WALK_PHASES
from lzu.datasets.synthetic.traffic import (
    Plan,
    add_lanes,
    add_parked,
    add_people,
    add_side_traffic,
)
from lzu.datasets.synthetic.weather import Weather, make_weather
from lzu.datasets.synthetic.works import add_works

VIEW = 300.0
"""How far ahead of the ego vehicle the world reaches, in metres."""
SIGNAL_CYCLE = 40.0
STRIDE = 1.5


@dataclass(frozen=True)
class Sequence:
    """A drive.

    Attributes:
        config: the world.
        split, index: which sequence of it.
        road, weather, actors: what there is.
        plan: how traffic behaves.
        displacement: (groups, frames) metres moved along s since the first frame.
        ego: group of the ego vehicle.
        bob: (frames, 2) yaw and pitch of the ego relative to the road, in radians.
    """

    config: WorldConfig
    split: str
    index: int
    road: Road
    weather: Weather
    actors: Actors
    plan: Plan
    displacement: np.ndarray
    ego: int
    bob: np.ndarray


@dataclass(frozen=True)
class Snapshot:
    """The world at one frame; row i of every array is actor i of the sequence.

    Attributes:
        time: seconds since the first frame.
        pose: of the ego vehicle.
        meshes: the mesh of each actor at this moment.
        palette: (N, slots, 3) colours.
        position: (N, 3) world, on the ground below the centre.
        yaw: (N,) world, in radians.
        velocity: (N, 2) world, m/s.
        size: (N, 3) length, width, height in metres.
    """

    time: float
    pose: Pose
    meshes: tuple[Mesh, ...]
    palette: np.ndarray
    position: np.ndarray
    yaw: np.ndarray
    velocity: np.ndarray
    size: np.ndarray


def _profile(
    speed: float, times: np.ndarray, rng: np.random.Generator, direction: int
) -> np.ndarray:
    """Distance covered at `times` with a speed that breathes by up to 20 %."""
    depth, period, phase = rng.uniform(0, 0.2), rng.uniform(15, 40), rng.uniform(0, 6.28)
    omega = 2 * np.pi / period
    wobble = depth / omega * (np.cos(phase) - np.cos(omega * times + phase))
    return direction * speed * (times + wobble)


def make_sequence(config: WorldConfig, split: str, index: int) -> Sequence:
    """Sequence `index` of `split`; depends on the configuration and these two only."""
    count = config.sequences(split)
    if not 0 <= index < count:
        raise ValueError(f"sequence {index} is not among the {count} of split {split!r}")
    rng = np.random.default_rng([config.seed, SPLITS.index(split), index])
    weather = make_weather(rng)
    times = np.arange(config.frames(split)) * config.interval_s(split)
    duration = float(times[-1])
    waiting = rng.random() < 0.2
    speed = 0.0 if waiting else float(rng.choice([4.5, 8.5, 12.0], p=[0.25, 0.5, 0.25]))
    weights = np.array(
        [0.5 * config.multiplier("traffic_light"), 0.22 * config.multiplier("stop_sign"), 0.22]
    )
    road = make_road(
        rng,
        -60.0,
        1.25 * speed * duration + VIEW,
        weights / weights.sum(),
        config.street,
    )
    ahead = [c for c in road.crossings if 15 < c.s < 70]
    waiting = waiting and bool(ahead)
    if waiting:
        stop_line = ahead[0].s - ahead[0].half_width - 5.0
    lead_gap = float(rng.choice([rng.uniform(5, 9), rng.uniform(9, 20), rng.uniform(20, 60)]))
    plan = Plan(
        ego_lane=int(rng.integers(road.lanes)),
        ego_speed=speed,
        stop_line=stop_line if waiting else None,
        lead=config.street.lead * (rng.uniform(2.5, 6) if waiting else lead_gap + 0.4 * speed),
        busy=config.street.traffic * float(rng.choice([0.4, 0.8, 1.3], p=[0.25, 0.45, 0.3])),
        crowd=config.street.crowd * float(rng.choice([1.5, 4.0, 9.0], p=[0.35, 0.4, 0.25])),
        duration=duration,
    )
    displacement, groups = [np.zeros_like(times)], {}
    for lane in [*range(-road.lanes, 0), *range(1, road.lanes + 1)]:
        forward = lane < 0
        own = forward and -lane - 1 == plan.ego_lane
        pace = speed if own else max(speed, 5.0) * rng.uniform(0.75, 1.3)
        moved = _profile(pace, times, rng, 1 if forward else -1)
        groups[lane] = (len(displacement), float(moved[-1]))
        displacement.append(moved)
    ego = 0 if waiting else groups[-plan.ego_lane - 1][0]
    actors = ActorList()
    add_buildings(actors, config.street, road, rng)
    add_trees_and_posts(actors, config.street, road, rng)
    add_controls(actors, road, rng)
    add_lanes(actors, config, road, plan, groups, rng)
    add_parked(actors, config, road, rng)
    add_side_traffic(actors, config, road, plan, rng)
    add_people(actors, config, road, plan, rng)
    if config.street.furnished:
        furnish(actors, config, split, index, road)
    if config.has_works:
        add_works(actors, config, split, index, road, duration)
    mount, steady = rng.normal(0, 0.008, 2), 0.0012 * (speed > 0)
    waves = rng.uniform(0, 6.28, 2)
    bob = np.stack(
        [
            0.3 * mount[0] + 3 * steady * np.sin(times * 0.5 + waves[0]),
            config.street.pitch + mount[1] + steady * np.sin(times * 5.3 + waves[1]),
        ],
        1,
    )
    return Sequence(
        config=config,
        split=split,
        index=index,
        road=road,
        weather=weather,
        actors=actors.build(),
        plan=plan,
        displacement=np.stack(displacement),
        ego=ego,
        bob=bob,
    )


def signal_state(time: float, phase: float, side: int, held: bool) -> str:
    """Colour shown to the main street (side 0) or the side street (1); `held`: main is red."""
    at = (time + phase) % SIGNAL_CYCLE
    main = "green" if at < 22 else "yellow" if at < 25 else "red"
    if held:
        main = "red"
    if side == 0:
        return main
    return "green" if main == "red" else "red"


def snapshot(sequence: Sequence, frame: int) -> Snapshot:
    """State of the world at `frame`."""
    config, actors, road = sequence.config, sequence.actors, sequence.road
    frames, interval = config.frames(sequence.split), config.interval_s(sequence.split)
    if not 0 <= frame < frames:
        raise ValueError(f"frame {frame} is not in [0, {frames})")
    time = frame * interval
    omega = 2 * np.pi / actors.sway[:, 1]
    angle = omega * time + actors.sway[:, 2]
    along = sequence.displacement[:, frame][actors.group]
    s = actors.s + along + actors.speed_s * time + actors.sway[:, 0] * np.sin(angle)
    d = actors.d + actors.speed_d * time
    x, y, heading = road.to_world(s, d)
    gone = (s <= road.start) | (s >= road.end - 1)

    step = max(min(frame, frames - 2), 0)
    if frames > 1:
        pair = sequence.displacement[:, step : step + 2]
        pace = (pair[:, 1] - pair[:, 0]) / interval
    else:
        pace = np.zeros(len(sequence.displacement))
    rate = pace[actors.group] + actors.speed_s + actors.sway[:, 0] * omega * np.cos(angle)
    c, n = np.cos(heading), np.sin(heading)
    velocity = np.stack([rate * c - actors.speed_d * n, rate * n + actors.speed_d * c], 1)

    phase = (np.abs(actors.speed_s + actors.speed_d) * time / STRIDE * WALK_PHASES).astype(int)
    phase = phase + np.arange(len(actors)) * 3
    meshes = tuple(m[p % len(m)] for m, p in zip(actors.meshes, phase, strict=True))
    size = np.array([m.size for m in meshes]) * actors.scale[:, None]

    colours = actors.palette
    lights = np.flatnonzero(actors.crossing >= 0)
    if len(lights):
        colours = colours.copy()
        for light in lights:
            crossing = road.crossings[actors.crossing[light]]
            held = sequence.plan.stop_line is not None and (
                0 < crossing.s - sequence.plan.stop_line < 25
            )
            state = signal_state(time, crossing.phase, int(actors.side[light]), held)
            colours[light, SLOTS[f"lamp_{state}"]] = LAMP_ON[state]

    ego_s = sequence.displacement[sequence.ego, frame]
    ego_d = -(sequence.plan.ego_lane + 0.5) * LANE_WIDTH
    ex, ey, eh = (float(v) for v in road.to_world(np.array(ego_s), np.array(ego_d)))
    yaw, pitch = sequence.bob[frame]
    position = np.stack([x, y, np.where(gone, -1e4, actors.z)], 1)
    return Snapshot(
        time=time,
        pose=Pose(ex, ey, eh + float(yaw), float(pitch)),
        meshes=meshes,
        palette=colours,
        position=position,
        yaw=heading + actors.yaw,
        velocity=velocity,
        size=size,
    )
