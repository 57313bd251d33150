"""What never ends is stopped, whatever it is; what ends is not touched, nor is a timer of the caller's."""

import re
import signal
import threading
import time

import pytest

from semalign.data.time_limit import time_limit


def test_a_pattern_that_does_not_end_is_stopped():
    with pytest.raises(ValueError, match=r"^the pattern does not end within 0\.1 s: it is damaged"):
        with time_limit("the pattern", 0.1):
            re.fullmatch("(a+)+", "a" * 40 + "b")


def test_code_that_catches_every_exception_is_stopped():
    with pytest.raises(ValueError, match="does not end"), time_limit("the loop", 0.1):
        while True:
            try:
                pass
            except Exception:
                pass


def test_waiting_does_not_count_so_that_a_busy_machine_stops_nothing():
    with time_limit("a wait", 0.05):
        time.sleep(0.2)


def test_what_ends_in_time_is_not_touched_and_a_timer_of_the_callers_goes_on():
    before = signal.getsignal(signal.SIGVTALRM)
    signal.setitimer(signal.ITIMER_VIRTUAL, 1000)
    try:
        with time_limit("nothing", 10.0):
            assert 0 < signal.getitimer(signal.ITIMER_VIRTUAL)[0] < 11  # the system rounds up
        assert 900 < signal.getitimer(signal.ITIMER_VIRTUAL)[0] < 1001
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    assert signal.getsignal(signal.SIGVTALRM) is before


def test_another_thread_runs_without_a_limit():
    done = []

    def work():
        with time_limit("work", 0.01):
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True] and signal.getitimer(signal.ITIMER_VIRTUAL)[0] == 0
