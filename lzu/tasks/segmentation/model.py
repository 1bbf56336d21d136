"""LZU, LDS and ES in mmsegmentation's encoder-decoders: one adapter for all, by configuration."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.model import revert_sync_batchnorm
from mmengine.structures import PixelData
from mmseg.models.data_preprocessor import SegDataPreProcessor
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from lzu.errors import UserError
from lzu.models.offsets import cell_offsets
from lzu.models.pixels import normalised, stacked
from lzu.models.resamplers import WarpResampler
from lzu.models.strides import strides_of
from lzu.tasks.segmentation.samplers import build_sampler
from lzu.tasks.segmentation.sampling import View, labels_of, whole


@MODELS.register_module(name="LZUSegPreprocessor")
class CropPreprocessor(SegDataPreProcessor):
    """mmseg's preprocessor with its work on pixels put off (see `lzu.models.pixels`), and without
    padding: the network's input has the size of the run's scale.

    Raises:
        UserError: `size`, `size_divisor`, `batch_augments` or `test_cfg`, which could not be kept.
    """

    def __init__(self, **kwargs: Any) -> None:
        for name in ("size", "size_divisor", "batch_augments", "test_cfg"):
            if kwargs.pop(name, None):
                raise UserError(
                    f"model.data_preprocessor.{name}: a batch is resampled as it was loaded; leave "
                    "it out"
                )
        super().__init__(**kwargs)

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Stack a batch; ValueError if its images differ in size."""
        data = self.cast_data(data)
        return {"inputs": stacked(data["inputs"]), "data_samples": data.get("data_samples")}


@dataclass(frozen=True)
class Segmented:
    """What a segmenter makes of B images: `view`, what it saw; `logits` (B, C, h, w) at the
    network's size; `classes` (B, H, W) of the whole crop, int64."""

    view: View
    logits: Tensor
    classes: Tensor


@MODELS.register_module(name="LZUEncoderDecoder")
class ResampledEncoderDecoder(EncoderDecoder):
    """Any encoder-decoder of mmseg with a sampler around its parts.

    The crop is sampled to the network's size, backbone, neck and heads are as they were, and what
    was zoomed is unzoomed at the place `unzoom_at`: "backbone", every map that a head takes;
    "context", what a head's context module gives, with the map that it was made of (the pyramid
    pooling, before the bottleneck that mixes the two); "logits", what a head's classifier gives. To
    unzoom what the classifier takes would be the same: it is linear and looks at one cell. The
    auxiliary heads unzoom at the same place of their own (a plain FCN, which has no context, what
    it takes), so that every loss is on a uniform grid. LDS and ES unzoom nothing: they learn where
    they sampled, and their predictions are sent back to the crop.

    Parameter names are those of the plain segmenter, so its checkpoints load. Without several
    processes SyncBN is BN.

    Args:
        sampler: a `kind` and its settings (see `lzu.tasks.segmentation.samplers.build_sampler`).
        frame_size, network_size: (height, width) of the crop and of the network's input in pixels.
        unzoom_at: see above.
        offsets: where the cells of the maps sit (see `lzu.models.offsets.cell_offsets`).
        args, kwargs: as mmseg's.

    Raises:
        UserError: it is not known where cells sit, or where a head's context ends.
    """

    def __init__(
        self,
        *args: Any,
        sampler: dict[str, Any],
        frame_size: Sequence[int],
        network_size: Sequence[int],
        unzoom_at: str = "backbone",
        offsets: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.frame = (int(frame_size[0]), int(frame_size[1]))
        self.network = (int(network_size[0]), int(network_size[1]))
        self.sampler = build_sampler(frame=self.frame, network=self.network, **sampler)
        self.unzoom_at = unzoom_at
        self.levels = levels_of(self._heads())
        self.offsets: Any = 0.0
        if isinstance(getattr(self.sampler, "resampler", None), WarpResampler):
            neck = self.neck if self.with_neck else None
            self.offsets = cell_offsets(
                offsets, self.backbone, neck, self.network, 1 + max(self.levels)
            )
        if unzoom_at != "backbone":
            for head in self._heads():
                self._unzoom_in(head)
        self._view: View | None = None
        if get_world_size() == 1:
            revert_sync_batchnorm(self)

    def _heads(self) -> list[nn.Module]:
        heads = [self.decode_head]
        if self.with_auxiliary_head:
            own = self.auxiliary_head
            heads += list(own) if isinstance(own, nn.ModuleList) else [own]
        return heads

    def _unzoom_in(self, head: Any) -> None:
        """Let a head unzoom within, at the model's place, while a view is looked at."""
        level = head.in_index

        def before(_: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
            return (self.unzoomed_in_head(self._view, inputs[0], level),)

        def after(_: nn.Module, inputs: Any, output: Tensor) -> Tensor:
            return self.unzoomed_in_head(self._view, output, level)

        if self.unzoom_at == "context":
            context_end(head).register_forward_pre_hook(before)
        else:
            head.conv_seg.register_forward_hook(after)

    def unzoomed_in_head(self, view: View | None, map_: Tensor, level: Any) -> Tensor:
        """A map in a head, which takes the backbone's `level` (or several), in uniform geometry; as
        it is without a view that was zoomed."""
        if view is None:
            return map_
        return self._unzoom(view, [map_], [level if isinstance(level, int) else min(level)])[0]

    def _unzoom(self, view: View, maps: list[Tensor], levels: Sequence[int]) -> list[Tensor]:
        """Maps of these levels in uniform geometry; as they are, if the view was not zoomed."""
        if view.unzoom is None or view.unzoom.warp is None:
            return maps
        offsets = self.offsets
        if isinstance(offsets, list):
            offsets = [offsets[level] for level in levels]
        return view.unzoom(maps, strides_of(maps, self.network), offsets)

    @contextmanager
    def _looking_at(self, view: View) -> Iterator[None]:
        """The view that maps of heads belong to within the block."""
        self._view = view
        try:
            yield
        finally:
            self._view = None

    def view(self, images: Tensor) -> View:
        """What the network sees of images (B, 3, H, W) as loaded.

        Raises:
            ValueError: the images are not of the crop's size.
        """
        size = tuple(images.shape[-2:])
        if size != self.frame:
            raise ValueError(
                f"images are {size[1]}x{size[0]} pixels, expected "
                f"{self.frame[1]}x{self.frame[0]}, the crop's size"
            )
        view: View = self.sampler(images.float())
        return view

    def features(self, view: View, levels: Sequence[int]) -> list[Tensor]:
        """The maps of backbone and neck; those of `levels` are unzoomed where that is the place."""
        found = list(self.extract_feat(normalised(self.data_preprocessor, view.pixels)))
        return self.unzoomed(view, found, levels) if self.unzoom_at == "backbone" else found

    def unzoomed(self, view: View, found: list[Tensor], levels: Sequence[int]) -> list[Tensor]:
        """The maps `found` with those of `levels` in uniform geometry, and the others as they are,
        which no head takes."""
        restored = self._unzoom(view, [found[level] for level in levels], levels)
        result = list(found)
        for level, map_ in zip(levels, restored, strict=True):
            result[level] = map_
        return result

    def loss(self, inputs: Tensor, data_samples: Any) -> dict[str, Tensor]:
        """The heads' losses on the labels where the network learns, and the sampler's own."""
        labels = torch.stack([sample.gt_sem_seg.data[0] for sample in data_samples])
        view = self.view(inputs)
        learned = labels_of(view, labels)
        samples = [SegDataSample(gt_sem_seg=PixelData(data=one[None])) for one in learned]
        maps = self.features(view, self.levels)
        with self._looking_at(view):
            losses: dict[str, Tensor] = self._decode_head_forward_train(maps, samples)
            if self.with_auxiliary_head:
                losses.update(self._auxiliary_head_forward_train(maps, samples))
        losses.update(view.losses(labels))
        return losses

    def segment(self, inputs: Tensor) -> Segmented:
        """Segment images (B, 3, H, W) as loaded."""
        view = self.view(inputs)
        logits = self.logits(view, self.features(view, levels_of([self.decode_head])))
        return Segmented(view, logits, whole(view, logits, self.frame))

    def logits(self, view: View, maps: list[Tensor]) -> Tensor:
        """The decode head's logits (B, C, h, w) of its maps, at the network's size."""
        with self._looking_at(view):
            meta = [{"img_shape": self.network}]
            found: Tensor = self.decode_head.predict(maps, meta, self.test_cfg)
        return found

    def predict(self, inputs: Tensor, data_samples: Any = None) -> Any:
        """Segment; `pred_sem_seg` (1, H, W) of every sample is that of the whole crop."""
        classes = self.segment(inputs).classes
        samples = data_samples or [SegDataSample() for _ in classes]
        for sample, one in zip(samples, classes, strict=True):
            sample.pred_sem_seg = PixelData(data=one[None])
        return samples

    def _forward(self, inputs: Tensor, data_samples: Any = None) -> Tensor:
        """The decode head's logits at the network's size: mode "tensor"."""
        return self.segment(inputs).logits


CONTEXT_ENDS = {"PSPHead": "bottleneck", "ASPPHead": "bottleneck", "FCNHead": "convs"}
"""Head -> the module that takes all that its context module gives, and nothing else."""


def context_end(head: Any) -> nn.Module:
    """The module of a head that what is unzoomed after its context goes into."""
    name = type(head).__name__
    if name not in CONTEXT_ENDS or getattr(head, "concat_input", False):
        raise UserError(
            f"fixed.unzoom_at: where the context of {name} ends is not one place; unzoom at the "
            "backbone or the logits"
        )
    found: nn.Module = getattr(head, CONTEXT_ENDS[name])
    return found


def levels_of(heads: Sequence[Any]) -> list[int]:
    """The places of the maps that heads take among those that backbone and neck give."""
    taken: set[int] = set()
    for head in heads:
        index = head.in_index
        taken.update([index] if isinstance(index, int) else index)
    return sorted(taken)
