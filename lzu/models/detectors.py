"""What the adapters of single-stage detectors share: a resampler around backbone and neck.

zoom, normalise, pad to multiples of 32, backbone and neck, unzoom every level; the head is as it
was. Both adapters (mmdet's detectors, mmdet3d's monocular ones) are this and a head's way to be
called.
"""

import functools
from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from lzu.errors import UserError
from lzu.models.frames import Frames
from lzu.models.offsets import cell_offsets
from lzu.models.pixels import as_loaded, normalised
from lzu.models.resamplers import PaddedWarpResampler, Unzoom, WarpResampler, build_resampler


class FramePreprocessorMixin:
    """Puts the work on pixels of mm*'s detection preprocessors off until after the resampling.

    A batch is stacked as it was loaded, in 8 bits. Padding comes after the zoom, because padding
    before it would be zoomed as if it were content; normalisation too, which is the same there
    (bilinear weights sum to one) and has fewer pixels to do. Name it before the preprocessor among
    the bases.

    `padded_size` is (height, width) of the network's input; the rest is as in mm*'s, without what
    could not be kept.

    Raises:
        UserError: `batch_augments`, `pad_mask`, `pad_seg`, `boxtype2tensor=False` or a
            `pad_size_divisor` other than 1 and 32.
    """

    def __init__(self, padded_size: Sequence[int], **kwargs: Any) -> None:
        _require_kept(kwargs)
        super().__init__(**{**kwargs, "pad_size_divisor": 1})
        self.padded_size = tuple(padded_size)

    def tell_padding(self, samples: Sequence[Any]) -> None:
        """Give every sample the `pad_shape` that the network will see."""
        for sample in samples:
            sample.set_metainfo(
                {"pad_shape": self.padded_size, "batch_input_shape": self.padded_size}
            )

    def normalise(self, images: Tensor) -> Tensor:
        """Normalise (B, 3, H, W) images as they are loaded (BGR, 0 to 255), as configured."""
        return normalised(self, images)


def _require_kept(options: dict[str, Any]) -> None:
    """Raise a UserError for an option of mm*'s preprocessors that would be lost."""
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


class ResampledDetectorMixin:
    """Puts a resampler around backbone and neck of a single-stage detector; name it before the
    detector among the bases, and give it `strides`.

    Parameter names are those of the plain detector, so its checkpoints load.

    `resampler` holds a `kind` and its settings (see `lzu.models.resamplers.build_resampler`);
    `native_size`, `given_size` and `network_size` are the sizes (H, W) of the frames in
    `lzu.models.frames`. `offsets` says where the levels' cells sit (see
    `lzu.models.offsets.cell_offsets`); only what unzooms asks for them.

    Raises:
        UserError: the head does not tell the strides of the levels, or it is not known where the
            cells of the levels sit.
    """

    unzooms = True

    backbone: Any
    neck: Any
    bbox_head: Any
    with_neck: bool
    data_preprocessor: Any

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
        if isinstance(self.resampler, PaddedWarpResampler):
            preprocessor = self.data_preprocessor
            self.resampler.padding = functools.partial(
                as_loaded, preprocessor, preprocessor.pad_value
            )
        strides = self.strides
        if self.unzooms and isinstance(self.resampler, WarpResampler):
            neck = self.neck if self.with_neck else None
            self.resampler.offsets = cell_offsets(
                offsets, self.backbone, neck, self.frames.network, len(strides)
            )

    @property
    def strides(self) -> list[int]:
        """The stride of every level of the pyramid, in network pixels.

        Raises a UserError for a head by which no level can be unzoomed.
        """
        raise NotImplementedError

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
        levels: tuple[Tensor, ...] = self.backbone(network_input)
        return self.neck(levels) if self.with_neck else levels

    def extract_feat(self, images: Tensor, *inputs: Any) -> tuple[Tensor, ...]:
        """Zoom, backbone and neck, unzoom: features in uniform geometry, one a level."""
        network_input, unzoom = self.zoom(images, *inputs)
        return tuple(unzoom(self.pyramid(network_input), self.strides))
