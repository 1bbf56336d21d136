"""The compiled operators work, and the wheel cache hands out the right wheel to everyone."""

import threading
import time
from pathlib import Path

import build_mmcv
import pytest
from console import SetupError

CPU = {"torch": "2.13.0+cpu", "cuda": None, "visible": False, "cuda_home": None, "capability": None}
GPU = {**CPU, "torch": "2.13.0", "cuda": "13.0", "visible": True, "cuda_home": "/usr/local/cuda"}
GPU["capability"] = "9.0"


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
        key({**GPU, "cuda": "12.9"}),
        key({**GPU, "capability": "8.0"}),
        key(GPU, environ={"FORCE_CUDA": "0"}),
    }
    monkeypatch.setattr(build_mmcv, "FLAGS", "-O0")
    assert len(keys | {key(CPU)}) == 8
    assert all("/" not in name and " " not in name for name in keys)


def test_given_architectures_win_over_the_visible_gpu() -> None:
    cuda = build_mmcv.cuda_environment(GPU, {"TORCH_CUDA_ARCH_LIST": "8.0;9.0"})
    assert cuda == {"FORCE_CUDA": "1", "TORCH_CUDA_ARCH_LIST": "8.0;9.0"}


def test_cuda_torch_without_gpu_and_nvcc_builds_for_the_cpu() -> None:
    probe = {**GPU, "visible": False, "cuda_home": None, "capability": None}
    assert build_mmcv.cuda_environment(probe, {}) == {"FORCE_CUDA": "0"}


def test_gpu_without_nvcc_is_an_error() -> None:
    with pytest.raises(SetupError, match="nvcc is missing"):
        build_mmcv.cuda_environment({**GPU, "cuda_home": None}, {})


def test_nvcc_without_gpu_asks_for_architectures() -> None:
    with pytest.raises(SetupError, match="TORCH_CUDA_ARCH_LIST"):
        build_mmcv.cuda_environment({**GPU, "visible": False, "capability": None}, {})


def test_cache_place_follows_the_environment() -> None:
    assert build_mmcv.cache_root({"LZU_CACHE": "/a", "XDG_CACHE_HOME": "/b"}) == Path("/a")
    assert build_mmcv.cache_root({"XDG_CACHE_HOME": "/b"}) == Path("/b/lzu")
    assert build_mmcv.cache_root({}) == Path.home() / ".cache" / "lzu"


def test_two_set_ups_at_once_build_one_wheel(tmp_path: Path) -> None:
    built = []
    results = []

    def build(scratch: Path) -> Path:
        built.append(scratch)
        time.sleep(0.2)
        wheel = scratch / "mmcv.whl"
        wheel.write_bytes(b"wheel")
        return wheel

    def ask() -> None:
        results.append(build_mmcv.cached_wheel(tmp_path / "key", build))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert sorted(reused for _, reused in results) == [False, True, True]
    assert {path.read_bytes() for path, _ in results} == {b"wheel"}


def test_failed_build_leaves_no_wheel(tmp_path: Path) -> None:
    def fail(scratch: Path) -> Path:
        raise SetupError("no")

    with pytest.raises(SetupError):
        build_mmcv.cached_wheel(tmp_path / "key", fail)
    assert list(tmp_path.rglob("*.whl*")) == []


def test_half_copied_wheel_is_not_handed_out(tmp_path: Path) -> None:
    (tmp_path / "key").mkdir()
    (tmp_path / "key" / "mmcv.whl.partial").write_bytes(b"wh")

    def build(scratch: Path) -> Path:
        (scratch / "mmcv.whl").write_bytes(b"wheel")
        return scratch / "mmcv.whl"

    wheel, reused = build_mmcv.cached_wheel(tmp_path / "key", build)
    assert (wheel.read_bytes(), reused) == (b"wheel", False)


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
