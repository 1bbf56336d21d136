"""A tiny prepared Cityscapes of the smoke suite, made once, without mm*."""

import pytest
import yaml


@pytest.fixture(scope="session")
def city(request, tmp_path_factory):
    """The smoke suite's segmentation, with its data, listings and a prior."""
    pytest.importorskip("mmseg")
    from lzu.engine.prior import make_prior
    from lzu.experiments.context import Context
    from lzu.experiments.suite import load_suite
    from lzu.tasks import TASKS
    from lzu.tasks.segmentation.task import SEGMENTATION

    folder = tmp_path_factory.mktemp("city")
    suite = yaml.safe_load((request.config.rootpath / "config" / "smoke.yaml").read_text())
    suite["segmentation"]["dataset"]["root"] = str(folder / "data")
    path = folder / "smoke.yaml"
    path.write_text(yaml.safe_dump(suite))
    context = Context(load_suite(path, TASKS), SEGMENTATION, folder / "results")
    for split in ("train", "val"):
        for step in ("write_world", "check"):
            context.task.step(step)(context, split, 1)
        context.task.step("prepare")(context, split)
    context.task.step("split")(context)
    make_prior(context, context.main_prior)
    return context
