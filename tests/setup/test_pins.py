"""The lists of packages agree with each other and with what is installed."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
import yaml
from lock import EXCLUDED, canonical, direct_names, read_pins
from packaging.requirements import Requirement


def requirement_lines(path: Path) -> list[str]:
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line]


@pytest.mark.parametrize("name", ["harness.txt", "report.txt", "no-deps.in", "cpu.txt"])
def test_every_line_is_one_exact_pin(root: Path, name: str) -> None:
    lines = requirement_lines(root / "requirements" / name)
    names = [canonical(line.split("==")[0]) for line in lines]
    assert lines
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    assert len(set(names)) == len(names)


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


def test_conda_environment_has_the_versions_of_the_lock(root: Path) -> None:
    environment = yaml.safe_load((root / "environment.yml").read_text())
    (pip,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    conda = {canonical(n): v for n, v in (line.split("==") for line in pip)}
    pins = read_pins(root / "requirements/harness.txt")
    # Compiled afterwards, against the torch of this list.
    assert pins.pop("onedl-mmcv")
    assert conda == pins


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
