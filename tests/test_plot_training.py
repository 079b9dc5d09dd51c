"""The figure of training curves."""

import numpy as np
import pandas as pd
import pytest

import plot_training
from drawing import faults
from scores import drawn_files


def write_histories(folder, runs, epochs=5):
    """Write one history.csv for each run; values follow from run and epoch."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for i, _ in enumerate(runs):
        epoch = np.arange(epochs)
        dice = (epoch + 1) / (epochs + 1) - 0.01 * i
        table = pd.DataFrame({"epoch": epoch, "learning_rate": 0.01, "train_loss": 1 - 2 * dice})
        table["validation_loss"] = table["train_loss"] + 0.1
        table["pseudo_dice"] = dice
        table["pseudo_dice_left_ventricle"] = dice
        table["ema_pseudo_dice"] = table["pseudo_dice"].ewm(alpha=0.1, adjust=False).mean()
        paths.append(folder / f"history_{i}.csv")
        table.to_csv(paths[-1], index=False)
    return paths


def runs_of(experiments, folds=2, seeds=1):
    return [(f"experiment_{e}", f, s) for e in range(experiments) for f in range(folds)
            for s in range(seeds)]  # fmt: skip


def draw(folder, runs, epochs=5):
    plot_training.main(
        histories=write_histories(folder, runs, epochs),
        runs=runs,
        dataset="phantom",
        palette=[],
        **drawn_files(folder),
    )
    return pd.read_csv(folder / "figure.csv")


def test_the_table_holds_mean_and_range_over_runs(tmp_path):
    row = draw(tmp_path, runs_of(1, folds=3), epochs=4).iloc[1]
    assert row["runs"] == 3
    assert row["pseudo_dice_mean"] == pytest.approx(0.4 - 0.01)
    assert row["pseudo_dice_min"] == pytest.approx(0.4 - 0.02)
    assert row["train_loss_max"] == pytest.approx(1 - 2 * (0.4 - 0.02))


def test_the_table_keeps_the_order_of_experiments(tmp_path):
    runs = [("b", 0, 0), ("a", 0, 0)]
    assert draw(tmp_path, runs, epochs=2)["experiment"].tolist() == ["b", "b", "a", "a"]


def test_a_run_that_stopped_early_counts_only_as_far_as_it_came(tmp_path):
    short, long = write_histories(tmp_path, runs_of(1), epochs=3)
    pd.read_csv(short).iloc[:2].to_csv(short, index=False)
    table = plot_training.summarise(
        plot_training.read_histories([short, long], runs_of(1)), "phantom"
    )
    assert table["runs"].tolist() == [2, 2, 1]


def test_a_history_without_a_column_is_refused_by_name(tmp_path):
    (path,) = write_histories(tmp_path, runs_of(1, folds=1))
    pd.read_csv(path).drop(columns="ema_pseudo_dice").to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"history_0\.csv: found no column ema_pseudo_dice"):
        plot_training.read_histories([path], runs_of(1, folds=1))


def test_histories_with_and_without_skipped_steps_are_drawn_together(tmp_path):
    """An imported history has no such column; an epoch of skipped steps has no training loss."""
    paths = write_histories(tmp_path, runs_of(1), epochs=3)
    table = pd.read_csv(paths[0]).assign(skipped_steps=[0, 2, 0])
    table.loc[1, "train_loss"] = np.nan
    table.to_csv(paths[0], index=False)
    found = plot_training.read_histories(paths, runs_of(1))
    summary = plot_training.summarise(found, "phantom")
    assert summary["train_loss_mean"].notna().all()
    assert faults(plot_training.draw(found, summary)) == []


def test_two_runs_give_the_same_bytes(tmp_path):
    draw(tmp_path / "1", runs_of(2))
    draw(tmp_path / "2", runs_of(2))
    for name in ("figure.svg", "figure.png", "figure.pdf", "figure.csv"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


@pytest.mark.parametrize(("experiments", "epochs"), [(1, 1), (2, 5), (9, 20)])
def test_the_figure_can_be_read(tmp_path, experiments, epochs):
    runs = runs_of(experiments)
    histories = plot_training.read_histories(write_histories(tmp_path, runs, epochs), runs)
    figure = plot_training.draw(histories, plot_training.summarise(histories, "phantom"))
    assert faults(figure) == []


def test_every_run_has_a_thin_line_and_every_experiment_a_thick_one(tmp_path):
    runs = runs_of(2, folds=3)
    histories = plot_training.read_histories(write_histories(tmp_path, runs), runs)
    figure = plot_training.draw(histories, plot_training.summarise(histories, "phantom"))
    widths = [line.get_linewidth() for line in figure.axes[0].get_lines()]
    assert (widths.count(0.5), widths.count(1.5)) == (6, 2)


def test_nan_in_a_history_leaves_a_gap(tmp_path):
    runs = runs_of(1)
    histories = plot_training.read_histories(write_histories(tmp_path, runs), runs)
    histories["pseudo_dice"] = np.nan
    figure = plot_training.draw(histories, plot_training.summarise(histories, "phantom"))
    assert faults(figure) == []
