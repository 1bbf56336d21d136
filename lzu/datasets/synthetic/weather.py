"""Light, sky and haze of a sequence."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Weather:
    """Light of a sequence; colours are BGR, 0 to 255.

    Attributes:
        name: "clear", "cloudy", "overcast", "haze" or "dusk".
        sun: (3,) unit vector towards the sun, world frame.
        ambient, direct: light on a face = ambient + direct * cos(angle to the sun).
        tint: (3,) factor on every lit colour.
        haze: (3,) colour that distance fades to.
        visibility: distance in metres at which 63 % of a colour has gone.
        zenith: (3,) colour of the sky above.
        clouds: strength of the clouds, 0 to 1.
    """

    name: str
    sun: np.ndarray
    ambient: float
    direct: float
    tint: np.ndarray
    haze: np.ndarray
    visibility: float
    zenith: np.ndarray
    clouds: float


_KINDS: dict[str, tuple[float, float, float, tuple, tuple, tuple, tuple, float]] = {
    # ambient, direct, visibility, tint, haze, zenith, sun elevation (deg), clouds
    "clear": (0.55, 0.55, 700, (0.97, 1.0, 1.03), (228, 214, 200), (196, 140, 84), (30, 65), 0.25),
    "cloudy": (0.62, 0.38, 520, (1.0, 1.0, 1.0), (222, 216, 208), (190, 158, 122), (35, 70), 0.8),
    "overcast": (
        0.78,
        0.1,
        380,
        (1.02, 1.0, 0.98),
        (206, 204, 202),
        (178, 172, 166),
        (50, 70),
        0.4,
    ),
    "haze": (0.76, 0.12, 190, (1.0, 1.0, 1.0), (204, 206, 206), (196, 192, 184), (40, 70), 0.15),
    "dusk": (0.46, 0.36, 420, (0.84, 0.95, 1.1), (128, 164, 208), (128, 96, 74), (6, 16), 0.6),
}


def make_weather(rng: np.random.Generator) -> Weather:
    """A random weather."""
    name = str(rng.choice(list(_KINDS), p=[0.34, 0.24, 0.2, 0.1, 0.12]))
    ambient, direct, visibility, tint, haze, zenith, elevation, clouds = _KINDS[name]
    rise, azimuth = np.deg2rad(rng.uniform(*elevation)), rng.uniform(0, 2 * np.pi)
    sun = np.array([np.cos(rise) * np.cos(azimuth), np.cos(rise) * np.sin(azimuth), np.sin(rise)])
    exposure = rng.uniform(0.88, 1.1)
    return Weather(
        name=name,
        sun=sun,
        ambient=ambient * exposure,
        direct=direct * exposure,
        tint=np.array(tint),
        haze=np.clip(np.array(haze) * exposure * rng.uniform(0.96, 1.04), 0, 250),
        visibility=visibility * rng.uniform(0.85, 1.25),
        zenith=np.array(zenith) * exposure,
        clouds=clouds * rng.uniform(0.5, 1.0),
    )
