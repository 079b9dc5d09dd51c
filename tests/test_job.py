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


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(28, "No space left on device", "a.npy"),
            "a.npy: No space left on device; the disk",
        ),
        (OSError("12 requested and 3 written"), "12 requested and 3 written"),
        (
            FileNotFoundError(2, "No such file", "a.nii.gz"),
            "a.nii.gz: No such file; it is not",
        ),
        (MemoryError("Unable to allocate 9 GiB"), "Unable to allocate 9 GiB"),
    ],
)
def test_errors_of_the_machine_are_said_without_a_traceback(tmp_path, capsys, error, said):
    def main(**_):
        raise error

    with pytest.raises(SystemExit):
        run(main, job_of(tmp_path))
    shown = capsys.readouterr().err
    assert said in shown
    assert "Traceback" not in shown
    log = (tmp_path / "logs/job.log").read_text()
    assert "Traceback" in log
    assert said in log


def test_a_log_that_cannot_be_written_is_said_without_a_traceback(tmp_path, capsys):
    (tmp_path / "logs").write_text("not a folder")
    with pytest.raises(SystemExit):
        run(print, job_of(tmp_path))
    shown = capsys.readouterr().err
    assert str(tmp_path / "logs") in shown
    assert "Traceback" not in shown


def test_messages_on_a_full_disk_add_no_errors_of_their_own(tmp_path, capsys):
    job = job_of(tmp_path)
    job.log = ["/dev/full"]

    def main(**_):
        raise OSError(28, "No space left on device", "a.npy")

    with pytest.raises(SystemExit):
        run(main, job)
    shown = capsys.readouterr().err
    assert "a.npy: No space left on device" in shown
    assert "Logging error" not in shown
    assert "Traceback" not in shown


def test_an_interrupted_job_says_nothing(tmp_path, capsys):
    def main(**_):
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as stop:
        run(main, job_of(tmp_path))
    assert stop.value.code == 130
    assert capsys.readouterr().err == ""
