"""The signals that ask a run to stop."""

import os
import signal

import pytest

from hpcgen.training.stop import StopRequest


@pytest.mark.parametrize("number", StopRequest.SIGNALS)
def test_a_signal_asks_to_stop(number):
    before = signal.getsignal(number)
    with StopRequest() as stop:
        assert not stop
        os.kill(os.getpid(), number)
        assert stop and stop.signal == number
    signal.signal(number, before)


def test_a_second_interrupt_ends_the_process():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop
        os.kill(os.getpid(), signal.SIGINT)
    signal.signal(signal.SIGINT, before)
