"""How figures look and are written."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from scipy import ndimage

from drawing import faults
from slicewise import style


@style.journal()
def small_figure(label="epoch"):
    figure = style.new_figure(style.ONE_COLUMN, 50)
    axes = figure.subplots()
    axes.plot([0, 1, 2], [0.1, 0.5, 0.4], **style.line_style(0))
    axes.imshow(np.arange(6).reshape(2, 3), extent=(0, 1, 0, 0.2))
    axes.set_xlabel(label)
    return figure


def saved(folder, figure):
    paths = [folder / f"a.{kind}" for kind in ("svg", "png", "pdf")]
    style.save_figure(figure, *paths)
    return [path.read_bytes() for path in paths]


def test_equal_figures_give_equal_bytes(tmp_path):
    assert saved(tmp_path / "1", small_figure()) == saved(tmp_path / "2", small_figure())


def test_files_name_neither_a_date_nor_a_version(tmp_path):
    svg, png, pdf = saved(tmp_path, small_figure())
    assert b"matplotlib v" not in svg.lower()
    assert b"<dc:date>" not in svg
    assert b"Software" not in png
    assert not any(word in pdf for word in (b"Date", b"/Creator", b"/Producer"))


def test_a_pdf_embeds_its_typeface_as_truetype(tmp_path):
    pdf = saved(tmp_path, small_figure())[2]
    assert b"/FontFile2" in pdf
    assert b"/BaseFont /" in pdf
    assert b"/Type3" not in pdf


def test_a_pdf_is_as_large_as_the_column(tmp_path):
    pdf = saved(tmp_path, small_figure())[2]
    width, height = map(float, re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+)", pdf).groups())
    assert (width / 72 * 25.4, height / 72 * 25.4) == pytest.approx((88, 50), abs=0.01)


def test_names_are_drawn_as_they_are_and_not_as_formulas(tmp_path):
    """Between two dollar signs matplotlib reads a formula, and stops at one that is none."""
    drawn = [saved(tmp_path, small_figure(name))[1] for name in (r"$\frac{$", "$x$", "x")]
    assert len(set(drawn)) == 3


def test_names_cannot_become_a_part_of_an_svg_file(tmp_path):
    name = "--><script>alert(1)</script><!--"
    svg, *_ = saved(tmp_path, small_figure(name))
    plain, *_ = saved(tmp_path, small_figure("epoch"))
    kinds = [{element.tag for element in ElementTree.fromstring(s).iter()} for s in (svg, plain)]
    assert kinds[0] == kinds[1]


def test_a_column_is_88_mm_wide_on_paper(tmp_path):
    svg, *_ = saved(tmp_path, small_figure())
    width = float(re.search(rb'<svg[^>]* width="([\d.]+)pt"', svg)[1])
    assert width / 72 * 25.4 == pytest.approx(88, abs=0.01)


def test_png_has_300_dots_per_inch(tmp_path):
    saved(tmp_path, small_figure())
    png = (tmp_path / "a.png").read_bytes()
    density = png.index(b"pHYs") + 4
    assert int.from_bytes(png[16:20]) == int(88 / 25.4 * 300)
    assert int.from_bytes(png[density : density + 4]) * 0.0254 == pytest.approx(300, abs=0.1)


def test_text_is_drawn_as_outlines(tmp_path):
    svg, *_ = saved(tmp_path, small_figure("learning rate"))
    assert b"<text" not in svg


def test_the_typeface_comes_with_matplotlib():
    from matplotlib import font_manager, get_data_path

    found = font_manager.findfont(style.SETTINGS["font.sans-serif"][0], fallback_to_default=False)
    assert found.startswith(get_data_path())


def test_settings_outside_the_figure_stay_as_they_were():
    from matplotlib import rcParams

    before = rcParams["font.size"]
    small_figure()
    assert rcParams["font.size"] == before


def test_the_checks_of_figures_notice_overlapping_text():
    figure = small_figure()
    for _ in range(2):
        figure.axes[0].text(1, 0.3, "twice")
    assert ("twice", "twice") in faults(figure)


def test_the_checks_of_figures_notice_small_text_and_text_off_the_page():
    figure = small_figure()
    figure.text(0.5, 0.5, "tiny", fontsize=5)
    figure.text(0.99, 0.1, "cut off")
    assert faults(figure) == ["tiny", "cut off"]


def lightness(color):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    luminance = np.dot(linear, [0.2126, 0.7152, 0.0722])
    return 116 * np.cbrt(luminance) - 16 if luminance > 0.008856 else 903.3 * luminance


def test_neighbours_in_the_palette_differ_in_grey_print():
    values = [lightness(color) for color in style.PALETTE]
    assert np.abs(np.diff(values[:4])).min() > 20
    assert max(values) < 75


def test_no_two_of_35_series_look_the_same():
    looks = {tuple(style.line_style(i).values()) for i in range(35)}
    assert len(looks) == 35


def test_an_experiment_looks_the_same_whichever_others_stand_beside_it():
    palette = ["coarsest", "finest", "axial"]
    looks = style.looks(["axial", "coarsest"], palette)
    assert looks == {"axial": style.line_style(2), "coarsest": style.line_style(0)}
    assert style.looks(["new", "finest"], palette)["new"] == style.line_style(3)
    assert list(style.looks(["b", "a"]).values()) == [style.line_style(0), style.line_style(1)]


@pytest.mark.parametrize(
    ("longest", "expected"), [(1, 1), (1.9, 1), (2, 2), (4.99, 2), (7, 5), (43, 20), (0.03, 0.02)]
)
def test_scale_bars_have_round_lengths(longest, expected):
    assert style.round_length(longest) == pytest.approx(expected)


def test_a_long_name_keeps_its_ends():
    assert style.shorten("a_name_that_is_too_long", 9) == "a_na…long"
    assert style.shorten("short", 9) == "short"


def test_one_case_is_not_cases():
    assert (style.counted(1, "case"), style.counted(2, "case")) == ("1 case", "2 cases")


def test_equal_values_of_a_swarm_lie_side_by_side():
    offsets = style.swarm([1, 1, 1, 5])
    assert offsets[3] == 0
    assert len(set(offsets[:3])) == 3
    assert offsets[:3].sum() == pytest.approx(0)


def test_a_swarm_of_many_stays_within_its_width():
    assert np.abs(style.swarm(np.ones(300), spread=0.3)).max() == pytest.approx(0.3)


def test_a_swarm_is_the_same_on_every_run():
    values = np.random.default_rng(0).normal(size=200)
    assert np.array_equal(style.swarm(values), style.swarm(values))


def enclosed_area(loop):
    x, y = loop.T
    return 0.5 * np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])


def test_the_outline_of_one_voxel_is_its_square():
    (loop,) = style.outline(np.array([[0, 0], [0, 1]]))
    assert sorted(map(tuple, loop[:-1])) == [(0.5, 0.5), (0.5, 1.5), (1.5, 0.5), (1.5, 1.5)]


def test_outlines_are_closed_and_have_corners_only():
    for loop in style.outline(np.random.default_rng(1).random((20, 30)) < 0.5):
        assert np.array_equal(loop[0], loop[-1])
        steps = np.diff(loop, axis=0)
        assert np.all((steps == 0).sum(axis=1) == 1)


def test_outlines_enclose_the_area_of_the_mask_less_its_holes():
    mask = np.random.default_rng(2).random((40, 25)) < 0.6
    assert sum(enclosed_area(loop) for loop in style.outline(mask)) == mask.sum()


def test_voxels_that_touch_at_a_corner_have_outlines_of_their_own():
    mask = np.eye(4, dtype=bool)
    assert len(style.outline(mask)) == ndimage.label(mask)[1] == 4


def test_a_ring_has_two_outlines():
    mask = np.ones((3, 3))
    mask[1, 1] = 0
    assert len(style.outline(mask)) == 2


def test_an_empty_mask_has_no_outline():
    assert style.outline(np.zeros((3, 4))) == []


def test_a_constant_image_can_be_drawn(tmp_path):
    with style.journal():
        figure = style.new_figure(style.ONE_COLUMN, 40)
        style.draw_image(figure.subplots(), np.zeros((4, 5)), (1, 2))
    assert all(saved(tmp_path, figure))


def test_images_keep_square_millimetres():
    with style.journal():
        axes = style.new_figure(style.ONE_COLUMN, 40).subplots()
        style.draw_image(axes, np.eye(4), (8.0, 1.6))
    assert axes.get_aspect() == pytest.approx(5)
