"""pycocotools as the reference, and random scenes that are hard on a matcher."""

import contextlib
import copy
import io

import numpy as np
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lzu.tasks.detection2d.scoring.image_scores import image_aps

CATEGORIES = (1, 3, 4)
"""Of them the last has no boxes in most scenes."""

# Few places, sizes and scores, so that overlaps and scores are often equal.
_BOX = st.tuples(*(st.integers(0, 5),) * 2, *(st.sampled_from((1, 2, 3, 4, 6)),) * 2)


@st.composite
def scenes(draw, images=3):
    """A COCO file's content and results on it: crowds, ties, repeated boxes, images, categories or
    all of them without objects or detections. Image 1 is without either."""
    where = st.tuples(
        st.sampled_from([0, *range(2, images + 1)]), st.sampled_from((1, 1, 1, 1, 3, 4))
    )
    true = draw(st.lists(st.tuples(where, _BOX, st.booleans(), st.integers(0, 4)), max_size=16))
    found = draw(st.lists(st.tuples(where, _BOX, st.integers(0, 3)), max_size=30))
    annotations = [
        {
            "id": number,
            "image_id": image,
            "category_id": category,
            "bbox": [float(v) for v in box],
            # of a mask, at times
            "area": float(box[2] * box[3]) * (0.6 if smaller else 1),
            "iscrowd": int(crowd == 0),
        }
        for number, ((image, category), box, smaller, crowd) in enumerate(true, start=1)
    ]
    detections = [
        {
            "image_id": image,
            "category_id": category,
            "bbox": [float(v) for v in box],
            "score": score / 4,
        }
        for (image, category), box, score in found
    ]
    return {
        "info": {},
        "images": [
            {"id": n, "width": 16, "height": 12, "sid": n % 3} for n in range(images, -1, -1)
        ],
        "categories": [{"id": n, "name": f"{n}"} for n in CATEGORIES],
        "annotations": annotations,
    }, detections


def evaluated(truth, detections, ranges, thresholds=None):
    """pycocotools' COCOeval, evaluated and accumulated, in each range of area."""
    with contextlib.redirect_stdout(io.StringIO()):
        both = COCO(), COCO()
        records = [
            {**one, "id": number, "area": one["bbox"][2] * one["bbox"][3], "iscrowd": 0}
            for number, one in enumerate(detections, start=1)
        ]
        # its loadRes fails if nothing is detected
        for coco, annotations in zip(both, (truth["annotations"], records), strict=True):
            coco.dataset = copy.deepcopy({**truth, "annotations": annotations})
            coco.createIndex()
        evaluation = COCOeval(*both, "bbox")
        evaluation.params.areaRng = [list(one) for one in ranges]
        evaluation.params.areaRngLbl = [str(one) for one in ranges]
        evaluation.params.maxDets = [100]
        if thresholds is not None:
            evaluation.params.iouThrs = np.asarray(thresholds)
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def image_ap(found, truth):
    """Of one image alone, ours."""
    return image_aps([found], [truth])[0]


def precision_of(evaluation):
    """(T, K, A) average precision, NaN where undefined."""
    values = evaluation.eval["precision"][..., 0].mean(axis=1)
    return np.where(values < 0, np.nan, values)
