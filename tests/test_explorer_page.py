"""The slice explorer in a real browser: clicks, keys, filters, and links."""

import re

import numpy as np
import pandas as pd
import pytest

import browser
from explorer_pages import HOSTILE, SHAPE, data_of, unpacked

pytestmark = pytest.mark.skipif(browser.FOUND is None, reason=browser.MISSING)


def canvas(explorer, selector="#canvas"):
    """Return the pixels of the slice as one text, to be compared."""
    return explorer.page.evaluate("s => document.querySelector(s).toDataURL()", selector)


EXPERIMENTS = ("coarsest", "finest")

SPOTS = """() => {
    const spots = Map.groupBy(profile.points, ({x, y}) => `${x},${y}`);
    return [...spots.values()].map((points) => [profile.points.indexOf(points[0]), points.length]);
}"""
"""Of each spot of the profile: the number of its first point, and how many lie there."""


def point(explorer, number):
    """Return where a point of the profile is in the window, and which slice it stands for."""
    code = """number => {
        const {x, y, entry} = profile.points[number];
        const {x_range: h, y_range: v} = profile.figure;
        const frame = profile.view.frame.bbox;
        const box = document.getElementById("chart").getBoundingClientRect();
        return [
            box.x + frame.left + (x - h.start) / (h.end - h.start) * frame.width,
            box.y + frame.top + (v.end - y) / (v.end - v.start) * frame.height,
            placeOf(entry),
        ];
    }"""
    return explorer.page.evaluate(code, number)


def test_every_slice_is_listed_with_the_dice_that_was_scored(explorer):
    tables = pd.concat([pd.read_parquet(explorer.path.with_name(name)) for name in EXPERIMENTS])
    shows = tables[tables["status"] != "both_empty"]
    means = shows.groupby(["case", "slice", "experiment"])["dice"].mean()
    expected = {(c, str(s), e, f"{dice:.3f}") for (c, s, e), dice in means.items()}
    assert set(zip(*(explorer.listed(n) for n in (2, 3, 4, 1)), strict=True)) == expected
    explorer.page.select_option("#class", "wall")
    of_class = shows[shows["class"] == "wall"].set_index(["case", "slice", "experiment"])["dice"]
    expected = {(c, str(s), e, f"{dice:.3f}") for (c, s, e), dice in of_class.items()}
    explorer.settled()
    assert set(zip(*(explorer.listed(n) for n in (2, 3, 4, 1)), strict=True)) == expected


def test_a_scan_is_unpacked_to_what_was_packed(explorer):
    explorer.go("dataset=hearts&case=case_001")
    packed = data_of(explorer.path.read_text(encoding="utf-8"))["scan-0-1"]
    index, truth, found = unpacked(packed)
    code = "() => [scan.pixels, scan.truth, ...scan.runs.map((run) => scan.found[run])]"
    read = explorer.page.evaluate(f"() => ({code})().map((part) => [...part])")
    for part, expected in zip(read, (index, truth, *found), strict=True):
        np.testing.assert_array_equal(part, expected.ravel())


def test_the_worst_slice_is_shown_first(explorer):
    dice = [float(text) for text in explorer.listed(1)]
    assert dice == sorted(dice)
    first = [explorer.listed(column)[0] for column in (2, 3, 4)]
    assert [explorer.view[key] for key in ("case", "slice", "experiment")] == first
    assert f"mean Dice {dice[0]:.3f}" in explorer.status


def test_a_click_on_a_point_shows_its_slice(explorer):
    alone = [number for number, count in explorer.page.evaluate(SPOTS) if count == 1]
    pictures = set()
    for number in alone[:3]:
        x, y, place = point(explorer, number)
        explorer.page.mouse.click(x, y)
        wanted = f"{place['case']}, slice {place['slice']} "
        explorer.wait_for(lambda: explorer.status.startswith(wanted))  # noqa: B023
        assert explorer.view["experiment"] == place["experiment"]
        pictures.add(canvas(explorer))
    assert len(pictures) == 3
    assert explorer.focused() == "viewer"


def test_of_several_points_in_one_spot_each_click_shows_the_next(explorer):
    number, count = next(spot for spot in explorer.page.evaluate(SPOTS) if spot[1] > 1)
    x, y, _ = point(explorer, number)
    explorer.page.mouse.move(x, y)
    explorer.wait_for(lambda: f"and {count - 1} more in this spot" in explorer.text("#pointed"))
    seen = set()
    for _ in range(count):
        explorer.page.mouse.click(x, y)
        explorer.wait_for(lambda: explorer.status not in seen)
        seen.add(explorer.status)
    assert len(seen) == count


def test_arrow_keys_go_through_slices_and_cases(explorer):
    explorer.go("case=case_001&slice=4")
    explorer.page.focus("#viewer")
    assert explorer.press("ArrowRight").view["slice"] == "5"
    assert explorer.press("ArrowLeft", "ArrowLeft").view["slice"] == "3"
    assert explorer.press("ArrowDown").view["case"] == "case_002"
    assert explorer.press("ArrowUp", "ArrowUp").view["case"] == "case_000"
    assert explorer.press("ArrowUp").view["case"] == "case_000"
    assert explorer.press("e").view["experiment"] == "finest"
    assert explorer.press("e").view["experiment"] == "coarsest"


def test_slices_end_where_the_scan_ends(explorer):
    explorer.page.focus("#viewer")
    explorer.press(*["ArrowRight"] * SHAPE[2])
    first, last = map(int, re.search(r"\((\d+) to (\d+)\)", explorer.status).groups())
    assert int(explorer.view["slice"]) == last
    assert "no Dice" in explorer.status
    assert explorer.press(*["ArrowLeft"] * 20).view["slice"] == str(first)


def test_without_a_focus_arrows_go_through_slices_and_letters_do_nothing(explorer):
    explorer.go("case=case_001&slice=4")
    assert explorer.press("ArrowRight").view["slice"] == "5"
    assert explorer.press("e").view["experiment"] == "coarsest"


def test_keys_with_a_modifier_are_left_to_the_browser(explorer):
    explorer.go("case=case_001&slice=4")
    explorer.page.focus("#viewer")
    assert explorer.press("Control+ArrowRight").view["slice"] == "4"


def test_the_list_is_walked_through_with_the_arrow_keys(explorer):
    explorer.page.locator("#list tbody tr").first.focus()
    cases = list(zip(*(explorer.listed(column) for column in (2, 3, 4)), strict=True))
    for row in (1, 2, 3):
        explorer.press("ArrowDown")
        view = explorer.view
        assert (view["case"], view["slice"], view["experiment"]) == cases[row]
    chosen = explorer.page.locator('#list [aria-selected="true"]')
    assert chosen.count() == 1
    assert chosen.get_attribute("tabindex") == "0"
    assert explorer.page.locator('#list tbody [tabindex="0"]').count() == 1
    explorer.page.focus("#viewer")
    assert explorer.press("n").view["slice"] == cases[4][1]


def test_headings_sort_the_list(explorer):
    heading = explorer.page.get_by_role("button", name="Slice", exact=True)
    heading.click()
    numbers = [int(text) for text in explorer.settled().listed(3)]
    assert numbers == sorted(numbers)
    column = explorer.page.locator("#list th").nth(2)
    assert column.get_attribute("aria-sort") == "ascending"
    column.locator("button").press("Enter")
    numbers = [int(text) for text in explorer.settled().listed(3)]
    assert numbers == sorted(numbers, reverse=True)
    assert column.get_attribute("aria-sort") == "descending"


def test_filters_leave_the_slices_that_pass(explorer):
    total = len(explorer.listed(1))
    explorer.page.fill("#most", "0.6")
    dice = [float(text) for text in explorer.settled().listed(1)]
    assert 0 < len(dice) < total
    assert max(dice) <= 0.6
    explorer.page.fill("#find", "_002")
    assert set(explorer.settled().listed(2)) == {"case_002"}
    explorer.page.get_by_role("checkbox", name="finest").uncheck()
    assert set(explorer.settled().listed(4)) == {"coarsest"}
    points = explorer.page.evaluate("() => profile.points.length")
    assert points == len(explorer.listed(1))
    explorer.page.click("#all")
    assert len(explorer.settled().listed(1)) == total


def test_no_slice_may_pass(explorer):
    explorer.page.fill("#find", "nobody")
    assert explorer.settled().listed(1) == []
    assert "No slice passes the filters" in explorer.text("#shown")


def test_a_class_has_its_own_scores_and_outlines(explorer):
    whole = canvas(explorer.go("case=case_001&slice=4"))
    explorer.page.select_option("#class", "ventricle")
    assert "no Dice" in explorer.status
    assert canvas(explorer) != whole
    explorer.page.select_option("#class", "wall")
    shown = explorer.settled().page.locator("#scores tbody tr", has_text="wall")
    dice = shown.locator("td").first.inner_text()
    assert explorer.status.endswith(f"Dice {dice} of wall")
    assert canvas(explorer) == whole


def test_positions_are_relative_or_in_mm(explorer):
    def axis():
        code = "() => [profile.figure.below[0].axis_label, profile.figure.x_range.end]"
        return explorer.settled().page.evaluate(code)

    assert axis()[0].startswith("Relative position")
    explorer.page.select_option("#along", "mm")
    label, end = axis()
    assert label == "Position, mm"
    assert end > 30


def test_each_seed_has_its_own_scores(explorer):
    first = explorer.listed(1)
    explorer.page.select_option("#seed", "1")
    assert explorer.settled().listed(1) != first


def test_a_dataset_of_one_class_run_and_seed_has_no_choice_of_them(explorer):
    explorer.page.select_option("#dataset", "livers")
    assert explorer.view["dataset"] == "livers"
    assert explorer.page.locator("#class option").all_inner_texts() == ["liver"]
    assert not explorer.page.is_visible("#seeds")
    assert set(explorer.listed(4)) == {"coarsest"}
    assert "Of the 2 channels of livers the first is shown, T1" in explorer.page.text_content(
        "#packing"
    )


def test_a_link_shows_the_same_view_again(explorer, chromium):
    explorer.page.select_option("#class", "wall")
    explorer.page.fill("#least", "0.1")
    explorer.page.fill("#find", "case_00")
    explorer.page.select_option("#along", "mm")
    explorer.page.select_option("#experiment", "finest")
    explorer.page.focus("#viewer")
    explorer.press("ArrowDown", "ArrowRight")
    explorer.page.fill("#level", "120")
    explorer.wait_for(lambda: "level=" in explorer.page.url)
    named = explorer.page.url.partition("#")[2]
    assert all(f"{key}=" in named for key in ("case", "slice", "class", "least", "level", "along"))
    with browser.shown(chromium, explorer.path) as other:
        other.open(named)
        assert other.view == explorer.view
        assert other.status == explorer.status
        assert canvas(other) == canvas(explorer)
        assert other.listed(1) == explorer.listed(1)


def test_the_address_is_heeded_when_it_changes(explorer):
    explorer.page.evaluate("() => { location.hash = '#case=case_003&experiment=finest&slice=3' }")
    explorer.wait_for(lambda: explorer.status.startswith("case_003, slice 3 (1 to 9), finest"))


@pytest.mark.parametrize(
    "view",
    [
        "dataset=none&case=none&slice=x&experiment=none&class=none&seed=9&along=none",
        "slice=99999&level=x&width=-5&least=x&sort=none&hide=coarsest,finest",
        f"case={HOSTILE}&find={HOSTILE}",
        "viewer&&&=",
    ],
)
def test_what_an_address_gets_wrong_is_put_right(explorer, view):
    assert "case_00" in explorer.go(view).status
    assert explorer.page.title() == "Slice explorer"


def test_names_are_shown_as_text_and_run_nothing(explorer):
    assert HOSTILE in explorer.page.locator("#scores").inner_text()
    explorer.page.select_option("#class", HOSTILE)
    assert explorer.status.endswith(HOSTILE)
    assert explorer.page.title() == "Slice explorer"
    assert explorer.page.locator("img").count() == 0


def test_the_window_follows_sliders_and_drags_and_is_reset(explorer):
    start = canvas(explorer)
    explorer.page.fill("#width", "150")
    narrow = canvas(explorer)
    assert narrow != start
    box = explorer.page.locator("#canvas").bounding_box()
    explorer.page.mouse.move(box["x"] + 200, box["y"] + 200)
    explorer.page.mouse.down()
    explorer.page.mouse.move(box["x"] + 260, box["y"] + 230, steps=3)
    explorer.page.mouse.up()
    assert float(explorer.view["width"]) > 151
    assert canvas(explorer) != narrow
    explorer.page.focus("#viewer")
    assert explorer.press("r").view["width"] == ""
    assert canvas(explorer) == start


def test_the_window_stays_for_other_cases_where_it_is_kept(explorer):
    explorer.page.fill("#width", "40")
    explorer.page.focus("#viewer")
    assert explorer.press("ArrowRight").view["width"] != ""
    assert explorer.press("ArrowDown").view["width"] == ""
    explorer.page.fill("#width", "40")
    kept = explorer.view["width"]
    explorer.page.check("#keep")
    explorer.page.focus("#viewer")
    assert explorer.press("ArrowDown").view["width"] == kept


def test_outlines_can_be_taken_away(explorer):
    explorer.go("case=case_001&slice=4")
    explorer.page.focus("#viewer")
    both = canvas(explorer)
    truth = canvas(explorer.press("o"))
    neither = canvas(explorer.press("t"))
    prediction = canvas(explorer.press("o"))
    assert len({both, truth, neither, prediction}) == 4
    assert canvas(explorer.press("t")) == both


def test_outlines_run_along_the_edges_of_voxels(explorer):
    """A ring with a hole, and two voxels that touch at a corner only."""
    code = """() => {
        const plane = [
            1, 1, 1, 0, 0,
            1, 0, 1, 0, 0,
            1, 1, 1, 0, 1,
            0, 0, 0, 1, 0,
        ];
        return outlines(4, 5, (at) => plane[at] === 1);
    }"""
    ring, *others = explorer.page.evaluate(code)
    assert sorted(zip(ring[::2], ring[1::2], strict=True)) == [(0, 0), (0, 3), (3, 0), (3, 3)]
    assert sorted(map(len, others)) == [8, 8, 8]


def test_what_is_under_the_mouse_is_told(explorer):
    explorer.go("case=case_001&slice=4")
    packed = data_of(explorer.path.read_text(encoding="utf-8"))["scan-0-1"]
    index, truth, found = unpacked(packed)
    plane = 4 - packed["first"]
    only = np.argwhere((truth[plane] == 2) & (found[0][plane] == 0))
    row, column = only[len(only) // 2]
    place = explorer.page.evaluate("() => viewer.place")
    box = explorer.page.locator("#canvas").bounding_box()
    explorer.page.mouse.move(
        box["x"] + place["left"] + (column + 0.5) * place["x"],
        box["y"] + place["top"] + (row + 0.5) * place["y"],
    )
    value = float(f"{packed['levels'][index[plane, row, column]]:.3g}")
    said = f"Value {value:g}; truth: wall; prediction: background"
    explorer.wait_for(lambda: explorer.text("#readout") == said)


def test_the_slice_is_described(explorer):
    explorer.go("dataset=livers&case=case_001&slice=4")
    said = explorer.text("#geometry")
    # Stored SPL with (1.5, 1, 4) mm: scored across L, so rows run to I and columns to P.
    assert "Voxels 1 mm wide and 1.5 mm high, slices 4 mm apart and counted towards L" in said
    assert explorer.page.get_attribute("#canvas", "aria-label").startswith("case_001, slice 4")


def test_a_case_without_a_scan_shows_its_scores_and_says_why(chromium, explorer_path, tmp_path):
    text = explorer_path.read_text(encoding="utf-8")
    element = re.compile(r'<script type="application/json" id="scan-0-2">.*?</script>\n', re.DOTALL)
    (tmp_path / "index.html").write_text(element.sub("", text), encoding="utf-8")
    with browser.shown(chromium, tmp_path / "index.html") as other:
        other.open("dataset=hearts&case=case_002&slice=4")
        assert "The image of this case is not in the page: at 50 MB it was full" in other.text(
            "#missing"
        )
        assert "Dice 0." in other.status
        other.page.focus("#viewer")
        other.press("ArrowUp")
        assert not other.page.is_visible("#missing")
        assert other.complaints == []
