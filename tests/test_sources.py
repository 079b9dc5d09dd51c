"""Which modules a rule reruns for."""

import ast
import re

import pytest

from slicewise import sources


def test_modules_are_found_through_imports_of_imports():
    found = sources.modules("train_fold")
    assert {"network", "loss", "batches", "augment", "patches", "geometry"} <= set(found)


def test_modules_are_found_in_the_bodies_of_functions():
    assert "user_plans" in sources.modules("plan_arrays")


BODIES = """
try:
    from slicewise import a_try
except ValueError:
    from slicewise import an_except
else:
    from slicewise import an_else
finally:
    from slicewise import a_finally
match x:
    case 1:
        from slicewise import a_case
if x:
    from slicewise import an_if
elif y:
    from slicewise import an_elif
with x:
    from slicewise import a_with
for x in y:
    from slicewise import a_for
else:
    from slicewise import a_for_else
while x:
    from slicewise.a_while import name
async def f():
    async with x:
        from slicewise import an_async_with
class C:
    from slicewise import a_class
    @decorated(lambda: 1)
    def method(self):
        from slicewise import a_method
        def inner():
            from slicewise import a_function_within
try:
    pass
except* ValueError:
    from slicewise import an_except_star
"""


def test_imports_are_found_in_every_kind_of_body(tmp_path, monkeypatch):
    names = set(re.findall(r"\b(an?_\w+)", BODIES))
    assert len(names) == 16
    monkeypatch.setattr(sources, "PACKAGE", tmp_path / "slicewise")
    (tmp_path / "script.py").write_text(BODIES)
    (tmp_path / "slicewise").mkdir()
    for name in names:
        (tmp_path / "slicewise" / f"{name}.py").touch()
    assert sources._imported(tmp_path / "script.py") == names


@pytest.mark.parametrize(
    "script", sorted(sources.PACKAGE.parent.rglob("*.py")), ids=lambda p: p.stem
)
def test_no_file_imports_in_a_way_that_is_not_followed(script):
    """Only `from slicewise import x` and `from slicewise.x import y` are."""
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not [name.name for name in node.names if name.name.startswith("slicewise")]
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0


@pytest.mark.parametrize("script", ["train_fold", "export_cases", "predict_cases"])
def test_a_plotting_edit_never_retrains(script):
    assert not {"style", "statistics", "page_parts", "sources"} & set(sources.modules(script))


def test_a_training_edit_never_exports_again():
    assert not {"network", "loss", "augment", "batches"} & set(sources.modules("export_cases"))


@pytest.mark.parametrize("script", ["merge_fingerprint", "plan_network", "export_model"])
def test_reading_voxels_in_another_way_changes_only_what_reads_voxels(script):
    assert "volumes" not in sources.modules(script)


def test_a_change_of_what_is_written_for_nnunet_never_trains_again():
    assert not {"nnunet_logs", "model_folders"} & set(sources.modules("train_fold"))


def test_logging_and_signals_count_for_nothing():
    assert not {"job", "launch", "stopping"} & set(sources.modules("train_fold"))


@pytest.mark.parametrize("script", ["analyze_cases", "merge_fingerprint", "export_cases"])
def test_other_words_for_a_problem_neither_analyse_nor_train_again(script):
    assert not {"problems", "scan_checks"} & set(sources.modules(script))


def test_scripts_differ_in_their_digest():
    assert sources.digest("train_fold") != sources.digest("export_cases")


def test_comments_layout_and_docstrings_do_not_count(tmp_path):
    first, second, third = (tmp_path / name for name in ("a.py", "b.py", "c.py"))
    first.write_text("x = 1\n")
    second.write_text('"""A docstring."""\n# why\nx   =  1\n')
    third.write_text("x = 2\n")
    dumps = [sources.ast.dump(sources._tree(path)) for path in (first, second, third)]
    assert dumps[0] == dumps[1] != dumps[2]
