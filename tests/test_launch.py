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

import ranks as processes
import train_fold
from chain import Chain, analyse, export, plan
from ranks import (
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


def begun(given, folder):
    """Start a job with two ranks; return it once it has a checkpoint, and the pids of its ranks."""
    job = start(run_job, given)
    wait_until((folder / "checkpoint_latest.pt").exists)
    pids = of_job(job)
    assert set(pids) == {0, 1}
    return job, pids


def check_end(folder, pids, words):
    """Hold a job that ended early to its word: it left no rank, no traceback, and no result."""
    assert not any(map(is_alive, pids.values()))
    said = (folder / "said").read_text()
    assert words in said
    assert "Traceback" not in said
    assert not (folder / "checkpoint_final.pt").exists()


def check_rest(given, folder, uninterrupted):
    """Hold ranks that go on where a job ended to the bytes of a training that was left alone."""
    assert processes.call(2, folder / "ranks", train, given) == ["", ""]
    assert "going on from" in (folder / "ranks/log-0").read_text()
    assert outputs(folder) == outputs(uninterrupted)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_job_ends_when_a_rank_is_killed_and_goes_on_to_the_same_bytes(
    chain, uninterrupted, tmp_path
):
    given = arguments(chain, tmp_path)
    job, pids = begun(given, tmp_path)
    assert addresses(pids[1])
    for pid in (job.pid, *pids.values()):
        assert addresses(pid) <= LOOPBACK
    os.kill(pids[1], signal.SIGKILL)
    since = time.monotonic()
    assert exit_code(job) == 1
    assert time.monotonic() - since < LONGEST_END
    check_end(tmp_path, pids, "process 1 of the 2 of this training was ended by SIGKILL")
    check_rest(given, tmp_path, uninterrupted)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_job_that_is_told_to_end_saves_and_goes_on_to_the_same_bytes(
    chain, uninterrupted, tmp_path
):
    """Slurm tells the job alone, or all of its processes; the others are told by the job."""
    given = arguments(chain, tmp_path)
    job, pids = begun(given, tmp_path)
    os.kill(job.pid, signal.SIGTERM)
    assert exit_code(job) == 128 + signal.SIGTERM
    check_end(tmp_path, pids, "told to end (SIGTERM)")
    check_rest(given, tmp_path, uninterrupted)


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
