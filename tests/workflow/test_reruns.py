"""What a changed setting makes stale: the number of jobs of every rule, on dry runs.

A step names exactly what it reads, so a setting reruns what depends on it and nothing else. What
is planned only because equal data may be written again (another root) stops in a second when it
runs, because its stamp is the same; see `lzu.results.stamps`.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import BaseModel

pytest.importorskip("snakemake")

from lzu.experiments.suite import suite_type
from lzu.tasks import TASKS
from tests.workflow.finished import finish

SHOWN = {"collect": 1, "tables": 1, "figures": 1, "all": 1}
"""Tables and figures are made again."""
WITH_PRIOR = {"draw_prior": 1, "picture": 1, "analysis": 1}
CASES, STREAM, TIME = {"cases": 1}, {"stream": 1}, {"time": 1}


def retrained(trained: int, predicted: int | None = None, **more: int) -> dict[str, int]:
    """So many runs are trained again and scored, with those that evaluate the same weights."""
    predicted = trained if predicted is None else predicted
    return {"train": trained, "predict": predicted, "score": predicted, **SHOWN, **more}


SMOKE_ALL = retrained(25, 29, **CASES, **STREAM, **TIME)
SMOKE_DATA = SMOKE_ALL | WITH_PRIOR | {"prior": 3, "split": 1}
ADAPTIVE = STREAM | TIME
VALIDATION = {"world": 1, "check": 1, "prepare": 1, "predict": 20, "score": 20, **SHOWN}
VALIDATION |= WITH_PRIOR | CASES | STREAM | TIME
WEIGHTS = {"source": "x.pth", "sha256": "01234567" * 8}

Rows = list[tuple[str, Any, dict[str, int]]]
SMOKE: Rows = [
    ("mode", "cached", SHOWN),
    ("machine", "other", {"tables": 1, "figures": 1, "all": 1}),
    ("machine_name", "other", {}),
    ("reuse", True, {}),
    ("dataset.root", "elsewhere", SMOKE_DATA | {"world": 2, "check": 2, "prepare": 2}),
    ("dataset.native_size", [192, 320], SMOKE_DATA | {"world": 2, "check": 2, "prepare": 2}),
    ("dataset.image_check", "header", {"check": 2, "all": 1}),
    ("dataset.tolerate", ["box_size"], {"check": 2, "all": 1}),
    ("dataset.synthetic.seed", 9, SMOKE_DATA | {"world": 2, "check": 2, "prepare": 2}),
    (
        "dataset.synthetic.train_sequences",
        3,
        SMOKE_DATA | {"world": 1, "check": 1, "prepare": 1},
    ),
    ("dataset.synthetic.val_sequences", 3, VALIDATION),
    ("dataset.synthetic.val_frame_interval_s", 0.5, VALIDATION),
    # another lattice is another prior, and the learned and adaptive saliency's too
    ("prior.lattice", [21, 33], retrained(20, 22, prior=3, **WITH_PRIOR, **CASES, **ADAPTIVE)),
    # the search sets its own amplitudes and widths
    ("prior.amplitude", 3, retrained(6, 8, prior=1, **WITH_PRIOR, **CASES, **TIME)),
    ("prior.bandwidth", 32, retrained(10, 12, prior=3, **WITH_PRIOR, **CASES, **TIME)),
    ("prior.fwhm", 5, retrained(4, 6, **WITH_PRIOR, **CASES, **TIME)),
    ("model.base", "mmdet::retinanet/retinanet_r101_fpn_1x_coco.py", SMOKE_ALL),
    ("model.overrides.test_cfg", {"score_thr": 0.01}, SMOKE_ALL),
    ("model.initial_weights", WEIGHTS, SMOKE_ALL | {"weights": 1}),
    ("schedule.epochs", 4, SMOKE_ALL),
    ("schedule.batch", 2, SMOKE_ALL),
    ("schedule.optimizer", {"type": "Adam"}, SMOKE_ALL),
    ("schedule.warmup_iterations", 1, SMOKE_ALL),
    ("schedule.clip_norm", 3, SMOKE_ALL),
    ("schedule.flip", 0.25, SMOKE_ALL),
    ("schedule.iterations", {0.5: 3, 0.25: 3}, SMOKE_ALL),
    ("schedule.power", 0.9, SMOKE_ALL),
    ("schedule.final_rate", 0.001, SMOKE_ALL),
    ("schedule.milestones", [1], SMOKE_ALL),
    ("schedule.bias_rate", 2, SMOKE_ALL),
    ("schedule.bias_decay", 0, SMOKE_ALL),
    ("schedule.warmup_start", 0.5, SMOKE_ALL),
    ("schedule.checkpoint_every", 3, {}),
    ("adaptive.fwhm", 5, retrained(4, **ADAPTIVE)),
    ("adaptive.amplitude", 5, retrained(4, **ADAPTIVE)),
    ("adaptive.bandwidth", 5, retrained(8, **ADAPTIVE)),
    ("adaptive.jitter_x", 5, retrained(8, **ADAPTIVE)),
    ("adaptive.jitter_y", 5, retrained(8, **ADAPTIVE)),
    ("adaptive.cascade_from_epoch", 0.25, retrained(6, **ADAPTIVE)),
    ("adaptive.uniform_share", 0.1, retrained(8, **ADAPTIVE)),
    ("adaptive.score_threshold", 0.1, retrained(8, **ADAPTIVE)),
    ("adaptive.max_detections", 50, retrained(8, **ADAPTIVE)),
    ("learned.fwhm", 5, retrained(2, **TIME)),
    ("learned.floor", 0.5, retrained(2, **TIME)),
    ("learned.input_size", [33, 53], retrained(2, **TIME)),
    ("learned.channels", 16, retrained(2, **TIME)),
    ("fovea.fwhm", 5, retrained(2, **TIME)),
    ("methods.lzu_fixed.learning_rate", 0.5, retrained(8, 10, **CASES, **TIME)),
    ("methods.lzu_fixed.seeds", {0.5: [0, 1, 2, 3]}, retrained(2)),
    ("methods.lzu_fixed.variants", [{"fwhm": 5}], retrained(4, **TIME)),
    ("methods.lzu_fixed.scales", [0.25, 0.5, 1], retrained(2, **TIME)),
    ("seeds", [0, 1, 2], retrained(8)),
    ("timing.warmup", 2, TIME | SHOWN),
    ("timing.rounds", 7, TIME | SHOWN),
    ("stream.sequence", 1, STREAM | {"all": 1}),
    ("stream.frames", 3, STREAM | {"all": 1}),
    ("upsampling.from_scales", [0.25, 0.5, 1], {"predict": 4, "score": 4, **SHOWN}),
    ("upsampling.to_scales", [0.5], SHOWN),
    ("upsampling.methods", ["uniform"], SHOWN),
    ("upsampling.seeds", [1], {"predict": 4, "score": 4, **SHOWN}),
    ("search.amplitudes", [1, 5, 100], retrained(4, prior=1)),
    ("search.fwhms", [4, 16, 22], retrained(4)),
    # of the training set's frames none is followed then, so their order is looked at differently
    ("search.methods", ["lzu_fixed"], {"check": 1, **SHOWN}),
    ("search.seeds", [1], retrained(9)),
    ("search.validation_share", 0.3, retrained(9, split=1, prior=2)),
    ("search.split_seed", 1, retrained(9, split=1, prior=2)),
]

PAPER_ALL = retrained(55, 79, **CASES, **STREAM, **TIME)
PAPER: Rows = [
    ("dataset.image_check", "header", {"check": 2, "all": 1}),
    ("prior.fwhm", 5, retrained(4, 16, **WITH_PRIOR, **CASES, **TIME)),
    ("prior.amplitude", 3, retrained(5, 17, prior=1, **WITH_PRIOR, **CASES, **TIME)),
    ("prior.bandwidth", 32, retrained(25, 37, prior=6, **WITH_PRIOR, **CASES, **TIME)),
    ("model.overrides", {"neck": {"num_outs": 4}}, PAPER_ALL),
    ("model.initial_weights", None, PAPER_ALL),
    ("schedule.epochs", 4, PAPER_ALL),
    ("schedule.checkpoint_every", 3, {}),
    ("adaptive.fwhm", 5, retrained(5, **ADAPTIVE)),
    ("adaptive.cascade_from_epoch", 1, retrained(24, **ADAPTIVE)),
    ("fovea.fwhm", 5, retrained(1, **TIME)),
    ("learned.fwhm", 5, {}),
    ("methods.uniform.learning_rate", 0.5, retrained(5, 17, **CASES, **TIME)),
    ("seeds", [0, 1], retrained(14, 38)),
    ("timing.rounds", 7, TIME | SHOWN),
    ("upsampling.from_scales", [1], SHOWN),
    ("search.fwhms", [4, 10, 16], SHOWN),
    ("search.split_seed", 1, retrained(41, split=1, prior=5)),
]


SEG_PRIOR = {"draw_prior": 1, "picture": 1}
# at 0.25 every method's accuracy is mapped, and LZU's cases are shown
MAP = {"accuracy_map": 1}
SHOWN_025 = CASES | MAP
SEG_ALL = retrained(9, **TIME, **SHOWN_025)
SEG_STAGES = {"stage": 1}
SEG_DATA = SEG_ALL | SEG_STAGES | SEG_PRIOR | {"prior": 1, "split": 1}
BOTH = {"world": 2, "check": 2, "prepare": 2}
# of two methods two seeds at 0.25
SEGMENTATION: Rows = [
    ("dataset.root", "elsewhere", SEG_DATA | BOTH),
    ("dataset.native_size", [160, 256], SEG_DATA | BOTH),
    ("dataset.crop", [96, 96], SEG_DATA | {"check": 2, "prepare": 2}),
    ("dataset.image_check", "header", {"check": 2, "all": 1}),
    ("dataset.synthetic.seed", 9, SEG_DATA | BOTH),
    ("mini_validation.images", 3, SEG_ALL | SEG_STAGES | {"split": 1}),
    ("mini_validation.split_seed", 3, SEG_ALL | SEG_STAGES | {"split": 1}),
    ("mini_validation.evaluations", 3, SEG_ALL),
    ("model.base", "mmseg::fcn/fcn_r50-d8_4xb2-80k_cityscapes-512x1024.py", SEG_ALL),
    ("model.overrides.test_cfg", {"mode": "whole"}, SEG_ALL),
    ("model.initial_weights", WEIGHTS, SEG_ALL | {"weights": 1}),
    ("schedule.epochs", 4, SEG_ALL),
    ("schedule.iterations", {0.25: 4, 0.5: 5}, retrained(2, **TIME)),
    ("schedule.power", 1, SEG_ALL),
    ("schedule.final_rate", 0, SEG_ALL),
    ("schedule.milestones", [1], SEG_ALL),
    ("schedule.bias_rate", 2, SEG_ALL),
    ("schedule.bias_decay", 0, SEG_ALL),
    ("schedule.warmup_start", 0.5, SEG_ALL),
    ("schedule.batch", 2, SEG_ALL),
    ("schedule.optimizer", {"type": "Adam"}, SEG_ALL),
    ("schedule.warmup_iterations", 1, SEG_ALL),
    ("schedule.clip_norm", 3, SEG_ALL),
    ("schedule.flip", 0.25, SEG_ALL),
    ("schedule.photometric", False, SEG_ALL),
    ("schedule.class_weighting", 0.5, SEG_ALL),
    ("schedule.checkpoint_every", 3, {}),
    ("prior.lattice", [21, 33], retrained(4, prior=1, **TIME, **SHOWN_025, **SEG_PRIOR)),
    ("prior.fwhm", 5, retrained(3, **TIME, **SHOWN_025, **SEG_PRIOR)),
    ("prior.boundary", 5, retrained(3, prior=1, **TIME, **SHOWN_025, **SEG_PRIOR)),
    ("prior.background", 5, retrained(3, prior=1, **TIME, **SHOWN_025, **SEG_PRIOR)),
    ("prior.label_size", [64, 64], retrained(3, prior=1, **TIME, **SHOWN_025, **SEG_PRIOR)),
    ("fixed.unzoom_at", "context", retrained(3, **TIME, **SHOWN_025)),
    ("learned.fwhm", 5, retrained(1, **TIME, **MAP)),
    ("learned.floor", 0.5, retrained(1, **TIME, **MAP)),
    ("learned.input_size", [37, 37], retrained(1, **TIME, **MAP)),
    ("learned.channels", 32, retrained(1, **TIME, **MAP)),
    ("learned.unzoom_at", "logits", retrained(1, **TIME, **MAP)),
    ("lds.fwhm", 5, retrained(1, **TIME, **MAP)),
    ("lds.input_size", [48, 48], retrained(1, **TIME, **MAP)),
    ("lds.channels", 16, retrained(1, **TIME, **MAP)),
    ("lds.edge_weight", 5, retrained(1, **TIME, **MAP)),
    ("lds.back_projection", "linear", retrained(1, **TIME, **MAP)),
    ("lds.slips", ["labels"], retrained(1, **TIME, **MAP)),
    ("es.lattice", 6, retrained(1, **SEG_STAGES, **TIME, **MAP)),
    ("es.alpha", 0.25, retrained(1, **SEG_STAGES, **TIME, **MAP)),
    ("es.slips", ["nodes"], retrained(1, **SEG_STAGES, **TIME, **MAP)),
    ("es.widen_factor", 0.5, retrained(1, **SEG_STAGES, **TIME, **MAP)),
    ("es.learning_rate", 0.5, retrained(1, **SEG_STAGES, **TIME, **MAP)),
    ("es.batch", 5, retrained(1, **SEG_STAGES, **TIME, **MAP)),
    ("es.iterations", 5, retrained(1, **SEG_STAGES, **TIME, **MAP)),
    ("es.back_projection", "nearest", retrained(1, **TIME, **MAP)),
    ("methods.lzu_fixed.learning_rate", 0.5, retrained(3, **TIME, **SHOWN_025)),
    ("methods.lzu_fixed.seeds", {0.25: [0, 1, 2]}, retrained(1)),
    ("methods.lzu_fixed.variants", [{"fwhm": 5}], retrained(3, **TIME)),
    ("methods.lzu_fixed.scales", [0.25], SHOWN),
    ("seeds", [0, 1], retrained(5, stage=1, **MAP)),
    ("timing.warmup", 2, TIME | SHOWN),
    ("timing.rounds", 7, TIME | SHOWN),
]

D3_PRIOR = {"draw_prior": 1, "picture": 1}
# Uniform, fixed LZU's three variants and adaptive LZU, each trained once; Table 2 has one more
# scale of images of two models
D3_ALL = retrained(5, 7, **CASES, **TIME)
D3_DATA = D3_ALL | D3_PRIOR | {"prior": 2}
LZU = retrained(3, 4, **CASES, **TIME)
DETECTION3D: Rows = [
    ("dataset.root", "elsewhere", D3_DATA | BOTH),
    ("dataset.native_size", [192, 320], D3_DATA | BOTH),
    ("dataset.image_check", "header", {"check": 2, "all": 1}),
    ("dataset.version", "v1.0-mini", D3_DATA | {"check": 2, "prepare": 2}),
    ("dataset.cameras", ["CAM_BACK"], D3_DATA | {"check": 2, "prepare": 2}),
    ("dataset.classes", ["car"], D3_DATA | {"check": 2, "prepare": 2}),
    ("dataset.synthetic.seed", 9, D3_DATA | BOTH),
    ("model.base", "mmdet3d::pgd/pgd_r101-caffe_fpn_head-gn_16xb2-1x_nus-mono3d.py", D3_ALL),
    ("model.overrides.test_cfg", {"score_thr": 0.01}, D3_ALL),
    ("model.initial_weights", WEIGHTS, D3_ALL | {"weights": 1}),
    ("schedule.epochs", 4, D3_ALL),
    ("schedule.iterations", {0.5: 5}, D3_ALL),
    ("schedule.power", 0.9, D3_ALL),
    ("schedule.final_rate", 0.0001, D3_ALL),
    ("schedule.milestones", [1], D3_ALL),
    ("schedule.bias_rate", 2, D3_ALL),
    ("schedule.bias_decay", 0, D3_ALL),
    ("schedule.warmup_start", 0.5, D3_ALL),
    ("schedule.batch", 2, D3_ALL),
    ("schedule.optimizer", {"type": "Adam"}, D3_ALL),
    ("schedule.warmup_iterations", 1, D3_ALL),
    ("schedule.clip_norm", 3, D3_ALL),
    ("schedule.flip", 0.25, D3_ALL),
    ("schedule.checkpoint_every", 3, {}),
    ("prior.lattice", [21, 33], retrained(4, 5, **CASES, **TIME, **D3_PRIOR, prior=2)),
    ("prior.fwhm", 5, LZU | D3_PRIOR),
    ("prior.amplitude", 5, LZU | D3_PRIOR | {"prior": 2}),
    ("prior.bandwidth", 5, LZU | D3_PRIOR | {"prior": 2}),
    # one of the variants says so itself, and its prior is there
    ("prior.cameras", "each", retrained(2, 3, **CASES, **TIME, draw_prior=1, picture=1)),
    ("fixed.frame", "padded", retrained(2, 3, **CASES, **TIME)),
    ("adaptive.fwhm", 5, retrained(1, **TIME)),
    ("adaptive.amplitude", 5, retrained(1, **TIME)),
    ("adaptive.bandwidth", 5, retrained(1, **TIME)),
    ("adaptive.jitter_x", 5, retrained(1, **TIME)),
    ("adaptive.jitter_y", 5, retrained(1, **TIME)),
    ("adaptive.uniform_share", 0.1, retrained(1, **TIME)),
    ("adaptive.score_threshold", 0.1, retrained(1, **TIME)),
    ("adaptive.max_detections", 50, retrained(1, **TIME)),
    ("methods.lzu_fixed.learning_rate", 0.5, LZU),
    ("methods.lzu_fixed.seeds", {0.5: [0, 1]}, retrained(3, 4)),
    ("methods.lzu_fixed.variants", [{"fwhm": 5}], retrained(1, **TIME)),
    ("methods.lzu_fixed.scales", [0.5, 1], retrained(3, **TIME)),
    ("seeds", [0, 1], retrained(5, 7)),
    ("timing.warmup", 2, TIME | SHOWN),
    ("timing.rounds", 7, TIME | SHOWN),
    ("upsampling.from_scales", [0.25, 0.5, 1], {"predict": 2, "score": 2, **SHOWN}),
    ("upsampling.to_scales", [0.5], {}),
    ("upsampling.methods", ["uniform"], SHOWN),
    ("upsampling.seeds", [0], {}),
]

DETECTION = "detection2d"
TABLES: dict[tuple[str, str], Rows] = {
    ("smoke", DETECTION): SMOKE,
    ("paper", DETECTION): PAPER,
    ("smoke", "segmentation"): SEGMENTATION,
    ("smoke", "detection3d"): DETECTION3D,
}
"""(suite, task), alone in that suite -> what its settings make stale."""


def all_rows() -> list[Any]:
    return [
        pytest.param((suite, task), key, value, jobs, id=f"{suite}-{task}-{key}")
        for (suite, task), table in TABLES.items()
        for key, value, jobs in table
    ]


@pytest.fixture(scope="module")
def planned(request, tmp_path_factory) -> dict[tuple[tuple[str, str], str], dict[str, int]]:
    """((suite, task), key) -> rule -> jobs, for every row of the tables; all dry runs at once."""
    root = request.config.rootpath
    done = {
        (suite, task): finish(root, tmp_path_factory.mktemp(suite) / "w", suite, task)
        for suite, task in TABLES
    }

    def plan(job: tuple[tuple[str, str], str, Any]) -> dict[str, int]:
        of, key, value = job
        return done[of].planned(full(of[1], key), value)

    rows = [(of, key, value) for of, table in TABLES.items() for key, value, _ in table]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(plan, rows))
    return {
        (of, key): {rule.removesuffix(f"_{of[1]}"): n for rule, n in jobs.items()}
        for (of, key, _), jobs in zip(rows, found, strict=True)
    }


def full(task: str, key: str) -> str:
    """A key of the task's block, or of the suite itself."""
    own = key.partition(".")[0] in ("mode", "machine", "machine_name", "reuse")
    return key if own else f"{task}.{key}"


@pytest.mark.parametrize(("of", "key", "value", "expected"), all_rows())
def test_a_setting_reruns_what_reads_it_and_no_more(planned, of, key, value, expected):
    assert planned[of, key] == expected


def listed(task: str) -> set[str]:
    """The keys that the smoke suite's table of a task has."""
    return {key for key, _, _ in TABLES["smoke", task]}


def test_every_key_of_a_suite_is_in_a_table():
    keys = {key for key in suite_type(TASKS).model_fields if key not in ("suite", *TASKS)}
    assert keys <= listed(DETECTION)


@pytest.mark.parametrize("task", TASKS)
def test_every_key_is_in_the_table(task):
    """A new setting must say what it reruns."""
    keys = set()
    for name, field in TASKS[task].settings.model_fields.items():
        types = [t for t in (field.annotation, *getattr(field.annotation, "__args__", ()))]
        inner = next((t for t in types if isinstance(t, type) and issubclass(t, BaseModel)), None)
        if name == "methods":
            keys |= {f"methods.lzu_fixed.{key}" for key in type_of_methods().model_fields}
        elif inner is None:
            keys.add(name)
        else:
            keys |= {f"{name}.{key}" for key in inner.model_fields}
    # of these blocks a part stands for the whole
    parts = {"dataset.synthetic": "dataset.synthetic.seed", "model.overrides": "model.overrides."}
    missing = [
        key
        for key in sorted(keys - listed(task))
        if not any(one.startswith(parts.get(key, key)) for one in listed(task))
    ]
    assert missing == []


def type_of_methods() -> type[BaseModel]:
    from lzu.experiments.settings import MethodRuns

    return MethodRuns
