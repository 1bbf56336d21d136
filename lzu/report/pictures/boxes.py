"""How large the boxes of a dataset are, and where: as numbers and as a picture."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from lzu.errors import UserError
from lzu.report.names import FIGURE_FORMS
from lzu.report.style import BLUE, INK, MUTED, save_figure, styled

HEIGHT_EDGES = (0.0, 0.0125, 0.025, 0.05, 0.1, 0.2, 1 / 3, 1.0)
"""Edges of the bins of box height, as fractions of the image's height."""
NEAR_HORIZON = 0.1
"""Distance from the horizon, as a fraction of the image's height, that counts as near."""

FEW = 4
"""Bars of classes have the width that so many have."""


def box_statistics(coco: Mapping[str, Any], horizon: float = 0.5) -> dict[str, Any]:
    """Distribution of the boxes of a COCO or Argoverse-HD annotation file.

    Args:
        coco: The file's content: `images` with width and height, `categories`, and `annotations`
            with bbox (left, top, width, height in pixels).
        horizon: Row of the horizon as a fraction of the image's height.

    Returns:
        "images", "boxes", "boxes_per_image"; "below_5_percent", "near_horizon", "third_of_frame":
        shares of the boxes lower than 5 % of the image, with their centre within 10 % of its height
        from the horizon, at least a third as high or as wide as the image; "classes": by name its
        "share" of the boxes and "heights", its histogram over HEIGHT_EDGES (sums to 1); "heights"
        of all; and the arrays "height", "width", "centre" (fractions of the image) and "category"
        of every box.

    Raises:
        UserError: There is no box.
    """
    sizes = {image["id"]: (image["width"], image["height"]) for image in coco["images"]}
    records = coco["annotations"]
    if not records:
        raise UserError("the annotation file holds no box, so there is no distribution of sizes")
    image = np.array([sizes[record["image_id"]] for record in records], float)
    box = np.array([record["bbox"] for record in records], float)
    category = np.array([record["category_id"] for record in records])
    width, height = (box[:, 2:] / image).T
    centre = (box[:, 1] + box[:, 3] / 2) / image[:, 1]

    def histogram(rows: np.ndarray) -> list[float]:
        counts = np.histogram(np.minimum(height[rows], 1.0), HEIGHT_EDGES)[0]
        return [float(count) for count in counts / counts.sum()]

    classes = {}
    for entry in coco["categories"]:
        rows = category == entry["id"]
        if rows.any():
            classes[entry["name"]] = {"share": float(rows.mean()), "heights": histogram(rows)}
    return {
        "images": len(sizes),
        "boxes": len(records),
        "boxes_per_image": len(records) / len(sizes),
        "below_5_percent": float((height < 0.05).mean()),
        "near_horizon": float((np.abs(centre - horizon) < NEAR_HORIZON).mean()),
        "third_of_frame": float(((height >= 1 / 3) | (width >= 1 / 3)).mean()),
        "classes": classes,
        "heights": histogram(np.ones(len(records), bool)),
        "height": height,
        "width": width,
        "centre": centre,
        "category": category,
    }


def plot_box_statistics(
    coco: Mapping[str, Any],
    folder: str | os.PathLike[str],
    name: str = "box_statistics",
    horizon: float = 0.5,
    forms: tuple[str, ...] = FIGURE_FORMS,
) -> dict[str, Path]:
    """Draw the cumulative heights of boxes, their place, and the classes' shares and sizes.

    `coco` and `horizon` are those of `box_statistics`; the picture is written to
    `folder`/`name`.<form>.

    Returns:
        A mapping of form to path.
    """
    found = box_statistics(coco, horizon)
    with styled():
        figure = Figure(figsize=(11.5, 3.8), layout="constrained")
        heights, places, classes = figure.subplots(1, 3)
        ordered = np.sort(found["height"])
        heights.step(ordered, np.arange(1, len(ordered) + 1) / len(ordered), color=BLUE)
        heights.axvline(0.05, color=MUTED, linestyle=":")
        heights.set_xscale("log")
        heights.set_xticks([0.01, 0.05, 0.1, 1 / 3, 1], ["1 %", "5 %", "10 %", "33 %", "100 %"])
        heights.set_xticks([], minor=True)
        heights.set(
            title=f"{found['below_5_percent']:.0%} lower than 5 % of the image",
            xlabel="height of the box, of the image's height",
            ylabel="share of boxes at most as high",
            ylim=(0, 1),
        )
        heights.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))

        edges = np.linspace(0, 1, 51)
        places.hist(found["centre"], edges, orientation="horizontal", color=BLUE)
        places.axhline(horizon, color=INK, linewidth=1)
        for side in (-NEAR_HORIZON, NEAR_HORIZON):
            places.axhline(horizon + side, color=MUTED, linestyle=":")
        places.invert_yaxis()
        places.set(
            title=f"{found['near_horizon']:.0%} within 10 % of the horizon",
            xlabel="boxes",
            ylabel="row of the centre, of the image's height",
        )

        draw_class_bins(
            classes,
            {name: entry["share"] for name, entry in found["classes"].items()},
            {name: entry["heights"] for name, entry in found["classes"].items()},
            [f"to {edge:.1%}" for edge in HEIGHT_EDGES[1:]],
            "height of the box",
        )
        return save_figure(figure, folder, name, forms)


def draw_class_bins(
    axes: Axes,
    shares: Mapping[str, float],
    bins: Mapping[str, Sequence[float]],
    labels: Sequence[str],
    quantity: str,
) -> None:
    """Draw how the boxes of each class are spread over bins of some quantity, a bar a class.

    Args:
        shares: class -> its share of all boxes, said at the right.
        bins: class -> its boxes' shares in the bins, which sum to 1.
        labels: of the bins, from the lightest on.
        quantity: what the bins are of.
    """
    names = sorted(shares, key=lambda name: -shares[name])
    left = np.zeros(len(names))
    for k, (label, shade) in enumerate(
        zip(labels, np.linspace(0.25, 1.0, len(labels)), strict=True)
    ):
        values = [bins[name][k] for name in names]
        axes.barh(names, values, left=left, color=BLUE, alpha=shade, label=label)
        left += values
    for row, name in enumerate(names):
        axes.text(1.01, row, f"{shares[name]:.1%}", va="center", fontsize=7)
    # the first class is at the top; a single one is no wall
    axes.set_ylim(max(len(names), FEW) - 0.5, -0.5)
    axes.grid(visible=False)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set(
        title="by class (right: share of all boxes)",
        xlabel=f"share of the class by {quantity}",
        xlim=(0, 1),
    )
    axes.legend(fontsize=6, ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.18))
