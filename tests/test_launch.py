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
from scans import write_dataset
from slicewise import launch
from slicewise.distributed import Ranks
from slicewise.job import logging_to
from slicewise.problems import BadInput
from test_train_fold import SETTINGS as ONE_DEVICE

SETTINGS = ONE_DEVICE | {
    "epochs": 12,
    "iterations_per_epoch": 4,
    "batch_size": 3,
    "devices": 2,
    "threads": 2,
}
LOOPBACK = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}
"""127.0.0.1, ::1 and ::ffff:127.0.0.1 in the words of /proc/net/tcp."""

LONGEST_END = 15
"""Seconds within which ranks end that have lost one, or their job; they take one or two."""


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chain")
    raw = write_dataset(folder / "raw", [(18, 16, 6)] * 4, spacing=(1, 1, 4), classes=1)
    return export(plan(analyse(Chain(raw, folder))))


def arguments(chain: Chain, folder: Path, **changes) -> dict:
    return {
        "dataset_json": chain.dataset_json,
        "manifests": [chain.manifest],
        "arrays": changes.pop("arrays", chain.arrays),
        "plan": chain.plan,
        "splits": chain.splits,
        "fold": "0",
        "seed": "0",
        "settings": SETTINGS | changes,
        "running": {},
        "checkpoint": folder / "checkpoint_final.pt",
        "history": folder / "history.csv",
    }


def run_job(given: dict) -> None:
    """Do as a job does, in a process made for it."""
    folder = given["history"].parent
    folder.mkdir(exist_ok=True)
    with (folder / "said").open("a") as said:
        os.dup2(said.fileno(), 2)
    with logging_to(folder / "log"):
        try:
            launch.on_devices(train_fold.main, "train_fold")(**given)
        except OSError as error:
            (folder / "error").write_text(str(error))
            sys.exit(1)
    (folder / "imported").write_text(json.dumps(sorted(sys.modules)))


def outputs(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in ("checkpoint_final.pt", "history.csv")}


def train(ranks: Ranks, given: dict) -> str:
    """Train as a rank of some, and return why it could not."""
    try:
        train_fold.main(**given, ranks=ranks)
    except BadInput as error:
        return str(error)
    return ""


def wait_until(happened) -> None:
    end = time.monotonic() + processes.LONGEST
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


def ranks_of(job) -> dict[int, int]:
    """Return the process id of each rank that a job has started."""
    found = {}
    for pid in Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split():
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        found |= {int(e[5:]): int(pid) for e in environment if e.startswith(b"RANK=")}
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def addresses(pid: int) -> set[str]:
    """Return the local addresses of the sockets of a process, in the words of /proc/net/tcp."""
    own = {link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    rows = []
    for name in ("tcp", "tcp6"):
        rows += Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
    return {row.split()[1].split(":")[0] for row in rows if f"socket:[{row.split()[9]}]" in own}


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
    job = processes.start(run_job, arguments(chain, folder, devices=1))
    assert processes.exit_code(job) == 0
    return folder


def test_the_curves_of_two_ranks_are_those_of_one(uninterrupted, alone):
    mine, expected = (pd.read_csv(folder / "history.csv") for folder in (uninterrupted, alone))
    assert list(mine) == list(expected)
    for name in ("train_loss", "validation_loss"):
        np.testing.assert_allclose(mine[name], expected[name], rtol=1e-5)
    np.testing.assert_allclose(mine["pseudo_dice"], expected["pseudo_dice"], atol=1e-3)
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
def test_two_jobs_at_once_lose_a_rank_and_a_job_and_one_goes_on(chain, uninterrupted, tmp_path):
    """One test, as each start of ranks costs seconds: killed, told to end, and gone on to the end.

    One job loses a rank; it ends in bounded time. The other is killed itself: so are its ranks.
    """
    losing, killed = tmp_path / "losing", tmp_path / "killed"
    jobs = [processes.start(run_job, arguments(chain, folder)) for folder in (losing, killed)]
    for folder in (losing, killed):
        wait_until((folder / "checkpoint_latest.pt").exists)
    lost, orphans = (ranks_of(job) for job in jobs)
    assert set(lost) == set(orphans) == {0, 1}
    for pid in (jobs[0].pid, *lost.values()):
        assert addresses(pid) <= LOOPBACK
    assert addresses(lost[1])
    os.kill(lost[1], signal.SIGKILL)
    os.kill(jobs[1].pid, signal.SIGKILL)
    start = time.monotonic()
    assert processes.exit_code(jobs[0]) == 1
    wait_until(lambda: not any(map(is_alive, [*lost.values(), *orphans.values()])))
    assert time.monotonic() - start < LONGEST_END
    assert (
        "process 1 of the 2 of this training was ended by SIGKILL" in (losing / "error").read_text()
    )

    job = processes.start(run_job, arguments(chain, losing))
    wait_until(lambda: "going on from" in (losing / "log").read_text())
    for _ in range(3):
        os.kill(job.pid, signal.SIGTERM)
    assert processes.exit_code(job) == 128 + signal.SIGTERM
    assert (losing / "log").read_text().count("told to end (SIGTERM)") == 1
    assert "Traceback" not in (losing / "said").read_text()
    assert not (losing / "checkpoint_final.pt").exists()

    assert processes.exit_code(processes.start(run_job, arguments(chain, losing))) == 0
    assert outputs(losing) == outputs(uninterrupted)
    assert not (losing / "checkpoint_latest.pt").exists()
    assert "100%" in (losing / "said").read_text()


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
        launch._end_as(tmp_path, 2, {0: 1, 1: -9})


def test_ranks_that_were_told_to_end_give_their_status_to_the_job(tmp_path):
    with pytest.raises(SystemExit) as ended:
        launch._end_as(tmp_path, 2, {0: 143, 1: 143})
    assert ended.value.code == 143


def test_a_rank_that_could_not_say_why_it_failed_has_its_last_words_shown(tmp_path):
    log = tmp_path / "logs/run/attempt_0/1/stderr.log"
    log.parent.mkdir(parents=True)
    log.write_text("Segmentation fault")
    with pytest.raises(RuntimeError, match="Segmentation fault"):
        launch._end_as(tmp_path, 2, {1: 139})
