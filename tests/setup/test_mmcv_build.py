"""The compiled operators work, and what they are compiled for is what was asked for."""

import tarfile
from pathlib import Path

import build_mmcv
import cuda_choice
import pytest
from console import SetupError

CPU = {"torch": "2.13.0+cpu", "cuda": None, "visible": False, "nvcc": None, "capability": None}
GPU = {**CPU, "torch": "2.13.0", "cuda": "13.0", "visible": True, "nvcc": "13.0"}
GPU["capability"] = "9.0"
LOGIN_NODE = {**GPU, "visible": False, "nvcc": None, "capability": None}


def key(probe, version="2.3.6", environ=None) -> str:
    cuda = build_mmcv.cuda_environment(probe, environ or {})
    return build_mmcv.wheel_key(version, probe, cuda)


def test_compiled_operators_give_known_answers() -> None:
    import verify_env

    verify_env.check_operators()


def test_key_separates_what_the_wheel_depends_on(monkeypatch) -> None:
    keys = {
        key(CPU),
        key(CPU, version="2.3.7"),
        key({**CPU, "torch": "2.12.0+cpu"}),
        key(GPU),
        key({**GPU, "cuda": "12.9", "nvcc": "12.9"}),
        key({**GPU, "capability": "8.0"}),
        key(GPU, environ={"FORCE_CUDA": "0"}),
    }
    monkeypatch.setattr(build_mmcv, "FLAGS", "-O0")
    assert len(keys | {key(CPU)}) == 8
    assert all("/" not in name and " " not in name for name in keys)


@pytest.mark.parametrize(
    ("probe", "environ", "expected"),
    [
        (CPU, {}, "cpu"),
        (CPU, {"FORCE_CUDA": "0"}, "cpu"),
        (GPU, {}, "cuda 9.0"),
        (GPU, {"FORCE_CUDA": "0"}, "cpu"),
        (GPU, {"TORCH_CUDA_ARCH_LIST": "8.0;9.0"}, "cuda 8.0;9.0"),
        (LOGIN_NODE, {}, "cpu"),
        (
            {**LOGIN_NODE, "nvcc": "13.1"},
            {"FORCE_CUDA": "1", "TORCH_CUDA_ARCH_LIST": "9.0"},
            "cuda 9.0",
        ),
    ],
)
def test_operators_are_built_for_what_is_asked_for_or_here(probe, environ, expected) -> None:
    cuda = cuda_choice.cuda_environment(probe, environ)
    assert cuda_choice.operators(cuda) == expected
    # mmcv's own set-up looks at the visible GPUs as well
    assert (cuda.get("CUDA_VISIBLE_DEVICES") == "") is (expected == "cpu")


@pytest.mark.parametrize(
    ("probe", "environ", "said"),
    [
        (CPU, {"FORCE_CUDA": "1"}, r"torch 2\.13\.0\+cpu is a build for the CPU"),
        (CPU, {"FORCE_CUDA": "on"}, "FORCE_CUDA=on: say 1"),
        ({**GPU, "nvcc": None}, {}, "a GPU is visible, but nvcc is missing"),
        (LOGIN_NODE, {"FORCE_CUDA": "1"}, "FORCE_CUDA=1, but nvcc is missing"),
        ({**LOGIN_NODE, "nvcc": "13.0"}, {}, "set TORCH_CUDA_ARCH_LIST"),
        ({**GPU, "nvcc": "12.9"}, {}, "nvcc is of CUDA 12.9 and torch of CUDA 13.0"),
    ],
)
def test_what_cannot_be_built_is_an_error(probe, environ, said) -> None:
    with pytest.raises(SetupError, match=said):
        cuda_choice.cuda_environment(probe, environ)


def test_operators_for_the_cpu_alone_are_said_where_nobody_asked_for_them() -> None:
    assert "CPU ONLY" in cuda_choice.told(LOGIN_NODE, "cpu", {})
    assert "FORCE_CUDA=1 TORCH_CUDA_ARCH_LIST" in cuda_choice.told(LOGIN_NODE, "cpu", {})
    assert "as FORCE_CUDA=0 asks" in cuda_choice.told(LOGIN_NODE, "cpu", {"FORCE_CUDA": "0"})
    assert "for CUDA 13.0 (GPUs of 9.0)" in cuda_choice.told(GPU, "cuda 9.0", {})


@pytest.mark.parametrize("built", [True, False])
def test_the_check_is_of_what_was_asked_for(monkeypatch, built: bool) -> None:
    import mmcv.ops
    import verify_env

    told = "13.0" if built else "not available"
    monkeypatch.setattr(mmcv.ops, "get_compiling_cuda_version", lambda: told)
    verify_env.check_built_for("cuda 9.0" if built else "cpu")
    with pytest.raises(SystemExit, match="was to be built for"):
        verify_env.check_built_for("cpu" if built else "cuda 9.0")


@pytest.mark.parametrize("filters", [True, False])
def test_source_is_unpacked_by_a_python_without_filters_too(tmp_path, monkeypatch, filters) -> None:
    """Python 3.11.0 to 3.11.3, such as Debian 12's, have none."""
    if not filters:
        monkeypatch.delattr(tarfile, "data_filter", raising=False)

        def extractall(self, path, **options):
            assert options == {}
            self.extract("mmcv/setup.py", path)

        monkeypatch.setattr(tarfile.TarFile, "extractall", extractall)
    (tmp_path / "mmcv").mkdir()
    (tmp_path / "mmcv" / "setup.py").write_text("pass\n")
    with tarfile.open(tmp_path / "mmcv.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "mmcv", "mmcv")
    source = build_mmcv.unpack(tmp_path / "mmcv.tar.gz", tmp_path / "source")
    assert (source / "setup.py").read_text() == "pass\n"


def test_merged_sources_hold_every_file_once(tmp_path: Path) -> None:
    folder = tmp_path / "cpu"
    folder.mkdir()
    names = [f"op{i:02}" for i in range(build_mmcv.FILES_PER_UNIT + 3)]
    for name in [*names, "psamask"]:
        (folder / f"{name}.cpp").write_text(f"// {name}\n")
    assert build_mmcv.merge_sources(folder) == 3
    left = {path.name: path.read_text() for path in folder.glob("*.cpp")}
    assert sorted(left) == ["psamask.cpp", "unit0.cpp", "unit1.cpp"]
    included = (left["unit0.cpp"] + left["unit1.cpp"]).splitlines()
    assert included == [f'#include "{name}.inc"' for name in names]
    assert all((folder / f"{name}.inc").read_text() == f"// {name}\n" for name in names)
