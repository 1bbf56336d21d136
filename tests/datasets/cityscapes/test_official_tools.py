"""The dataset's own tools (cityscapesscripts) read what the synthetic world's writer writes, and
agree with our table of classes."""

import numpy as np
import pytest
from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling as evaluation  # noqa: N813
from cityscapesscripts.helpers import labels as official
from cityscapesscripts.helpers.csHelpers import getCsFileInfo
from PIL import Image

from lzu.datasets.cityscapes.classes import CLASS_IDS, CLASSES, IGNORE, LABELS
from lzu.datasets.cityscapes.reader import load, read_train_ids
from lzu.datasets.synthetic import WorldConfig
from lzu.datasets.synthetic.cityscapes_writer import write_cityscapes
from tests.datasets.cityscapes.official import silent_arguments

WORLD = WorldConfig(
    width=256, height=128, horizontal_fov_deg=50, scenery="city", seed=4,
    train_sequences=0, val_sequences=4, frames_per_sequence=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return write_cityscapes(tmp_path_factory.mktemp("official") / "world", WORLD)


@pytest.fixture
def arguments(monkeypatch, tmp_path):
    return silent_arguments(monkeypatch, tmp_path)


def test_the_table_of_classes_is_the_official_one():
    assert len(LABELS) == len(official.labels)
    for ours, theirs in zip(LABELS, official.labels, strict=True):
        assert ours.train_id == theirs.trainId % 256
        assert (ours.name, ours.id, ours.category) == (theirs.name, theirs.id, theirs.category)
        assert (ours.has_instances, ours.ignore_in_eval) == (
            theirs.hasInstances,
            theirs.ignoreInEval,
        )
        assert ours.colour == theirs.color


def test_names_of_files_are_understood(world):
    frames = load(world, "val").frames
    assert len(frames) == 4
    for frame in frames:
        for path in (frame.image, frame.label):
            found = getCsFileInfo(path)
            assert (found.city, found.sequenceNb, found.frameNb) == (
                frame.name.city, frame.name.sequence, frame.name.frame
            )  # fmt: skip


def ground_truth(world):
    return [str(path) for path in sorted(world.glob("gtFine/val/*/*_gtFine_labelIds.png"))]


def test_a_perfect_prediction_is_scored_as_perfect(world, arguments):
    truth = ground_truth(world)
    result = evaluation.evaluateImgLists(truth, truth, arguments)
    scores = [v for v in result["classScores"].values() if not np.isnan(v)]
    assert len(scores) >= 14
    assert set(scores) == {1.0}


def test_scores_are_those_of_our_train_ids(world, arguments, tmp_path):
    """Every other row is predicted from elsewhere; its own search finds the predictions."""
    rng = np.random.default_rng(0)
    confusion = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    for frame in load(world, "val").frames:
        train_ids = read_train_ids(world / frame.label)
        rows = rng.permutation(train_ids.shape[0])
        predicted = np.where(train_ids == IGNORE, 0, train_ids)
        predicted[::2] = predicted[rows][::2]
        image = np.array(CLASS_IDS, np.uint8)[predicted]
        Image.fromarray(image).save(tmp_path / f"{frame.name}_pred.png")
        counted = train_ids != IGNORE
        np.add.at(confusion, (train_ids[counted], predicted[counted]), 1)
    truth = ground_truth(world)
    found = [evaluation.getPrediction(arguments, path) for path in truth]
    result = evaluation.evaluateImgLists(found, truth, arguments)
    hits = np.diag(confusion)
    union = confusion.sum(0) + confusion.sum(1) - hits
    for k, name in enumerate(CLASSES):
        expected = hits[k] / union[k] if union[k] else np.nan
        np.testing.assert_equal(result["classScores"][name], expected)
    assert 0.1 < result["averageScoreClasses"] < 0.95
