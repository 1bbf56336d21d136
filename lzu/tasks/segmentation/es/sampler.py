"""ES as a sampler: locations that a frozen network predicts, and predictions sent back."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lzu.engine.weights import load_whole, read_state
from lzu.tasks.segmentation.es.locations import es_locations
from lzu.tasks.segmentation.es.predictor import LocationPredictor
from lzu.tasks.segmentation.sampling import Size, View, resized


class EsSampler(nn.Module):
    """ES: pixels are taken, by nearest neighbour, where a network that sees the crop in small says.

    The network is trained before (see `lzu.tasks.segmentation.es.stage`) and frozen.

    Args:
        network: (height, width) of the segmenter's input.
        weights: the network's checkpoint.
        lattice, widen_factor, back_projection: settings of ES.

    Raises:
        UserError: the checkpoint is missing, damaged, or of another network.
    """

    def __init__(
        self,
        network: Size,
        *,
        weights: str,
        lattice: int,
        widen_factor: float,
        back_projection: str,
    ) -> None:
        super().__init__()
        self.size, self.back_projection = network, back_projection
        # Its initial weights, which are not used, take nothing of the generator that all methods
        # draw their segmenters' from.
        with torch.random.fork_rng(devices=[]):
            self.predictor = LocationPredictor(lattice, widen_factor)
        # mmengine's `init_weights` does not get here: it asks a sampler for one, which has none.
        load_whole(self.predictor, read_state(Path(weights)), Path(weights))
        self.predictor.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "EsSampler":
        """Do nothing: its network is frozen, the statistics of its normalisation too."""
        return self

    def forward(self, images: Tensor) -> View:
        """Return the view of images (B, 3, H, W)."""
        with torch.no_grad():
            nodes = self.predictor(resized(images, self.predictor.image_size))
            points = es_locations(nodes, self.size, (images.shape[-2], images.shape[-1]))
            pixels = F.grid_sample(images, 2 * points - 1, mode="nearest", align_corners=True)
        return View(pixels, lambda: points, None, self.back_projection)
