"""A job on several devices: it ends as its ranks do, and they end with it."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch.distributed import launcher
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

import ranks as processes
import train_fold
from chain import Chain, analyse, export, plan
from ranks import (
    SETTINGS,
    addresses,
    arguments,
    exit_code,
    is_alive,
    of_job,
    outputs,
    run_job,
    start,
    wait_until,
)
from scans import write_dataset
from slicewise import launch
from slicewise.distributed import Ranks
from slicewise.job import logging_to
from slicewise.problems import BadInput

LOOPBACK = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}
"""127.0.0.1, ::1 and ::ffff:127.0.0.1 in the words of /proc/net/tcp."""

LONGEST_END = 15
"""Seconds within which ranks end that have lost one, or their job; they take one or two."""


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chain")
    raw = write_dataset(folder / "raw", [(18, 16, 6)] * 4, spacing=(1, 1, 4), classes=1)
    return export(plan(analyse(Chain(raw, folder))))


def train(ranks: Ranks, given: dict) -> str:
    """Train as a rank of some, and return why it could not."""
    try:
        train_fold.main(**given, ranks=ranks)
    except BadInput as error:
        return str(error)
    return ""


@pytest.fixture(scope="module")
def uninterrupted(chain, tmp_path_factory):
    """Return the folder of a training of two ranks that nobody disturbs, without torchrun."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    assert processes.call(2, folder / "ranks", train, arguments(chain, folder)) == ["", ""]
    return folder


@pytest.fixture(scope="module")
def alone(chain, tmp_path_factory):
    """Return the folder of a job with one device."""
    folder = tmp_path_factory.mktemp("alone")
    job = start(run_job, arguments(chain, folder, devices=1))
    assert exit_code(job) == 0
    return folder


def test_the_curves_of_two_ranks_are_those_of_one(uninterrupted, alone):
    """To rounding, which grows where it moves activations across the kink of the leaky ReLU."""
    mine, expected = (pd.read_csv(folder / "history.csv") for folder in (uninterrupted, alone))
    assert list(mine) == list(expected)
    for name in ("train_loss", "validation_loss"):
        np.testing.assert_allclose(mine[name][:4], expected[name][:4], rtol=0, atol=1e-5)
        np.testing.assert_allclose(mine[name], expected[name], rtol=0, atol=1e-3)
    np.testing.assert_allclose(mine["pseudo_dice"], expected["pseudo_dice"], atol=1e-2)
    assert mine["train_loss"].iloc[-1] < mine["train_loss"].iloc[0] - 0.3


def test_weights_have_the_names_of_one_process(uninterrupted, alone):
    mine, expected = (
        torch.load(folder / "checkpoint_final.pt", weights_only=True)["network"]
        for folder in (uninterrupted, alone)
    )
    assert list(mine) == list(expected)


def test_a_job_with_one_device_needs_nothing_of_torchrun(alone):
    imported = json.loads((alone / "imported").read_text())
    assert "train_fold" in imported
    assert [name for name in imported if name.startswith("torch.distributed.elastic")] == []
    assert [name for name in imported if name.startswith("torch.distributed.launcher")] == []


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_job_ends_when_a_rank_is_killed_and_goes_on_to_the_same_bytes(
    chain, uninterrupted, tmp_path
):
    given = arguments(chain, tmp_path)
    job = start(run_job, given)
    wait_until((tmp_path / "checkpoint_latest.pt").exists)
    pids = of_job(job)
    assert set(pids) == {0, 1}
    assert addresses(pids[1])
    for pid in (job.pid, *pids.values()):
        assert addresses(pid) <= LOOPBACK
    os.kill(pids[1], signal.SIGKILL)
    since = time.monotonic()
    assert exit_code(job) == 1
    assert time.monotonic() - since < LONGEST_END
    assert not any(map(is_alive, pids.values()))
    said = (tmp_path / "said").read_text()
    assert "process 1 of the 2 of this training was ended by SIGKILL" in said
    assert "Traceback" not in said
    assert not (tmp_path / "checkpoint_final.pt").exists()

    assert processes.call(2, tmp_path / "ranks", train, given) == ["", ""]
    assert "going on from" in (tmp_path / "ranks/log-0").read_text()
    assert outputs(tmp_path) == outputs(uninterrupted)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_job_that_is_told_to_end_saves_and_goes_on_to_the_same_bytes(
    chain, uninterrupted, tmp_path
):
    """Slurm tells the job alone, or all of its processes; the others are told by the job."""
    given = arguments(chain, tmp_path)
    job = start(run_job, given)
    wait_until((tmp_path / "checkpoint_latest.pt").exists)
    pids = of_job(job)
    assert set(pids) == {0, 1}
    os.kill(job.pid, signal.SIGTERM)
    assert exit_code(job) == 128 + signal.SIGTERM
    assert not any(map(is_alive, pids.values()))
    said = (tmp_path / "said").read_text()
    assert "told to end (SIGTERM)" in said
    assert "Traceback" not in said
    assert not (tmp_path / "checkpoint_final.pt").exists()

    assert processes.call(2, tmp_path / "ranks", train, given) == ["", ""]
    assert "going on from" in (tmp_path / "ranks/log-0").read_text()
    assert outputs(tmp_path) == outputs(uninterrupted)


def train_until_told(ranks: Ranks, given: dict, by_signal: bool) -> int:
    """Train, have one rank be told to end in the fifth step, and return the exit status."""
    step, taken = train_fold.Training.step, []

    def telling(training, batch):
        taken.append(1)
        if len(taken) == 5 and ranks.rank == 1 and by_signal:
            os.kill(os.getpid(), signal.SIGTERM)
        if len(taken) == 5 and ranks.rank == 1 and not by_signal:
            ranks.told.write_text("15")
        return step(training, batch)

    train_fold.Training.step = telling
    with pytest.raises(SystemExit) as ended:
        train_fold.main(**given, ranks=ranks)
    assert len(taken) in (5, 6)  # a file may be seen by another rank in the midst of a step
    return ended.value.code


@pytest.mark.parametrize("by_signal", [True, False])
def test_ranks_of_which_one_is_told_to_end_stop_at_one_step(
    chain, uninterrupted, tmp_path, by_signal
):
    """Within an epoch, of which no step is lost. A job tells all of them by a file."""
    given = arguments(chain, tmp_path, checkpoint_every=50)
    given["settings"].pop("checkpoint_every")
    given["running"]["checkpoint_every"] = 50
    told = processes.call(2, tmp_path / "told", train_until_told, given, by_signal)
    assert told == [128 + signal.SIGTERM] * 2
    state = torch.load(tmp_path / "checkpoint_latest.pt", weights_only=True)
    assert (len(state["history"]), len(state["losses"])) in [(1, 2), (2, 0)]
    assert processes.call(2, tmp_path / "ranks", train, given) == ["", ""]
    assert outputs(tmp_path) == outputs(uninterrupted)


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


def test_a_job_whose_first_rank_wrote_all_has_done_its_work(torchrun):
    def done(folder):
        (folder / "done").touch()
        return {1: -9}

    torchrun(done)


def be_left_alone(folder: Path) -> None:
    """Have a rank of this process, which is not told when this is killed."""
    rank = os.fork()
    if rank == 0:
        launch._end_with(os.getppid(), folder)
    (folder / "rank").write_text(str(rank))
    time.sleep(processes.LONGEST)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_ranks_end_when_their_job_was_killed(tmp_path):
    job = start(be_left_alone, tmp_path)
    wait_until((tmp_path / "rank").exists)
    time.sleep(0.1)
    rank = int((tmp_path / "rank").read_text())
    assert is_alive(rank)
    job.kill()
    wait_until(lambda: not is_alive(rank), LONGEST_END)
    assert not tmp_path.exists()


@pytest.fixture
def spoilt(chain, tmp_path):
    """Return arrays of which every slice of the first case to train on is not finite."""
    arrays = tmp_path / "spoilt"
    arrays.mkdir()
    for path in chain.arrays.iterdir():
        (arrays / path.name).write_bytes(path.read_bytes())
    for name in json.loads(chain.splits.read_text())[0]["train"]:
        image = np.load(arrays / f"{name}.npy")
        image[2] = np.nan
        np.save(arrays / f"{name}.npy", image)
    return arrays


def test_ranks_that_only_skip_name_the_whole_batch(chain, spoilt, tmp_path):
    """As one process does: the cases and slices of the other ranks too."""
    changes = {"arrays": spoilt, "max_skipped_steps": 3, "slices": "central 1", "batch_size": 4}
    given = arguments(chain, tmp_path / "out", **changes, augmentation="none")
    said = processes.call(2, tmp_path / "ranks", train, given)
    assert said[0] == said[1] == train(Ranks(), given)
    assert said[0].startswith("training.max_skipped_steps: 3 steps in a row had a loss")
    assert len(said[0].splitlines()) == 3


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
def test_a_device_that_is_not_there_is_refused(monkeypatch, devices, chain, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    given = arguments(chain, tmp_path, device="cuda", devices=devices)
    with pytest.raises(ValueError, match=r"training\.device: found cuda, expected"):
        launch.on_devices(train_fold.main, "train_fold")(**given)


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
