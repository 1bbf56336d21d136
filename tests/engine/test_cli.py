"""The command line's own part: what it imports, and whose defaults are used."""

import subprocess
import sys
from dataclasses import fields

import pytest

from lzu.cli import main
from lzu.tasks.detection2d.drawing import cases, streaming
from lzu.tasks.detection2d.drawing.cases import Choice


def test_it_imports_nothing_whose_threads_must_be_bounded_first():
    code = "import sys, lzu.cli; print({'numpy', 'cv2', 'torch', 'mmdet'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.fixture
def call(config, tmp_path, monkeypatch):
    """Run a verb of a planned run; return what its function is called with."""

    def called(verb, module, function, *options):
        seen = []
        monkeypatch.setattr(module, function, lambda *given, **named: seen.append((given, named)))
        arguments = [verb, "--config", config, "--results", tmp_path, "--method", "lzu_fixed"]
        assert main([*map(str, arguments), "--to", "0.5", *options]) == 0
        [call] = seen
        return call

    return called


def test_cases_have_the_defaults_of_their_choice(call):
    _, named = call("cases", cases, "draw_cases")
    assert named == {}
    options = ("--count", "0", "--least", "5", "--score", "0")
    _, named = call("cases", cases, "draw_cases", *options)
    assert named == {"count": 0, "least": 5, "score": 0}
    assert set(named) == {field.name for field in fields(Choice)}


def test_a_stream_has_the_defaults_of_its_function(call):
    _, named = call("stream", streaming, "stream")
    assert not {"picture_score", "fps"} & set(named)
    _, named = call("stream", streaming, "stream", "--score", "0", "--fps", "2.5")
    assert (named["picture_score"], named["fps"]) == (0, 2.5)
