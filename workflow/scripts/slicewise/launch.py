"""How a training on several devices starts and ends: a job that has torchrun start its ranks.

The job itself computes nothing. Each rank is a process that runs the script of the rule once more
and calls the same `main`. They meet through files in a temporary folder and talk over the loopback
interface alone, so that no port has to be free and no two trainings meet each other.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from slicewise.device import choose_device
from slicewise.distributed import Ranks
from slicewise.files import write_json
from slicewise.job import explain, logger, logging_to
from slicewise.stopping import SIGNALS, heeding

SCRIPTS = Path(__file__).resolve().parents[1]

POLL = 0.5
"""Seconds between two looks of a rank at whether its job is still there."""

GRACE = 30
"""Seconds that the other ranks have to end once one has failed, before they are killed. On a CPU
they notice at once; on GPUs they may wait for it."""

LAST_LINES = 10
"""Of what each process printed, those that a message shows when one could not say why it ended."""

LONGEST_WAIT = timedelta(minutes=10)
"""How long a rank waits for another that lives but does not answer, before it fails."""


def on_devices(main: Callable, script: str) -> Callable:
    """Return what a job calls in place of the `main` of a training's script.

    With one device it is `main` in this very process, with more a rank for each.
    """

    @wraps(main)
    def started(**arguments: Any) -> None:
        settings = arguments["settings"]
        _check_device(settings)
        if settings["devices"] == 1:
            main(**arguments)
        else:
            _launch(script, settings["devices"], arguments)

    return started


def _check_device(settings: dict) -> None:
    """Say on what a training runs.

    Raises ValueError if this machine does not have as many devices as it asks for.
    """
    kind, wanted = choose_device(settings["device"]).type, settings["devices"]
    there = {"cpu": wanted, "mps": 1}.get(kind) or torch.cuda.device_count()
    if wanted > there:
        seen = "GPU that this job sees" if there == 1 else "GPUs that this job sees"
        raise ValueError(
            f"training.devices: found {wanted}, expected at most {there}, the {seen} "
            f"(training.device: {settings['device']}); ask for more GPUs, or lower training.devices"
        )
    logger.info("training on %s, %d process%s", kind, wanted, "es" * (wanted > 1))
    if kind == "cpu" and settings["device"] == "auto" and wanted > 1:
        logger.warning(
            "training.device: auto found no GPU, so that %d processes share the CPU; if this job "
            "was to have GPUs, see why it does not see them; if not, set device: cpu, which asks "
            "for none",
            wanted,
        )


def _launch(script: str, count: int, arguments: dict[str, Any]) -> None:
    """Have torchrun start the ranks of a training, and end as they do.

    Told to end, it tells them, as often as it may be told; they save and end between two steps.
    Raises what made the first of them fail.
    """
    from torch.distributed import launcher
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    # what it says of ranks that end is said here, in other words
    logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)
    with TemporaryDirectory(prefix="slicewise-") as name:
        folder = Path(name)
        log = next(h.baseFilename for h in logger.handlers if isinstance(h, logging.FileHandler))
        about = {"job": os.getpid(), "log": log, "arguments": arguments}
        (folder / "job.json").write_text(json.dumps(about, default=str), encoding="utf-8")
        on_gpus = choose_device(arguments["settings"]["device"]).type == "cuda"
        torchrun = launcher.elastic_launch(_torchrun(folder, count, on_gpus), sys.executable)
        with heeding(lambda number, _: (folder / "told").write_text(str(int(number)))):
            try:
                torchrun(str(SCRIPTS / f"{script}.py"), name)
            except ChildFailedError as failed:
                if not (folder / "done").exists():  # all that the training writes
                    _end_as(folder, count, _own_codes(failed.failures))


def _torchrun(folder: Path, count: int, on_gpus: bool) -> Any:
    """Return how torchrun is to start the ranks: on this machine, once, each with a GPU of its own.

    Their messages are those of the first; what the others print is kept in the folder.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, Std
    from torch.distributed.launcher import LaunchConfig

    # it would listen on all interfaces, for ranks that have no other way to meet
    os.environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"
    others = dict.fromkeys(range(1, count), Std.ERR)
    return LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id="training",
        rdzv_backend="c10d",
        rdzv_endpoint=str(folder / "rendezvous"),
        rdzv_configs={"store_type": "file"},
        local_addr="127.0.0.1",
        max_restarts=0,
        shutdown_timeout=GRACE,
        # the others would raise an error wherever it is, also while it waits for ranks to save
        signals_to_handle="SIGQUIT",
        virtual_local_rank=on_gpus,
        logs_specs=DefaultLogsSpecs(str(folder / "logs"), redirects=others),
    )


def _own_codes(failures: dict[int, Any]) -> dict[int, int]:
    """Return what ranks ended with, without those that were stuck and that torchrun killed.

    failures: torch's ProcessFailure of each rank, with the second in which it was seen.
    """
    stuck = GRACE + min(failure.timestamp for failure in failures.values())
    return {
        rank: failure.exitcode
        for rank, failure in failures.items()
        if failure.exitcode != -signal.SIGKILL or failure.timestamp < stuck
    }


def _end_as(folder: Path, count: int, codes: dict[int, int]) -> None:
    """Raise what made ranks fail, or end with the status that they ended with when told to.

    codes: what the ranks ended with, those too that were ended (SIGTERM) because another failed.
    """
    found = [json.loads(path.read_text("utf-8")) for path in folder.glob("failed-*.json")]
    reports = sorted(found, key=lambda report: report["time"])
    for report in reports:
        logger.debug(report["traceback"])
    first = reports[0] if reports else None
    if first and first["explained"]:
        raise ValueError(first["explained"])
    agreed = [code for code in codes.values() if code - 128 in SIGNALS]
    if agreed:
        sys.exit(agreed[0])
    for rank, code in sorted(codes.items()):
        if code < 0 and -code not in SIGNALS:
            why = ", as the system does where memory is short" * (code == -signal.SIGKILL)
            raise ChildProcessError(
                f"process {rank} of the {count} of this training was ended by "
                f"{signal.Signals(-code).name}{why}; the others were ended too. Start the run "
                f"again: it goes on from the last checkpoint{_last_words(folder)}"
            )
    if (folder / "told").exists():  # before they listened
        sys.exit(128 + int((folder / "told").read_text()))
    if first:
        raise RuntimeError(f"process {first['rank']} of the {count} failed:\n{first['traceback']}")
    raise RuntimeError(f"the processes of this training ended with {codes}{_last_words(folder)}")


def _last_words(folder: Path) -> str:
    """Return the last lines that each rank but the first printed; those of the first were seen."""
    printed = [
        path.read_text("utf-8", "replace") for path in sorted(folder.glob("logs/**/stderr.log"))
    ]
    ends = ["\n".join(text.splitlines()[-LAST_LINES:]) for text in printed]
    return "".join(f"\n{end}" for end in ends if end)


def run_rank(main: Callable) -> None:
    """Be a rank of a training: call its `main` with the arguments of the job that started it."""
    folder, rank = Path(sys.argv[1]), int(os.environ["RANK"])
    about = json.loads((folder / "job.json").read_text("utf-8"))
    threading.Thread(target=_end_with, args=(about["job"], folder), daemon=True).start()
    status = 0
    with logging_to(os.devnull if rank else about["log"]):
        try:
            ranks = join(folder, rank, about["arguments"]["settings"])
            main(**about["arguments"], ranks=ranks)
            if rank == 0:
                (folder / "done").touch()
            torch.distributed.destroy_process_group()
        except SystemExit as ended:
            status = ended.code
        except Exception as error:
            report = {
                "time": time.time(),
                "rank": rank,
                "explained": explain(error),
                "traceback": traceback.format_exc(),
            }
            write_json(folder / f"failed-{rank}.json", report)
            status = 1
    if status:  # at once: the others may never answer what torch would still ask them
        os._exit(status)


def join(folder: Path, rank: int, settings: dict) -> Ranks:
    """Return the ranks of a training, once all of them are there."""
    loopback = next(name for _, name in socket.if_nameindex() if name.startswith("lo"))
    os.environ |= {"GLOO_SOCKET_IFNAME": loopback, "NCCL_SOCKET_IFNAME": loopback}
    on_gpu = choose_device(settings["device"]).type == "cuda"
    torch.distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if on_gpu else "gloo",
        init_method=f"file://{folder / 'store'}",
        rank=rank,
        world_size=settings["devices"],
        timeout=LONGEST_WAIT,
    )
    return Ranks(rank, settings["devices"], told=folder / "told")


def _end_with(job: int, folder: Path) -> None:
    """End this process at once when the job that started it is no more: it cannot be told to."""
    while os.getppid() == job:
        time.sleep(POLL)
    shutil.rmtree(folder, ignore_errors=True)
    os.kill(os.getpid(), signal.SIGKILL)
