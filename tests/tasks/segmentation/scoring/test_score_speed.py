"""Scoring predictions of the real size.

`pytest -m slow tests/tasks/segmentation/scoring/test_score_speed.py -s` prints how long it took.
"""

import time

import cv2
import numpy as np
import pytest

from lzu.datasets.cityscapes.classes import CLASS_IDS
from lzu.tasks.segmentation.scoring.score import score
from tests.tasks.segmentation.scoring.predicted import RUN, context_of, prediction, write_labels

IMAGES, LIMIT_S = 20, 10


def areas(rng, size):
    """(H, W) trainIds in winding areas, with more boundary than streets have (a quarter of all
    pixels)."""
    fields = [
        cv2.resize(
            rng.normal(size=(64, 128)).astype(np.float32), size[::-1], interpolation=cv2.INTER_CUBIC
        )
        for _ in CLASS_IDS
    ]
    return np.argmax(fields, axis=0).astype(np.uint8)


@pytest.fixture
def one_core():
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(threads)


@pytest.mark.slow
@pytest.mark.usefixtures("one_core")
def test_an_image_is_scored_in_well_under_a_second(tmp_path):
    rng = np.random.default_rng(0)
    records = write_labels(tmp_path, [f"ulm_{n:06}_000019" for n in range(IMAGES)])
    predictions = []
    for name, record in records.items():
        true, other = areas(rng, (1024, 2048)), areas(rng, (1024, 1024))
        cv2.imwrite(str(tmp_path / record["label"]), np.array(CLASS_IDS, np.uint8)[true])
        found = np.where(
            rng.random((64, 64)).repeat(16, 0).repeat(16, 1) < 0.7, true[:, 512:1536], other
        )
        predictions.append(prediction(name, found))
    context = context_of(tmp_path, records, (1024, 1024))
    begin = time.perf_counter()
    found = score(context, RUN, {"images": predictions})
    took = time.perf_counter() - begin
    print(f"\nscored {IMAGES} images of 1024 x 1024 in {took:.2f} s")
    assert sum(found["class_pixels"].values()) == IMAGES * 1024**2
    assert 40 < found["metrics"]["mIoU"] < 90
    assert took < LIMIT_S
