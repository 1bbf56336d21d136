"""Segmenting the validation images with a trained run."""

from typing import Any

from torch import Tensor

from lzu.engine.progress import say
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.tasks.segmentation.batches import segmented
from lzu.tasks.segmentation.build import listed
from lzu.tasks.segmentation.counts import pixel_counts
from lzu.tasks.segmentation.model import Segmented
from lzu.tasks.segmentation.sampling import sample_labels, sent_back, uniform_points
from lzu.tasks.segmentation.scoring.maps import pack_map


def predict(
    context: Context, run: Run, model: Any, *, workers: int = 0, batch: int = 4
) -> dict[str, Any]:
    """The run's `images`: of each its `map`, the classes of the whole crop (see
    `lzu.tasks.segmentation.scoring.maps`), and its `confusions`, 19 x 19 counts, rows truth.

    Those are of prediction and labels on a uniform grid of the network's size ("network"), of both
    where the method samples the image ("warped"), and of labels that were sampled there and sent
    back to the whole crop ("intrinsic").
    """
    dataset = listed(context, run.split("val"))
    found: list[dict[str, Any]] = []
    for one in segmented(model, dataset, batch, workers):
        counts = confusions(one.made, one.labels)
        for k, frame in enumerate(one.ids):
            found.append(
                {
                    "id": frame,
                    "map": pack_map(one.made.classes[k].cpu().byte().numpy()),
                    "confusions": {
                        name: each[k].flatten().tolist() for name, each in counts.items()
                    },
                }
            )
        if len(dataset) >= 100 * batch and len(found) // batch % 25 == 0:
            say(f"predict: {100 * len(found) // len(dataset)} %")
    return {"images": sorted(found, key=lambda one: str(one["id"]))}


def confusions(segmented: Segmented, labels: Tensor) -> dict[str, list[Tensor]]:
    """Space -> the counts (19, 19) of each image; see `predict`. `labels` are (B, H, W)."""
    view = segmented.view
    points = view.points().expand(len(labels), -1, -1, -1)
    grid = uniform_points(view.size, labels.device)
    classes = segmented.classes.to(labels.dtype)
    # where the network itself predicted, its own word counts
    seen = (
        sample_labels(classes, points)
        if view.unzoom is not None
        else segmented.logits.argmax(1).to(labels.dtype)
    )
    pairs = {
        "network": (sample_labels(labels, grid), sample_labels(classes, grid)),
        "warped": (sample_labels(labels, points), seen),
        "intrinsic": (labels, sent_back(view, labels)),
    }
    return {
        name: [pixel_counts(*pair) for pair in zip(*both, strict=True)]
        for name, both in pairs.items()
    }
