"""The frame that pictures show."""

import json
from pathlib import Path

import numpy as np
import torch

import lzu
from lzu.tasks.detection2d.drawing.frame import busiest_frame, busy_frame


def test_the_busiest_frame_comes_with_its_boxes(context):
    annotations, dataset = context.paths.annotations("val"), context.settings.dataset
    image, boxes = busiest_frame(annotations, Path(dataset.root))
    content = json.loads(annotations.read_text())
    counts = {}
    for record in content["annotations"]:
        if min(record["bbox"][2:]) < 1:
            continue
        counts.setdefault(record["image_id"], []).append(record["bbox"])
    assert len(boxes) == max(map(len, counts.values()))
    left_top_size = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
    assert any(np.allclose(left_top_size, own, atol=1e-3) for own in counts.values()
               if len(own) == len(boxes))  # fmt: skip
    assert image.shape == (*dataset.native_size, 3)


def test_its_saliency_is_the_density_of_its_boxes(context):
    frame = busy_frame(context)
    annotations, root = context.paths.annotations("val"), Path(context.settings.dataset.root)
    image, boxes = busiest_frame(annotations, root)
    assert np.array_equal(frame.image, image)
    expected = lzu.saliency.from_boxes(
        torch.from_numpy(boxes).double(), image.shape[:2], lattice=(11, 17)
    )
    torch.testing.assert_close(frame.saliency((11, 17)), expected)
    assert expected.max() > 2 * expected.min()
