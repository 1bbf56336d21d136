"""LZU in mmdet's single-stage detectors: one adapter for all of them, chosen by configuration."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.transforms import BaseTransform
from mmdet.models.data_preprocessors import DetDataPreprocessor
from mmdet.models.detectors import SingleStageDetector
from mmdet.models.utils import samplelist_boxtype2tensor
from mmdet.registry import MODELS, TRANSFORMS
from torch import Tensor

from lzu.models.frames import Frames, align_boxes
from lzu.models.resamplers import Unzoom, build_resampler


@TRANSFORMS.register_module(name="LZUToNetworkFrame")
class ToNetworkFrame(BaseTransform):
    """Give labels in the network's frame while the image stays as it was loaded.

    It must come after every transform that moves boxes with the image (RandomFlip uses the image
    array's width). `given_size` and `network_size` are (height, width) in pixels; the image and
    its boxes are in the given frame.
    """

    def __init__(self, given_size: Sequence[int], network_size: Sequence[int]) -> None:
        self.given = tuple(given_size)
        self.network = tuple(network_size)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Rewrite gt_bboxes, img_shape and scale_factor; see the class."""
        size = results["img"].shape[:2]
        if size != self.given:
            raise ValueError(
                f"{results.get('img_path', 'image')}: {size[1]}x{size[0]} pixels, expected "
                f"{self.given[1]}x{self.given[0]}"
            )
        if "gt_bboxes" in results:
            boxes = results["gt_bboxes"]
            boxes.tensor = align_boxes(boxes.tensor, self.given, self.network)
            boxes.clip_(self.network)
        height, width = self.network
        results["img_shape"] = (height, width)
        results["scale_factor"] = (width / size[1], height / size[0])
        return results


@MODELS.register_module(name="LZUDetDataPreprocessor")
class NetworkFramePreprocessor(DetDataPreprocessor):
    """mmdet's preprocessor with its work on pixels put off until after the resampling.

    A batch is stacked as it was loaded, in 8 bits. Padding comes after the zoom, because padding
    before it would be zoomed as if it were content; normalisation too, which is the same there
    (bilinear weights sum to one) and has fewer pixels to do.
    """

    def __init__(self, padded_size: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "pad_size_divisor": 1})
        self.padded_size = tuple(padded_size)

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Stack a batch; every sample gets the `pad_shape` that the network will see."""
        data = self.cast_data(data)
        for sample in data["data_samples"]:
            sample.set_metainfo(
                {"pad_shape": self.padded_size, "batch_input_shape": self.padded_size}
            )
        samplelist_boxtype2tensor(data["data_samples"])
        return {"inputs": torch.stack(list(data["inputs"])), "data_samples": data["data_samples"]}

    def normalise(self, images: Tensor) -> Tensor:
        """Normalise (B, 3, H, W) images as they are loaded (BGR, 0 to 255), as configured."""
        if self._channel_conversion:
            images = images.flip(1)
        return (images - self.mean) / self.std if self._enable_normalize else images


@MODELS.register_module(name="LZUSingleStageDetector")
class ResampledSingleStageDetector(SingleStageDetector):
    """Any single-stage detector of mmdet with a resampler around its backbone and neck.

    zoom, pad to multiples of 32, backbone and neck, unzoom every level, and the head as it was.
    Parameter names are those of the plain detector, so its checkpoints load.

    `resampler` holds a `kind` and its settings (see `lzu.models.resamplers.build_resampler`);
    `native_size`, `given_size` and `network_size` are the sizes (H, W) of the frames in
    `lzu.models.frames`.
    """

    def __init__(
        self,
        *args: Any,
        resampler: dict[str, Any],
        native_size: Sequence[int],
        given_size: Sequence[int],
        network_size: Sequence[int],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.frames = Frames(tuple(native_size), tuple(given_size), tuple(network_size))
        self.resampler = build_resampler(frames=self.frames, **resampler)

    @property
    def strides(self) -> list[int]:
        """The stride of every level of the pyramid, in network pixels."""
        return [s[0] for s in self.bbox_head.prior_generator.strides]

    def resampler_inputs(self, batch_data_samples: Any) -> tuple[Any, ...]:
        """What the resampler needs of the samples beside the images: nothing, here."""
        return ()

    def zoom(self, images: Tensor, *inputs: Any) -> tuple[Tensor, Unzoom]:
        """Bring (B, 3, H, W) images as loaded into the network's padded, normalised input.

        `inputs` are those of `resampler_inputs`. Also return the unzoom of the features made from
        the network's input.
        """
        zoomed, unzoom = self.resampler(images.float(), *inputs)
        zoomed = self.data_preprocessor.normalise(zoomed)
        height, width = self.frames.network
        padded_height, padded_width = self.frames.padded
        return F.pad(zoomed, (0, padded_width - width, 0, padded_height - height)), unzoom

    def pyramid(self, network_input: Tensor) -> tuple[Tensor, ...]:
        """Backbone and neck on a padded network input, with nothing unzoomed."""
        return super().extract_feat(network_input)

    def extract_feat(self, batch_inputs: Tensor, *inputs: Any) -> tuple[Tensor, ...]:
        """Zoom, backbone and neck, unzoom: features in uniform geometry, one a level."""
        network_input, unzoom = self.zoom(batch_inputs, *inputs)
        return tuple(unzoom(self.pyramid(network_input), self.strides))

    def loss(self, batch_inputs: Tensor, batch_data_samples: Any) -> dict[str, Any]:
        """The head's losses on images as loaded and samples in the network's frame."""
        inputs = self.resampler_inputs(batch_data_samples)
        return self.bbox_head.loss(self.extract_feat(batch_inputs, *inputs), batch_data_samples)

    def predict(self, batch_inputs: Tensor, batch_data_samples: Any, rescale: bool = True) -> Any:
        """Detect; with `rescale`, boxes are in the native frame, else in the network's."""
        inputs = self.resampler_inputs(batch_data_samples)
        features = self.extract_feat(batch_inputs, *inputs)
        results = self.bbox_head.predict(features, batch_data_samples, rescale=False)
        samples = self.add_pred_to_datasample(batch_data_samples, results)
        if rescale:
            height, width = self.frames.native
            for sample in samples:
                boxes = self.frames.to_native(sample.pred_instances.bboxes)
                limit = boxes.new_tensor([width, height, width, height])
                sample.pred_instances.bboxes = boxes.clamp(min=0).minimum(limit)
        return samples
