"""The paper's analysis of its warps, from the library itself: Eq. 18 and Figures 2, 3, 5 and 10.

The warp of Eq. 18 and of Figures 5 and 10 is the suite's fixed prior's; Figures 2 and 3 take the
saliency of the boxes in one frame, where separable and nonseparable warps differ more.
"""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import lzu
from lzu.engine.level_error import level_error
from lzu.engine.pictures import Frame
from lzu.experiments.context import Context
from lzu.experiments.paths import ANALYSIS_FIGURES
from lzu.experiments.settings import frame_size
from lzu.experiments.task import PriorSpec
from lzu.files import write_json
from lzu.report.figures.axis import AxisInverse, write_axis
from lzu.report.figures.lattices import LatticePicture, LatticeQuality, write_lattices
from lzu.report.figures.warps import Variant, write_attraction, write_variants
from lzu.results.prior import load_prior

SCALE = 0.5
"""Of the zoomed frames: the scale at which the paper chose its saliency (A.6)."""
FRAME_FWHM = 10.0
"""Of the warps of one frame's boxes, on a lattice of 31 rows: the paper's adaptive LZU (A.6)."""
COARSE_ROWS = 11
LINES = (17, 27)
UPSAMPLED_ROWS = 40
TARGETS, QUERIES = 7, 5
COARSENESS = (1e6, 15, 10, 7.5, 5, 3, 2, 1.5, 1)
"""How many times larger the tiles of Figure 10's lattices are; the first gives 2 x 2."""
PICTURED = (15, 10, 5, 1)


def analyse(context: Context, spec: PriorSpec) -> None:
    """Write Eq. 18's errors as JSON and draw the four figures."""
    started = datetime.now(UTC)
    paths, native = context.paths, context.settings.dataset.frame
    prior = load_prior(paths.prior(spec), native_size=native)
    fwhm, lattice = spec.settings.fwhm, spec.settings.lattice
    write_json(paths.level_error, level_error(context.suite, fwhm, prior, started))
    frame = context.task.step("frame")(context)
    attraction, variants, axis, lattices = ANALYSIS_FIGURES
    draw_attraction(frame, paths.figures, attraction)
    draw_variants(frame, lattice, paths.figures, variants)
    saliency = torch.from_numpy(prior.map_of(frame.camera)).double()
    warp = lzu.Warp.from_saliency(saliency, fwhm=fwhm)
    write_axis(paths.figures, axis, invert_axis(warp))
    qualities, pictures = shrink_lattice(warp, frame)
    write_lattices(paths.figures, lattices, qualities, pictures)


def draw_attraction(frame: Frame, folder: Path, name: str) -> None:
    """Draw Figure 2: one frame's nonseparable, anti-cropping warp on a coarse lattice."""
    height, width = frame.size
    lattice = (COARSE_ROWS, round((COARSE_ROWS - 1) * width / height) + 1)
    saliency = frame.saliency(lattice)
    # The same reach in the image as on a lattice of 31 rows.
    fwhm = FRAME_FWHM * (COARSE_ROWS - 1) / 30
    warp = lzu.Warp.from_saliency(saliency, fwhm=fwhm, separable=False)
    upsampled = warp.zoom_grid((UPSAMPLED_ROWS, round(UPSAMPLED_ROWS * width / height)))
    write_attraction(
        folder,
        name,
        frame.image,
        saliency[0, 0].numpy(),
        warp.nodes.dense()[0].numpy(),
        (upsampled[0].numpy() + 1) / 2,
        frame.zoomed(warp),
    )


def draw_variants(frame: Frame, lattice: tuple[int, int], folder: Path, name: str) -> None:
    """Draw Figure 3: one frame's warp in its four variants."""
    saliency = frame.saliency(lattice)
    fwhm = FRAME_FWHM * (saliency.shape[2] - 1) / 30
    variants = []
    for title, separable, anti_crop in (
        (r"$T_{LZ}$: plain", False, False),
        (r"$T_{LZ,ac}$: anti-cropping", False, True),
        (r"$T_{LZ,sep}$: separable", True, False),
        (r"$T_{LZ,sep,ac}$: both", True, True),
    ):
        warp = lzu.Warp.from_saliency(saliency, fwhm=fwhm, separable=separable, anti_crop=anti_crop)
        nodes = warp.nodes.dense()[0].numpy()
        variants.append(Variant(title, nodes, inverse_lines(warp), frame.zoomed(warp)))
    write_variants(folder, name, frame.image, variants)


def inverse_lines(warp: lzu.Warp) -> np.ndarray:
    """Return T^-1 at a uniform grid that is dense enough to draw lines along, (m, n, 2)."""
    m, n = (4 * lines - 3 for lines in LINES)
    return warp.inverse(grid(m, n).flatten(1, 2))[0].reshape(m, n, 2).numpy()


def grid(rows: int, columns: int) -> Tensor:
    """Return Grid(rows, columns) as points (1, rows, columns, 2), (x, y) from 0 to 1."""
    y, x = (torch.linspace(0, 1, n, dtype=torch.float64) for n in (rows, columns))
    y, x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack((x, y), dim=-1)[None]


def coarsened(warp: lzu.Warp, lattice: tuple[int, int]) -> lzu.Warp:
    """Return the separable warp that is T at the nodes of another lattice and linear between."""
    nodes = warp.forward(grid(*lattice).flatten(1, 2)).reshape(1, *lattice, 2)
    return lzu.Warp.from_nodes(nodes[:, 0, :, 0], nodes[:, :, 0, 1])


def invert_axis(warp: lzu.Warp) -> AxisInverse:
    """Return Figure 5's points: the vertical axis of `warp` through a few nodes, inverted."""
    coarse = coarsened(warp, (TARGETS, 2))
    queries = grid(QUERIES + 2, 2)[:, 1:-1, 0]
    inverse = coarse.inverse(queries)
    return AxisInverse(
        targets=np.linspace(0, 1, TARGETS),
        sources=coarse.y[0].numpy(),
        queries=queries[0, :, 1].numpy(),
        inverse=inverse[0, :, 1].numpy(),
    )


def shrink_lattice(
    warp: lzu.Warp, frame: Frame
) -> tuple[list[LatticeQuality], list[LatticePicture]]:
    """Return Figure 10's numbers and pictures: `warp` through ever finer lattices, to its own."""
    size = frame_size(frame.size, SCALE)
    pixels = grid(*size).flatten(1, 2)
    scale = torch.tensor([size[1] - 1, size[0] - 1])
    qualities, pictures = [], []
    for times in COARSENESS:
        lattice = tuple(max(2, round((n - 1) / times) + 1) for n in warp.lattice)
        coarse = warp if lattice == warp.lattice else coarsened(warp, lattice)
        error = torch.zeros(1)
        if coarse is not warp:
            shown = warp.inverse(coarse.forward(pixels))
            error = ((shown - pixels) * scale).norm(dim=-1)
        # At the zoomed map's nodes, which find every tile.
        peak = coarse.magnification(lattice, frame="zoomed").max()
        quality = LatticeQuality(lattice, error.mean().item(), error.max().item(), peak.item())
        qualities.append(quality)
        if times in PICTURED:
            pictures.append(LatticePicture(quality, inverse_lines(coarse), frame.zoomed(coarse)))
    return qualities, pictures
