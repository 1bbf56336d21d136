"""Resolves requirements/*.in into the complete lists that are installed, with hashes.

    python tools/lock.py              keep the versions of the present lock wherever they still fit
    python tools/lock.py --upgrade    take the newest versions that fit

Needs network access and `uv` (pip install uv); otherwise the standard library only.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"

# mmsegmentation and imaug ask for it; its GUI needs libGL, and two packages would own one cv2.
EXCLUDED = {"opencv-python"}

# What torch's build for CUDA brings along; without it, cpu.in stands in.
OF_CUDA_TORCH = ("nvidia-", "cuda-", "triton")

NOTE = "# Written by tools/lock.py from {sources}: do not edit.\n"
OLDEST_PYTHON = "3.11"


def canonical(name: str) -> str:
    """The name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_locked(path: Path) -> dict[str, str]:
    """Package -> its requirement as pip reads it, `name==version` and its hashes."""
    lines = (line.split("#")[0].rstrip() for line in path.read_text().splitlines())
    whole = "\n".join(lines).replace("\\\n", " ")
    entries = (" ".join(line.split()) for line in whole.splitlines() if "==" in line)
    return {canonical(entry.split("==")[0]): entry for entry in entries}


def read_pins(path: Path) -> dict[str, str]:
    """Package -> version, from the lines `name==version` of a requirements file."""
    locked = read_locked(path)
    return {name: entry.split()[0].split("==")[1] for name, entry in locked.items()}


def compiled(
    sources: list[Path], preferred: Mapping[str, str], *, dependencies: bool = True
) -> dict[str, str]:
    """Package -> its requirement with the hashes of all its files, for `sources` and their needs.

    Versions of `preferred` are kept where they fit.
    """
    uv = shutil.which("uv")
    if uv is None:
        sys.exit("tools/lock.py needs uv: pip install uv")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "lock.txt"
        out.write_text("".join(f"{name}=={version}\n" for name, version in preferred.items()))
        command = [uv, "pip", "compile", "--quiet", "--generate-hashes", "--no-header"]
        # Linux, where torch is built for CUDA; the hashes are those of all platforms.
        command += ["--python-version", OLDEST_PYTHON, "--python-platform", "linux"]
        command += [] if dependencies else ["--no-deps"]
        subprocess.run([*command, "--output-file", str(out), *map(str, sources)], check=True)
        found = read_locked(out)
    return {name: entry for name, entry in sorted(found.items()) if name not in EXCLUDED}


def with_other_builds(locked: Mapping[str, str], other: Path) -> dict[str, str]:
    """`locked` with the hashes of other builds (`name==version+build`) of the same versions."""
    merged = dict(locked)
    for name, entry in read_locked(other).items():
        version, *hashes = entry.split()
        if name in merged and merged[name].split()[0] == version.split("+")[0]:
            merged[name] = " ".join([merged[name], *hashes])
    return merged


def direct_names(source: Path) -> set[str]:
    lines = (line.split("#")[0].strip() for line in source.read_text().splitlines())
    return {canonical(re.match(r"[\w.-]+", line).group()) for line in lines if line}


def write(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    os.replace(partial, path)
    print(f"wrote {path.relative_to(ROOT)}")


def entry_lines(locked: Mapping[str, str], names: set[str]) -> str:
    chosen = (entry.split() for name, entry in locked.items() if name in names)
    return "".join(" \\\n    ".join([pin, *sorted(hashes)]) + "\n" for pin, *hashes in chosen)


def lock_text(locked: Mapping[str, str], unresolved: Mapping[str, str]) -> str:
    direct = direct_names(REQUIREMENTS / "harness.in")
    return (
        NOTE.format(sources="harness.in, no-deps.in and other-builds.in")
        + "# Complete: installed with `pip install --no-deps`, so nothing else can slip in.\n"
        + "\n# Named in harness.in\n"
        + entry_lines(locked, direct)
        + "\n# Named in no-deps.in\n"
        + entry_lines(unresolved, set(unresolved))
        + "\n# Needed by those of harness.in\n"
        + entry_lines(locked, set(locked) - direct)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest that fit")
    upgrade = parser.parse_args().upgrade
    files = [REQUIREMENTS / name for name in ("harness.txt", "cuda.txt")]
    present: dict[str, str] = {}
    for file in files:
        present |= read_pins(file) if file.exists() and not upgrade else {}
    found = compiled([REQUIREMENTS / "harness.in"], present)
    of_cuda = {name for name in found if name.startswith(OF_CUDA_TORCH)}
    harness = {name: entry for name, entry in found.items() if name not in of_cuda}
    harness = with_other_builds(harness, REQUIREMENTS / "other-builds.in")
    unresolved = compiled([REQUIREMENTS / "no-deps.in"], {}, dependencies=False)
    write(REQUIREMENTS / "harness.txt", lock_text(harness, unresolved))
    note = NOTE.format(sources="harness.in, what torch's build for CUDA asks for")
    write(REQUIREMENTS / "cuda.txt", note + entry_lines(found, of_cuda))
    cpu = compiled([REQUIREMENTS / "cpu.in"], {}, dependencies=False)
    write(REQUIREMENTS / "cpu.txt", NOTE.format(sources="cpu.in") + entry_lines(cpu, set(cpu)))
    light = compiled([REQUIREMENTS / "report.in"], read_pins(REQUIREMENTS / "harness.txt"))
    note = NOTE.format(sources="report.in, with the versions of harness.txt")
    write(REQUIREMENTS / "report.txt", note + entry_lines(light, set(light)))


if __name__ == "__main__":
    main()
