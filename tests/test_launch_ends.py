"""Where a training runs, and how a job on several devices ends, with no ranks but in words."""

import json
import os
import signal
from pathlib import Path

import pytest
import torch
from torch.distributed import launcher
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

from ranks import SETTINGS
from slicewise import launch
from slicewise.job import logging_to


@pytest.fixture
def torchrun(monkeypatch, tmp_path):
    """Return a job that starts no ranks, with what to do in their place: it gets their folder.

    It returns the exit codes of those that fail; later: by how many seconds some of them do.
    """
    monkeypatch.setenv("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", "1")

    def job(act, later=()):
        def launched(_, folder):
            codes = act(Path(folder))
            if codes:
                failures = {r: ProcessFailure(r, 1, code, "none") for r, code in codes.items()}
                for rank in later:
                    failures[rank].timestamp += later[rank]
                raise ChildFailedError("training", failures)

        monkeypatch.setattr(launcher, "elastic_launch", lambda *_: launched)
        with logging_to(tmp_path / "log"):
            launch.on_devices(pytest.fail, "train_fold")(settings=SETTINGS)

    return job


def test_a_job_that_is_told_to_end_tells_its_ranks_and_ends_as_they_do(torchrun):
    def told(folder):
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
        assert (folder / "told").read_text() == "15"
        return {0: 143, 1: 143}

    with pytest.raises(SystemExit) as ended:
        torchrun(told)
    assert ended.value.code == 143


def test_a_job_whose_first_rank_wrote_all_has_done_its_work(torchrun, tmp_path):
    """Without that, the same end of another rank is a failure."""

    def killed(folder):
        return {1: -9}

    def done(folder):
        (folder / "done").touch()
        return killed(folder)

    with pytest.raises(ChildProcessError, match="SIGKILL"):
        torchrun(killed)
    assert torchrun(done) is None
    assert "SIGKILL" not in (tmp_path / "log").read_text()


def test_more_gpus_than_a_job_sees_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    job = launch.on_devices(pytest.fail, "train_fold")
    with pytest.raises(
        ValueError, match=r"training\.devices: found 4, expected at most 3, the GPUs"
    ):
        job(settings={"devices": 4, "device": "cuda"})


@pytest.mark.parametrize(
    ("devices", "device", "said", "warned"),
    [
        (1, "cpu", "training on cpu, 1 process", 0),
        (1, "auto", "training on cpu, 1 process", 0),
        (2, "cpu", "training on cpu, 2 processes", 0),
        (2, "auto", "training on cpu, 2 processes", 1),
    ],
)
def test_a_training_says_where_it_runs(monkeypatch, caplog, devices, device, said, warned):
    """One that was given several GPUs and sees none would else take the CPU without a word."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(launch, "_launch", lambda *_: None)
    settings = {"devices": devices, "device": device}
    with caplog.at_level("INFO", logger="slicewise"):
        launch.on_devices(lambda **_: None, "train_fold")(settings=settings)
    told = [(record.levelname, record.message) for record in caplog.records]
    assert ("INFO", said) in told
    warnings = [message for level, message in told if level == "WARNING"]
    assert len(warnings) == warned
    assert all(message.startswith("training.device: auto found no GPU") for message in warnings)


@pytest.mark.parametrize("devices", [1, 2])
def test_a_device_that_is_not_there_is_refused(monkeypatch, devices):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    job = launch.on_devices(pytest.fail, "train_fold")
    with pytest.raises(ValueError, match=r"training\.device: found cuda, expected"):
        job(settings={"devices": devices, "device": "cuda"})


def failed(folder: Path, rank: int, when: float, explained: str | None) -> None:
    report = {"time": when, "rank": rank, "explained": explained, "traceback": f"of rank {rank}"}
    (folder / f"failed-{rank}.json").write_text(json.dumps(report))


def test_the_job_says_what_made_the_first_rank_fail(tmp_path):
    failed(tmp_path, 0, 2.0, None)
    failed(tmp_path, 1, 1.0, "case a: the disk is full")
    with pytest.raises(ValueError, match=r"^case a: the disk is full$"):
        launch._end_as(tmp_path, 2, {0: 1, 1: 1})


def test_an_error_of_ours_keeps_its_traceback(tmp_path):
    failed(tmp_path, 1, 1.0, None)
    with pytest.raises(RuntimeError, match="process 1 of the 2 failed:\nof rank 1"):
        launch._end_as(tmp_path, 2, {1: 1})


def test_a_rank_that_was_killed_comes_before_what_the_others_say(tmp_path):
    failed(tmp_path, 0, 1.0, None)
    with pytest.raises(OSError, match="process 1 of the 2 of this training was ended by SIGKILL"):
        launch._end_as(tmp_path, 2, {0: -signal.SIGTERM, 1: -signal.SIGKILL})


def test_a_rank_that_was_ended_because_another_failed_says_nothing(tmp_path):
    failed(tmp_path, 1, 1.0, "case a: the disk is full")
    with pytest.raises(ValueError, match=r"^case a: the disk is full$"):
        launch._end_as(tmp_path, 2, {0: -signal.SIGTERM, 1: 1})


def test_ranks_that_were_told_to_end_give_their_status_to_the_job(tmp_path):
    with pytest.raises(SystemExit) as ended:
        launch._end_as(tmp_path, 2, {0: 143, 1: 143})
    assert ended.value.code == 143


def test_ranks_that_were_told_before_they_listened_end_the_job_as_told(tmp_path):
    (tmp_path / "told").write_text("15")
    failed(tmp_path, 0, 1.0, None)
    with pytest.raises(SystemExit) as ended:
        launch._end_as(tmp_path, 2, {0: 1, 1: -signal.SIGTERM})
    assert ended.value.code == 143


def test_a_rank_that_was_stuck_when_another_failed_does_not_hide_why(tmp_path):
    """torchrun kills what has not ended GRACE seconds after SIGTERM, and counts that too."""
    failed(tmp_path, 0, 1.0, "case a: expected finite voxels")
    with pytest.raises(ValueError, match=r"^case a: expected finite voxels$"):
        launch._end_as(tmp_path, 2, {0: 1, 1: -signal.SIGKILL})


@pytest.mark.parametrize(
    ("seconds", "error", "said"),
    [
        (launch.GRACE + 1, RuntimeError, "process 0 of the 2 failed:\nof rank 0"),
        (1, OSError, "process 1 of the 2 of this training was ended by SIGKILL"),
    ],
)
def test_who_killed_a_rank_is_told_by_when_it_ended(torchrun, seconds, error, said):
    def stuck(folder):
        failed(folder, 0, 1.0, None)
        return {0: 1, 1: -signal.SIGKILL}

    with pytest.raises(error, match=said):
        torchrun(stuck, {1: seconds})


def test_the_log_has_what_each_rank_said(tmp_path):
    failed(tmp_path, 0, 2.0, None)
    failed(tmp_path, 1, 1.0, "case a: the disk is full")
    with logging_to(tmp_path / "log"), pytest.raises(ValueError, match="case a"):
        launch._end_as(tmp_path, 2, {0: 1, 1: 1})
    assert (tmp_path / "log").read_text() == "DEBUG: of rank 1\nDEBUG: of rank 0\n"


def last_words(folder: Path, rank: int, text: str) -> None:
    log = folder / f"logs/run/attempt_0/{rank}/stderr.log"
    log.parent.mkdir(parents=True)
    log.write_text(text)


@pytest.mark.parametrize(
    ("name", "of_memory"), [("SIGKILL", 1), ("SIGSEGV", 0), ("SIGABRT", 0), ("SIGBUS", 0)]
)
def test_only_a_rank_that_was_killed_lacked_memory_perhaps(tmp_path, name, of_memory):
    last_words(tmp_path, 1, "\n".join(map(str, range(100))) + "\nfree(): invalid pointer\n")
    with pytest.raises(OSError, match=f"was ended by {name}") as ended:
        launch._end_as(tmp_path, 2, {0: 1, 1: -signal.Signals[name]})
    assert str(ended.value).count("memory is short") == of_memory
    assert str(ended.value).endswith("\n99\nfree(): invalid pointer")
    assert "\n9\n" not in str(ended.value)


def test_ranks_that_saved_because_they_were_told_to_end_outweigh_one_that_was_stuck(tmp_path):
    with pytest.raises(SystemExit) as ended:
        launch._end_as(tmp_path, 2, {0: 143, 1: -signal.SIGKILL})
    assert ended.value.code == 143


def test_a_rank_that_could_not_say_why_it_failed_has_its_last_words_shown(tmp_path):
    last_words(tmp_path, 1, "no module named torch")
    with pytest.raises(RuntimeError, match="no module named torch"):
        launch._end_as(tmp_path, 2, {1: 1})
