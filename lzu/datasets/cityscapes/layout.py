"""Where Cityscapes' files are below a root:
`{leftImg8bit,gtFine}/{split}/{city}/{city}_{sequence}_{frame}_{type}.png`.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from lzu.datasets import marks
from lzu.datasets.raw import folders_state

FORMAT = "cityscapes"
"""Of the marks of a synthetic world in this layout."""
IMAGE_FOLDER = "leftImg8bit"
LABEL_FOLDER = "gtFine"
SPLITS = ("train", "val")
"""Those with public labels; the test split has none and is not used."""
IMAGE_ENDING = "_leftImg8bit.png"
TRAIN_IDS_ENDING = "_gtFine_labelTrainIds.png"
IDS_ENDING = "_gtFine_labelIds.png"
COLOUR_ENDING = "_gtFine_color.png"
LABEL_ENDINGS = (TRAIN_IDS_ENDING, IDS_ENDING)
"""Of the label images that are read, the first that there is; colour, instance and polygon files
are not."""

WHERE = (
    "get leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip from "
    "https://www.cityscapes-dataset.com/downloads/ (registration needed) and unpack both into "
    "that folder"
)

_STEM = re.compile(r"(?P<city>.+)_(?P<sequence>\d+)_(?P<frame>\d+)", re.ASCII)


@dataclass(frozen=True, order=True)
class FrameName:
    """The city, sequence and frame number of an annotated frame; `str` of it is its id.

    Frames are told apart by all three: cities number their sequences alike.
    """

    city: str
    sequence: str
    frame: str

    def __str__(self) -> str:
        return f"{self.city}_{self.sequence}_{self.frame}"

    def image(self, split: str) -> str:
        """Path of its image below the root, with forward slashes."""
        return f"{IMAGE_FOLDER}/{split}/{self.city}/{self}{IMAGE_ENDING}"

    def label(self, split: str, ending: str) -> str:
        """Path of its label image below the root, with forward slashes."""
        return f"{LABEL_FOLDER}/{split}/{self.city}/{self}{ending}"


def parse(stem: str) -> FrameName | None:
    """The frame that a file's name says before its ending; None if it says none.

    >>> parse("ulm_000003_000019")
    FrameName(city='ulm', sequence='000003', frame='000019')
    """
    found = _STEM.fullmatch(stem)
    return FrameName(**found.groupdict()) if found else None


def is_synthetic(root: str | os.PathLike[str]) -> bool:
    """Whether a root holds a synthetic world that this project wrote in this layout."""
    return marks.is_synthetic(root, FORMAT)


def raw_state(root: str | os.PathLike[str], split: str) -> dict[str, str]:
    """What changes when the raw files of a split do, without reading any: the state of the folders
    that hold them (see `folders_state`)."""
    base = Path(root)
    parts = (("images", IMAGE_FOLDER, (IMAGE_ENDING,)), ("labels", LABEL_FOLDER, LABEL_ENDINGS))
    return {
        name: folders_state(base, (base / folder / split).glob("*/"), endings)
        for name, folder, endings in parts
    }
