"""What kind of street a world shows: numbers that the parts of the scene go by."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Scenery:
    """A kind of street.

    Attributes:
        mix, parked_mix: natural shares of the vehicles in a lane, and at the kerb.
        traffic: factor on the number of moving and waiting vehicles.
        lead: factor on the free road before the ego vehicle.
        parked: factor on the share of parking places that are taken.
        crowd, cycles: factors on the number of people on foot and of bicycles.
        ridden: share of the bicycles that somebody rides.
        lanes: shares of the streets with one, two and three lanes in each direction.
        pavement: least and largest width of the sidewalks in metres.
        leafy: least and largest share of the places for street trees that have one.
        urban: least and largest share of the street front that is built up.
        pitch: mean pitch of the camera in radians, upwards.
        furnished: with walls, fences, hedges, signs, street furniture, verges, tram lines and the
            ego vehicle's bonnet, so that all classes of Cityscapes occur.
    """

    mix: Mapping[str, float]
    parked_mix: Mapping[str, float]
    traffic: float = 1.0
    lead: float = 1.0
    parked: float = 1.0
    crowd: float = 1.0
    cycles: float = 1.0
    ridden: float = 0.6
    lanes: tuple[float, float, float] = (0.4, 0.42, 0.18)
    pavement: tuple[float, float] = (2.8, 4.5)
    leafy: tuple[float, float] = (0.1, 0.8)
    urban: tuple[float, float] = (0.45, 1.0)
    pitch: float = 0.0
    furnished: bool = False


SCENERIES: dict[str, Scenery] = {
    "plain": Scenery(
        {"car": 0.86, "truck": 0.07, "bus": 0.03, "motorcycle": 0.04},
        {"car": 0.9, "motorcycle": 0.06, "truck": 0.04},
    ),
    # Shares of pixels near those of Cityscapes; a test holds them to it.
    "city": Scenery(
        {"car": 0.91, "truck": 0.02, "bus": 0.016, "motorcycle": 0.036, "train": 0.022},
        {"car": 0.9, "motorcycle": 0.09, "truck": 0.01},
        traffic=0.33,
        lead=2.5,
        parked=0.55,
        crowd=4.0,
        cycles=8.0,
        ridden=0.12,
        lanes=(0.6, 0.35, 0.05),
        pavement=(3.5, 7.0),
        leafy=(0.5, 1.0),
        urban=(0.35, 0.9),
        pitch=-0.038,  # that of Cityscapes' own camera
        furnished=True,
    ),
}
