"""LZU in mmdet's single-stage detectors: one adapter for all of them, chosen by configuration."""

from collections.abc import Sequence
from typing import Any

from mmcv.transforms import BaseTransform
from mmdet.models.data_preprocessors import DetDataPreprocessor
from mmdet.models.detectors import SingleStageDetector
from mmdet.models.utils import samplelist_boxtype2tensor
from mmdet.registry import MODELS, TRANSFORMS
from torch import Tensor, nn

from lzu.errors import UserError
from lzu.models.detectors import FramePreprocessorMixin, ResampledDetectorMixin
from lzu.models.frames import align_boxes
from lzu.models.pixels import stacked


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
class NetworkFramePreprocessor(FramePreprocessorMixin, DetDataPreprocessor):
    """mmdet's preprocessor with its work on pixels put off; see the mixin."""

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Stack a batch; every sample gets the `pad_shape` that the network will see.

        Raises:
            ValueError: the images differ in size.
        """
        data = self.cast_data(data)
        inputs = stacked(data["inputs"])
        self.tell_padding(data["data_samples"])
        samplelist_boxtype2tensor(data["data_samples"])
        return {"inputs": inputs, "data_samples": data["data_samples"]}


@MODELS.register_module(name="LZUSingleStageDetector")
class ResampledSingleStageDetector(ResampledDetectorMixin, SingleStageDetector):
    """Any single-stage detector of mmdet with a resampler around its backbone and neck; the mixin
    says what it takes beside mmdet's own arguments.

    Raises:
        UserError: as the mixin, or the strides of the levels differ along x and y.
    """

    @property
    def strides(self) -> list[int]:
        """The stride of every level of the pyramid, in network pixels."""
        _require_strides(self.bbox_head)
        return [s[0] for s in self.bbox_head.prior_generator.strides]

    def loss(self, batch_inputs: Tensor, batch_data_samples: Any) -> dict[str, Any]:
        """The head's losses on images as loaded and samples in the network's frame."""
        inputs = self.resampler_inputs(batch_data_samples)
        return self.bbox_head.loss(self.extract_feat(batch_inputs, *inputs), batch_data_samples)

    def _forward(self, batch_inputs: Tensor, batch_data_samples: Any = None) -> Any:
        """What the head makes of images as loaded: mode "tensor", as tools for FLOPs call it."""
        inputs = self.resampler_inputs(batch_data_samples)
        return self.bbox_head.forward(self.extract_feat(batch_inputs, *inputs))

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


def _require_strides(head: nn.Module) -> None:
    """Raise a UserError for a head by which no level can be unzoomed."""
    name = type(head).__name__
    generator = getattr(head, "prior_generator", None)
    if generator is None:
        raise UserError(
            f"model.bbox_head.type: {name} has no prior_generator, which tells the strides of the "
            "levels to unzoom; use a head that has one, such as RetinaHead or FCOSHead"
        )
    if any(x != y for x, y in generator.strides):
        raise UserError(
            f"model.bbox_head: {name}'s strides differ along x and y, {generator.strides}; only "
            "equal ones can be unzoomed"
        )
