import ctypes
import os
import signal
import threading

import pytest

from holoflow.cli import terminal


@pytest.mark.parametrize("number", terminal.SIGNALS)
def test_a_signal_is_heard_in_a_thread_of_its_own(number):
    heard, threads = threading.Event(), []

    def on_signal():
        threads.append(threading.current_thread())
        heard.set()

    with terminal.heard(on_signal):
        os.kill(os.getpid(), number)
        assert heard.wait(300)
    assert threads != [threading.main_thread()]


def test_signals_are_heard_while_the_main_thread_is_inside_c():
    """It waits for a lock of the C library, which no signal ends; the listener opens it."""
    libc = ctypes.CDLL(None)
    lock = ctypes.create_string_buffer(64)  # zeros are an open mutex
    assert libc.pthread_mutex_lock(lock) == 0
    heard = []

    def on_signal():
        heard.append("signal")
        if len(heard) == 3:
            libc.pthread_mutex_unlock(lock)
        else:
            os.kill(os.getpid(), signal.SIGINT)

    with terminal.heard(on_signal):
        os.kill(os.getpid(), signal.SIGINT)
        libc.pthread_mutex_lock(lock)
    assert len(heard) == 3


def test_all_is_as_it_was_afterwards():
    handlers = [signal.getsignal(number) for number in terminal.SIGNALS]
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    with pytest.raises(KeyError), terminal.heard(lambda: None):
        raise KeyError
    assert [signal.getsignal(number) for number in terminal.SIGNALS] == handlers
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) == descriptors
    previous = signal.set_wakeup_fd(-1)
    assert previous == -1
