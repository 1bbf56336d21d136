"""Training and evaluation of a suite's models, against uniform at the same scale.

An iteration is all that a training does: it loads and transforms a batch of images of our world,
goes forward and backward, and takes the optimiser's step. Every method and its baseline are given
the same draws. The weights are not trained, which changes no operation's size. Two things depend on
them: how many detections the cascade makes saliency of, so it is given the most it may have; and
how many pixels of a prediction lie between two classes, which ES's way back takes longer for
(`test_backprojection` has a prediction with regions).

Training is the demo suite's. What a method adds is also measured beside the paper suite's network,
of whose time the paper tells the share for detection.
"""

from dataclasses import replace

import pytest
import torch

pytest.importorskip("mmdet", reason="training needs the OpenMMLab packages (make env)")
pytest.importorskip("mmseg", reason="training needs the OpenMMLab packages (make env)")

from pytest_benchmark.fixture import BenchmarkFixture

from .measure import Measure
from .prepared import Prepared

# Of the paper's Table 1, 0.5x: the operations that adaptive LZU adds, and uniform RetinaNet.
PAPERS_ADDED_SHARE = 3.3 / 36.0
# Fewer pairs for what has no target, to keep the whole within some minutes.
FEW_ROUNDS = 9


@pytest.fixture(scope="module", params=["demo"])
def prepared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp(request.param.replace(" ", "_"))
    return Prepared.make(request.param, request.config.rootpath / "config", folder)


def measure_iteration(
    benchmark: BenchmarkFixture,
    measure: Measure,
    prepared: Prepared,
    method: str,
    target: dict[str, float] | None,
    *,
    cascade: bool = False,
) -> None:
    """The ratio is that of images per second: 0.95 is five per cent fewer than uniform."""
    model = prepared.model(method, measure.device)
    with torch.no_grad():
        shapes = prepared.timed(method, model).shapes
    if cascade:
        # Untrained, it is sure of nothing: every detection counts, up to the maximum.
        model.cascade, model.score_threshold = True, 0.0
        model.bbox_head.test_cfg.score_thr = 0.0
    batch = prepared.context.settings.schedule.batch
    images, network_input = ((batch, *shapes[name][1:]) for name in ("image", "network_input"))
    if target is None:
        measure = replace(measure, rounds=min(measure.rounds, FEW_ROUNDS))
    stage = ", cascaded" if cascade else ""
    uniform = prepared.model("uniform", measure.device)
    measure(
        benchmark,
        f"training iteration, {method}{stage}, {prepared.name}",
        prepared.iteration(method, model.train()),
        inputs=[torch.zeros(images, dtype=torch.uint8), *model.parameters()],
        dtype=torch.float32,
        shapes={"images": images, "network_input": network_input},
        speedup_over=("uniform", prepared.iteration("uniform", uniform.train())),
        targets=target,
        gradients=True,
    )


def measure_added(
    benchmark: BenchmarkFixture,
    measure: Measure,
    prepared: Prepared,
    method: str,
    target: dict[str, float] | None,
) -> None:
    """What a method adds to the time of the network that it is added to, at batch 1."""
    model = prepared.model(method, measure.device)
    with torch.inference_mode():
        timed = prepared.timed(method, model)
    measure(
        benchmark,
        f"what {method} adds, {prepared.name}",
        timed.operations["added"],
        inputs=timed.reads,
        dtype=torch.float32,
        shapes={name: timed.shapes[name] for name in ("image", "network_input")},
        cost_of=("network", timed.operations["baseline"]),
        targets=target,
    )


@pytest.mark.parametrize(
    ("method", "cascade", "target"),
    [
        ("lzu_fixed", False, {"speedup": 0.95}),
        ("lzu_adaptive", False, None),
        ("lzu_adaptive", True, None),
        ("fovea", False, None),
    ],
    ids=["lzu_fixed", "lzu_adaptive", "lzu_adaptive_cascade", "fovea"],
)
def test_training_throughput(
    benchmark: BenchmarkFixture,
    measure: Measure,
    prepared: Prepared,
    method: str,
    cascade: bool,
    target: dict[str, float] | None,
) -> None:
    measure_iteration(benchmark, measure, prepared, method, target, cascade=cascade)


@pytest.mark.parametrize("prepared", ["demo segmentation"], indirect=True)
@pytest.mark.parametrize(
    ("method", "target"),
    [("lzu_fixed", {"speedup": 0.95}), ("lzu_learned", None), ("lds", None), ("es", None)],
    ids=["lzu_fixed", "lzu_learned", "lds", "es"],
)
def test_segmenter_iteration(
    benchmark: BenchmarkFixture,
    measure: Measure,
    prepared: Prepared,
    method: str,
    target: dict[str, float] | None,
) -> None:
    measure_iteration(benchmark, measure, prepared, method, target)


@pytest.mark.parametrize("prepared", ["demo 3D"], indirect=True)
def test_3d_detector_iteration(
    benchmark: BenchmarkFixture, measure: Measure, prepared: Prepared
) -> None:
    measure_iteration(benchmark, measure, prepared, "lzu_fixed", {"speedup": 0.95})


@pytest.mark.parametrize("prepared", ["demo", "paper"], indirect=True)
@pytest.mark.parametrize(
    ("method", "target"),
    [("lzu_fixed", None), ("lzu_adaptive", {"cost": PAPERS_ADDED_SHARE})],
    ids=["lzu_fixed", "lzu_adaptive"],
)
def test_added_share(
    benchmark: BenchmarkFixture,
    measure: Measure,
    prepared: Prepared,
    method: str,
    target: dict[str, float] | None,
) -> None:
    measure_added(benchmark, measure, prepared, method, target)


@pytest.mark.parametrize(
    ("prepared", "method"),
    [
        ("demo segmentation", "lzu_fixed"),
        ("demo segmentation", "lds"),
        ("demo segmentation", "es"),
        ("paper segmentation", "lzu_fixed"),
        ("demo 3D", "lzu_fixed"),
    ],
    indirect=["prepared"],
)
def test_other_added_share(
    benchmark: BenchmarkFixture, measure: Measure, prepared: Prepared, method: str
) -> None:
    measure_added(benchmark, measure, prepared, method, None)
