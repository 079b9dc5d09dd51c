"""The slice explorer where runs differ: in the cases they predicted and the slices that count."""

import pandas as pd
import pytest

import browser
import explore_slices
from explorer_pages import SETTINGS, write_raw, write_run

pytestmark = pytest.mark.skipif(browser.FOUND is None, reason=browser.MISSING)

FOLDS = {0: ["case_000", "case_001"], 1: ["case_002", "case_003"]}

RUNS = {
    # Seed 0 has both folds, seed 1 the first only.
    "folds": [(e, f, s) for e in ("coarsest", "finest") for f, s in ((0, 0), (1, 0), (0, 1))],
    "scored": [("coarsest", 0, 0), ("finest", 0, 0)],
    "many": [(f"experiment_{i:02d}", 0, 0) for i in range(9)],
}


def only_with_truth(path):
    """Leave the scores of slices that show a structure, as evaluation.slices may ask for."""
    table = pd.read_parquet(path)
    true = table.groupby(["case", "slice"])["area_true_mm2"].transform("sum") > 0
    table[true].to_parquet(path)


@pytest.fixture(scope="module")
def explorer_path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    sources = [write_raw(folder / name, 4, ["ventricle", "wall"]) for name in RUNS]
    done = [
        write_run(folder / f"{name}-runs", source, run, FOLDS[run[1]])
        for name, source in zip(RUNS, sources, strict=True)
        for run in RUNS[name]
    ]
    for path in (folder / "scored-runs").glob("*/per_slice.parquet"):
        only_with_truth(path)
    explore_slices.main(
        datasets=list(RUNS),
        dataset_json=sources,
        runs=RUNS,
        per_slice=[path / "per_slice.parquet" for path in done],
        predictions=[path / "predictions" for path in done],
        page=folder / "index.html",
        **SETTINGS,
    )
    return folder / "index.html"


def cases(explorer):
    return explorer.page.locator("#case option").all_inner_texts()


def test_a_seed_offers_the_cases_that_it_predicted(explorer):
    assert cases(explorer) == [*FOLDS[0], *FOLDS[1]]
    explorer.go("case=case_003&seed=0")
    explorer.page.select_option("#seed", "1")
    assert explorer.view["case"] in FOLDS[0]
    assert cases(explorer) == FOLDS[0]
    assert explorer.text("#profile-note").split(".")[0].endswith("slices of 2 cases")
    assert explorer.page.evaluate("() => run()") >= 0


@pytest.mark.parametrize("case", FOLDS[1])
def test_a_link_to_a_case_that_the_seed_has_not_shows_one_that_it_has(explorer, case):
    explorer.go(f"seed=1&case={case}&slice=4&experiment=finest")
    assert explorer.view["seed"] == "1"
    assert explorer.view["case"] in FOLDS[0]
    assert "Dice 0." in explorer.status
    experiments = set()
    for _ in range(2):
        explorer.page.click("[data-go=experiment]")
        experiments.add(explorer.view["experiment"])
    assert experiments == {"coarsest", "finest"}


def test_a_case_that_no_filter_lets_through_is_one_of_the_seed(explorer):
    explorer.go("seed=1&case=case_003&find=nobody")
    assert explorer.view["case"] in FOLDS[0]


def test_what_went_wrong_is_no_longer_told_once_it_goes_right(explorer):
    explorer.page.evaluate("() => tell(new Error('so it was'))")
    assert explorer.page.is_visible("#trouble")
    explorer.page.focus("#viewer")
    explorer.press("ArrowRight")
    assert not explorer.page.is_visible("#trouble")


def seen(explorer, number):
    """Go to a slice; return whether it is scored, whether it shows anything, and what is said."""
    explorer.go(f"dataset=scored&case=case_000&slice={number}")
    code = """() => [row() >= 0, ["truth", "prediction"].some((kind) =>
        viewer.labels(kind).some((value) => value > 0))]"""
    status = explorer.page.locator("#scores tbody tr td:last-child").all_inner_texts()
    return (*explorer.page.evaluate(code), explorer.status, status)


def test_a_slice_that_shows_something_unscored_is_said_to_be_not_scored(explorer):
    first, last = explorer.go("dataset=scored&case=case_000").page.evaluate(
        "() => [scan.first, scan.first + scan.shape[0]]"
    )
    unscored = [seen(explorer, number) for number in range(first, last)]
    shows = [one for one in unscored if one[:2] == (False, True)]
    empty = [one for one in unscored if one[:2] == (False, False)]
    assert shows
    assert empty
    for *_, said, status in shows:
        assert said.endswith(": not scored")
        assert "not scored" in status
        assert set(status) <= {"not scored", "neither"}
    for *_, said, status in empty:
        assert said.endswith(": no Dice, as nothing is there to score")
        assert status == ["neither", "neither"]


def test_a_class_that_an_unscored_slice_does_not_show_has_nothing_to_score(explorer):
    explorer.go("dataset=scored&case=case_000")
    said = set()
    for number in range(10):
        for name in ("ventricle", "wall"):
            explorer.go(f"dataset=scored&case=case_000&slice={number}&class={name}")
            code = """() => row() >= 0 ? null : ["truth", "prediction"].some((kind) =>
                viewer.labels(kind).includes(scores.classes[selection.label][1][0]))"""
            there = explorer.page.evaluate(code)
            if there is not None:
                wanted = "not scored" if there else "no Dice, as nothing is there to score"
                assert explorer.status.endswith(f": {wanted}")
                said.add(there)
    assert said == {True, False}


@pytest.mark.parametrize("name", ["toString", "__proto__", "constructor", "hasOwnProperty"])
def test_an_axis_that_every_object_has_is_none_of_the_page(explorer, name):
    explorer.go(f"along={name}&sort={name}&class={name}&dataset={name}")
    assert explorer.view["along"] == "relative"
    label = explorer.page.evaluate("() => profile.figure.below[0].axis_label")
    assert label.startswith("Relative position")


def luminance(color):
    """Return the relative luminance of #rrggbb, as WCAG 2.2 defines it."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_no_two_of_many_experiments_look_the_same(explorer):
    looks = explorer.page.evaluate("() => Array.from({ length: 21 }, (_, i) => lookOf(i))")
    assert len({(look["color"], look["marker"]) for look in looks}) == 21
    assert len({(look["color"], look["sign"]) for look in looks}) == 21
    assert all(1.05 / (luminance(look["color"]) + 0.05) >= 3 for look in looks)


def test_legend_and_points_of_nine_experiments_differ(explorer):
    explorer.go("dataset=many")
    code = """() => [...$("experiments").querySelectorAll("span")]
        .map((sign) => sign.textContent + sign.style.color)"""
    assert len(set(explorer.page.evaluate(code))) == 9
    code = """() => {
        const {x, marker, color} = profile.dots.data;
        return profile.points.map((point, i) =>
            [point.x === x[i], point.look, marker[i] + color[i]]);
    }"""
    drawn = explorer.page.evaluate(code)
    assert all(placed for placed, _, _ in drawn)
    assert len({(look, how) for _, look, how in drawn}) == len({how for *_, how in drawn}) == 9


def test_a_value_at_the_end_of_the_grey_levels_is_said_to_be_one(explorer):
    """The darkest and brightest voxels share a level, which is not their value."""
    explorer.go("case=case_000&slice=4")
    code = """(at) => {
        const level = {low: 0, high: scan.levels.length - 1, middle: 128}[at];
        scan.pixels.fill(level);
        pointAt({ offsetX: viewer.place.left + 9, offsetY: viewer.place.top + 9 });
        return [$("readout").textContent, shortNumber(scan.levels[level])];
    }"""
    said = {at: explorer.page.evaluate(code, at) for at in ("low", "middle", "high")}
    for at, sign in (("low", "≤ "), ("middle", ""), ("high", "≥ ")):
        text, value = said[at]
        assert text.startswith(f"Value {sign}{value};")
    code = "() => { scan.clipped = [false, false]; }"
    explorer.page.evaluate(code)
    code = "() => { pointAt({ offsetX: viewer.place.left + 9, offsetY: viewer.place.top + 9 }); }"
    explorer.page.evaluate(code)
    assert "≥" not in explorer.text("#readout")
