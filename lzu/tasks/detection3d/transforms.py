"""From an image and its labels in the native frame to what the monocular adapter takes."""

from collections.abc import Sequence
from typing import Any

import mmcv
import torch
from mmcv.transforms import BaseTransform

from lzu.models.frames import Frames
from lzu.tasks.detection3d.bridge import TRANSFORMS


@TRANSFORMS.register_module(name="LZUMonoToNetworkFrame")
class MonoToNetworkFrame(BaseTransform):
    """Give the image in the given frame, and labels and intrinsics in the network's.

    Everything comes in the native frame, so that a flip (mmdet3d's `RandomFlip3D`, whose edges are
    x -> W - x of boxes, centres and principal point alike) stands before it. 2-D boxes, centres and
    `cam2img` are moved by the one affine map of `Frames`; boxes in metres and depths stay. All
    are new arrays: what the dataset keeps is not written to.

    `native_size`, `given_size` and `network_size` are (height, width) in pixels.
    """

    def __init__(
        self,
        native_size: Sequence[int],
        given_size: Sequence[int],
        network_size: Sequence[int],
    ) -> None:
        self.frames = Frames(tuple(native_size), tuple(given_size), tuple(network_size))

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Rewrite img, cam2img, img_shape and scale_factor; and gt_bboxes and centers_2d, if there.

        gt_bboxes become a tensor, cut to the network's frame.
        """
        frames, size = self.frames, results["img"].shape[:2]
        if size != frames.native:
            raise ValueError(
                f"{results.get('img_path', 'image')}: {size[1]}x{size[0]} pixels, expected "
                f"{frames.native[1]}x{frames.native[0]}"
            )
        if frames.given != frames.native:
            results["img"] = mmcv.imresize(results["img"], frames.given[::-1])
        results["cam2img"] = frames.matrix.numpy() @ results["cam2img"]
        if "gt_bboxes" in results:
            height, width = frames.network
            limit = torch.tensor([width, height, width, height])
            boxes = frames.to_network(torch.as_tensor(results["gt_bboxes"]))
            results["gt_bboxes"] = boxes.clamp(min=0).minimum(limit)
            centers = torch.as_tensor(results["centers_2d"])
            results["centers_2d"] = frames.points_to_network(centers)
        results["img_shape"] = frames.network
        results["scale_factor"] = (
            frames.network[1] / frames.native[1],
            frames.network[0] / frames.native[0],
        )
        return results
