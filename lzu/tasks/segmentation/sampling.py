"""What a segmenter sees of a batch, and the way back: of labels, predictions, and labels as if they
were predictions.

Points are coordinates in the crop, in [0, 1]^2, x first, with `align_corners=True`: the centres of
its corner pixels are 0 and 1.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lzu.datasets.cityscapes.classes import CLASSES, IGNORE
from lzu.models.resamplers import Unzoom
from lzu.tasks.segmentation.backprojection import linear, linear_labels, nearest

Size = tuple[int, int]


@dataclass(frozen=True)
class View:
    """What the network sees of a batch of B images.

    Attributes:
        pixels: (B, 3, h, w), as bright as the images, 0 to 255.
        points: () -> (B or 1, h, w, 2): where the pixels are taken from.
        unzoom: brings features into the uniform geometry of the crop, where labels are taken on a
            grid. None (LDS, ES): what is made of the pixels stays where they were sampled, labels
            are sampled there too, and predictions are sent back.
        back_projection: how they are sent back, "nearest" (the classes) or "linear" (the logits).
        losses: labels (B, H, W) of the whole crop -> losses of the sampler's own, by name.
        blurs_labels: whether labels are sampled bilinearly, as LDS's code does.
    """

    pixels: Tensor
    points: Callable[[], Tensor]
    unzoom: Unzoom | None
    back_projection: str = "nearest"
    losses: Callable[[Tensor], dict[str, Tensor]] = field(default=lambda labels: {})
    blurs_labels: bool = False

    @property
    def size(self) -> Size:
        """(height, width) of the network's input."""
        return self.pixels.shape[-2], self.pixels.shape[-1]


class Uniform(nn.Module):
    """The views of what does not stay zoomed: uniform resizing, and LZU.

    `resampler` is one of `lzu.models.resamplers`.
    """

    def __init__(self, resampler: nn.Module) -> None:
        super().__init__()
        self.resampler = resampler

    def forward(self, images: Tensor) -> View:
        """Return the view of images (B, 3, H, W)."""
        pixels, unzoom = self.resampler(images)
        size = (pixels.shape[-2], pixels.shape[-1])

        def points() -> Tensor:
            if unzoom.warp is None:
                return uniform_points(size, pixels.device)
            return (unzoom.warp.zoom_grid(size) + 1) / 2

        return View(pixels, points, unzoom)


def resized(maps: Tensor, size: Size) -> Tensor:
    """Maps (B, C, H, W) resized bilinearly, corners on corners, to `size` (height, width): the crop
    for the samplers' own networks, and logits for the whole crop."""
    return F.interpolate(maps, size, mode="bilinear", align_corners=True)


def uniform_points(size: Size, device: torch.device | None = None) -> Tensor:
    """The points (1, h, w, 2) of a uniform grid whose corners are the crop's."""
    y, x = (torch.linspace(0, 1, side, device=device) for side in size)
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
    return grid.unsqueeze(0)


def sample_labels(labels: Tensor, points: Tensor) -> Tensor:
    """Labels (B, H, W) at points (B or 1, h, w, 2): those of the nearest pixels, (B, h, w)."""
    height, width = labels.shape[-2:]
    last = points.new_tensor([width - 1, height - 1])
    column, row = (points * last).round().long().clamp(min=0).unbind(-1)
    index = row.clamp(max=height - 1) * width + column.clamp(max=width - 1)
    index = index.expand(len(labels), -1, -1)
    return labels.flatten(1).gather(1, index.flatten(1)).view(index.shape)


def blurred_labels(labels: Tensor, points: Tensor) -> Tensor:
    """Labels (B, H, W) at points (B, h, w, 2) as LDS's code has them: the numbers of the classes
    interpolated, so that between two classes lie others. None counts as one class more there."""
    none = len(CLASSES)
    numbers = torch.where(labels == IGNORE, none, labels.long()).unsqueeze(1).to(points.dtype)
    mixed = F.grid_sample(numbers, 2 * points - 1, padding_mode="border", align_corners=True)
    found = mixed.squeeze(1).round().to(labels.dtype)
    return torch.where(found == none, IGNORE, found)


def labels_of(view: View, labels: Tensor) -> Tensor:
    """The labels (B, h, w) that the network learns, of the crop's (B, H, W)."""
    if view.unzoom is not None:
        return sample_labels(labels, uniform_points(view.size, labels.device))
    sample = blurred_labels if view.blurs_labels else sample_labels
    return sample(labels, view.points())


def whole(view: View, logits: Tensor, size: Size) -> Tensor:
    """The classes (B, H, W) of the whole crop of `size`, of logits (B, C, h, w) at the network's
    size: interpolated bilinearly from the uniform grid, or sent back from where they were sampled.
    """
    if view.unzoom is not None:
        return resized(logits, size).argmax(1)
    if view.back_projection == "linear":
        return linear(logits, view.points(), size)
    return nearest(logits.argmax(1), view.points(), size)


def sent_back(view: View, labels: Tensor) -> Tensor:
    """Labels (B, H, W) sampled as the view samples the image, and sent back to the whole crop: the
    most that a network without fault could have.

    LZU's are zoomed and unzoomed by nearest neighbours.
    """
    size = (labels.shape[-2], labels.shape[-1])
    points = view.points()
    seen = sample_labels(labels, points)
    if view.unzoom is None and view.back_projection == "linear":
        return linear_labels(seen, points, size, len(CLASSES)).to(labels.dtype)
    if view.unzoom is None:
        return nearest(seen, points, size)
    warp = view.unzoom.warp
    if warp is None:
        return sample_labels(seen, uniform_points(size, labels.device))
    return sample_labels(seen, (warp.unzoom_grid(size) + 1) / 2)
