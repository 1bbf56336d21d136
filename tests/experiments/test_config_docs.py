"""config/README.md: every key of every block, as the settings have them today."""

import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from lzu.datasets.synthetic import WorldConfig
from lzu.experiments.settings import Lattice, MethodRuns, Scale
from lzu.experiments.suite import Suite
from lzu.tasks import TASKS
from lzu.tasks.detection2d.settings import Detection2d
from tests.experiments.suites import CONFIG
from tests.experiments.test_identity import keys_of
from tools import config_docs

README = CONFIG / "README.md"


def test_the_list_of_keys_is_up_to_date():
    script = CONFIG.parent / "tools" / "config_docs.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_drift_fails_and_writing_mends_it(tmp_path, capsys):
    path = tmp_path / "README.md"
    assert config_docs.main(["--check"], path) == 1
    path.write_text(README.read_text().replace("passes over", "hours over"))
    assert config_docs.main(["--check"], path) == 1
    assert "run python tools/config_docs.py" in capsys.readouterr().err
    assert "hours over" in path.read_text()
    assert config_docs.main([], path) == 0
    assert config_docs.main(["--check"], path) == 0
    assert path.read_bytes() == README.read_bytes()


def documented() -> dict[str, list[str]]:
    """Section's heading -> the keys in its first table."""
    found: dict[str, list[str]] = {}
    for section in re.split(r"^##+ ", README.read_text(), flags=re.MULTILINE)[1:]:
        heading, _, text = section.partition("\n")
        table = text.split("| key |")[1].split("\n\n")[0]
        found[heading] = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    return found


def test_every_key_has_a_row_and_a_meaning():
    sections = documented()
    assert sections["Top-level keys"] == [*Suite.model_fields, *TASKS]
    for key in keys_of(Detection2d):
        path = f"detection2d.{key}".replace("methods.lzu_fixed", "methods.METHOD")
        block, _, name = path.rpartition(".")
        assert name in sections[block], key
    world = set(WorldConfig().to_dict()) - {"width", "height"}
    assert set(sections["detection2d.dataset.synthetic"]) == world
    assert sections["detection2d.methods.METHOD"] == list(MethodRuns.model_fields)
    for line in README.read_text().splitlines():
        if line.startswith("| `"):
            assert all(cell.strip() for cell in line.strip("|").split(" | ")), line


def test_every_block_is_linked_to():
    text = README.read_text()
    headings = re.findall(r"^##+ (.+)$", text, re.MULTILINE)
    anchors = {"#" + re.sub(r"[^a-z0-9_ -]", "", h.lower()).replace(" ", "-") for h in headings}
    links = re.findall(r"\]\((#[^)]+)\)", text)
    assert links
    assert set(links) <= anchors
    assert len(anchors) == len(headings)


def test_every_shipped_suite_is_named():
    text = README.read_text()
    assert all(f"- `{path.name}`: " in text for path in CONFIG.glob("*.yaml"))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (int, "whole number"),
        (Annotated[float, Field(gt=0)], "number > 0"),
        (Annotated[float, Field(ge=0, lt=1)], "number ≥ 0 and < 1"),
        (Annotated[int, Field(ge=16, multiple_of=16)], "whole number ≥ 16, a multiple of 16"),
        (Annotated[str, Field(pattern="^a$")], "text of the form `^a$`"),
        (bool, "true or false"),
        (str | None, "text or null"),
        (Literal["a", "b"], "`a` or `b`"),
        (Lattice, "two whole numbers ≥ 2"),
        (tuple[Scale, ...], "list of numbers > 0 and ≤ 2"),
        (Annotated[tuple[int, ...], Field(min_length=1)], "non-empty list of whole numbers"),
        (tuple[Literal["a", "b"], ...], "list of `a` or `b`"),
        (dict[str, Any], "mapping"),
        (Mapping[str, float], "mapping of text to number"),
        (tuple[dict[str, float], ...], "list of mappings of text to number"),
        (dict[float, tuple[int, ...]], "mapping of number to list of whole numbers"),
    ],
)
def test_types_are_said_in_words(kind, words):
    assert config_docs.in_words(kind) == words


@pytest.mark.parametrize("kind", [complex, tuple[int, float]])
def test_a_type_without_words_is_refused(kind):
    with pytest.raises(TypeError, match="no words for"):
        config_docs.in_words(kind)
