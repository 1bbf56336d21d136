"""Settings of 3-D detection that cannot be together, and data that nothing can be learned from."""

import json

import pytest

from lzu.datasets.nuscenes.classes import CLASSES
from lzu.errors import UserError
from lzu.experiments.run import Run
from tests.experiments.suites import changed, detection3d, parsed, settings_of
from tests.prepared import changed as with_block

RUN = Run("smoke", "detection3d", "lzu_fixed", 1.0, 0.5, 0)


def test_cameras_are_those_of_the_world():
    front = changed(settings_of("smoke"), "detection3d.dataset.synthetic.cameras", ["CAM_FRONT"])
    said = r"detection3d\.dataset\.cameras: CAM_FRONT_RIGHT is not .*synthetic\.cameras has: CAM_F"
    with pytest.raises(UserError, match=said):
        parsed(front)
    parsed(changed(front, "detection3d.dataset.cameras", ["CAM_FRONT"]))


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ((), "warp"),
        ((("cameras", "each"),), "cameras"),
        ((("frame", "padded"),), "warp_padded"),
        ((("cameras", "each"), ("frame", "padded")), "cameras_padded"),
    ],
)
def test_the_prior_s_cameras_and_the_frame_are_chosen_apart(options, kind):
    pytest.importorskip("mmdet")
    pytest.importorskip("nuscenes")
    from lzu.engine.build import enter_scope
    from lzu.tasks.detection3d.build import model_config

    context = detection3d(settings_of("smoke"))
    enter_scope(context)
    run = Run("smoke", "detection3d", "lzu_fixed", 1.0, 0.5, 0, options)
    assert model_config(context, run)["resampler"]["kind"] == kind


PGD = "mmdet3d::pgd/pgd_r101-caffe_fpn_head-gn_16xb2-1x_nus-mono3d.py"


def coder_of(classes, **given):
    """The coder of PGD, whose shipped one has a depth and a size of each of the ten classes."""
    from lzu.engine.build import enter_scope
    from lzu.tasks.detection3d.build import model_config

    suite = changed(settings_of("smoke"), "detection3d.dataset.classes", classes)
    suite = changed(suite, "detection3d.model.base", PGD)
    suite = changed(suite, "detection3d.model.overrides", {"bbox_head": {"bbox_coder": given}})
    context = detection3d(suite)
    enter_scope(context)
    run = Run("smoke", "detection3d", "uniform", 1.0, 0.5, 0)
    return model_config(context, run)["bbox_head"]["bbox_coder"]


def test_a_coder_s_depths_and_sizes_are_those_of_the_suite_s_classes():
    pytest.importorskip("mmdet")
    pytest.importorskip("nuscenes")
    ten = coder_of(list(CLASSES))
    assert ten["base_depths"][0] == (31.99, 21.12)
    assert ten["base_dims"][7] == (0.73, 1.77, 0.67)
    for classes in (["pedestrian", "car"], list(CLASSES[::-1])):
        coder = coder_of(classes)
        for key in ("base_depths", "base_dims"):
            assert coder[key] == [ten[key][CLASSES.index(name)] for name in classes]
    # a suite's own are in the order of its classes
    own = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    assert coder_of(["pedestrian", "car"], base_dims=own)["base_dims"] == own
    assert coder_of(["pedestrian", "car"], base_depths=[[30.0, 16.1]])["base_depths"] == [
        [30.0, 16.1]
    ]


@pytest.mark.parametrize("key", ["base_depths", "base_dims"])
def test_a_coder_needs_a_depth_and_a_size_of_each_class(key):
    pytest.importorskip("mmdet")
    pytest.importorskip("nuscenes")
    with pytest.raises(UserError, match=rf"bbox_coder\.{key}: 3 are given for the 2 of"):
        coder_of(["pedestrian", "car"], **{key: [[1.0, 1.0, 1.0]] * 3})


def of_one_box(folder, **instance):
    """The suite, whose training set shows one car in the front camera."""
    context = detection3d(settings_of("smoke"), folder)
    listing = context.paths.annotations("train")
    listing.parent.mkdir(parents=True)
    box = {"bbox": [1, 2, 3, 4], "bbox_label_3d": 0, "bbox_3d_isvalid": True, **instance}
    sample = json.dumps({"token": "a", "cam_instances": {"CAM_FRONT": [box]}})
    listing.write_text(f'{{"info": {{}}, "metainfo": {{}}, "data_list": [\n{sample}\n]}}\n')
    # of the whole set, all round
    context.paths.about("train").write_text(json.dumps({"boxes": 1}))
    return context


@pytest.mark.parametrize(
    ("instance", "chosen"),
    [
        ({}, {"cameras": ("CAM_BACK",)}),
        ({}, {"classes": ("bus",)}),
        ({"bbox_3d_isvalid": False}, {}),
    ],
)
def test_a_training_set_of_which_no_box_is_learned_is_refused(tmp_path, instance, chosen):
    pytest.importorskip("mmdet")
    pytest.importorskip("nuscenes")
    from lzu.tasks.detection3d.training import check_trainable

    context = of_one_box(tmp_path, **instance)
    dataset = context.settings.dataset.model_copy(update=chosen)
    with pytest.raises(UserError, match=r"train\.json: no image of dataset\.cameras shows a box"):
        check_trainable(with_block(context, dataset=dataset), RUN)


def test_one_box_is_enough_to_learn_from(tmp_path):
    pytest.importorskip("mmdet")
    pytest.importorskip("nuscenes")
    from lzu.tasks.detection3d.training import check_trainable

    check_trainable(of_one_box(tmp_path), RUN)
