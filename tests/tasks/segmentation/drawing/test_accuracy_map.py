"""Figure 11 from runs' files, against counts pixel by pixel."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from lzu.errors import UserError
from lzu.tasks.segmentation.build import listed
from lzu.tasks.segmentation.drawing import accuracy
from lzu.tasks.segmentation.drawing.accuracy import (
    Compared,
    draw_accuracy,
    enlarged,
    mean_density,
    method_map,
)
from lzu.tasks.segmentation.drawing.density import sample_density
from lzu.tasks.segmentation.scoring.accuracy import PixelAccuracy
from tests.prepared import changed
from tests.tasks.segmentation.drawing.conftest import (
    METHODS,
    RUN,
    SHARES,
    VAL,
    guess,
    run_of,
    truth_of,
)


def shares_by_hand(method, shares, where=None):
    """(right, counted) over both seeds of all images, pixel maps (128, 128)."""
    right, counted = np.zeros((128, 128)), np.zeros((128, 128))
    for seed in (0, 1):
        for n in range(len(VAL)):
            truth, predicted = truth_of(n), guess(run_of(method, seed), n, shares[n])
            right += (truth == predicted) & (truth < 19)
            counted += truth < 19
    return right, counted


def block_means(right, counted, side=4):
    """Sums over blocks, divided; NaN without a pixel."""
    rows = range(0, 128, side)
    return np.array(
        [
            [
                right[y : y + side, x : x + side].sum() / total
                if (total := counted[y : y + side, x : x + side].sum())
                else np.nan
                for x in rows
            ]
            for y in rows
        ]
    )


@pytest.fixture(scope="module")
def drawn(prepared):
    """What the figure is drawn of, and the rows of the file beside it."""
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accuracy, "write_accuracy_maps", lambda *given: seen.append(given))
        draw_accuracy(prepared)
    table = prepared.paths.accuracy_picture(RUN).with_suffix(".csv")
    with table.open() as file:
        return seen[0], {row["method"]: row for row in csv.DictReader(file)}


def test_the_maps_are_those_of_a_count_over_all_images_and_seeds(drawn):
    (_, name, uniform, maps, size, title), _ = drawn
    assert name == "figure11_1-0.25"
    assert size == (128, 128)
    assert title == "128×128 crop at 0.25×, 6 validation images, 2 seeds"
    assert [one.label for one in maps] == ["LZU, fixed", "LZU, learned", "LDS", "ES"]
    expected = block_means(*shares_by_hand("uniform", [0.6] * 6))
    np.testing.assert_allclose(uniform, expected)
    assert np.isnan(uniform[-4:]).all()
    for method, one in zip(METHODS, maps, strict=True):
        own = block_means(*shares_by_hand(method, SHARES[method]))
        np.testing.assert_allclose(one.accuracy, own)
        np.testing.assert_allclose(one.gain, own - expected, atol=1e-12)


def test_the_numbers_beside_are_those_of_all_pixels(prepared, drawn):
    (*_, maps, _, _), rows = drawn
    assert list(rows) == list(METHODS)
    density = mean_density(prepared, RUN, listed(prepared, "val"))
    np.testing.assert_allclose(maps[0].magnification, density)
    more = enlarged(density, (128, 128))
    right, counted = shares_by_hand("lzu_fixed", SHARES["lzu_fixed"])
    uniform, _ = shares_by_hand("uniform", [0.6] * 6)
    row = {key: float(value) for key, value in rows["lzu_fixed"].items() if key != "method"}
    assert row["seeds"] == 2
    expected = {
        "pixel_accuracy": right.sum() / counted.sum(),
        "uniform": uniform.sum() / counted.sum(),
        "gain": (right - uniform).sum() / counted.sum(),
        "gain_enlarged": (right - uniform)[more].sum() / counted[more].sum(),
        "gain_reduced": (right - uniform)[~more].sum() / counted[~more].sum(),
        "share_enlarged": counted[more].sum() / counted.sum(),
    }
    assert 0.1 < expected["share_enlarged"] < 0.9
    for key, value in expected.items():
        assert row[key] == pytest.approx(100 * value, abs=1e-4)
    assert maps[0].gain_enlarged == pytest.approx(expected["gain_enlarged"])
    assert maps[0].gain_reduced == pytest.approx(expected["gain_reduced"])


def test_the_density_is_the_mean_over_images(prepared, monkeypatch):
    points = [np.random.default_rng(n).random((32, 32, 2)) for n in range(len(VAL))]
    tensors = [accuracy.torch.from_numpy(one) for one in points]
    monkeypatch.setattr(accuracy, "_points", lambda model, dataset: iter(tensors))
    expected = np.mean([sample_density(one) for one in tensors], axis=0)
    np.testing.assert_allclose(mean_density(prepared, RUN, listed(prepared, "val")), expected)


def test_places_are_enlarged_where_the_density_is_above_one():
    density = np.array([[0.5, 0.5, 1.5], [0.5, 0.5, 1.5]])
    found = enlarged(density, (4, 9))
    # from 0.5 at column 4 to 1.5 at column 8
    assert np.array_equal(found, np.arange(9)[None].repeat(4, 0) > 6)


def test_without_a_pixel_that_counts_there_is_no_gain():
    nothing = PixelAccuracy(np.zeros((4, 4), int), np.zeros((4, 4), int))
    compared = Compared(nothing, nothing)
    assert compared.gain() is None
    one = method_map("lds", compared, np.full((3, 3), 2.0))
    assert (one.gain_enlarged, one.gain_reduced) == (None, None)


def test_the_figure_is_written_in_all_forms(prepared):
    alone = only(prepared, "lds")
    draw_accuracy(alone)
    picture = alone.paths.accuracy_picture(run_of("lds"))
    for form, signature in (("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")):
        assert picture.with_suffix(f".{form}").read_bytes().startswith(signature)


def only(context, *methods):
    """The context with uniform and these methods, without variants, at 0.25."""
    own = context.settings.methods
    kept = {
        name: own[name].model_copy(update={"scales": (0.25,), "variants": ()})
        for name in ("uniform", *methods)
    }
    return changed(context, methods=kept)


def test_missing_and_damaged_predictions_are_named(prepared, tmp_path):
    alone = replace(only(prepared, "lds"))
    path = alone.paths.run(run_of("lds", 1), "predictions.json")
    kept = path.read_text()
    try:
        content = json.loads(kept)
        content["images"] = content["images"][1:]
        path.write_text(json.dumps(content))
        with pytest.raises(UserError, match=r"lds/1-0.25/seed1.*1 image without a prediction"):
            draw_accuracy(alone)
        path.unlink()
        with pytest.raises(UserError, match=r"lds/1-0.25/seed1/predictions\.json: no such file"):
            draw_accuracy(alone)
    finally:
        path.write_text(kept)
    with pytest.raises(UserError, match="plans no method beside uniform"):
        draw_accuracy(only(prepared))
