"""Cityscapes' images and labels as mmseg's datasets take them: cropped, and decoded once."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS, TRANSFORMS

from lzu.datasets.cityscapes.classes import CLASSES
from lzu.datasets.cityscapes.reader import read_crop
from lzu.files import read_json

MOST_KEPT = 2**28
"""Bytes of decoded crops that a dataset keeps in a process: a small one is decoded once, of a large
one a part."""


@DATASETS.register_module(name="LZUCityscapes")
class CityscapesListing(BaseDataset):
    """The frames of a listing (see `lzu.datasets.cityscapes.prepare`).

    mmseg's own dataset finds files by their names in folders, which a part of a split has none of.
    """

    METAINFO: ClassVar[dict[str, Any]] = {"classes": CLASSES}

    def load_data_list(self) -> list[dict[str, Any]]:
        """One record a frame, with the paths of its image and its label image."""
        root = self.data_prefix["img"]
        return [
            {
                **{key: image[key] for key in ("width", "height")},
                "frame_id": image["id"],
                "img_path": f"{root}/{image['image']}",
                "label_path": f"{root}/{image['label']}",
            }
            for image in read_json(self.ann_file)["images"]
        ]


@TRANSFORMS.register_module(name="LZULoadCrop")
class LoadCrop(BaseTransform):
    """Load the central crop of the image, and of its trainIds.

    Adds img (H, W, 3) uint8 (blue, green, red), gt_seg_map (H, W) uint8 and what mmseg's transforms
    ask for. Decoding PNGs takes most of a small network's time, so crops are kept, up to
    `MOST_KEPT` bytes, from one epoch to the next. They are copied out, because later transforms
    work in place.

    Args:
        crop: (height, width) in pixels.
    """

    def __init__(self, crop: Sequence[int]) -> None:
        self.crop = (crop[0], crop[1])
        self._kept: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._bytes = 0

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load; ImageError or UserError, with the file, for what cannot be used."""
        path = results["img_path"]
        if path in self._kept:
            image, labels = self._kept[path]
        else:
            image, labels = self._load(results)
            if self._bytes + image.nbytes + labels.nbytes <= MOST_KEPT:
                self._bytes += image.nbytes + labels.nbytes
                self._kept[path] = image, labels
        results.update(
            img=image.copy(),
            gt_seg_map=labels.copy(),
            img_shape=self.crop,
            ori_shape=self.crop,
            seg_fields=["gt_seg_map"],
            reduce_zero_label=False,
        )
        return results

    def _load(self, results: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        size = (results["height"], results["width"])
        return read_crop(results["img_path"], results["label_path"], size, self.crop)
