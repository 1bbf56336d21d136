"""An animated picture (GIF) of a warp that follows traffic.

Everything comes in as NumPy arrays, so that no picture needs torch.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from PIL import Image

from lzu.files import write_atomic
from lzu.report.pictures.case_rows import draw_frame
from lzu.report.pictures.cases import BOX_STYLE, draw_boxes
from lzu.report.pictures.warps import (
    Array,
    check_image,
    draw_grid,
    fit_frame,
    grid_nodes,
    map_extent,
    uniform_nodes,
)
from lzu.report.style import INK, styled

GRID = "#ffffff80"
LEGEND = "#55595c"
SALIENCY_COLOURS = 64
"""Of a GIF's 256, those kept for the saliency; a few are the boxes', the rest the scene's."""
SAMPLED = 8
"""Frames that the scene's colours are chosen from."""
WIDTH, RESOLUTION = 9.0, 90
"""Of a frame of the animation, in inches and dots an inch."""
DETECTED, BEFORE = "found", "missed"
"""Kinds of boxes whose looks the picture borrows."""


@dataclass(frozen=True)
class StreamFrame:
    """A frame of a video under its warp.

    `image` and `zoomed` are (H, W, 3) uint8, RGB; `saliency` is (h, w), `x` (w,) and `y` (h,) the
    warp at its nodes, in [0, 1]. `before` (n, 4) are the boxes that the saliency was made of, None
    if it was not made of boxes; `detected` (m, 4) those found in this frame. Boxes are left, top,
    right, bottom in native pixels.
    """

    number: int
    image: NDArray[np.uint8]
    zoomed: NDArray[np.uint8]
    saliency: Array
    x: Array
    y: Array
    before: Array | None
    detected: Array


def stream_figure(
    frame: StreamFrame, native: tuple[int, int], title: str, brightest: float
) -> Figure:
    """One frame: at the left the image with the grid and boxes; zoomed; and its saliency.

    `native` is (height, width) of the boxes' frame, `brightest` the saliency at the colours' end,
    the same for all frames.
    """
    image, zoomed = check_image("image", frame.image), check_image("zoomed", frame.zoomed)
    nodes = grid_nodes(frame.x, frame.y)
    with styled():
        figure = Figure(figsize=(WIDTH, 0.85 + WIDTH * 0.64 * native[0] / native[1]))
        # A fixed layout, because one that is found anew for each frame would tremble.
        top, bottom = 1 - 0.5 / figure.get_figheight(), 0.35 / figure.get_figheight()
        panels = figure.add_gridspec(
            2, 2, width_ratios=(2, 1), left=0.01, right=0.99, top=top, bottom=bottom,
            wspace=0.03, hspace=0.16,
        )  # fmt: skip
        shown = figure.add_subplot(panels[:, 0])
        draw_frame(shown, image, native, f"Frame {frame.number}, with the warp grid")
        draw_grid(shown, nodes, native, GRID, 0.6)
        kinds = {f"detected in it ({len(frame.detected)})": (DETECTED, frame.detected)}
        if frame.before is not None:
            said = f"detected before it, which the warp follows ({len(frame.before)})"
            kinds[said] = (BEFORE, frame.before)
        for kind, boxes in reversed(kinds.values()):
            draw_boxes(shown, _as_sizes(boxes), kind, 1.2)
        size = (zoomed.shape[0], zoomed.shape[1])
        axes = figure.add_subplot(panels[0, 1])
        draw_frame(axes, zoomed, size, "Zoomed")
        draw_grid(axes, uniform_nodes(nodes.shape[:2]), size, GRID, 0.3)
        axes = figure.add_subplot(panels[1, 1])
        extent = map_extent(frame.saliency.shape, native)
        axes.imshow(frame.saliency, extent=extent, cmap="viridis", vmin=0, vmax=brightest)
        fit_frame(axes, native, "Saliency")
        figure.suptitle(title, x=0.01, y=0.99, ha="left", va="top", fontsize=9)
        handles = [
            Line2D([], [], color=BOX_STYLE[kind][0], linestyle=BOX_STYLE[kind][1], label=label)
            for label, (kind, _) in kinds.items()
        ]
        legend = figure.legend(
            handles=handles, loc="lower left", bbox_to_anchor=(0.005, 0.005), ncols=2, fontsize=8
        )
        legend.set_frame_on(True)
        legend.get_frame().set(facecolor=LEGEND, edgecolor="none")
        for text in legend.get_texts():
            text.set_color("white")
    return figure


def _as_sizes(boxes: Array) -> Array:
    """Boxes (n, 4) of corners as left, top, width, height."""
    boxes = np.array(boxes, dtype=float).reshape(-1, 4)
    boxes[:, 2:] -= boxes[:, :2]
    return boxes


def _render(frame: StreamFrame, *settings: Any) -> Image.Image:
    """`stream_figure` in pixels."""
    figure = stream_figure(frame, *settings)
    figure.set_dpi(RESOLUTION)
    canvas = FigureCanvasAgg(figure)
    with styled():
        canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def _palette(pictures: Sequence[Image.Image]) -> Image.Image:
    """One palette for all pictures, so that nothing flickers.

    The few pixels of bright boxes and of high saliency would have no say in a palette that follows
    from the pixels alone, and those of the scene are many, so the former have places of their own.
    """
    shades = colormaps["viridis"](np.linspace(0, 1, SALIENCY_COLOURS))
    marks = [to_rgb(c) for c in (*(c for c, _ in BOX_STYLE.values()), "white", INK, LEGEND)]
    kept = np.round(255 * np.vstack([shades[:, :3], marks])).astype(int).ravel().tolist()
    step = -(-len(pictures) // SAMPLED)
    sample = np.hstack([np.asarray(picture) for picture in pictures[::step]])
    own = Image.fromarray(sample).quantize(256 - len(kept) // 3).getpalette()
    palette = Image.new("P", (1, 1))
    palette.putpalette(kept + own[: 768 - len(kept)])
    return palette


def write_stream_picture(
    path: str | os.PathLike[str],
    frames: Sequence[StreamFrame],
    native: tuple[int, int],
    title: str,
    fps: float = 4.0,
) -> Path:
    """Write frames as an animated GIF that repeats; the last one stays for a second more.

    Raises:
        ValueError: without frames, for arrays of wrong shapes, and for another suffix than .gif.
    """
    path = Path(path)
    if path.suffix != ".gif" or not frames:
        raise ValueError(f"{path}: a .gif of at least one frame, got {len(frames)} frames")
    brightest = max(float(frame.saliency.max()) for frame in frames)
    pictures = [_render(frame, native, title, brightest) for frame in frames]
    palette = _palette(pictures)
    # Without dithering, whose noise makes files larger.
    first, *others = (p.quantize(palette=palette, dither=Image.Dither.NONE) for p in pictures)
    durations = [round(1000 / fps)] * len(frames)
    durations[-1] += 1000
    with write_atomic(path) as temporary:
        first.save(
            temporary,
            save_all=True,
            append_images=others,
            duration=durations if others else durations[0],
            loop=0,
        )
    return path
