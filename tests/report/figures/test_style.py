"""Figures have this project's style, whatever the user's own settings are."""

import matplotlib
import pytest

from lzu.report.style import SETTINGS, styled

THEIRS = {
    "text.usetex": True,
    "font.size": 30.0,
    "lines.linewidth": 9.0,
    "figure.facecolor": "black",
    "savefig.transparent": True,
    "axes.unicode_minus": False,
    "figure.constrained_layout.use": True,
}


def test_a_user_s_settings_change_nothing_in_a_figure():
    with matplotlib.rc_context():
        with styled():
            usual = dict(matplotlib.rcParams)
        matplotlib.rcParams.update(THEIRS)
        with styled():
            assert dict(matplotlib.rcParams) == usual
            assert matplotlib.rcParams["text.usetex"] is False
        assert {name: matplotlib.rcParams[name] for name in THEIRS} == THEIRS


@pytest.mark.parametrize("name", SETTINGS)
def test_what_is_ours_is_set(name):
    with styled():
        found = matplotlib.rcParams[name]
    assert found == SETTINGS[name] or found == [SETTINGS[name]]


def test_the_process_keeps_its_backend():
    before = matplotlib.get_backend()
    with styled():
        assert matplotlib.get_backend() == before
