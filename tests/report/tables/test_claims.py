"""README's findings: every verdict, and no number that the table does not have."""

import sys

import pytest

from lzu.errors import UserError
from lzu.report.tables.claims import claims


@pytest.fixture
def text(constructed, tmp_path):
    runs = constructed.runs_of({"uniform": (0.25, 0.5, 0.75), "lzu_fixed": (0.5,)}, range(6))
    files = constructed.collect(*constructed.write_suite(tmp_path, runs))
    return claims(constructed.compare(files, runs))


def test_what_is_decided_comes_first(text):
    """The constructed files give LZU two points at 0.5x, give or take a tenth, in six seeds."""
    first, second = text.splitlines()[:2]
    assert first == "- **Against Uniform at the same scale**: win: 0.5x LZU, fixed."
    assert second.startswith("- **Against Uniform at the same latency**: ")


def test_a_row_has_both_differences_with_their_published_values(text):
    [row] = [line for line in text.splitlines() if line.startswith("| 0.5x LZU, fixed")]
    assert "win (6 seeds" in row
    assert "+2.6" in row
    assert "+2.5" in row
    assert [line for line in text.splitlines() if line.startswith("| 0.25x Uniform")]


def test_a_readme_without_its_marks_is_told_so(constructed, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(constructed.repository / "tools"), *sys.path])
    import readme

    with pytest.raises(UserError, match=r"the marks .* must be there once each"):
        readme.written("# lzu\n")
