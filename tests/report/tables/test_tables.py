"""The forms of a table."""

import csv
import io

import pytest

from lzu.errors import UserError
from lzu.report.compare.comparison import compare
from lzu.report.tables.forms import (
    TEXT_WIDTH,
    latex_table,
    markdown_table,
    text_table,
    verdict_sentences,
    write_table,
)
from lzu.report.tables.grid import Grid, escape_latex, to_latex, to_markdown, to_text
from lzu.report.tables.summary import print_summary, summary
from lzu.results.collect import collect


@pytest.fixture
def report(suite_files, planned, constructed):
    return compare("table1", "demo", collect(*suite_files), constructed.published, planned)


def line_after(text, start, label):
    """The first line with `label` at or after the line that begins with `start`."""
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(start))
    return next(line for line in lines[first:] if label in line)


def test_text_shows_each_row_three_times(report):
    text = text_table(report)
    start = "0.5    LZU, fixed"
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


def test_text_fits_the_terminal(report):
    lines = text_table(report).splitlines()
    assert max(map(len, lines)) <= TEXT_WIDTH
    assert "LZU, adaptive" in "\n".join(lines)
    assert any(line.startswith("         w/o cascade sal.") for line in lines)


def test_wide_values_fit_the_terminal_too(suite_files, planned, constructed):
    frame = collect(*suite_files)
    scored = frame["kind"] == "score"
    factor = 1 + (frame["seed"].fillna(0) % 2).astype(float)
    frame["value"] = frame["value"].where(~scored, frame["value"] * factor)
    frame.loc[~scored, "value"] += 2000
    wide = compare("table1", "demo", frame, constructed.published, planned)
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


def test_sentences_say_win_loss_and_undecided_plainly(report):
    sentences = verdict_sentences(report)
    assert len(sentences) == 3
    assert sentences[0].startswith("LZU, fixed against Uniform at 0.25x: loss, AP -1.47, 95 %")
    assert "published +1.9" in sentences[0]
    assert sentences[1].startswith("LZU, fixed against Uniform at 0.5x: win, AP +2.03, 95 % inter")
    assert "3 paired seeds" in sentences[1]
    assert "adds 1.00 ms, end to end ×1.03" in sentences[1]
    assert "0.75x: undecided (the interval holds zero)" in sentences[2]
    assert all(sentence in text_table(report).replace("\n  ", " ") for sentence in sentences)


def test_a_single_seed_is_undecided(suite_files, planned, constructed):
    files = [path for path in suite_files[0] if "seed0" in path.as_posix()]
    only = [run for run in planned if run.seed == 0]
    frame = collect(files, suite_files[1])
    report = compare("table1", "demo", frame, constructed.published, only)
    assert all("undecided" in s and "from a single seed" in s for s in verdict_sentences(report))
    assert "±" not in line_after(text_table(report), "0.5    LZU, fixed", "measured")


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


def test_csv_holds_every_number(report, tmp_path):
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
    assert row["seeds"] == "0 1 2"
    pairs = list(csv.DictReader(paths["paired"].open()))
    assert {(p["to"], p["verdict"]) for p in pairs if p["metric"] == "AP"} == {
        ("0.25", "loss"),
        ("0.5", "win"),
        ("0.75", "undecided"),
    }


def test_files_are_written_alike_twice(report, tmp_path):
    first = {form: path.read_bytes() for form, path in write_table(report, tmp_path / "a").items()}
    second = {form: path.read_bytes() for form, path in write_table(report, tmp_path / "b").items()}
    assert first == second
    assert set(first) == {"csv", "paired", "md", "tex", "txt"}


def test_a_table_with_nothing_measured_is_written(planned, constructed, tmp_path):
    empty = compare("table1", "demo", collect([], []), constructed.published, planned)
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


def test_summary_ends_with_the_paths(tmp_path):
    table = tmp_path / "table1.txt"
    table.write_text("the table\n")
    stream = io.StringIO()
    print_summary(table, [table], stream)
    assert stream.getvalue() == f"the table\n\nWritten:\n  {table}\n"
    with pytest.raises(UserError, match="was not written"):
        summary("the table", [tmp_path / "none.png"])
    with pytest.raises(UserError, match="cannot be read"):
        print_summary(tmp_path / "none.txt", [])
