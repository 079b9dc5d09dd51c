"""The figure of the patch over the median slice."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import plot_patch
from chain import Chain, analyse, export, plan
from drawing import faults
from scans import affine_of, labels_of, volume, write_case, write_json_of
from scores import drawn_files
from slicewise import style
from slicewise.labels import parse_labels
from slicewise.plans import read_plan
from slicewise.slices import open_case


@pytest.fixture(scope="module")
def chains(tmp_path_factory):
    """Return three cases of different size, exported across the coarsest and the finest axis."""
    raw = tmp_path_factory.mktemp("raw")
    json_path = write_json_of(raw, cases=3)
    for i, columns in enumerate([20, 40, 26]):
        image, label = volume((columns, 24, 8), seed=i)
        write_case(raw, f"case_{i}", [image], label, affine_of("RAS", (1, 1.5, 6)))
    made = {}
    for policy in ("coarsest", "finest"):
        made[policy] = Chain(json_path, tmp_path_factory.mktemp(policy))
        export(plan(analyse(made[policy]), policy))
    return made


def draw(chains, folder, experiments=("coarsest", "finest")):
    used = [chains[name] for name in experiments]
    plot_patch.main(
        dataset_json=used[0].dataset_json,
        plans=[chain.plan for chain in used],
        adequacy=[chain.adequacy for chain in used],
        arrays=[chain.arrays for chain in used],
        cases=used[0].cases,
        dataset="phantom",
        experiments=experiments,
        palette=experiments,
        **drawn_files(folder),
    )
    return pd.read_csv(folder / "figure.csv")


def test_the_median_case_is_the_one_of_median_size(chains):
    chain = chains["coarsest"]
    shapes = {name: open_case(chain.arrays, name).label.shape for name in chain.cases}
    assert plot_patch.median_case(shapes) == "case_2"


def test_the_slice_shows_the_most_classes():
    counts = np.array([[3, 3, 0, 3, 3, 3, 3], [0, 0, 9, 1, 1, 1, 0]])
    assert plot_patch.middle_slice(counts) == 4


def test_without_foreground_the_middle_slice_is_shown():
    assert plot_patch.middle_slice(np.zeros((2, 7), int)) == 3


@pytest.mark.parametrize(
    ("size", "patch", "centre", "start"),
    [(100, 20, 50, 40), (100, 20, 2, 0), (100, 20, 99, 80), (20, 20, 3, 0), (15, 20, 3, -2)],
)
def test_a_patch_stays_in_the_slice_or_is_padded_evenly(size, patch, centre, start):
    assert plot_patch.patch_start(size, patch, centre) == start


def test_the_patch_holds_the_structures_that_fit(chains):
    chain = chains["coarsest"]
    shown = plot_patch.view(open_case(chain.arrays, "case_2"), read_plan(chain.plan), labels_of(2))
    found = np.argwhere(np.any(list(shown.structures.values()), axis=0))
    assert np.all(found.min(axis=0) >= shown.start)
    assert np.all(found.max(axis=0) < np.add(shown.start, shown.plan.patch_size))


def test_each_region_is_a_structure_of_its_own_and_ignored_voxels_are_none(chains):
    chain = chains["coarsest"]
    case, planned = open_case(chain.arrays, "case_2"), read_plan(chain.plan)
    label = np.array(case.label)
    label[:, 0, 0] = 1
    label[:, -1, -1] = 2
    case = replace(case, label=label)
    regions = {"background": 0, "both": [1, 2], "second": 2}
    shown = plot_patch.view(case, planned, parse_labels(regions, [1, 2]))
    np.testing.assert_array_equal(shown.structures[1], label[shown.slice] > 0)
    np.testing.assert_array_equal(shown.structures[2], label[shown.slice] == 2)
    ignoring = parse_labels({"background": 0, "class1": 1, "ignore": 2})
    assert list(plot_patch.view(case, planned, ignoring).structures) == [1]


def test_the_table_has_a_row_for_each_experiment_and_class(chains, tmp_path):
    table = draw(chains, tmp_path)
    assert table[["experiment", "class"]].to_numpy().tolist() == [
        ["coarsest", "class1"],
        ["coarsest", "class2"],
        ["finest", "class1"],
        ["finest", "class2"],
    ]
    assert set(table["case"]) == {"case_2"}


def test_the_table_repeats_the_adequacy_of_each_plan(chains, tmp_path):
    table = draw(chains, tmp_path)
    for name, chain in chains.items():
        found = table[table["experiment"] == name].reset_index(drop=True)
        expected = pd.read_csv(chain.adequacy)
        pd.testing.assert_frame_equal(found[expected.columns], expected)


def test_shares_start_at_nothing():
    """An axis from 95 % on would make much of a difference of 1 %."""
    adequacy = {"coarsest": pd.DataFrame({"class": ["heart"], "label": 1, "share": [0.99]})}
    _, axes = plt.subplots()
    looks = {"coarsest": style.line_style(0)}
    plot_patch._draw_shares(axes, adequacy, ["heart"], looks)
    assert axes.get_xlim() == (0, 100)
    plt.close()


def test_two_runs_give_the_same_bytes(chains, tmp_path):
    draw(chains, tmp_path / "1")
    draw(chains, tmp_path / "2")
    for name in ("figure.svg", "figure.png", "figure.pdf", "figure.csv"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def views(chains, experiments):
    chain = chains["coarsest"]
    shown = plot_patch.view(open_case(chain.arrays, "case_0"), read_plan(chain.plan), labels_of(2))
    return dict.fromkeys(experiments, shown)


def shares(classes, value=0.9):
    return pd.DataFrame(
        {
            "class": [f"structure_with_a_long_name_{i}" for i in range(classes)],
            "label": range(1, classes + 1),
            "share": value,
        }
    )


@pytest.mark.parametrize(("experiments", "classes"), [(1, 1), (2, 30), (7, 3)])
def test_the_figure_can_be_read(chains, experiments, classes):
    names = [f"experiment_{i}" for i in range(experiments)]
    adequacy = dict.fromkeys(names, shares(classes))
    assert faults(plot_patch.draw(views(chains, names), adequacy)) == []


def test_the_frame_has_the_size_of_the_patch_around_nested_structures_too(chains):
    (shown,) = views(chains, ["coarsest"]).values()
    whole = np.ones(shown.image.shape, bool)
    inner = whole.copy()
    inner[:5] = False
    nested = replace(shown, structures={1: whole, 2: inner})
    axes = plot_patch.draw({"coarsest": nested}, {"coarsest": shares(2)}).axes[0]
    height, width = shown.plan.patch_size
    assert {(frame.get_width(), frame.get_height()) for frame in axes.patches} == {(width, height)}
    widths = {line.get_color(): line.get_linewidth() for line in axes.lines}
    assert widths[style.class_color(1)] > widths[style.class_color(2)]


def test_a_class_without_voxels_has_no_share(chains):
    adequacy = {"coarsest": shares(3, np.nan)}
    assert faults(plot_patch.draw(views(chains, ["coarsest"]), adequacy)) == []


def test_a_slice_without_structures_can_be_shown(chains):
    chain = chains["coarsest"]
    case = open_case(chain.arrays, "case_0")
    empty = plot_patch.ExportedCase(
        "empty", case.image, np.zeros_like(case.label), np.zeros_like(case.counts), case.geometry
    )
    shown = plot_patch.view(empty, read_plan(chain.plan), labels_of(2))
    assert faults(plot_patch.draw({"coarsest": shown}, {"coarsest": shares(2)})) == []
