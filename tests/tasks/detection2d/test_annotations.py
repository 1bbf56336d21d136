"""From any annotation file to a score: it is refused with a name for what is wrong, or goes through
the check, preparing, mmdet's loading, a prior and scoring."""

import contextlib
import copy
import io
import json
import math
import shutil

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("mmdet")

from mmdet.registry import DATASETS

import lzu
from lzu.datasets.argoverse_hd.coco import check_split, prepare
from lzu.datasets.objects import counts, objects
from lzu.datasets.sequences import frame_order
from lzu.datasets.synthetic import WorldConfig
from lzu.datasets.synthetic.argoverse_writer import write_argoverse_hd
from lzu.engine.build import enter_scope
from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.experiments.suite import load_suite
from lzu.tasks import TASKS
from lzu.tasks.detection2d.build import dataset_config
from lzu.tasks.detection2d.data import prior_saliency
from lzu.tasks.detection2d.drawing.frame import busiest_frame
from lzu.tasks.detection2d.operations import typical_detections
from lzu.tasks.detection2d.plan import spec
from lzu.tasks.detection2d.scoring.score import average_precision
from lzu.tasks.detection2d.task import DETECTION2D
from tests.prepared import changed

SIZE = (100, 160)


@pytest.fixture(scope="module")
def given_root(tmp_path_factory):
    """A tiny synthetic dataset without its marks, of few boxes."""
    world = WorldConfig(
        width=SIZE[1], height=SIZE[0], seed=3, train_sequences=2, val_sequences=1,
        frames_per_sequence=2, min_box_fraction=0.05,
    )  # fmt: skip
    return write_argoverse_hd(tmp_path_factory.mktemp("data") / "world", world)


@pytest.fixture(scope="module")
def context(request, given_root, tmp_path_factory):
    """Detection in the smoke suite, on that dataset."""
    suite = load_suite(request.config.rootpath / "config/smoke.yaml", TASKS)
    plain = Context(suite, DETECTION2D, tmp_path_factory.mktemp("results"))
    of = {"root": str(given_root), "native_size": SIZE}
    found = changed(plain, dataset=plain.settings.dataset.model_copy(update=of))
    enter_scope(found)
    return found


def write(context, root, content, tolerate=()):
    """Check and prepare a training set of these annotations; return the prepared content."""
    (root / "Argoverse-HD/annotations/train.json").write_text(content)
    paths = context.paths
    findings = paths.findings("train")
    check_split(
        root, "train", findings, images="header", image_size=SIZE, tolerate=tolerate,
    )  # fmt: skip
    json.loads(findings.read_text(), parse_constant=pytest.fail)
    prepared = paths.annotations("train"), paths.about("train")
    prepare(root, "train", *prepared, tolerate=tolerate)
    return json.loads(prepared[0].read_text(), parse_constant=pytest.fail)


def training_set(context):
    """What mmdet trains on."""
    run = Run("smoke", "detection2d", "uniform", 1.0, 0.5, 0)
    config = dataset_config(context, run, "train", flip=0.0)
    with contextlib.redirect_stdout(io.StringIO()):
        return DATASETS.build(config)


def perfect(annotations):
    keys = ("image_id", "category_id", "bbox")
    return [{**{key: one[key] for key in keys}, "score": 0.9} for one in annotations]


def go_through(context, content):
    """All that reads a prepared training set; what it holds to."""
    learned = objects(content["annotations"])
    dataset = training_set(context)
    assert len(dataset) == len(content["images"])
    targets = [dataset.get_data_info(place)["instances"] for place in range(len(dataset))]
    assert sum(not one["ignore_flag"] for own in targets for one in own) == len(learned)
    assert all(dataset[place]["inputs"].shape == (3, *SIZE) for place in range(2))
    saliency, source = prior_saliency(context, spec(context.settings.prior))
    assert torch.isfinite(saliency).all()
    assert source["boxes"] == len(learned)
    scores = average_precision(content, perfect(content["annotations"]))
    assert scores.metrics["AP"] is None or 0 <= scores.metrics["AP"] <= 100
    with contextlib.suppress(UserError):
        frame_order(content["images"], "x.json")


LEAVES = [
    None, True, False, 0, 1, -1, 2, 3, 7, 1.0, 1.5, -0.0, 0.3, 1e-320, 1e308, math.nan, math.inf,
    -math.inf, 2**31, 2**53, 2**53 + 1, 2**63, 10**400, -(10**400), "", "x", "0", "a.jpg", "..",
    "../x", "/etc/passwd", "a\0b", "\ud800", "é", "x" * 5000, [], {}, [[[[]]]], {"a": [math.nan]},
    [0, 0, 1, 1], [1.5, 2, 0.5, 30], [-0.0, -0.0, 5, 5], [math.nan] * 4, [10**400, 0, 1, 1],
    [0.5, 0.5, 1e308, 1e308], [1, 1, 1e-320, 1], [True, 1, 1, 1], [1, 1, 1, 1, 1], [-1, -1, 500, 9],
]  # fmt: skip
KEYS = ["id", "iscrowd", "area", "bbox", "track", "ignore", "segmentation", "name", "sid", "new"]


def places(value, path=()):
    """The path of every value in a JSON document."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in items:
        if isinstance(one, dict | list):
            yield from places(one, (*path, key))
        else:
            yield (*path, key)


@st.composite
def changes(draw):
    """How a document is changed at a place: where (an index of all places), what, and by what."""
    kind = draw(st.sampled_from(["set", "set", "set", "delete", "add", "repeat"]))
    leaf = draw(st.sampled_from(LEAVES) | st.integers() | st.floats())
    return draw(st.floats(0, 1, exclude_max=True)), kind, draw(st.sampled_from(KEYS)), leaf


def apply(content, change):
    where, kind, key, leaf = copy.deepcopy(change)
    # As likely in a short list of records as in the long one.
    part = sorted(content)[int(where * 1e6) % len(content)]
    if not isinstance(content[part], dict | list):
        return
    found = [(part, *path) for path in places(content[part])]
    *above, last = found[int(where * len(found))]
    holder = content
    for step in above:
        holder = holder[step]
    match kind:
        case "set":
            holder[last] = leaf
        case "delete":
            del holder[last]
        case "add" if isinstance(holder[last], dict):
            holder[last][key] = leaf
        case "add" if isinstance(holder[last], list):
            holder[last].append(leaf)
        case "repeat" if isinstance(holder, list):
            holder.append(copy.deepcopy(holder[last]))


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    made=st.lists(changes(), min_size=1, max_size=3),
    tolerate=st.sampled_from([(), ("box_size", "box_outside")]),
)
def test_any_annotations_are_refused_by_name_or_go_through(
    made, tolerate, context, given_root, original
):
    content = copy.deepcopy(original)
    for change in made:
        apply(content, change)
    try:
        prepared = write(context, given_root, json.dumps(content), tolerate)
    except UserError as error:
        said = str(error)
        assert f"{given_root}" in said
        assert said.isprintable() or "\n" in said
        return
    go_through(context, prepared)


@pytest.fixture(scope="module")
def original(given_root):
    """The annotations as they were."""
    path = given_root / "Argoverse-HD/annotations/train.json"
    shutil.copy(path, path.with_name("original"))
    return json.loads(path.read_text())


@pytest.fixture
def mixed(context, given_root, original):
    """A prepared training set in which one box is a crowd, one under a pixel wide, one high."""
    content = copy.deepcopy(original)
    first, second, third, fourth = content["annotations"][:4]
    first["iscrowd"] = 1
    second["bbox"][2] = 0.99
    third["bbox"][3] = 0.5
    fourth.update(iscrowd=1, bbox=[5, 5, 0.5, 0.5])
    return write(context, given_root, json.dumps(content))


def test_what_is_no_object_is_counted_and_said(context, mixed):
    assert counts(mixed["annotations"]) == {"crowd_boxes": 2, "subpixel_boxes": 2}
    about = json.loads(context.paths.about("train").read_text())
    assert (about["crowd_boxes"], about["subpixel_boxes"]) == (2, 2)
    assert about["annotations"] == len(mixed["annotations"])
    findings = json.loads(context.paths.findings("train").read_text())
    assert findings["not_learned"] == {"crowd_boxes": 2, "subpixel_boxes": 2}
    assert findings["findings"] == []


def test_training_the_prior_and_pictures_have_the_same_objects(context, mixed, given_root):
    left = mixed["annotations"][4:]
    assert objects(mixed["annotations"]) == left
    go_through(context, mixed)
    boxes = torch.tensor([one["bbox"] for one in left])
    boxes[:, 2:] += boxes[:, :2]
    expected = lzu.saliency.from_boxes(boxes, SIZE)
    found, source = prior_saliency(context, spec(context.settings.prior))
    torch.testing.assert_close(found, expected)
    assert source["boxes"] == len(left)
    annotations = context.paths.annotations("train")
    _, shown = busiest_frame(annotations, given_root)
    per_image = [sum(one["image_id"] == i["id"] for one in left) for i in mixed["images"]]
    assert len(shown) == max(per_image)
    shutil.copy(annotations, context.paths.annotations("val"))
    assert len(typical_detections(context)) == sorted(per_image)[(len(per_image) - 1) // 2]


def test_scoring_counts_small_boxes_and_no_crowds(mixed):
    """As COCO's does: what training left out for its size is missed if it is not found."""
    crowd, thin, flat, _ = mixed["annotations"][:4]
    total = [sum(bins["boxes"]) for bins in [average_precision(mixed, []).size_bins]]
    assert total == [len(mixed["annotations"]) - 2]
    without_crowds = [one for one in mixed["annotations"] if not one["iscrowd"]]
    assert average_precision(mixed, perfect(without_crowds)).metrics["AP"] == 100
    # what lies in a crowd is no mistake
    assert average_precision(mixed, perfect([*without_crowds, crowd])).metrics["AP"] == 100
    for small in (thin, flat):
        rest = [one for one in without_crowds if one is not small]
        assert average_precision(mixed, perfect(rest)).metrics["AP"] < 100


def test_boxes_that_are_narrow_in_the_network_s_frame_alone_are_trained_on(
    context, given_root, original
):
    """At 0.5x a box of 1.2 native pixels is narrower than a pixel."""
    content = copy.deepcopy(original)
    content["annotations"][0]["bbox"] = [10, 10, 1.2, 30]
    write(context, given_root, json.dumps(content))
    image = content["annotations"][0]["image_id"]
    sample = training_set(context)[image]["data_samples"]
    widths = sample.gt_instances.bboxes.widths
    assert len(widths) == sum(one["image_id"] == image for one in content["annotations"])
    assert widths.min() < 1
