"""A Slurm of one node on this machine, with real daemons: started, handed over, stopped.

Its node has a host name of its own, as on a cluster, where jobs run on another machine than the
head. All its files but /etc/slurm are in one folder. Its addresses are those of loopback; Slurm's
daemons listen on all of a machine's, as to stay on one they ask for names that resolve, and answer
to none but those who have the key of its munge.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

PACKAGES = ("munge", "slurmctld", "slurmd", "slurm-client")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
"""What is looked for before Debian's packages of it are installed."""

CONFIG = Path("/etc/slurm")
OURS = "# written by slicewise's make test-slurm, which removes it again\n"
NAME = "slicewise"
NODE = "slicewise-node"
PORTS = (26817, 26818)
"""Not Slurm's own, so that nothing meets the daemons of a real cluster."""

CPUS, MEMORY = 8, 64_000
"""Cores and MB, whatever the machine has: most jobs that run side by side wait or are held, and
take far less than they ask for."""

GPUS = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random")
"""Files that stand for GPUs: Slurm counts them, and no job finds CUDA."""

KILL_WAIT = 10
"""Seconds between SIGTERM and SIGKILL; Slurm's default is 30."""

SLURM_CONF = """\
{ours}ClusterName={name}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
# No database: squeue is asked what became of jobs, which are kept in memory for an hour.
AccountingStorageType=accounting_storage/none
MinJobAge=3600
# Kills a job that takes more memory than it asked for.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
KillWait={kill_wait}
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=2
DefMemPerCPU=500
ReturnToService=2
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName={node} NodeAddr=127.0.0.1 Port={ports[1]} CPUs={cpus} RealMemory={memory} Gres=gpu:{gpus}
PartitionName=all Nodes={node} Default=YES MaxTime=INFINITE State=UP
"""


class NoCluster(Exception):
    """This machine cannot have a cluster, or has one already."""


def install() -> None:
    """Install Debian's packages of Slurm and munge where they are missing.

    Raises NoCluster, saying what is missing, where that cannot be.
    """
    if os.geteuid() != 0:
        raise NoCluster("only root may start Slurm's daemons; run it as root, in a container say")
    if CONFIG.joinpath("slurm.conf").exists():
        _refuse_other()
    if not all(map(shutil.which, PROGRAMS)):
        if not shutil.which("apt-get"):
            raise NoCluster(f"found no {' '.join(PROGRAMS)}, and no apt-get to install them with")
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update"], ["install", "--yes", "--no-install-recommends", *PACKAGES]):
            done = subprocess.run(
                ["apt-get", "--quiet", *command], env=environment, capture_output=True, text=True
            )
        if done.returncode:
            raise NoCluster(f"apt-get could not install {' '.join(PACKAGES)}:\n{done.stderr}")
    if subprocess.run(["unshare", "--uts", "true"], capture_output=True).returncode:
        raise NoCluster("unshare --uts is not allowed, so the node cannot have a name of its own")


def _refuse_other() -> None:
    """Raise NoCluster for a slurm.conf that is not a leftover of ours."""
    path = CONFIG / "slurm.conf"
    if not path.read_text().startswith(OURS):
        raise NoCluster(f"{path} is there: this machine is part of a cluster, which stays as it is")
    if subprocess.run(["scontrol", "ping"], capture_output=True).returncode == 0:
        raise NoCluster("another make test-slurm is at work on this machine")


@contextmanager
def cluster(folder: Path) -> Iterator[None]:
    """Run a cluster whose files are in a folder; its daemons are gone when this ends.

    Raises NoCluster where its daemons do not come up, with the ends of their logs.
    """
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o400)
    folder.chmod(0o755)  # munged looks whether others could reach its socket
    daemons: list[subprocess.Popen] = []
    try:
        _write_config(folder)
        _start(folder, daemons)
        yield
    finally:
        _stop(folder, daemons)


def _write_config(folder: Path) -> None:
    """Write slurm.conf and gres.conf to where a job's own srun looks for them."""
    CONFIG.mkdir(exist_ok=True)
    text = SLURM_CONF.format(
        ours=OURS,
        name=NAME,
        host=os.uname().nodename,
        ports=PORTS,
        folder=folder,
        kill_wait=KILL_WAIT,
        node=NODE,
        cpus=CPUS,
        memory=MEMORY,
        gpus=len(GPUS),
    )
    (CONFIG / "slurm.conf").write_text(text)
    (CONFIG / "gres.conf").write_text(OURS + "".join(f"Name=gpu File={file}\n" for file in GPUS))


def _start(folder: Path, daemons: list[subprocess.Popen]) -> None:
    """Start the daemons, in the foreground of processes of their own, until the node is idle."""
    munged = [
        "munged",
        "--foreground",
        "--force",
        f"--key-file={folder}/munge.key",
        f"--socket={folder}/munge.socket",
        f"--pid-file={folder}/munged.pid",
        f"--log-file={folder}/munged.log",
        f"--seed-file={folder}/munge.seed",
    ]
    node = f"hostname {NODE} && exec slurmd -D -c -N {NODE}"
    for command in (munged, ["slurmctld", "-D", "-c"], ["unshare", "--uts", "sh", "-c", node]):
        said = (folder / f"{Path(command[0]).name}.said").open("wb")
        with said:
            daemons.append(
                subprocess.Popen(
                    command, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
                )
            )
        if command is munged:
            _until(folder / "munge.socket", folder)
    end = time.monotonic() + 30
    while asked("sinfo", "--noheader", "--format=%T") != ["idle"]:
        if time.monotonic() > end or any(daemon.poll() is not None for daemon in daemons):
            raise NoCluster(f"the node did not come up:\n{_logs(folder)}")
        time.sleep(0.2)


def _until(path: Path, folder: Path) -> None:
    """Wait for a file that a daemon makes."""
    end = time.monotonic() + 10
    while not path.exists():
        if time.monotonic() > end:
            raise NoCluster(f"munged did not come up:\n{_logs(folder)}")
        time.sleep(0.05)


def _logs(folder: Path) -> str:
    """Return the ends of what the daemons said."""
    files = sorted([*folder.glob("*.log"), *folder.glob("*.said")])
    return "\n".join(f"{path.name}:\n{path.read_text()[-2000:]}" for path in files)


def _stop(folder: Path, daemons: list[subprocess.Popen]) -> None:
    """Cancel all jobs, end the daemons and remove their config, without which they do not matter.

    With the config there and the controller gone, every call of Snakemake's would wait for it.
    """
    if len(daemons) == 3:
        subprocess.run(["scancel", "--user=root"], capture_output=True, timeout=30)
        end = time.monotonic() + KILL_WAIT + 5
        while asked("squeue", "--noheader") and time.monotonic() < end:
            time.sleep(0.2)
    for daemon in reversed(daemons):
        daemon.terminate()
    for daemon in daemons:
        try:
            daemon.wait(timeout=15)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(daemon.pid, signal.SIGKILL)
            daemon.wait()
    _end_what_jobs_left()
    for name in ("slurm.conf", "gres.conf"):
        path = CONFIG / name
        if path.exists() and path.read_text().startswith(OURS):
            path.unlink()


def _end_what_jobs_left() -> None:
    """End what outlived its job: without cgroups Slurm loses a process whose parent has ended."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("SLURM_CLUSTER_NAME") == NAME:
                process.kill()


def asked(*command: str) -> list[str]:
    """Return the lines of what one of Slurm's commands answers, none where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]
