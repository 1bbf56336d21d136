"""Online evaluation: a frame's saliency is made of what was detected before it, and of that alone.

The detector is untrained, but finds different things in different images.
"""

import json
import shutil
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample

from lzu.engine.build import enter_scope
from lzu.engine.predict import predict
from lzu.engine.train import train
from lzu.errors import UserError
from lzu.experiments.run import Run
from lzu.tasks.detection2d.build import model_config
from lzu.tasks.detection2d.data import check_data
from lzu.tasks.detection2d.online import detect_online, validation_sequences
from tests.prepared import changed, copied
from tests.tasks.detection2d.untrained import save_untrained

RUN = Run("smoke", "detection2d", "lzu_adaptive", 1.0, 0.5, 0)
SEQUENCES = [[0, 1, 2, 3], [4, 5], [6, 7, 8]]


class Frames:
    """Images in memory, as an mmdet dataset; image n has id n, whatever its index."""

    def __init__(self, images, order=None):
        self.images = images
        self.order = order or list(range(len(images)))

    def __len__(self):
        return len(self.images)

    def get_data_info(self, index):
        return {"img_id": self.order[index]}

    def __getitem__(self, index):
        image = self.order[index]
        shapes = {"img_shape": (80, 128), "ori_shape": (160, 256), "scale_factor": (0.5, 0.5)}
        sample = DetDataSample(metainfo={"img_id": image, **shapes})
        return {"inputs": self.images[image], "data_samples": sample}


@pytest.fixture(scope="module")
def images():
    generator = torch.Generator().manual_seed(0)
    small = torch.rand(9, 3, 10, 16, generator=generator) * 255
    large = torch.nn.functional.interpolate(small, (160, 256), mode="bicubic")
    return list(large.clamp(0, 255).byte())


@pytest.fixture(scope="module")
def model(context):
    enter_scope(context)
    torch.manual_seed(0)
    model = MODELS.build(model_config(context, RUN)).eval()
    with torch.no_grad():
        model.bbox_head.retina_cls.weight.mul_(100)
    model.score_threshold, model.max_detections = 0.05, 10
    return model


def detect(model, dataset, lanes, sequences=SEQUENCES):
    """Image id -> (its detections, the boxes and the warp that its saliency was)."""
    warps = []
    lens = model.resampler.lens
    make = type(lens).warp

    def recorded(boxes):
        warp = make(lens, boxes)
        warps.extend(zip(boxes, warp.x, warp.y, strict=True))
        return warp

    lens.warp = recorded
    try:
        with torch.inference_mode():
            samples = list(detect_online(model, dataset, sequences, lanes=lanes))
    finally:
        del lens.warp
    assert len(samples) == len(warps)
    return {
        sample.img_id: (sample.pred_instances, *warp)
        for sample, warp in zip(samples, warps, strict=True)
    }


def same(a, b, tolerance=1e-3):
    """Whether two results are the same detections under the same warp."""
    return (
        len(a[0]) == len(b[0])
        and torch.equal(a[0].labels, b[0].labels)
        and torch.allclose(a[0].scores, b[0].scores, atol=tolerance)
        and torch.allclose(a[0].bboxes, b[0].bboxes, atol=10 * tolerance)
        and same_warp(a, b, tolerance)
    )


def same_warp(a, b, tolerance=1e-5):
    return all(torch.allclose(x, y, atol=tolerance) for x, y in zip(a[2:], b[2:], strict=True))


def test_saliency_is_made_of_the_frame_before(model, images):
    found = detect(model, Frames(images), lanes=2)
    assert sorted(found) == list(range(9))
    for sequence in SEQUENCES:
        assert len(found[sequence[0]][1]) == 0
        for before, frame in pairwise(sequence):
            boxes = found[before][0].bboxes[found[before][0].scores >= 0.05][:10]
            assert len(found[frame][1]) == len(boxes) > 0
            torch.testing.assert_close(
                found[frame][1].sort(0).values, boxes.sort(0).values, rtol=0, atol=1e-4
            )


def test_the_first_frame_is_uniform_and_later_ones_are_not(model, images):
    found = detect(model, Frames(images), lanes=2)
    even = torch.linspace(0, 1, 51)
    for sequence in SEQUENCES:
        torch.testing.assert_close(found[sequence[0]][2], even)
        assert all((found[frame][2] - even).abs().max() > 1e-3 for frame in sequence[1:])


@pytest.mark.parametrize("frame", [0, 2, 5])
def test_a_frame_never_sees_its_own_or_later_detections(model, images, frame):
    """Another image in frame t changes no saliency up to t, and nothing at all before t."""
    expected = detect(model, Frames(images), lanes=2)
    other = list(images)
    other[frame] = 255 - images[frame].flip(-1)
    found = detect(model, Frames(other), lanes=2)
    own = next(sequence for sequence in SEQUENCES if frame in sequence)
    for n in range(9):
        if n == frame:
            assert same_warp(found[n], expected[n])
            assert not same(found[n], expected[n])
        elif n in own and n > frame:
            # the later ones follow what was found, so this comparison can fail
            assert not same_warp(found[n], expected[n])
        else:
            assert same(found[n], expected[n]), n


@pytest.mark.parametrize("lanes", [2, 4])
def test_sequences_side_by_side_change_nothing(model, images, lanes):
    alone = detect(model, Frames(images), lanes=1)
    together = detect(model, Frames(images), lanes=lanes)
    for n in range(9):
        assert same(alone[n], together[n]), n


def test_the_listing_s_order_changes_nothing(model, images):
    expected = detect(model, Frames(images), lanes=2)
    found = detect(model, Frames(images, order=[8, 3, 1, 0, 7, 2, 6, 5, 4]), lanes=2)
    for n in range(9):
        assert same(found[n], expected[n]), n


@pytest.fixture
def broken(context, tmp_path):
    """Change the validation images of a copy of the prepared data."""
    context = copied(context, tmp_path)
    path = context.paths.annotations("val")

    def change(function):
        content = json.loads(path.read_text())
        function(content["images"])
        path.write_text(json.dumps(content))
        return context

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda images: images[3].update(fid=images[2]["fid"]), "sequence 0 repeats fid 2"),
        (lambda images: images.pop(3), "sequence 0 lacks fid 3"),
    ],
)
def test_wrong_frame_numbers_stop_training_and_prediction_before_they_begin(broken, change, said):
    context = broken(change)
    save_untrained(context, RUN)
    for step in (train, predict):
        with pytest.raises(UserError, match=rf"val\.json: {said}"):
            step(context, RUN)
    assert not context.paths.run(RUN, "training").exists()


def test_frames_listed_in_another_order_are_put_in_order(context, broken):
    expected = validation_sequences(context, RUN)
    assert sorted(validation_sequences(broken(list.reverse), RUN)) == expected
    assert [len(sequence) for sequence in expected] == [6, 6]


def test_a_missing_frame_fails_the_check_if_a_method_follows_frames(context, tmp_path):
    task = context.settings
    root = shutil.copytree(task.dataset.root, tmp_path / "data")
    path = root / "Argoverse-HD" / "annotations" / "val.json"
    content = json.loads(path.read_text())
    [lost] = [i["id"] for i in content["images"] if (i["sid"], i["fid"]) == (0, 2)]
    content["images"] = [image for image in content["images"] if image["id"] != lost]
    content["annotations"] = [a for a in content["annotations"] if a["image_id"] != lost]
    path.write_text(json.dumps(content))

    def check(methods):
        settings = {
            "dataset": task.dataset.model_copy(update={"root": str(root)}),
            "methods": {name: task.methods[name] for name in methods},
            "upsampling": None,
            "search": None,
        }
        given = changed(replace(context, results=tmp_path / "results"), **settings)
        check_data(given, "val", jobs=1)
        return given.paths.findings("val")

    with pytest.raises(UserError, match="sequence 0 lacks 1 of frames 0 to 5: 2"):
        check(["uniform", "lzu_adaptive"])
    assert check(["uniform", "lzu_fixed"]).is_file()
