"""The benchmark of many cases: its parts, its table and its figure."""

import pandas as pd
import pytest

from benchmarks import many, measuring, scale, scale_part, table
from benchmarks.programs import Bench
from chain import Chain, analyse
from drawing import faults
from slicewise.dataset import open_dataset

pytestmark = pytest.mark.skipif(not measuring.LINUX, reason="memory is read from /proc")


def made_up():
    """Return a frame as `measure` makes it, from round numbers."""
    rows = [
        {"task": task.name, "program": task.program, "cases": cases, "wall_s": 1.0}
        | {"cpu_s": 2 * number * cases / 100, "peak_mib": 100.0 * number}
        for number, task in enumerate(scale.TASKS, 1)
        for cases in scale.SIZES
        if task.name != "nnunet" or cases <= scale.NNUNET_UP_TO
    ]
    return pd.DataFrame(rows)


def test_the_figure_is_in_order():
    assert faults(scale.figure_of(made_up())) == []


def test_the_table_has_a_row_for_each_task_and_says_what_was_not_measured():
    lines = scale.markdown(made_up()).splitlines()
    assert lines[0] == "| | 100 cases | 1,000 cases | 10,000 cases | target at 10,000 |"
    assert len(lines) == 2 + len(scale.TASKS)
    (theirs,) = (line for line in lines if "nnU-Net" in line)
    assert theirs.endswith("| 6.00 s, 300 MiB | 60.0 s, 300 MiB | not measured |  |")


@pytest.mark.parametrize(
    ("cpu_s", "peak_mib", "reached"),
    [(59.9, 2048, ", reached"), (60.1, 100, ""), (10, 2049, "")],
)
def test_the_table_says_whether_the_dry_run_reaches_its_target(cpu_s, peak_mib, reached):
    frame = made_up()
    largest = (frame["task"] == "dry_run") & (frame["cases"] == 10_000)
    frame.loc[largest, ["cpu_s", "peak_mib"]] = [cpu_s, peak_mib]
    lines = scale.markdown(frame).splitlines()
    told = [line for line in lines if "at most" in line]
    assert len(told) == 1
    assert "dry run" in told[0]
    assert told[0].endswith(f"| at most 60.0 s, 2.0 GiB{reached} |")


def test_without_the_largest_size_there_is_no_target_to_reach():
    frame = made_up()
    assert "at most" not in scale.markdown(frame[frame["cases"] < 10_000])


def test_the_table_takes_its_place_between_its_comments(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(
        f"a\n{table.BEGIN}{table.END}\n{scale.BEGIN}\nan earlier one\n{scale.END}\nb\n"
    )
    scale.write_table(readme, made_up(), {"processor": "some", "cores": 2})
    text = readme.read_text()
    assert "an earlier one" not in text
    assert text.startswith(f"a\n{table.BEGIN}{table.END}\n")
    assert "some, 2 cores" in text


def test_every_task_is_measured_at_every_size_but_nnunets_at_the_largest(tmp_path, monkeypatch):
    monkeypatch.setattr(many, "write_many", lambda *_: None)
    found = measuring.Measurement(1.0, 2.0, 3.0)
    monkeypatch.setattr(scale, "measure_task", lambda *_: found)
    bench = Bench(tmp_path / "python", tmp_path, None, 1, 1)
    rows = list(scale.measure(bench, (100, 10_000)))
    assert len(rows) == 2 * len(scale.TASKS) - 1
    assert set(rows[0]) == {"task", "program", "cases", "wall_s", "cpu_s", "peak_mib"}


def test_tiny_cases_can_be_prepared_merged_and_scored(tmp_path):
    many.write_many(tmp_path / "raw", 10)
    raw = tmp_path / "raw/dataset.json"
    assert len(open_dataset(raw).cases()) == 10
    assert analyse(Chain(raw, tmp_path / "results")).fingerprint.exists()


def test_scores_of_ten_cases_are_drawn(tmp_path, monkeypatch):
    many.write_scores(tmp_path, 10)
    rows = len(pd.concat(map(pd.read_parquet, tmp_path.glob("*.parquet"))))
    assert rows == 10 * 9 * many.SLICES * many.CLASSES
    scale_part.figures(tmp_path, tmp_path, tmp_path)
    assert pd.read_csv(tmp_path / "compared.csv")["cases"].max() == 10
