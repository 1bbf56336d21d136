"""Resolves requirements/*.in into the complete lists that are installed, and environment.yml.

    python tools/lock.py              keep the versions of the present lock wherever they still fit
    python tools/lock.py --upgrade    take the newest versions that fit

Needs network access and a pip that knows `install --report`; standard library only.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"

# mmsegmentation and imaug ask for it; its GUI needs libGL, and two packages would own one cv2.
EXCLUDED = {"opencv-python"}

# Come with a GPU machine's torch, in the versions it asks for (tools/setup_env.py lets it).
OF_CUDA_TORCH = ("nvidia-", "cuda-", "triton")

NOTE = "# Written by tools/lock.py from {sources}: do not edit.\n"


def canonical(name: str) -> str:
    """The name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_pins(path: Path) -> dict[str, str]:
    """Package -> version, from the lines `name==version` of a requirements file."""
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    pairs = (line.split("==") for line in lines if "==" in line)
    return {canonical(name): version for name, version in pairs}


def resolve(source: Path, constraints: dict[str, str]) -> dict[str, str]:
    """Package -> version for a requirements file and all that it needs, by pip's resolver."""
    with tempfile.TemporaryDirectory() as folder:
        bounds = Path(folder) / "constraints.txt"
        bounds.write_text("".join(f"{n}=={v}\n" for n, v in constraints.items()))
        report = Path(folder) / "report.json"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"]
        files = ["--report", str(report), "-r", str(source), "-c", str(bounds)]
        subprocess.run([*pip, "--ignore-installed", *files], check=True)
        packages = [entry["metadata"] for entry in json.loads(report.read_text())["install"]]
    # A local version such as 2.13.0+cpu names this machine's build, not the release.
    versions = {canonical(p["name"]): p["version"].split("+")[0] for p in packages}
    return {
        n: v
        for n, v in sorted(versions.items())
        if n not in EXCLUDED and not n.startswith(OF_CUDA_TORCH)
    }


def direct_names(source: Path) -> set[str]:
    lines = (line.split("#")[0].strip() for line in source.read_text().splitlines())
    return {canonical(re.match(r"[\w.-]+", line).group()) for line in lines if line}


def write(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    os.replace(partial, path)
    print(f"wrote {path.relative_to(ROOT)}")


def pin_lines(pins: dict[str, str], names: set[str]) -> str:
    return "".join(f"{n}=={v}\n" for n, v in pins.items() if n in names)


def lock_text(pins: dict[str, str], unresolved: dict[str, str]) -> str:
    direct = direct_names(REQUIREMENTS / "harness.in")
    return (
        NOTE.format(sources="harness.in and no-deps.in")
        + "# Complete: installed with `pip install --no-deps`, so nothing else can slip in.\n"
        + "\n# Named in harness.in\n"
        + pin_lines(pins, direct)
        + "\n# Named in no-deps.in\n"
        + pin_lines(unresolved, set(unresolved))
        + "\n# Needed by those of harness.in\n"
        + pin_lines(pins, set(pins) - direct)
    )


def environment_text(pins: dict[str, str]) -> str:
    template = (ROOT / "tools" / "environment.template.yml").read_text()
    # mmcv is compiled against the torch of this list, which pip cannot do in the same step.
    listed = {n: v for n, v in pins.items() if n != "onedl-mmcv"}
    return NOTE.format(
        sources="requirements/harness.txt and environment.template.yml"
    ) + template.replace("@PINS@\n", "".join(f"      - {n}=={v}\n" for n, v in listed.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest that fit")
    upgrade = parser.parse_args().upgrade
    lock = REQUIREMENTS / "harness.txt"
    unresolved = read_pins(REQUIREMENTS / "no-deps.in")
    present = read_pins(lock) if lock.exists() and not upgrade else {}
    pins = resolve(REQUIREMENTS / "harness.in", present)
    write(lock, lock_text(pins, unresolved))
    light = resolve(REQUIREMENTS / "report.in", pins)
    write(
        REQUIREMENTS / "report.txt",
        NOTE.format(sources="report.in, with the versions of harness.txt")
        + pin_lines(light, set(light)),
    )
    write(ROOT / "environment.yml", environment_text(dict(sorted({**pins, **unresolved}.items()))))


if __name__ == "__main__":
    main()
