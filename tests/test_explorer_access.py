"""The slice explorer for all people: keyboard only, screen readers, large print, small screens."""

import pytest
from axe_playwright_python.sync_playwright import Axe

import browser

pytestmark = pytest.mark.skipif(browser.FOUND is None, reason=browser.MISSING)


def tab_stops(explorer, most=80):
    """Return what the tab key comes to, one after the other, until it comes round."""
    stops = []
    for _ in range(most):
        explorer.page.keyboard.press("Tab")
        code = """() => {
            let at = document.activeElement;
            while (at.shadowRoot?.activeElement) at = at.shadowRoot.activeElement; // Bokeh's tools
            const look = getComputedStyle(at);
            const box = at.getBoundingClientRect();
            const name = at.id || at.dataset.go || at.value || at.textContent || at.className;
            return [name, look.outlineStyle, box.width];
        }"""
        stop, outline, width = explorer.page.evaluate(code)
        if stops and stop == stops[0]:
            return stops
        if explorer.page.evaluate("() => document.activeElement === document.body"):
            return stops
        assert outline in ("solid", "dotted"), stop
        assert width > 0, stop
        stops.append(stop)
    raise AssertionError(f"the tab key does not come round: {stops}")


def test_the_tab_key_comes_to_every_control_and_shows_where_it_is(chromium, explorer_path):
    with browser.shown(chromium, explorer_path) as fresh:
        stops = tab_stops(fresh.open())
    assert stops[0] == "Skip to the slice"
    wanted = {"dataset", "class", "seed", "along", "least", "most", "find", "all", "link", "viewer"}
    wanted |= {"case", "experiment", "slice", "level", "width", "reset", "keep", "truth"}
    wanted |= {"prediction", "coarsest", "finest"}
    assert wanted <= set(stops)


def test_the_skip_link_leads_to_the_slice_and_keeps_the_view(explorer):
    explorer.go("case=case_002&slice=4")
    explorer.page.focus(".skip")
    explorer.press("Enter")
    assert explorer.focused() == "viewer"
    assert explorer.view["case"] == "case_002"


def test_a_reader_with_a_keyboard_only_comes_from_filters_to_a_slice(explorer):
    explorer.page.focus("#class")
    explorer.press("ArrowDown")
    assert explorer.view["class"] == "ventricle"
    explorer.page.focus("#most")
    explorer.page.keyboard.type("0.9")
    for _ in range(25):
        explorer.press("Tab")
        if explorer.page.evaluate("() => document.activeElement.matches('#list tbody tr')"):
            break
    explorer.press("ArrowDown", "ArrowDown")
    assert explorer.view["slice"] == explorer.listed(3)[2]


RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]


def test_axe_finds_nothing_that_keeps_people_out(explorer):
    explorer.page.evaluate("() => { document.getElementById('help').open = true; }")
    options = {"runOnly": {"type": "tag", "values": RULES}}
    results = Axe().run(explorer.page, options=options).response
    explorer.page.set_viewport_size({"width": 1400, "height": 1000})
    found = [
        (each["id"], [node["html"][:100] for node in each["nodes"]])
        for each in results["violations"]
    ]
    assert found == []
    assert len(results["passes"]) > 20


@pytest.mark.parametrize(("width", "scale"), [(640, 2), (320, 4)])
def test_at_200_percent_and_on_a_phone_nothing_is_cut_off(chromium, explorer_path, width, scale):
    """A window of 1280 pixels at 200 % has 640 of CSS; at 400 %, 320 (WCAG 1.4.10)."""
    with browser.shown(chromium, explorer_path, width, 800, scale) as narrow:
        narrow.open()
        code = """() => [...document.querySelectorAll("select, input, button, canvas, h1, h2, p")]
            .filter((one) => one.offsetParent && !one.closest("#list-frame, #chart"))
            .map((one) => [one.id || one.textContent, one.getBoundingClientRect()])
            .filter(([, box]) => box.left < -1 || box.right > innerWidth + 1)
            .map(([name]) => name)"""
        assert narrow.page.evaluate(code) == []
        assert narrow.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
