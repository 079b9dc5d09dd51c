"""How the benchmark measures programs and counts what it measured."""

import os
import sys
import time

import psutil
import pytest

from benchmark_runs import ABOUT, RATE, SECONDS, measured, runs_of
from benchmarks import measuring, report
from benchmarks.lines import Line, Result
from benchmarks.measuring import Worker, alternate, paired, spread

pytestmark = pytest.mark.skipif(not measuring.LINUX, reason="memory is read from /proc")

GREEDY = """
import subprocess, sys, time
inner = '''
import time
block = bytearray(200 * 2**20)
start = time.process_time()
while time.process_time() - start < 0.5:
    pass
time.sleep(0.3)
'''
subprocess.run([sys.executable, "-c", inner], check=True)
"""


def test_the_memory_and_cpu_time_of_a_grandchild_count(tmp_path):
    command = [sys.executable, "-c", GREEDY]
    found = measuring.run(command, os.environ, tmp_path / "log")
    assert found.peak_mib > 200
    assert 0.5 < found.cpu_s < 5
    assert found.wall_s > 0.7


def test_a_command_that_fails_shows_what_it_printed(tmp_path):
    command = [sys.executable, "-c", "raise SystemExit('the disk is full')"]
    with pytest.raises(RuntimeError, match="the disk is full"):
        measuring.run(command, os.environ, tmp_path / "log")


WORKER = """
import time
from benchmarks.serving import claim_output, serve
tell = claim_output()
print("programs print what they like")
def work():
    start = time.process_time()
    while time.process_time() - start < 0.3:
        pass
    return {"amount": 3}
serve(tell, {"mean": 1.5}, work)
"""


def test_a_worker_answers_when_asked_and_is_measured_meanwhile(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(measuring.__file__).rsplit("/", 2)[0]}
    with Worker([sys.executable, "-c", WORKER], environment, tmp_path / "log") as worker:
        assert worker.ready == {"mean": 1.5}
        time.sleep(0.2)
        found = worker.ask()
    assert found.told == {"amount": 3}
    assert 0.25 < found.cpu_s < 1
    assert found.peak_mib > 3
    assert "what they like" in (tmp_path / "log").read_text()


def test_a_worker_that_ends_too_soon_shows_what_it_printed(tmp_path):
    command = [sys.executable, "-c", "raise SystemExit('no such dataset')"]
    with pytest.raises(RuntimeError, match="no such dataset"):
        Worker(command, os.environ, tmp_path / "log")


def test_a_worker_that_is_gone_when_asked_shows_what_it_printed(tmp_path):
    command = [sys.executable, "-c", "print('{}', flush=True); raise SystemExit('out of memory')"]
    with Worker(command, os.environ, tmp_path / "log") as worker:
        time.sleep(0.5)
        with pytest.raises(RuntimeError, match="out of memory"):
            worker.ask()


LEAVES_A_CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(sys.argv[1], "w").write(str(child.pid))
raise SystemExit("the disk is full")
"""


def test_nothing_that_a_command_started_outlives_its_failure(tmp_path):
    command = [sys.executable, "-c", LEAVES_A_CHILD, tmp_path / "pid"]
    with pytest.raises(RuntimeError, match="the disk is full"):
        measuring.run(command, os.environ, tmp_path / "log")
    pid = int((tmp_path / "pid").read_text())
    for _ in range(100):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.05)
    raise AssertionError("the child still runs")


def test_programs_take_turns_after_a_warm_up_of_every_way():
    order = []

    def call(name, wall):
        def measure():
            order.append(name)
            return measured(wall)

        return measure

    ways = {"slow": call("slow", 2), "quick": call("quick", 1)}
    runs, fault = alternate(ways, call("ours", 1), pairs=2)
    # the first is thrown away
    assert order == ["slow", "slow", "quick", "ours", "quick", "ours", "quick", "ours"]
    assert [run.turn for run in runs] == [0, 0, 0, 1, 1, 2, 2]
    assert fault == ""
    assert len(paired(runs)) == 2


def test_the_outputs_that_are_checked_are_those_of_the_way_that_counts():
    order = []

    def call(name, wall):
        return lambda: order.append(name) or measured(wall)

    def check(warm_up):
        assert order[-2:] == ["quick", "ours"]
        return "seen"

    ways = {"quick": call("quick", 1), "slow": call("slow", 2)}
    assert alternate(ways, call("ours", 1), 1, check)[1] == "seen"


def test_nothing_is_counted_where_outputs_differ():
    runs, fault = alternate({"": measured}, measured, 5, check=lambda warm_up: "3 voxels")
    assert fault == "3 voxels"
    assert paired(runs) == []
    assert Result(SECONDS, runs_of([(measured(), measured())]), fault=fault).pairs == []


def test_a_spread_is_the_median_and_the_ends():
    assert spread([3.0, 1.0, 10.0]) == measuring.Spread(3.0, 1.0, 10.0)


def test_the_speed_is_the_median_of_the_ratios_of_pairs():
    pairs = [(measured(10), measured(5)), (measured(30), measured(10)), (measured(8), measured(2))]
    result = Result(SECONDS, runs_of(pairs))
    # that of the medians would be 10 / 5 = 2
    assert result.speed == measuring.Spread(3.0, 2.0, 4.0)


def test_more_units_a_second_are_faster():
    theirs, ours = measured(amount=100, seconds=2), measured(amount=400, seconds=2)
    assert Result(RATE, runs_of([(theirs, ours)])).speed.median == 4


def test_less_memory_is_a_ratio_above_one():
    pairs = [(measured(peak=300), measured(peak=100))]
    assert Result(SECONDS, runs_of(pairs)).memory.median == 3


@pytest.mark.parametrize(
    ("line", "theirs", "ours", "expected"),
    [
        (SECONDS, measured(4), measured(2), True),
        (SECONDS, measured(3), measured(2), False),
        (
            RATE,
            measured(peak=200, amount=1, seconds=1),
            measured(peak=90, amount=3, seconds=1),
            True,
        ),
        (
            RATE,
            measured(peak=200, amount=1, seconds=1),
            measured(peak=150, amount=3, seconds=1),
            False,
        ),
        (
            Line("a", "b", "c", "first", target_s=4),
            measured(first_s=8),
            measured(first_s=3.9),
            True,
        ),
        (Line("a", "b", "c"), measured(), measured(), None),
    ],
)
def test_targets_are_of_speed_of_memory_too_or_in_seconds(line, theirs, ours, expected):
    row = report.summary_row(Result(line, runs_of([(theirs, ours)])), ABOUT)
    assert row["reached"] is expected
