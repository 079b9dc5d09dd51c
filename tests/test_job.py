"""How a rule calls its script."""

from types import SimpleNamespace

import pytest

from slicewise.job import run


class Named(dict):
    """Stands for the named part of a rule's inputs, params or outputs."""


def job_of(tmp_path, **params):
    return SimpleNamespace(
        input=Named(plan="plans.json"),
        params=Named(code="digest", labels=[None], **params),
        output=Named(table="x.csv"),
        log=[str(tmp_path / "logs" / "job.log")],
        config={"results": str(tmp_path)},
        rule="plan",
    )


def test_arguments_go_by_name_without_what_is_for_reruns(tmp_path):
    seen = {}
    run(lambda **arguments: seen.update(arguments), job_of(tmp_path, fold=3))
    assert seen == {"plan": "plans.json", "fold": 3, "table": "x.csv"}


def test_bad_data_is_said_without_a_traceback(tmp_path, capsys):
    def main(**_):
        raise ValueError("case a: image.nii.gz is missing")

    with pytest.raises(SystemExit) as stop:
        run(main, job_of(tmp_path))
    assert stop.value.code == 1
    said = capsys.readouterr().err
    assert "case a: image.nii.gz is missing" in said
    assert "Traceback" not in said
    assert "Traceback" in (tmp_path / "logs/job.log").read_text()


def test_our_own_errors_keep_their_traceback(tmp_path):
    def main(**_):
        raise KeyError("bug")

    with pytest.raises(KeyError):
        run(main, job_of(tmp_path))
    assert "KeyError" in (tmp_path / "logs/job.log").read_text()
