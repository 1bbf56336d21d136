"""Which pictures of segmentation a suite makes, and of which runs; without torch or data."""

from dataclasses import replace

import pytest

from lzu.experiments.context import Context
from lzu.experiments.pictured import pictured_case
from lzu.experiments.suite import load_suite
from lzu.tasks import TASKS
from lzu.tasks.segmentation.pictures import PICTURES, USUAL_SCALE, pictured_maps
from lzu.tasks.segmentation.steps import STEPS
from lzu.tasks.segmentation.task import SEGMENTATION
from tests.prepared import changed
from tests.tasks.segmentation.two_seeds import two_seeds

BY_NAME = {picture.name: picture for picture in PICTURES}


@pytest.fixture
def context(request, tmp_path):
    """The smoke suite's segmentation with two seeds, without any file."""
    suite = load_suite(request.config.rootpath / "config" / "smoke.yaml", TASKS)
    return two_seeds(Context(suite, SEGMENTATION, tmp_path))


def with_methods(context, **scales):
    own = context.settings.methods
    given = {m: own[m].model_copy(update={"scales": s, "variants": ()}) for m, s in scales.items()}
    return changed(context, methods=given)


def test_the_maps_are_of_all_methods_and_seeds_at_the_usual_scale(context):
    found = pictured_maps(context)
    assert list(found) == ["lzu_fixed", "lzu_learned", "lds", "es"]
    for method, runs in found.items():
        assert {run.to_scale for run in runs} == {USUAL_SCALE} == {0.25}
        assert [(run.method, run.seed, run.options) for run in runs] == [
            (method, 0, ()),
            (method, 1, ()),
        ]
    drawn = BY_NAME["accuracy-map"]
    assert drawn.runs(context) == tuple(runs[0] for runs in found.values())
    predicted = drawn.predicted(context)
    assert len(predicted) == len(set(predicted)) == 2 * (1 + 4)
    assert {run.method for run in predicted} == {"uniform", *found}


def test_the_scale_is_the_nearest_at_which_uniform_is_planned(context):
    apart = with_methods(context, uniform=(0.5,), lzu_fixed=(0.25, 0.5), lds=(0.25, 0.5))
    assert {run.to_scale for runs in pictured_maps(apart).values() for run in runs} == {0.5}
    assert list(pictured_maps(apart)) == ["lzu_fixed", "lds"]
    assert pictured_case(apart, USUAL_SCALE).to_scale == 0.5
    nowhere = with_methods(context, uniform=(0.5,), lds=(0.25,))
    assert pictured_maps(nowhere) == {}
    assert BY_NAME["accuracy-map"].files(nowhere) == {}
    assert BY_NAME["cases"].files(nowhere) == {}
    assert BY_NAME["draw-prior"].files(nowhere) == {}


def test_a_method_counts_the_seeds_that_uniform_has(context):
    runs = [
        run
        for run in context.main_runs
        if not (run.method == "uniform" and run.seed == 1) and not run.options
    ]
    fewer = replace(context, task=replace(SEGMENTATION, runs=lambda *_: {"table3": runs}))
    assert {run.seed for found in pictured_maps(fewer).values() for run in found} == {0}


def test_every_picture_has_its_files_and_captions(context, request):
    names = set()
    for picture in PICTURES:
        files = picture.files(context)
        captions = {caption for caption in files.values() if caption}
        assert captions
        for caption in captions:
            assert (request.config.rootpath / "workflow" / "report" / f"{caption}.rst").is_file()
        names |= {path.name for path in files}
    assert {
        "zoom_unzoom.png",
        "data.png",
        "figure6_lzu_fixed_1-0.25_seed0.csv",
        "figure11_1-0.25.svg",
    } < names


def test_the_steps_that_pictures_call_are_there():
    assert {"frame", "draw_data", "cases", "accuracy_map"} < set(STEPS)
    for name in ("frame", "draw_data", "cases", "accuracy_map"):
        pytest.importorskip("mmseg")
        assert callable(SEGMENTATION.step(name))
