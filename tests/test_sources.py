"""Which modules a rule reruns for."""

import pytest

from slicewise import sources


def test_modules_are_found_through_imports_of_imports():
    found = sources.modules("train_fold")
    assert {"network", "loss", "batches", "augment", "patches", "geometry"} <= set(found)


@pytest.mark.parametrize("script", ["train_fold", "export_cases", "predict_cases"])
def test_a_plotting_edit_never_retrains(script):
    assert not {"style", "statistics"} & set(sources.modules(script))


def test_a_training_edit_never_exports_again():
    assert not {"network", "loss", "augment", "batches"} & set(sources.modules("export_cases"))


def test_a_change_of_what_is_written_for_nnunet_never_trains_again():
    assert not {"nnunet_logs", "model_folders"} & set(sources.modules("train_fold"))


def test_logging_counts_for_nothing():
    assert "job" not in sources.modules("train_fold")


def test_scripts_differ_in_their_digest():
    assert sources.digest("train_fold") != sources.digest("export_cases")


def test_comments_layout_and_docstrings_do_not_count(tmp_path):
    first, second, third = (tmp_path / name for name in ("a.py", "b.py", "c.py"))
    first.write_text("x = 1\n")
    second.write_text('"""A docstring."""\n# why\nx   =  1\n')
    third.write_text("x = 2\n")
    dumps = [sources.ast.dump(sources._tree(path)) for path in (first, second, third)]
    assert dumps[0] == dumps[1] != dumps[2]
