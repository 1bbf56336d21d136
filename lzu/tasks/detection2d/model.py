"""LZU in mmdet's single-stage detectors: one adapter for all of them, chosen by configuration."""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from mmcv.transforms import BaseTransform
from mmdet.models.data_preprocessors import DetDataPreprocessor
from mmdet.models.detectors import SingleStageDetector
from mmdet.models.utils import samplelist_boxtype2tensor
from mmdet.registry import MODELS, TRANSFORMS
from torch import Tensor, nn

from lzu.errors import UserError
from lzu.models.frames import Frames, align_boxes
from lzu.models.offsets import cell_offsets
from lzu.models.pixels import normalised, stacked
from lzu.models.resamplers import Unzoom, WarpResampler, build_resampler


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

    `padded_size` is (height, width) of the network's input; the rest is as in mmdet's, without
    what could not be kept.

    Raises:
        UserError: `batch_augments`, `pad_mask`, `pad_seg`, `boxtype2tensor=False` or a
            `pad_size_divisor` other than 1 and 32.
    """

    def __init__(self, padded_size: Sequence[int], **kwargs: Any) -> None:
        _require_kept(kwargs)
        super().__init__(**{**kwargs, "pad_size_divisor": 1})
        self.padded_size = tuple(padded_size)

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Stack a batch; every sample gets the `pad_shape` that the network will see.

        Raises:
            ValueError: the images differ in size.
        """
        data = self.cast_data(data)
        inputs = stacked(data["inputs"])
        for sample in data["data_samples"]:
            sample.set_metainfo(
                {"pad_shape": self.padded_size, "batch_input_shape": self.padded_size}
            )
        samplelist_boxtype2tensor(data["data_samples"])
        return {"inputs": inputs, "data_samples": data["data_samples"]}

    def normalise(self, images: Tensor) -> Tensor:
        """Normalise (B, 3, H, W) images as they are loaded (BGR, 0 to 255), as configured."""
        return normalised(self, images)


def _require_kept(options: dict[str, Any]) -> None:
    """Raise a UserError for an option of mmdet's preprocessor that would be lost."""
    unmoved = "masks are not brought into the network's frame; leave it out"
    reasons = {
        "batch_augments": "a batch is resampled as it was loaded; leave it out",
        "pad_mask": unmoved,
        "pad_seg": unmoved,
    }
    for name, reason in reasons.items():
        if options.get(name):
            raise UserError(f"model.data_preprocessor.{name}: {reason}")
    if not options.get("boxtype2tensor", True):
        raise UserError("model.data_preprocessor.boxtype2tensor: boxes must become tensors")
    if options.get("pad_size_divisor", 1) not in (1, 32):
        raise UserError(
            "model.data_preprocessor.pad_size_divisor: the network's input is padded to multiples "
            f"of 32, got {options['pad_size_divisor']}; leave it out"
        )


@MODELS.register_module(name="LZUSingleStageDetector")
class ResampledSingleStageDetector(SingleStageDetector):
    """Any single-stage detector of mmdet with a resampler around its backbone and neck.

    zoom, pad to multiples of 32, backbone and neck, unzoom every level, and the head as it was.
    Parameter names are those of the plain detector, so its checkpoints load.

    `resampler` holds a `kind` and its settings (see `lzu.models.resamplers.build_resampler`);
    `native_size`, `given_size` and `network_size` are the sizes (H, W) of the frames in
    `lzu.models.frames`. `offsets` says where the levels' cells sit (see
    `lzu.models.offsets.cell_offsets`); only what unzooms asks for them.

    Raises:
        UserError: the head does not tell the strides of the levels, or they differ along x and y;
            or it is not known where the cells of the levels sit.
    """

    unzooms = True

    def __init__(
        self,
        *args: Any,
        resampler: dict[str, Any],
        offsets: Any = None,
        native_size: Sequence[int],
        given_size: Sequence[int],
        network_size: Sequence[int],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.frames = Frames(tuple(native_size), tuple(given_size), tuple(network_size))
        self.resampler = build_resampler(frames=self.frames, **resampler)
        _require_strides(self.bbox_head)
        if self.unzooms and isinstance(self.resampler, WarpResampler):
            neck = self.neck if self.with_neck else None
            self.resampler.offsets = cell_offsets(
                offsets, self.backbone, neck, self.frames.network, len(self.strides)
            )

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

        Raises:
            ValueError: the images are not of the given frame's size.
        """
        size = tuple(images.shape[-2:])
        if size != self.frames.given:
            raise ValueError(
                f"images are {size[1]}x{size[0]} pixels, expected "
                f"{self.frames.given[1]}x{self.frames.given[0]}, the given frame's size"
            )
        zoomed, unzoom = self.resampler(images.float(), *inputs)
        zoomed = self.data_preprocessor.normalise(zoomed)
        height, width = self.frames.network
        padded_height, padded_width = self.frames.padded
        padding = (0, padded_width - width, 0, padded_height - height)
        return F.pad(zoomed, padding, value=self.data_preprocessor.pad_value), unzoom

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
