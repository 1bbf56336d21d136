"""Methods and their variants are told apart in figures."""

from lzu.experiments.methods import METHODS
from lzu.experiments.tables import Row
from lzu.report.figures.series import DASHES, key_of, series_of


def row(method, scale=0.5, **options):
    return Row("t", "toy", method, 1.0, scale, options=tuple(options.items()))


def test_a_method_is_filled_and_its_variants_are_hollow():
    rows = [
        row("lzu_fixed", frame="padded"),
        row("lzu_fixed"),
        row("lzu_fixed", cameras="each"),
        row("uniform"),
        row("lzu_fixed", 1.0, frame="padded"),
    ]
    found = series_of(rows)
    assert [one.label for one in found.values()] == [
        "Uniform",
        "LZU, fixed",
        "LZU, fixed, frame=padded",
        "LZU, fixed, cameras=each",
    ]
    assert [one.variant for one in found.values()] == [0, 0, 1, 2]
    assert {key_of(one) for one in rows} == set(found)
    plain, first, second = (one.style(1) for one in list(found.values())[1:])
    colour = METHODS["lzu_fixed"].colour
    assert (plain["markerfacecolor"], plain["linestyle"]) == (colour, "-")
    assert {first["markerfacecolor"], second["markerfacecolor"]} == {"white"}
    assert (first["linestyle"], second["linestyle"]) == DASHES[:2]
    assert plain["color"] == first["color"] == second["color"] == colour
