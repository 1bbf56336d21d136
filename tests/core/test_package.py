import subprocess
import sys

import pytest

import lzu


def run(program: str) -> str:
    """Run a program in a fresh interpreter and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_is_lazy():
    program = "import lzu, sys; lzu.__version__, dir(lzu); print('torch' in sys.modules)"
    assert run(program) == "False"


def test_core_needs_torch_alone():
    program = (
        "import sys, lzu; lzu.Warp, lzu.ZoomUnzoom, lzu.saliency\n"
        "print([m for m in ('scipy', 'pandas', 'matplotlib', 'cv2', 'pydantic', 'mmengine')"
        " if m in sys.modules])"
    )
    assert run(program) == "[]"


@pytest.mark.parametrize("module", ["core.warp", "module", "saliency"])
def test_every_core_module_can_be_imported_first(module):
    run(f"import lzu.{module}")


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("models", "openmmlab"),
        ("engine", "openmmlab"),
        ("report", "report"),
        ("datasets", "datasets"),
    ],
)
def test_a_missing_extra_is_named(monkeypatch, module, extra):
    def refuse(name):
        raise ModuleNotFoundError("No module named 'elsewhere'", name="elsewhere.inner")

    monkeypatch.setattr("importlib.import_module", refuse)
    with pytest.raises(ImportError, match=rf"lzu.{module} needs elsewhere.*'lzu\[{extra}\]'"):
        lzu.__getattr__(module)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'zoomify'"):
        _ = lzu.zoomify


def test_all_names_exist():
    for name in lzu.__all__:
        assert getattr(lzu, name)
        assert name in dir(lzu)
