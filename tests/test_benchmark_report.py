"""What the benchmark reports: its tables, its figure and the README's rows."""

import pytest

from benchmark_runs import ABOUT, RATE, SECONDS, measured, runs_of
from benchmarks import figure, measuring, report, run, table
from benchmarks.lines import LINES, Result

pytestmark = pytest.mark.skipif(not measuring.LINUX, reason="memory is read from /proc")


def test_every_run_is_in_the_table_of_its_stage():
    result = Result(SECONDS, runs_of([(measured(4), measured(2))] * 5))
    frame = report.runs_table([result, Result(RATE)])
    assert len(frame) == 12
    assert frame.groupby("program")["counted"].sum().to_dict() == {"nnunet": 5, "slicewise": 5}
    assert frame.query("counted and program == 'nnunet'")["value"].tolist() == [4.0] * 5


def summary_of(tmp_path, *results):
    return report.write_summary(tmp_path / "summary.csv", results, ABOUT)


def test_the_summary_has_a_row_for_every_line_measured_or_not(tmp_path):
    frame = summary_of(tmp_path, Result(LINES[0], runs_of([(measured(4), measured(2))])))
    assert frame["line"].tolist() == [line.key for line in LINES]
    assert frame["status"].tolist() == ["measured"] + ["not measured"] * (len(LINES) - 1)


def test_stages_that_do_not_run_keep_their_rows(tmp_path):
    for line, wall in ((LINES[0], 4), (LINES[1], 6), (LINES[0], 8)):
        frame = summary_of(tmp_path, Result(line, runs_of([(measured(wall), measured(2))])))
    assert frame["speed"].tolist()[:2] == [4, 3]


@pytest.mark.parametrize("fault", ["", report.FAILED])
def test_what_was_measured_is_not_lost_to_a_stage_that_measures_nothing(fault, tmp_path):
    summary_of(tmp_path, Result(LINES[0], runs_of([(measured(4), measured(2))])))
    frame = summary_of(tmp_path, Result(LINES[0], fault=fault))
    assert frame["status"][0] == "measured"
    assert frame["speed"][0] == 2
    frame = summary_of(tmp_path, Result(LINES[0], fault="3 voxels"))
    assert frame["status"][0] == "3 voxels"


def test_numbers_of_the_readme_stay_where_there_are_no_new_ones(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"{table.BEGIN}\n{table.END}\n")
    first, second = (
        [Result(line, runs_of([(measured(wall), measured(2))]), note="so many")]
        for line, wall in ((LINES[0], 12), (LINES[1], 10))
    )
    table.write(readme, report.write_summary(tmp_path / "a.csv", first, ABOUT))
    other = ABOUT | {"processor": "another"}
    for _ in range(2):
        table.write(readme, report.write_summary(tmp_path / "b.csv", second, other))
    text = readme.read_text()
    assert f"| {LINES[0].title} (so many) | 12.0 s |" in text
    assert f"| {LINES[1].title} (so many) | 10.0 s |" in text
    assert text.count("Median of") == 2
    assert "\nMedian of 1 pairs" in text
    assert "; another, 2 cores" in text.split(table.EARLIER)[0]
    assert "; some processor, 2 cores" in text.split(table.EARLIER)[1]
    table.write(readme, report.write_summary(tmp_path / "c.csv", [Result(LINES[0])], other))
    assert readme.read_text().count("**") == 4
    wrong = [Result(LINES[0], fault="3 voxels")]
    table.write(readme, report.write_summary(tmp_path / "d.csv", wrong, other))
    assert f"| {LINES[0].title} | 3 voxels |" in readme.read_text()


def test_elsewhere_than_on_linux_the_benchmark_says_so(monkeypatch):
    monkeypatch.setattr(measuring, "LINUX", False)
    with pytest.raises(SystemExit, match="on Linux only"):
        run.main(["--nnunet", "python"])


def test_the_table_takes_the_place_between_its_marks(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    result = Result(LINES[0], runs_of([(measured(12), measured(2))] * 5))
    for _ in range(2):
        table.write(readme, summary_of(tmp_path, result))
    text = readme.read_text()
    assert text.startswith(f"before\n{table.BEGIN}\n")
    assert text.endswith(f"{table.END}\nafter\n")
    assert "old" not in text
    assert "**6.00** (6.00 to 6.00) | 6 times, reached |" in text
    assert text.count("| not measured |") == len(LINES) - 1
    assert "5 pairs" in text
    assert "some processor, 2 cores" in text


@pytest.mark.parametrize(
    ("value", "text"), [(12.34, "12.3 s"), (0.5, "500 ms"), (1e-4, "0.10 ms"), (2.5e-5, "25.0 µs")]
)
def test_short_times_are_in_units_that_show_them(value, text):
    assert table.seconds(value) == text


@pytest.mark.parametrize("text", ["no marks", f"{table.BEGIN} {table.BEGIN} {table.END}"])
def test_a_readme_without_a_place_for_the_table_is_refused(text, tmp_path):
    (tmp_path / "README.md").write_text(text)
    with pytest.raises(ValueError, match="once each"):
        table.write(tmp_path / "README.md", summary_of(tmp_path))


def test_the_table_says_what_is_wrong_with_outputs(tmp_path):
    frame = summary_of(tmp_path, Result(LINES[0], fault="outputs differ: 3 voxels"))
    assert "| outputs differ: 3 voxels |" in table.table(frame)


def test_the_figure_shows_each_measured_line(tmp_path):
    lines = [line for line in LINES if line.quantity == "wall"]
    results = [Result(line, runs_of([(measured(4), measured(2))])) for line in lines]
    frame = summary_of(tmp_path, *results)
    drawn = figure.draw(frame)
    titles = [label.get_text() for label in drawn.axes[0].get_yticklabels()]
    assert titles == [line.title for line in lines]
    figure.write(tmp_path, frame)
    assert (tmp_path / "benchmark.svg").stat().st_size > 1000
    assert (tmp_path / "benchmark.png").stat().st_size > 1000


def test_the_figure_of_nothing_is_empty(tmp_path):
    figure.write(tmp_path, summary_of(tmp_path))
    assert (tmp_path / "benchmark.png").exists()


def test_the_readme_has_a_row_for_each_line(root):
    text = (root / "README.md").read_text(encoding="utf-8")
    assert text.count(table.BEGIN) == text.count(table.END) == 1
    written = text.split(table.BEGIN)[1].split(table.END)[0]
    assert [line.title for line in LINES if f"| {line.title}" not in written] == []
