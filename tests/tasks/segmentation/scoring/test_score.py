"""What the score step makes of predictions, and what it says of those that do not fit."""

import jsonschema
import numpy as np
import pytest

from lzu.datasets.cityscapes import reader
from lzu.datasets.cityscapes.classes import CLASSES, IGNORE
from lzu.errors import UserError
from lzu.results.schema import JACKKNIFE, closed
from lzu.tasks.segmentation.metrics import EXTRAS, IOU, METRICS, check_extras
from lzu.tasks.segmentation.scoring.boundary import boundary_f
from lzu.tasks.segmentation.scoring.confusion import confusion, iou, mean_iou
from lzu.tasks.segmentation.scoring.maps import unpack_map
from lzu.tasks.segmentation.scoring.score import score
from tests.tasks.segmentation.scoring.predicted import (
    CROP,
    FOUR,
    RUN,
    context_of,
    guess,
    guesses,
    prediction,
    truth_of,
    write_labels,
)

SCHEMA = closed({"metrics": METRICS, "jackknife": JACKKNIFE, **EXTRAS}, optional=("jackknife",))


@pytest.fixture
def records(tmp_path):
    return write_labels(tmp_path, FOUR)


def scored(root, records, predictions):
    """The score, which is what a metrics file may hold."""
    found = score(context_of(root, records), RUN, {"images": predictions})
    jsonschema.validate(found, SCHEMA)
    assert check_extras(found) is None
    return found


def test_a_perfect_prediction_scores_100_in_the_central_crop(tmp_path, records):
    truths = {name: truth_of(tmp_path, record) for name, record in records.items()}
    perfect = [prediction(name, np.where(t == IGNORE, 3, t)) for name, t in truths.items()]
    found = scored(tmp_path, records, perfect)
    pixels = {
        name: sum(int((t == k).sum()) for t in truths.values()) for k, name in enumerate(CLASSES)
    }
    assert found["class_pixels"] == pixels
    assert 0 < sum(pixels.values()) < 4 * CROP[0] * CROP[1]
    assert 0 in pixels.values()
    for name, count in pixels.items():
        assert found["metrics"][IOU[name]] == (100 if count else None)
    assert found["metrics"]["mIoU"] == found["metrics"]["boundary_F"] == 100
    assert {value for value in found["distance_bins"]["mIoU"] if value is not None} == {100}


def test_scores_are_those_of_all_pixels_together(tmp_path, records):
    predictions = guesses(tmp_path, records)
    truths = [truth_of(tmp_path, record) for record in records.values()]
    maps = [unpack_map(one["map"], CROP, "x") for one in predictions]
    whole = confusion(np.concatenate(truths), np.concatenate(maps))
    found = scored(tmp_path, records, predictions[::-1])["metrics"]
    values = [found[IOU[name]] if found[IOU[name]] is not None else np.nan for name in CLASSES]
    np.testing.assert_allclose(values, 100 * iou(whole), rtol=0, atol=1e-4)
    assert found["mIoU"] == pytest.approx(100 * mean_iou(whole), abs=1e-4)
    assert 20 < found["mIoU"] < 80
    each = [boundary_f(*pair) for pair in zip(truths, maps, strict=True)]
    assert found["boundary_F"] == pytest.approx(100 * np.mean(each), abs=1e-4)
    for space in ("network", "warped", "intrinsic"):
        tables = [np.reshape(one["confusions"][space], (19, 19)) for one in predictions]
        expected = 100 * mean_iou(np.sum(tables, axis=0))
        assert found[f"mIoU_{space}"] == pytest.approx(expected, abs=1e-4)


def test_left_out_sequences_leave_the_score_of_the_rest(tmp_path, records):
    predictions = guesses(tmp_path, records)
    whole = scored(tmp_path, records, predictions)
    jackknife = whole["jackknife"]
    assert jackknife["unit"] == "sequence"
    assert jackknife["groups"] == [["bonn_000000"], ["ulm_000000"], ["ulm_000001"]]
    assert set(jackknife["metrics"]) == set(whole["metrics"])
    for n, (group,) in enumerate(jackknife["groups"]):
        rest = {name: one for name, one in records.items() if not name.startswith(group)}
        left = [one for one in predictions if one["id"] in rest]
        alone = scored(tmp_path, rest, left)["metrics"]
        values = {name: value[n] for name, value in jackknife["metrics"].items()}
        assert values == pytest.approx(alone, abs=1e-4)
        assert values["mIoU"] != pytest.approx(whole["metrics"]["mIoU"], abs=1e-4)


@pytest.mark.parametrize(
    ("cities", "unit", "first"),
    [(10, "city", ["city0"]), (9, "sequence", ["city0_000000"])],
)
def test_many_cities_are_left_out_as_a_whole(tmp_path, cities, unit, first):
    """Of the first city there are two sequences."""
    names = [f"city{n}_000000_000019" for n in range(cities)] + ["city0_000001_000019"]
    records = write_labels(tmp_path, names)
    found = scored(tmp_path, records, guesses(tmp_path, records))["jackknife"]
    assert found["unit"] == unit
    assert len(found["groups"]) == 10
    assert found["groups"][0] == first


def test_a_single_image_is_scored_and_has_no_jackknife(tmp_path):
    records = write_labels(tmp_path, FOUR[:1])
    found = scored(tmp_path, records, guesses(tmp_path, records))
    assert "jackknife" not in found
    assert 20 < found["metrics"]["mIoU"] < 80


def test_labels_without_a_pixel_that_counts_have_no_score(tmp_path):
    records = write_labels(tmp_path, FOUR[:1], classes=[])
    found = scored(tmp_path, records, [prediction(FOUR[0], np.zeros(CROP, np.uint8))])
    given = {"mIoU_network", "mIoU_warped", "mIoU_intrinsic"}
    assert {name for name, value in found["metrics"].items() if value is not None} == given
    assert found["distance_bins"]["pixels"] == [0] * 7


def test_an_image_of_one_class_has_no_boundary_and_no_say_in_its_mean(tmp_path, records):
    """Its pixels are far from any boundary."""
    plain = write_labels(tmp_path / "plain", ["trier_000000_000019"], classes=[7])
    path = tmp_path / "plain" / plain["trier_000000_000019"]["label"]
    (tmp_path / "gtFine/val/trier").mkdir()
    path.rename(tmp_path / plain["trier_000000_000019"]["label"])
    both = records | plain
    predictions = guesses(tmp_path, records)
    alone = scored(tmp_path, records, predictions)
    truth = truth_of(tmp_path, plain["trier_000000_000019"])
    predictions.append(prediction("trier_000000_000019", guess(truth, 5)))
    found = scored(tmp_path, both, predictions)
    assert found["metrics"]["boundary_F"] == alone["metrics"]["boundary_F"]
    assert found["metrics"]["mIoU"] != alone["metrics"]["mIoU"]
    more = np.subtract(found["distance_bins"]["pixels"], alone["distance_bins"]["pixels"])
    assert more.tolist() == [0] * 6 + [int((truth == 0).sum())]


def test_each_label_image_is_decoded_once(tmp_path, records, monkeypatch):
    read = []
    genuine = reader.read_labels
    monkeypatch.setattr(reader, "read_labels", lambda path: read.append(path) or genuine(path))
    scored(tmp_path, records, guesses(tmp_path, records))
    assert read == [tmp_path / record["label"] for record in records.values()]


def test_predictions_of_other_images_are_one_error(tmp_path, records):
    predictions = guesses(tmp_path, records)
    predictions = [*predictions[1:], predictions[1], {**predictions[0], "id": "x"}]
    context = context_of(tmp_path, records)
    with pytest.raises(UserError) as caught:
        score(context, RUN, {"images": predictions})
    assert str(caught.value) == (
        f"{context.paths.run(RUN, 'predictions.json')}: 1 image without a prediction ({FOUR[0]}); "
        f"1 image that the listing does not have (x); 1 image predicted more than once ({FOUR[1]})"
        "; predict again"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"map": "?"}, "map: no PNG"),
        ({"map": None}, "map: no PNG"),
        ({"confusions": {}}, "confusions.network: no 361 numbers"),
        ({"confusions": {"network": [1] * 360}}, "confusions.network: no 361 numbers"),
        ({"confusions": {"network": [-1] * 361}}, "confusions.network: no 361 numbers"),
        ({"confusions": {"network": [0.5] * 361}}, "confusions.network: no 361 numbers"),
    ],
)
def test_a_damaged_prediction_is_named(tmp_path, records, change, said):
    predictions = guesses(tmp_path, records)
    predictions[2] |= change
    with pytest.raises(UserError) as caught:
        score(context_of(tmp_path, records), RUN, {"images": predictions})
    message = str(caught.value)
    assert f"predictions.json: image {FOUR[2]}: {said}" in message
    assert message.endswith("; predict again")


def test_a_label_that_cannot_be_read_is_named(tmp_path, records):
    predictions = guesses(tmp_path, records)
    path = tmp_path / records[FOUR[1]]["label"]
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(UserError, match=f"{path}: the image cannot be read"):
        score(context_of(tmp_path, records), RUN, {"images": predictions})
