"""The lists of packages agree with each other and with what is installed."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
import yaml
from lock import EXCLUDED, canonical, direct_names, read_pins
from packaging.requirements import Requirement

HASHED = r"[\w.-]+==[\w.]+( --hash=sha256:[0-9a-f]{64})+"
LOCKS = ("harness.txt", "report.txt", "cpu.txt", "cuda.txt")


def requirement_lines(path: Path) -> list[str]:
    whole = path.read_text().replace("\\\n", " ")
    lines = (" ".join(line.split("#")[0].split()) for line in whole.splitlines())
    return [line for line in lines if line]


@pytest.mark.parametrize("name", [*LOCKS, "no-deps.in", "cpu.in"])
def test_every_line_is_one_exact_pin_and_of_a_lock_with_hashes(root: Path, name: str) -> None:
    lines = requirement_lines(root / "requirements" / name)
    names = [canonical(line.split("==")[0]) for line in lines]
    wanted = HASHED if name in LOCKS else r"[\w.-]+==[\w.]+"
    assert lines
    assert [line for line in lines if not re.fullmatch(wanted, line)] == []
    assert len(set(names)) == len(names)


def test_no_package_s_terms_forbid_what_this_project_s_allow(root: Path) -> None:
    """lyft-dataset-sdk is CC BY-NC-SA, and was only an import of mmdet3d's evaluation."""
    assert [
        name for lock in LOCKS for name in read_pins(root / "requirements" / lock) if "lyft" in name
    ] == []


def test_lock_satisfies_its_sources(root: Path) -> None:
    pins = read_pins(root / "requirements/harness.txt")
    for source in ("harness.in", "no-deps.in", "report.in"):
        for line in requirement_lines(root / "requirements" / source):
            requirement = Requirement(line)
            assert requirement.specifier.contains(pins[canonical(requirement.name)]), line


def test_lock_has_one_opencv(root: Path) -> None:
    pins = read_pins(root / "requirements/harness.txt")
    assert EXCLUDED.isdisjoint(pins)
    assert [name for name in pins if "opencv" in name] == ["opencv-python-headless"]


def test_report_environment_is_a_part_of_the_lock_without_torch(root: Path) -> None:
    pins = read_pins(root / "requirements/harness.txt")
    light = read_pins(root / "requirements/report.txt")
    assert {name: pins.get(name) for name in light} == light
    assert direct_names(root / "requirements/report.in") <= set(light)
    assert [name for name in light if name == "torch" or "mm" in name] == []


def test_conda_environment_leaves_packages_to_the_lock(root: Path) -> None:
    environment = yaml.safe_load((root / "environment.yml").read_text())
    assert [entry for entry in environment["dependencies"] if not isinstance(entry, str)] == []


def test_conda_python_is_one_that_the_package_accepts(root: Path) -> None:
    environment = yaml.safe_load((root / "environment.yml").read_text())
    (python,) = (e for e in environment["dependencies"] if str(e).startswith("python="))
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    accepted = Requirement(f"python{project['requires-python']}").specifier
    assert accepted.contains(python.removeprefix("python="))


def test_package_ranges_accept_the_lock(root: Path) -> None:
    pins = read_pins(root / "requirements/harness.txt")
    pins |= read_pins(root / "requirements/cpu.txt")
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert project["dependencies"] == ["torch>=2.1"]
    for line in [*project["dependencies"], *(line for extra in extras.values() for line in extra)]:
        requirement = Requirement(line)
        if requirement.name == "lzu":
            assert requirement.extras <= set(extras)
        else:
            assert requirement.specifier.contains(pins[canonical(requirement.name)]), line


def test_light_extra_and_light_environment_name_the_same(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extra = {
        canonical(Requirement(line).name) for line in project["optional-dependencies"]["report"]
    }
    assert extra == direct_names(root / "requirements/report.in") - {"setuptools"}


def test_installed_versions_are_the_pinned_ones(root: Path) -> None:
    def installed(name: str) -> str:
        try:
            return version(name).split("+")[0]
        except PackageNotFoundError:
            return "missing"

    pins = read_pins(root / "requirements/harness.txt")
    wrong = {name: installed(name) for name, pin in pins.items() if installed(name) != pin}
    assert wrong == {}
