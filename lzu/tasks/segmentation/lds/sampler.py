"""LDS as a sampler: locations from a saliency that is learned, and predictions sent back."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lzu.tasks.segmentation.lds.edges import edge_loss, edge_target
from lzu.tasks.segmentation.lds.grid import lds_locations
from lzu.tasks.segmentation.lds.network import DeformationNetwork
from lzu.tasks.segmentation.sampling import Size, View, resized


class LdsSampler(nn.Module):
    """LDS: pixels are taken, bilinearly, where the saliency of a deformation network draws them.

    The network learns with the segmenter: from its loss, through the places that are sampled, and
    from a loss of its own that draws saliency to the labels' edges.

    Args:
        network: (height, width) of the segmenter's input.
        fwhm, input_size, channels, edge_weight, back_projection, slips: settings of LDS.
    """

    def __init__(
        self,
        network: Size,
        *,
        fwhm: float,
        input_size: Sequence[int],
        channels: int,
        edge_weight: float,
        back_projection: str,
        slips: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.size, self.input_size, self.fwhm = network, (input_size[0], input_size[1]), fwhm
        self.edge_weight, self.back_projection, self.slips = edge_weight, back_projection, slips
        # From a copy of the generator, so that with one seed the segmenter starts from the same
        # weights under every method.
        with torch.random.fork_rng(devices=[]):
            self.deformation = DeformationNetwork((channels, channels, channels // 8))

    def forward(self, images: Tensor) -> View:
        """Return the view of images (B, 3, H, W)."""
        saliency = self.deformation(resized(images, self.input_size) / 127.5 - 1)
        size = (images.shape[-2], images.shape[-1])
        released = size if "frame" in self.slips else None
        points = lds_locations(saliency, self.size, self.fwhm, released_frame=released)
        pixels = F.grid_sample(images, 2 * points - 1, padding_mode="border", align_corners=True)

        def losses(labels: Tensor) -> dict[str, Tensor]:
            released = "edges" in self.slips
            target = edge_target(labels, self.input_size, released)
            return {"loss_edge": self.edge_weight * edge_loss(saliency, target, released)}

        return View(
            pixels,
            lambda: points,
            None,
            self.back_projection,
            losses,
            blurs_labels="labels" in self.slips,
        )
