"""A suite file chooses from what ships and what is registered: it runs no code of its own."""

import sys

import pytest

pytest.importorskip("mmdet")

from mmengine.registry import MODELS

from lzu.engine.build import check_optimizer, named_errors, registered_alone, shipped_config
from lzu.errors import UserError
from tests.experiments.suites import changed, parsed, settings_of

PLACES = [
    "model.overrides",
    "model.overrides.backbone",
    "model.overrides.backbone.norm_cfg",
    "model.overrides.bbox_head.loss_bbox",
    "model.overrides.neck.stages",
    "schedule.optimizer",
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "kind", ["os.system", "subprocess.Popen", "a/b", "", 7, ["os.system"], None]
)
def test_a_type_is_a_name_in_a_registry(place, kind):
    settings = changed(settings_of("smoke"), f"detection2d.{place}", {"type": kind, "command": "x"})
    with pytest.raises(UserError, match=r"type: .* is no name in a registry|type: the detector"):
        parsed(settings)


def test_a_type_in_a_list_is_looked_at():
    stages = {"stages": [{"a": 1}, [{"type": "os.system"}]]}
    settings = changed(settings_of("smoke"), "detection2d.model.overrides", stages)
    with pytest.raises(UserError, match=r"stages\[1\]\[0\]\.type: 'os\.system' is no name"):
        parsed(settings)


@pytest.mark.parametrize("key", ["_base_", "custom_imports", "default_scope"])
def test_what_imports_or_reads_other_files_is_refused(key):
    overrides = {"backbone": {key: {"imports": ["evil"]}}}
    settings = changed(settings_of("smoke"), "detection2d.model.overrides", overrides)
    with pytest.raises(UserError, match=rf"backbone\.{key}: this key is not taken"):
        parsed(settings)


def test_another_package_s_registry_is_refused():
    overrides = {"backbone": {"_scope_": "evil"}}
    settings = changed(settings_of("smoke"), "detection2d.model.overrides", overrides)
    with pytest.raises(UserError, match="'evil' is none of mmengine"):
        parsed(settings)


def test_nothing_is_imported_by_its_name(tmp_path, monkeypatch):
    """mmengine would import a module of an unknown type's name, which may lie in the folder."""
    (tmp_path / "planted.py").write_text(f"open({str(tmp_path / 'proof')!r}, 'w')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with (
        pytest.raises(UserError, match=r"model\.overrides: .*planted"),
        named_errors("model.overrides"),
    ):
        MODELS.build({"type": "planted"})
    with registered_alone(), pytest.raises(KeyError):
        MODELS.build({"type": "planted"})
    assert not (tmp_path / "proof").exists()
    assert "planted" not in sys.modules


@pytest.mark.parametrize(
    "relative",
    ["../../__init__.py", "../../../../../evil.py", "/etc/passwd", "retinanet", "no/such.py", "."],
)
def test_a_base_is_a_config_that_ships(relative, tmp_path):
    with pytest.raises(UserError, match=r"model\.base: mmdet ships no config"):
        shipped_config(f"mmdet::{relative}", "mmdet")


def test_a_base_by_its_whole_path_is_not_run(tmp_path):
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'proof')!r}, 'w')\nmodel = dict()\n")
    for path in (tmp_path / "evil.py", "../" * 20 + str(tmp_path / "evil.py")):
        with pytest.raises(UserError, match="ships no config"):
            shipped_config(f"mmdet::{path}", "mmdet")
    assert not (tmp_path / "proof").exists()


def test_a_config_that_ships_is_found():
    config = shipped_config("mmdet::retinanet/retinanet_r50_fpn_1x_coco.py", "mmdet")
    assert config.model.type == "RetinaNet"


def test_an_optimizer_is_one_that_there_is():
    check_optimizer({"type": "SGD", "momentum": 0.9, "weight_decay": 1e-4})
    with pytest.raises(UserError, match=r"schedule\.optimizer\.type: .* 'Sdg'"):
        check_optimizer({"type": "Sdg"})
    with pytest.raises(UserError, match=r"AdamW takes none such: .*momentum"):
        check_optimizer({"type": "AdamW", "momentum": 0.9})


@pytest.mark.parametrize("code", ["open('proof', 'w')", "a[0]", "{{ $HOME }}", "${HOME}", "`id`"])
@pytest.mark.parametrize("place", ["backbone.norm_cfg", "train_cfg.assigner", "a"])
def test_a_text_is_a_name_and_no_code(place, code):
    """Some classes of mm* evaluate an argument."""
    path = f"detection2d.model.overrides.{place}"
    settings = changed(settings_of("smoke"), path, {"type": "Any", "mode": [code]})
    with pytest.raises(UserError, match=r"mode\[0\]: .* as code has"):
        parsed(settings)


def test_what_mmdet_would_evaluate_is_refused_before_it_is_built(tmp_path):
    proof = tmp_path / "proof"
    code = f"open({str(proof)!r}, 'w')"
    generator = {"_delete_": True, "type": "CameraMotionCompensation", "warp_mode": code}
    path = "detection2d.model.overrides.bbox_head.anchor_generator"
    with pytest.raises(UserError, match=r"anchor_generator\.warp_mode: .* as code has"):
        parsed(changed(settings_of("smoke"), path, generator))
    # so it is needed: mmdet runs it, even where nothing unregistered is built
    import mmdet.models  # noqa: F401
    from mmdet.registry import TASK_UTILS

    with registered_alone():
        TASK_UTILS.build({"type": "CameraMotionCompensation", "warp_mode": code})
    assert proof.exists()


def test_no_config_is_read_by_its_path_while_a_model_is_built(tmp_path):
    """A distilling detector takes a teacher's config, which runs."""
    import mmdet.models  # noqa: F401
    from mmdet.registry import MODELS as DETECTORS
    from mmengine.config import Config

    proof, planted = tmp_path / "proof", tmp_path / "teacher.py"
    planted.write_text(f"open({str(proof)!r}, 'w')\nmodel = dict()\n")
    base = shipped_config("mmdet::retinanet/retinanet_r50_fpn_1x_coco.py", "mmdet").model
    base["backbone"]["init_cfg"] = None
    base["data_preprocessor"] = None
    student = {**base, "type": "KnowledgeDistillationSingleStageDetector"}
    with (
        pytest.raises(UserError, match=r"model\.overrides: .*teacher\.py, is not read"),
        named_errors("model.overrides"),
    ):
        DETECTORS.build({**student, "teacher_config": str(planted)})
    assert not proof.exists()
    assert Config.fromfile(planted).model == {}
    assert proof.exists()
