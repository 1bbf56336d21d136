"""What a city's camera shows of its own vehicle, and the edge of the picture.

As in Cityscapes, both count for nothing: the bonnet has the id of the ego vehicle, and a rim of
pixels that of what is out of the region of interest.
"""

from functools import lru_cache

import numpy as np

from lzu.datasets.cityscapes.classes import IDS
from lzu.datasets.synthetic.weather import Weather

RIM = 5 / 2048
"""Width of the rim as a share of the picture's."""


@lru_cache(maxsize=4)
def bonnet(height: int, width: int) -> np.ndarray:
    """(H, W) float32, 0 outside the bonnet, and on it from just above 0 at its edge to 1 at the
    picture's lower edge."""
    across = (np.arange(width) + 0.5) / width * 2 - 1
    edge = height * (0.93 + 0.06 * across**2)
    rows = (np.arange(height) + 0.5)[:, None]
    depth = np.clip((rows - edge) / (height - edge), 0, 1).astype(np.float32)
    depth.flags.writeable = False
    return depth


def paint(image: np.ndarray, weather: Weather) -> None:
    """Draw the bonnet on a BGR picture, in place: dark, and the sky mirrored towards its edge."""
    depth = bonnet(*image.shape[:2])
    top = int(np.argmax((depth > 0).any(1)))
    part, share = image[top:], depth[top:, :, None]
    dark = np.array((52.0, 48.0, 46.0)) * (weather.ambient + 0.4 * weather.direct)
    shine = dark + (0.45 * weather.haze - dark) * (1 - share) ** 2
    np.copyto(part, np.clip(shine, 0, 255).astype(np.uint8), where=share > 0)


def identify(ids: np.ndarray) -> None:
    """Write the Cityscapes ids + 1 of bonnet and rim on an id map, in place."""
    height, width = ids.shape
    ids[bonnet(height, width) > 0] = IDS["ego vehicle"] + 1
    rim = max(1, round(RIM * width))
    for edge in (ids[:rim], ids[-rim:], ids[:, :rim], ids[:, -rim:]):
        edge[:] = IDS["out of roi"] + 1
