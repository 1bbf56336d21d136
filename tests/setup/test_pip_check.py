"""`pip check` finds the stated exceptions and nothing else."""

import pip_check
import pytest


def test_environment_has_the_stated_exceptions_only() -> None:
    assert pip_check.findings() == pip_check.EXPECTED


def test_normalised_lines_do_not_depend_on_installed_versions() -> None:
    assert pip_check.normalise("a-b 1.2 requires c, which is not installed.") == (
        "a-b requires c, which is not installed."
    )
    assert pip_check.normalise("a 1.2 has requirement numpy<2,>=1, but you have numpy 2.4.6.") == (
        "a has requirement numpy<2,>=1"
    )


@pytest.mark.parametrize("change", ["more", "less"])
def test_a_difference_is_an_error_that_names_the_line(change, monkeypatch, capsys) -> None:
    line = "torch requires nonsense, which is not installed."
    if change == "more":
        found = pip_check.EXPECTED | {line}
    else:
        line = sorted(pip_check.EXPECTED)[0]
        found = pip_check.EXPECTED - {line}
    monkeypatch.setattr(pip_check, "findings", lambda: found)
    assert pip_check.main() == 1
    assert line in capsys.readouterr().out
