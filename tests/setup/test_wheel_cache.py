"""The wheel cache hands out the wheel that it kept, to everyone who asks, and no other file."""

import os
import threading
import time
from pathlib import Path

import pytest
import wheel_cache
from console import SetupError


def builder(content: bytes = b"wheel"):
    def build(scratch: Path) -> Path:
        (scratch / "mmcv.whl").write_bytes(content)
        return scratch / "mmcv.whl"

    return build


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "wheels" / "key"


def test_cache_place_follows_the_environment() -> None:
    assert wheel_cache.cache_root({"LZU_CACHE": "/a", "XDG_CACHE_HOME": "/b"}) == Path("/a")
    assert wheel_cache.cache_root({"XDG_CACHE_HOME": "/b"}) == Path("/b/lzu")
    assert wheel_cache.cache_root({}) == Path.home() / ".cache" / "lzu"


def test_two_set_ups_at_once_build_one_wheel(folder: Path) -> None:
    built, results = [], []

    def build(scratch: Path) -> Path:
        built.append(scratch)
        time.sleep(0.2)
        return builder()(scratch)

    def ask() -> None:
        results.append(wheel_cache.cached_wheel(folder, build))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert sorted(reused for _, reused in results) == [False, True, True]
    assert {path.read_bytes() for path, _ in results} == {b"wheel"}


def test_failed_build_leaves_no_wheel(folder: Path) -> None:
    def fail(scratch: Path) -> Path:
        raise SetupError("no")

    with pytest.raises(SetupError):
        wheel_cache.cached_wheel(folder, fail)
    assert list(folder.rglob("*.whl*")) == []


@pytest.mark.parametrize("name", ["aaa.whl", "mmcv.whl", "mmcv.whl.partial"])
def test_a_file_that_was_not_kept_by_the_cache_is_not_handed_out(folder: Path, name: str) -> None:
    wheel_cache.make_private(folder)
    (folder / name).write_bytes(b"planted")
    wheel, reused = wheel_cache.cached_wheel(folder, builder())
    assert (wheel.read_bytes(), reused) == (b"wheel", False)


def test_a_changed_wheel_is_refused(folder: Path) -> None:
    wheel, _ = wheel_cache.cached_wheel(folder, builder())
    wheel.write_bytes(b"wheel, and more")
    with pytest.raises(SetupError, match="is not what was kept there"):
        wheel_cache.cached_wheel(folder, builder())


@pytest.mark.parametrize("record", ["", "nonsense\n", f"{'0' * 64}  ../elsewhere.whl\n"])
def test_a_broken_record_is_refused(folder: Path, record: str) -> None:
    wheel_cache.cached_wheel(folder, builder())
    (folder / wheel_cache.RECORD).write_text(record)
    with pytest.raises(SetupError, match="is not what was kept there"):
        wheel_cache.cached_wheel(folder, builder())


@pytest.mark.parametrize("part", ["", "wheels", "wheels/key", "wheels/key/mmcv.whl"])
def test_what_others_can_write_to_is_refused(folder: Path, part: str) -> None:
    wheel_cache.cached_wheel(folder, builder())
    path = folder.parent.parent / part
    path.chmod(0o777)
    with pytest.raises(SetupError, match="can be written by others"):
        wheel_cache.cached_wheel(folder, builder())
    path.chmod(0o755)
    assert wheel_cache.cached_wheel(folder, builder())[1] is True


def test_another_user_s_cache_is_refused(folder: Path, monkeypatch) -> None:
    wheel_cache.cached_wheel(folder, builder())
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1000)
    if os.getuid() == 0:
        os.chown(folder, 12345, -1)
    with pytest.raises(SetupError, match="belongs to user"):
        wheel_cache.cached_wheel(folder, builder())


def test_a_link_in_a_lock_s_place_is_not_followed(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("precious")
    (tmp_path / "lock").symlink_to(mine)
    with pytest.raises(SetupError, match="cannot be locked"), wheel_cache.locked(tmp_path / "lock"):
        pass
    assert mine.read_text() == "precious"
