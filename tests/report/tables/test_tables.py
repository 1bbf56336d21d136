"""The forms of a table."""

import csv

import pandas as pd
import pytest

from lzu.report.compare.cells import Cost
from lzu.report.tables.forms import (
    TEXT_WIDTH,
    latex_table,
    markdown_table,
    text_table,
    write_table,
)
from lzu.report.tables.grid import Grid, escape_latex, to_latex, to_markdown, to_text
from lzu.report.tables.paired import verdict_sentence, verdict_sentences


@pytest.fixture
def report(suite_files, planned, constructed):
    return constructed.compare(constructed.collect(*suite_files), planned)


def line_after(text, start, label):
    """The first line with `label` at or after the line that begins with `start`."""
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(start))
    return next(line for line in lines[first:] if label in line)


@pytest.fixture
def real(suite_files, planned, constructed):
    """The same results, as if they were of the published data."""
    frame = constructed.collect(*suite_files)
    frame.loc[frame["kind"] == "score", "dataset_source"] = "real"
    return constructed.compare(frame, planned)


def test_text_shows_each_row_three_times(real):
    report, text = real, text_table(real)
    start = "0.5x   LZU, fixed"
    published = line_after(text, start, "published").split()
    measured = line_after(text, start, "measured").split()
    difference = line_after(text, start, "difference").split()
    assert published[-9:] == [
        "published",
        *["25.2", "42.1", "24.8", "5.5", "26.7", "51.8", "36.4", "–"],
    ]
    cell = next(r for r in report.rows if r.row.label == "LZU, fixed" and r.row.to_scale == 0.5)
    ap = cell.cells["AP"].measured
    assert measured[1] == f"{ap.value:.1f}±{ap.half_width:.1f}"
    assert measured[6] == "–"
    assert difference[1] == f"{ap.value - 25.2:+.1f}"


def test_of_other_data_no_form_has_a_difference_from_the_paper(report, real, tmp_path):
    for form in ("md", "tex", "txt"):
        assert "difference" in write_table(real, tmp_path)[form].read_text()
        text = write_table(report, tmp_path)[form].read_text().replace("differences", "")
        assert "difference" not in text
    rows = list(csv.DictReader(write_table(report, tmp_path)["csv"].open()))
    assert {row["AP_difference"] for row in rows} == {""}


def test_text_fits_the_terminal(report):
    lines = text_table(report).splitlines()
    assert max(map(len, lines)) <= TEXT_WIDTH
    assert "LZU, adaptive" in "\n".join(lines)
    assert any(line.startswith("         w/o cascade sal.") for line in lines)


def test_wide_values_fit_the_terminal_too(suite_files, planned, constructed):
    frame = constructed.collect(*suite_files)
    scored = frame["kind"] == "score"
    factor = 1 + (frame["seed"].fillna(0) % 2).astype(float)
    frame["value"] = frame["value"].where(~scored, frame["value"] * factor)
    frame.loc[~scored, "value"] += 2000
    wide = constructed.compare(frame, planned)
    text = text_table(wide)
    assert max(map(len, text.splitlines())) <= TEXT_WIDTH


def test_columns_of_text_are_aligned(report):
    lines = text_table(report).splitlines()
    header = next(line for line in lines if line.startswith("scale"))
    ends = {header.index(name) + len(name) for name in ("AP50", "AP75", "AP_M", "ms e2e")}
    for line in lines[lines.index(header) + 2 :]:
        if not line:
            break
        if line.startswith("-"):
            continue
        assert all(end >= len(line) or line[end] == " " for end in ends)
        assert all(line[end - 1] != " " for end in ends)


def test_sentences_say_what_was_found_plainly(report):
    sentences = verdict_sentences(report)
    assert len(sentences) == 3
    assert sentences[0].startswith(
        "LZU, fixed against Uniform at 0.25x: suggests a loss (3 seeds; a verdict takes 5; spread "
        "of sequences unknown), AP -1.47, 95 % interval -1.61 to -1.32; published +1.9"
    )
    assert "at 0.5x (declared): suggests a gain (3 seeds; a verdict takes 5" in sentences[1]
    assert "adds 1.00 ms, end to end ×1.03 (95 % interval 1.02 to 1.04)" in sentences[1]
    assert "0.75x: undecided (3 seeds; about" in sentences[2]
    assert all(sentence in text_table(report).replace("\n  ", " ") for sentence in sentences)


NONE = "no difference in end-to-end time measured"


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.99, 1.03, f"{NONE} (×1.01, 95 % interval 0.99 to 1.03)"),
        (0.95, 0.99, "end to end ×1.01 (95 % interval 0.95 to 0.99)"),
        (None, None, "end to end ×1.01 (too few rounds for an interval)"),
    ],
)
def test_a_ratio_of_times_is_judged_by_its_interval(report, low, high, said):
    pair = next(p for p in report.paired if p.column == report.headline)
    sentence = verdict_sentence(report, pair, Cost(1.0, 1.01, low, high))
    assert sentence.endswith(f"adds 1.00 ms, {said}.")


def test_a_single_seed_decides_nothing(suite_files, planned, constructed):
    files = [path for path in suite_files[0] if "seed0" in path.as_posix()]
    only = [run for run in planned if run.seed == 0]
    report = constructed.compare(constructed.collect(files, suite_files[1]), only)
    for sentence in verdict_sentences(report):
        assert ": one seed, AP" in sentence
        assert "interval" not in sentence.split(";")[0]
    assert "±" not in line_after(text_table(report), "0.5x   LZU, fixed", "measured")


def test_the_verdict_stands_below_the_method(report):
    text = text_table(report).partition("Paired by seed and machine")[2]
    assert "suggests a gain (declared)  measured" in text
    header = next(line for line in text.splitlines() if line.startswith("scale"))
    assert "method, verdict in AP " in header


def test_gaps_and_the_warning_stand_below_every_form(report):
    for form in (text_table(report), markdown_table(report), latex_table(report)):
        flat = " ".join(form.replace("\\_", "_").split())
        assert "not planned in suite demo: 0.25x LZU, adaptive; 0.5x FOVEA; " in flat
        assert "; 1x Uniform; 1x LZU, fixed; 1x LZU, adaptive." in flat
        assert "NOT comparable" in flat


def test_markdown_is_a_table(report):
    lines = [line for line in markdown_table(report).splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines[: len(lines) // 2]}) == 1
    assert sum("published" in line for line in lines) == 14 + 3


def test_latex_is_balanced(report):
    text = latex_table(report)
    for name in ("table", "tabular"):
        assert text.count(rf"\begin{{{name}}}") == text.count(rf"\end{{{name}}}") == 2
    assert text.count("{") == text.count("}")
    rows = [line for line in text.splitlines() if line.endswith(r"\\") and "&" in line]
    assert {line.count("&") for line in rows[:20]} == {10}
    assert text.isascii()


def test_csv_holds_every_number(real, tmp_path):
    report = real
    paths = write_table(report, tmp_path)
    rows = list(csv.DictReader(paths["csv"].open()))
    assert len(rows) == 14
    row = next(r for r in rows if (r["method"], r["to"]) == ("lzu_fixed", "0.5"))
    cell = next(
        r for r in report.rows if (r.row.method, r.row.to_scale) == ("lzu_fixed", 0.5)
    ).cells["AP"]
    assert float(row["AP_published"]) == 25.2
    assert float(row["AP_measured"]) == pytest.approx(cell.measured.value, abs=1e-6)
    assert float(row["AP_low"]) == pytest.approx(cell.measured.low, abs=1e-6)
    assert float(row["AP_difference"]) == pytest.approx(cell.difference, abs=1e-6)
    assert row["AP_L_measured"] == ""
    assert (row["seeds"], row["machines"], row["runs"]) == ("0 1 2", "constructed", "3")
    pairs = list(csv.DictReader(paths["paired"].open()))
    judged = [p for p in pairs if p["verdict"]]
    assert {(p["to"], p["metric"], p["declared"], p["level"], p["verdict"]) for p in judged} == {
        ("0.25", "AP", "no", "0.025", "suggests a loss"),
        ("0.5", "AP", "yes", "0.05", "suggests a gain"),
        ("0.75", "AP", "no", "0.05", "undecided"),
    }
    assert {p["metric"] for p in pairs} == {"AP", "AP50", "AP75", "AP_S", "AP_M"}
    assert all(0 < float(p["p_value"]) < 1 for p in judged)


def test_relative_sizes_have_a_line_of_their_own(suite_files, planned, constructed, tmp_path):
    frame = constructed.collect(*suite_files)
    small = frame[frame["metric"] == "AP_S"]
    frame = pd.concat([frame, small.assign(metric="AP_S_rel", value=small["value"] + 7)])
    report = constructed.compare(frame, planned)
    text = text_table(report)
    value = next(r for r in report.rows if r.row.label == "LZU, fixed" and r.row.to_scale == 0.5)
    relative = line_after(text, "0.5x   LZU, fixed", "relative").split()
    assert relative[1].startswith(f"{value.cells['AP_S'].measured.value + 7:.1f}±")
    assert len(relative) == 2
    assert max(map(len, text.splitlines())) <= TEXT_WIDTH
    paths = write_table(report, tmp_path)
    rows = list(csv.DictReader(paths["csv"].open()))
    row = next(r for r in rows if (r["method"], r["to"]) == ("lzu_fixed", "0.5"))
    assert float(row["AP_S_rel_measured"]) == pytest.approx(float(row["AP_S_measured"]) + 7)
    pairs = list(csv.DictReader(paths["paired"].open()))
    assert {p["verdict"] for p in pairs if p["metric"] == "AP_S_rel"} == {""}


def test_files_are_written_alike_twice(report, tmp_path):
    first = {form: path.read_bytes() for form, path in write_table(report, tmp_path / "a").items()}
    second = {form: path.read_bytes() for form, path in write_table(report, tmp_path / "b").items()}
    assert first == second
    assert set(first) == {"csv", "paired", "md", "tex", "txt"}


def test_a_table_with_nothing_measured_is_written(planned, constructed, tmp_path):
    empty = constructed.compare(constructed.collect([], []), planned)
    paths = write_table(empty, tmp_path)
    assert "nothing measured yet" in paths["txt"].read_text()
    assert paths["paired"].read_text().startswith("from,to,method")


def test_grid_forms():
    grid = Grid(("a", "b"), ((("x_1", "-1.5"),), (("y|z", "±20"),)), left=1)
    assert to_text(grid).splitlines() == [
        "a       b",
        "---------",
        "x_1  -1.5",
        "---------",
        "y|z   ±20",
    ]
    assert "| y\\|z | ±20 |" in to_markdown(grid)
    assert r"x\_1 & $-$1.5 \\" in to_latex(grid)
    assert r"$\pm$20" in to_latex(grid)
    with pytest.raises(ValueError, match="1 texts, the header 2"):
        Grid(("a", "b"), ((("x",),),), left=1)


def test_latex_escapes():
    assert escape_latex("50 % & $x_1$ {#} \\ ~^") == (
        r"50 \% \& \$x\_1\$ \{\#\} \textbackslash{} \textasciitilde{}\textasciicircum{}"
    )
    assert escape_latex("2026-01-02") == "2026-01-02"
