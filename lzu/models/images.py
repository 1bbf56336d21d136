"""The first transform of every task's pipeline: the image, as the dataset's check decodes it."""

from typing import Any

from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS

from lzu.datasets.images import read_image


@TRANSFORMS.register_module(name="LZULoadImage")
class LoadImage(BaseTransform):
    """Load `img_path` by `lzu.datasets.images.read_image`; adds img, img_shape and ori_shape.

    mmcv's own transform turns images by their EXIF orientation and takes any size. Here the size
    must be that of the annotations (`width`, `height`), whether the dataset was checked or not.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load the image: (H, W, 3) uint8, blue, green, red.

        Raises ImageError (a UserError) if it cannot be used.
        """
        image = read_image(results["img_path"], (results["width"], results["height"]))
        results.update(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2])
        return results
