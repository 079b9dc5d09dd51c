"""A signal to end is heeded between two items."""

import os
import signal

import pytest

from slicewise.stopping import Stopped, stop_between

EXIT_STATUS = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGHUP: 129}


@pytest.fixture(autouse=True)
def signals_that_nobody_ignores():
    """The tests themselves may have been started by nohup."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in EXIT_STATUS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", EXIT_STATUS)
def test_a_signal_ends_a_loop_before_its_next_item(number):
    done = []

    def loop():
        with stop_between() as stoppable:
            for item in stoppable(range(9)):
                if item == 3:
                    os.kill(os.getpid(), number)
                    os.kill(os.getpid(), number)
                done.append(item)

    with pytest.raises(Stopped, match=signal.Signals(number).name) as stopped:
        loop()
    assert done == [0, 1, 2, 3]
    assert stopped.value.status == EXIT_STATUS[number]


def test_processes_that_agree_end_for_the_signal_that_another_got():
    asked = []

    def agree(number):
        asked.append(number)
        return signal.SIGTERM if len(asked) == 3 else 0

    def loop():
        with stop_between(agree) as stoppable:
            for item in stoppable(range(9)):
                if item == 1:
                    os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Stopped, match="SIGTERM"):
        loop()
    assert asked == [0, 0, signal.SIGINT]


def test_what_follows_the_last_item_is_done_in_peace():
    with stop_between() as stoppable:
        assert list(stoppable(range(3))) == [0, 1, 2]
        os.kill(os.getpid(), signal.SIGTERM)
        followed = True
    assert followed


def test_signals_mean_what_they_did_before_once_the_loop_is_over():
    before = [signal.getsignal(number) for number in EXIT_STATUS]
    with stop_between():
        assert [signal.getsignal(number) for number in EXIT_STATUS] != before
    assert [signal.getsignal(number) for number in EXIT_STATUS] == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_is_ignored_stays_so(number):
    """What a shell runs in the background ignores Ctrl-C, and nohup a terminal that closes."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with stop_between() as stoppable:
            os.kill(os.getpid(), number)
            assert list(stoppable(range(3))) == [0, 1, 2]
    finally:
        signal.signal(number, before)
