"""Colours of the world: every face names a slot, every actor fills the slots (BGR, 0 to 255)."""

import numpy as np

_BASE: dict[str, tuple[int, int, int]] = {
    "paint": (150, 150, 150),
    "paint2": (110, 110, 110),
    "paint3": (90, 90, 90),
    "glass": (62, 52, 44),
    "glass2": (104, 88, 76),
    "tyre": (26, 24, 24),
    "hub": (140, 138, 136),
    "tail": (36, 30, 190),
    "head": (205, 232, 240),
    "dark": (44, 42, 42),
    "plate": (215, 220, 220),
    "skin": (120, 150, 205),
    "hair": (28, 36, 52),
    "metal": (120, 122, 122),
    "lamp_red": (38, 26, 40),
    "lamp_yellow": (24, 40, 42),
    "lamp_green": (34, 42, 24),
    "bark": (48, 66, 88),
    "leaf": (46, 92, 66),
    "leaf2": (36, 74, 52),
    "leaf3": (60, 112, 84),
    "white": (235, 235, 235),
    "red": (36, 28, 176),
    "amber": (20, 120, 230),
    "sign_blue": (168, 84, 20),
    "sign_yellow": (40, 200, 240),
}
SLOTS: dict[str, int] = {name: index for index, name in enumerate(_BASE)}
BASE_PALETTE = np.array(list(_BASE.values()), np.float32)
"""(slots, 3) default colours."""

EMISSIVE = tuple(SLOTS[name] for name in ("lamp_red", "lamp_yellow", "lamp_green"))
"""Slots that shine by themselves: neither shaded nor dimmed by the weather's light."""

LAMP_ON = {"red": (70, 60, 255), "yellow": (60, 215, 255), "green": (170, 255, 90)}

CAR_PAINTS = (
    (238, 238, 236),
    (225, 224, 222),
    (40, 38, 38),
    (58, 54, 52),
    (128, 126, 124),
    (178, 176, 172),
    (38, 32, 150),
    (132, 72, 34),
    (70, 46, 28),
    (60, 84, 110),
    (58, 88, 52),
)
TRUCK_PAINTS = ((240, 240, 240), (236, 232, 228), (60, 150, 220), (160, 96, 40), (60, 130, 70))
BUS_PAINTS = ((60, 170, 235), (70, 60, 190), (190, 120, 40), (90, 150, 60))
CYCLE_PAINTS = ((30, 30, 170), (150, 70, 20), (40, 40, 40), (40, 140, 200), (190, 190, 190))
CLOTHES = (
    (40, 40, 44),
    (120, 60, 40),
    (44, 44, 170),
    (200, 200, 205),
    (70, 110, 60),
    (50, 150, 210),
    (130, 120, 110),
    (160, 110, 170),
    (90, 60, 40),
    (60, 80, 120),
)
TROUSERS = ((70, 54, 44), (40, 38, 38), (100, 74, 52), (96, 110, 124), (60, 60, 64))
SKINS = ((120, 150, 205), (150, 180, 230), (70, 96, 140), (50, 68, 104))
WALLS = (
    (104, 128, 160),
    (150, 168, 184),
    (78, 90, 140),
    (170, 176, 180),
    (128, 132, 138),
    (108, 118, 126),
    (150, 190, 214),
    (92, 108, 128),
    (62, 74, 108),
    (186, 192, 196),
)


def palette(**overrides: tuple[int, int, int]) -> np.ndarray:
    """(slots, 3) float32 BGR: the base palette with some slots replaced."""
    colours = BASE_PALETTE.copy()
    for name, colour in overrides.items():
        colours[SLOTS[name]] = colour
    return colours
