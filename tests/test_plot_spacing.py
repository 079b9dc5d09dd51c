"""The figure of spacing and sliced axes."""

import pandas as pd
import pytest

import plot_spacing
from chain import Chain, analyse, plan
from drawing import faults
from scans import affine_of, volume, write_case, write_json_of
from scores import drawn_files
from slicewise.files import read_json
from slicewise.plans import read_plan

ROWS = ["spacing_0_mm", "spacing_1_mm", "spacing_2_mm", "anisotropy"]


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """Return three cases with thick z, planned across the coarsest and the finest axis."""
    raw = tmp_path_factory.mktemp("raw")
    json_path = write_json_of(raw, cases=3)
    for i, spacing in enumerate([(1, 1.5, 6), (1, 1.5, 8), (2, 1.5, 7)]):
        image, label = volume((20, 18, 6), seed=i)
        write_case(raw, f"case_{i}", [image], label, affine_of("LPS", spacing))
    chains = {}
    for policy in ("coarsest", "finest"):
        chains[policy] = Chain(json_path, tmp_path_factory.mktemp(policy))
        plan(analyse(chains[policy]), policy)
    return chains


def draw(planned, folder, experiments=("coarsest", "finest")):
    first = planned["coarsest"]
    plot_spacing.main(
        spacing=first.spacing,
        orientation=first.orientation,
        plans=[planned[name.split("_")[0]].plan for name in experiments],
        dataset="phantom",
        experiments=experiments,
        palette=experiments,
        **drawn_files(folder),
        tex=folder / "figure.tex",
    )
    return pd.read_csv(folder / "figure.csv", keep_default_na=False).set_index("quantity")


def test_the_table_holds_the_quantiles_over_cases(planned, tmp_path):
    table = draw(planned, tmp_path)
    assert table.index.tolist() == ROWS
    assert table.loc["spacing_0_mm", ["minimum", "median", "maximum"]].tolist() == [6, 7, 8]
    assert table["cases"].tolist() == [3] * 4


def test_the_table_holds_the_anisotropy_of_the_cases(planned, tmp_path):
    # 6 / 1, 8 / 1 and 7 / 1.5.
    row = draw(planned, tmp_path).loc["anisotropy"]
    assert row["median"] == pytest.approx(6)
    assert row["minimum"] == pytest.approx(7 / 1.5)


def test_the_table_says_which_experiment_slices_which_axis(planned, tmp_path):
    table = draw(planned, tmp_path)
    assert table["sliced_by"].tolist() == ["coarsest", "", "finest", ""]


def test_the_table_holds_the_spacing_that_slices_are_resampled_to(planned, tmp_path):
    table = draw(planned, tmp_path)
    assert float(table.loc["spacing_1_mm", "target_mm"]) == pytest.approx(1.5)


def test_axes_are_named_by_the_direction_they_run_in(planned, tmp_path):
    assert draw(planned, tmp_path)["direction"].tolist() == [
        "inferior–superior",
        "posterior–anterior",
        "left–right",
        "",
    ]


def test_a_file_stored_otherwise_has_other_directions():
    stored = {"reorient": False, "orientation": "ASR", "orientations": {"ASR": 3}}
    assert plot_spacing.directions(stored) == (
        "left–right",
        "inferior–superior",
        "posterior–anterior",
    )


def test_mixed_orientations_read_as_stored_have_no_direction():
    mixed = {"reorient": False, "orientation": "RAS", "orientations": {"RAS": 2, "LSA": 1}}
    assert plot_spacing.directions(mixed) == ("mixed",) * 3
    assert plot_spacing.directions(mixed | {"reorient": True})[0] == "inferior–superior"


def test_two_runs_give_the_same_bytes(planned, tmp_path):
    draw(planned, tmp_path / "1")
    draw(planned, tmp_path / "2")
    for name in ("figure.svg", "figure.png", "figure.pdf", "figure.csv"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


@pytest.mark.parametrize(
    "experiments",
    [["coarsest"], ["coarsest", "finest"], [f"finest_with_a_long_name_{i}" for i in range(9)]],
)
def test_the_figure_can_be_read(planned, experiments):
    chain = planned["coarsest"]
    plans = {name: read_plan(planned[name.split("_")[0]].plan) for name in experiments}
    named = plot_spacing.directions(read_json(chain.orientation))
    assert faults(plot_spacing.draw(pd.read_csv(chain.spacing), plans, named)) == []


def test_300_equal_cases_can_be_drawn(planned):
    chain = planned["coarsest"]
    spacing = pd.concat([pd.read_csv(chain.spacing).iloc[:1]] * 300)
    figure = plot_spacing.draw(spacing, {"coarsest": read_plan(chain.plan)}, ["mixed"] * 3)
    assert faults(figure) == []


def test_a_table_without_cases_is_refused(planned, tmp_path):
    empty = tmp_path / "spacing.csv"
    pd.read_csv(planned["coarsest"].spacing).iloc[:0].to_csv(empty, index=False)
    with pytest.raises(ValueError, match=r"spacing\.csv: found no case"):
        plot_spacing.main(
            spacing=empty,
            orientation=planned["coarsest"].orientation,
            plans=[planned["coarsest"].plan],
            dataset="phantom",
            experiments=["coarsest"],
            palette=["coarsest"],
            **drawn_files(tmp_path),
            tex=tmp_path / "figure.tex",
        )


def test_the_latex_table_holds_the_same_numbers(planned, tmp_path):
    table = draw(planned, tmp_path)
    text = (tmp_path / "figure.tex").read_text()
    assert f"axis 0 (mm) & {table.loc['spacing_0_mm', 'direction'].replace('–', '--')} & " in text
    assert f"& {table.loc['spacing_0_mm', 'median']:.2f} & " in text
    assert f"n = {table['cases'].max()} cases" in text
    assert ";" not in text.split(r"\midrule")[1]
