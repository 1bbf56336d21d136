"""The sky, the skyline and the open country."""

import cv2
import numpy as np

from lzu.datasets.synthetic.camera import Camera
from lzu.datasets.synthetic.drawlist import haze_share
from lzu.datasets.synthetic.scene import Sequence

COLUMNS, ROWS = 1440, 160
TANGENT = 1.1
"""Tangent of the highest elevation in the panorama."""


def make_sky(sequence: Sequence) -> np.ndarray:
    """(ROWS, COLUMNS, 3) uint8 panorama: columns go once round from world +x to the *right*, rows
    from the highest elevation down to the horizon, evenly in its tangent."""
    weather = sequence.weather
    rng = np.random.default_rng([sequence.config.seed, 12, sequence.index])
    height = np.linspace(1, 0, ROWS)[:, None]
    mix = np.clip(height * 2.2, 0, 1) ** 0.7
    sky = weather.haze * (1 - mix)[..., None] + weather.zenith * mix[..., None]
    cloud = np.zeros((ROWS, COLUMNS), np.float32)
    for cells, strength in ((10, 1.0), (24, 0.6), (60, 0.35), (144, 0.2)):
        grid = rng.normal(0, strength, (max(3, cells // 3), cells)).astype(np.float32)
        # Two cells more on each side, so that the panorama closes without a seam.
        grid = np.pad(grid, ((0, 0), (2, 2)), mode="wrap")
        margin = 2 * COLUMNS // cells
        wide = cv2.resize(grid, (COLUMNS + 2 * margin, ROWS), interpolation=cv2.INTER_CUBIC)
        cloud += wide[:, margin:-margin]
    cover = np.clip((cloud - 0.6 + weather.clouds) * 0.9, 0, 1) * weather.clouds
    cover = cover * np.clip(height * 6, 0, 1)
    bright = np.minimum(weather.haze * 1.12 + 12, 252)
    sky = sky * (1 - cover[..., None]) + bright * cover[..., None]
    for share, tallest, cells in ((0.82, 0.05, 60), (0.66, 0.035, 110)):
        top = np.repeat(rng.uniform(0.1, 1, cells) ** 2, COLUMNS // cells + 1)[:COLUMNS] * tallest
        tone = weather.haze * share + (1 - share) * np.array([70, 80, 84])
        sky = np.where((height * TANGENT < top)[..., None], tone, sky)
    return np.clip(sky, 0, 255).astype(np.uint8)


def draw(
    image: np.ndarray, sequence: Sequence, sky: np.ndarray, base: np.ndarray, camera: Camera
) -> None:
    """Fill `image` with sky above and open country (colour `base`) below the horizon."""
    height, width = camera.size
    horizon = int(np.clip(round(camera.horizon), 0, height))
    weather = sequence.weather
    forward = camera.rotation[2]
    if horizon > 0:
        half = np.arctan(width / 2 / camera.focal)
        turn = -np.arctan2(forward[1], forward[0])
        columns = (np.linspace(turn - half, turn + half, 481) / (2 * np.pi)) % 1 * COLUMNS
        rows = (
            ROWS
            - 1
            - np.linspace(camera.horizon / camera.focal, 0, horizon // 4 + 2)
            * ((ROWS - 1) / TANGENT)
        )
        grid = np.meshgrid(
            columns.astype(np.float32), np.clip(rows, 0, ROWS - 1).astype(np.float32)
        )
        wide = np.concatenate([sky, sky[:, :1]], 1)
        part = cv2.remap(wide, *grid, cv2.INTER_LINEAR)
        image[:horizon] = cv2.resize(part, (width, horizon), interpolation=cv2.INTER_LINEAR)
    if horizon < height:
        row = np.arange(horizon, height) + 0.5
        drop = np.maximum(row - camera.horizon, 0.05) / camera.focal
        share = haze_share(camera.position[2] / drop, weather)[:, None]
        light = weather.ambient * 1.16 + weather.direct * weather.sun[2]
        colour = base * light * weather.tint * (1 - share) + weather.haze * share
        column = np.clip(np.rint(colour), 0, 255).astype(np.uint8)[:, None]
        size = (width, height - horizon)
        image[horizon:] = cv2.resize(column, size, interpolation=cv2.INTER_NEAREST)
