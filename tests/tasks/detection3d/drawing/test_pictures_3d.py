"""Figure 6 and the data's pictures, of files: the right images, their boxes, the run's own warp."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import lzu
from lzu.datasets.nuscenes.classes import CLASSES
from lzu.datasets.nuscenes.infos import stream_samples
from lzu.engine.pictures import draw_zoom
from lzu.errors import UserError
from lzu.experiments.pictured import pictured_case
from lzu.results.prior import load_prior
from tests.prepared import changed
from tests.tasks.detection3d.drawing.conftest import RUN


def objects_of(context, split):
    """(camera, image's record, boxes) of every image: those that are learned."""
    dataset = context.settings.dataset
    for sample in stream_samples(context.paths.annotations(split)):
        for camera in dataset.cameras:
            yield (
                camera,
                sample["images"][camera],
                [
                    one
                    for one in sample["cam_instances"][camera]
                    if one["bbox_3d_isvalid"] and CLASSES[one["bbox_label_3d"]] in dataset.classes
                ],
            )


def test_the_picked_images_are_those_of_the_largest_differences(predicted):
    from lzu.tasks.detection3d.drawing.cases import draw_cases

    draw_cases(predicted, RUN, count=2, least=2)
    picture = predicted.paths.cases_picture(RUN)
    rows = list(csv.DictReader(picture.with_suffix(".csv").open()))
    part = [row for row in rows if row["takes_part"] == "1"]
    order = sorted(part, key=lambda row: float(row["gain"]))
    picked = {row["picked"]: row for row in rows if row["picked"]}
    assert [picked["gain 1"], picked["gain 2"]] == order[:-3:-1]
    assert [picked["loss 1"], picked["loss 2"]] == order[:2]
    # each camera has a detector that finds nearly all in it
    assert float(order[0]["gain"]) < -20 < 20 < float(order[-1]["gain"])
    assert "CAM_BACK_LEFT" in order[0]["file"]
    assert "CAM_FRONT" in order[-1]["file"]
    for form, signature in (("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")):
        assert picture.with_suffix(f".{form}").read_bytes().startswith(signature)


def test_images_are_numbered_as_in_the_run_s_data_set(predicted):
    from lzu.tasks.detection3d.build import validation_set
    from lzu.tasks.detection3d.drawing.cases import image_names, image_records

    dataset, names = validation_set(predicted, RUN), image_names(predicted)
    assert len(dataset) == len(names) == 8
    records = image_records(predicted, [0, 3, 6])
    for number, record in records.items():
        path = dataset[number]["data_samples"].img_path
        assert path.endswith(names[number])
        assert record["img_path"] == names[number]


def test_the_shown_warp_is_that_of_the_prior(predicted):
    from lzu.engine.trained import load_trained
    from lzu.tasks.detection3d.build import validation_set
    from lzu.tasks.detection3d.drawing.views import view

    seen = view(load_trained(predicted, RUN), validation_set(predicted, RUN)[1], RUN.method)
    prior = torch.from_numpy(load_prior(predicted.paths.prior(predicted.main_prior)).saliency)
    warp = lzu.Warp.from_saliency(prior, fwhm=predicted.settings.prior.fwhm)
    torch.testing.assert_close(seen.warp.x, warp.x)
    assert (seen.image.shape, seen.zoomed.shape) == ((96, 160, 3), (48, 80, 3))
    pixels = torch.from_numpy(seen.image).permute(2, 0, 1)[None].float()
    expected = warp.zoom(pixels, (48, 80))[0].permute(1, 2, 0).round()
    np.testing.assert_allclose(seen.zoomed, expected.numpy(), atol=1)


@pytest.mark.parametrize(("given", "equal"), [({}, False), ({"score": 0.5}, True)])
def test_detections_are_shown_from_each_detector_s_own_score_on(
    predicted, monkeypatch, given, equal
):
    from lzu.tasks.detection3d.drawing import cases

    shown = []
    monkeypatch.setattr(cases, "write_wire_cases", lambda *written: shown.append(written))
    cases.draw_cases(predicted, RUN, count=1, least=1, **given)
    [(_, _, rows, label, distance)] = shown
    assert (len(rows), label, distance) == (2, "LZU, fixed", 2.0)
    scores = {(row.uniform.score, row.method.score) for row in rows}
    [(uniform, own)] = scores
    assert (uniform == own) == equal
    for row in rows:
        # truth that is not missed was found
        assert len(row.truth.edges) == row.method.missed.sum() + row.method.right.sum()


def test_uniform_and_what_is_not_planned_are_refused(predicted):
    from lzu.tasks.detection3d.drawing.cases import draw_cases

    with pytest.raises(UserError, match="cases compare a method with uniform"):
        draw_cases(predicted, RUN.baseline)
    with pytest.raises(UserError, match=r"does not plan .*uniform/1-0.75"):
        draw_cases(predicted, replace(RUN, to_scale=0.75))
    assert pictured_case(predicted, 0.5) == RUN


def test_the_busiest_image_comes_with_its_boxes(nuscenes):
    from lzu.tasks.detection3d.drawing.frame import busiest_image, busy_frame

    image, boxes, camera = busiest_image(nuscenes)
    found = list(objects_of(nuscenes, "val"))
    most = max(len(objects) for _, _, objects in found)
    assert len(boxes) == most > 3
    assert any(
        camera == name and [one["bbox"] for one in objects] == boxes.tolist()
        for name, _, objects in found
    )
    assert image.shape == (96, 160, 3)
    frame = busy_frame(nuscenes)
    expected = lzu.saliency.from_boxes(torch.from_numpy(boxes), (96, 160), lattice=(11, 17))
    torch.testing.assert_close(frame.saliency((11, 17)), expected)
    assert frame.camera == camera


@pytest.mark.parametrize("cameras", ["together", "each"])
def test_it_is_zoomed_by_its_camera_s_prior(nuscenes, tmp_path, cameras):
    from lzu.engine.prior import make_prior

    prior = nuscenes.settings.prior.model_copy(update={"cameras": cameras})
    context = changed(nuscenes, prior=prior)
    make_prior(context, context.main_prior)
    draw_zoom(context, context.main_prior, 0.5, tmp_path / "zoom.png")
    assert (tmp_path / "zoom.png").read_bytes()[:4] == b"\x89PNG"


def test_the_data_s_picture_has_every_learned_box(nuscenes, tmp_path, monkeypatch):
    from lzu.tasks.detection3d.drawing import frame

    drawn = []
    monkeypatch.setattr(frame, "write_far_boxes", lambda *given, **named: drawn.append(given))
    classes = ("pedestrian", "car")
    dataset = nuscenes.settings.dataset.model_copy(update={"classes": classes})
    context = changed(nuscenes, dataset=dataset)
    frame.draw_data(context, tmp_path / "data.png")
    [(path, depth, height, label, names)] = drawn
    assert path == Path(tmp_path / "data.png")
    expected = [
        (one["depth"], (one["bbox"][3] - one["bbox"][1]) / 96, CLASSES[one["bbox_label_3d"]])
        for _, _, objects in objects_of(context, "train")
        for one in objects
    ]
    assert len(expected) > 10
    found = [(d, h, names[k]) for d, h, k in zip(depth, height, label, strict=True)]
    assert found == expected


def test_a_map_of_others_stands_in_for_no_prior_of_each_camera(nuscenes, tmp_path):
    from lzu.engine.prior import import_prior

    np.save(tmp_path / "map.npy", np.ones((27, 48)))
    prior = nuscenes.settings.prior.model_copy(update={"cameras": "each"})
    context = replace(changed(nuscenes, prior=prior), results=tmp_path / "results")
    with pytest.raises(UserError, match=r"map\.npy: one map, where the prior .*-each has one for"):
        import_prior(context, context.main_prior, tmp_path / "map.npy")
    together = replace(nuscenes, results=tmp_path / "results")
    assert import_prior(together, together.main_prior, tmp_path / "map.npy").names == ()
