"""nnU-Net's summary of made-up scores; test_evaluate_fold.py holds whole files against its own."""

import math

import pandas as pd
import pytest

from slicewise.labels import parse_labels
from slicewise.summaries import summarise

SCORES = pd.DataFrame(
    [
        ("b", "inner", 1, 4, 2, 2, 2 / 3, 0.5),
        ("b", "outer", 2, 0, 0, 0, math.nan, math.nan),
        ("a", "inner", 1, 1, 0, 0, 1.0, 1.0),
        ("a", "outer", 2, 0, 0, 0, math.nan, math.nan),
    ],
    columns=["case", "class", "label", "tp", "fp", "fn", "dice", "iou"],
)
FILES = {"b": ("true/b", "first/b", 20), "a": ("true/a", "second/a", 10)}


@pytest.fixture
def summary():
    return summarise(SCORES, parse_labels({"background": 0, "inner": 1, "outer": 2}), FILES)


def test_cases_stand_in_the_order_of_their_prediction_files(summary):
    files = [case["prediction_file"] for case in summary["metric_per_case"]]
    assert files == ["second/a", "first/b"]


def test_what_is_neither_true_nor_predicted_is_counted_among_the_scored_voxels(summary):
    inner = summary["metric_per_case"][1]["metrics"]["1"]
    assert (inner["TN"], inner["n_pred"], inner["n_ref"]) == (12, 6, 6)


def test_a_class_that_is_empty_in_every_case_has_no_mean_and_nor_has_the_foreground(summary):
    assert summary["mean"]["1"]["Dice"] == pytest.approx(5 / 6)
    assert math.isnan(summary["mean"]["2"]["Dice"])
    assert math.isnan(summary["foreground_mean"]["Dice"])
