"""Output whose readers read late, slowly, or never."""

from __future__ import annotations

import os
import threading

import pytest

from holoflow.core import output
from holoflow.core.output import Output, unhurried


@pytest.fixture
def pipe():
    """A pipe that is full after 64 KiB: its end to read, and a stream to write to."""
    reading, writing = os.pipe()
    with open(reading, "rb") as end, open(writing, "w") as stream:
        yield end, stream


def test_nobody_waits_for_a_reader_that_does_not_read(pipe, monkeypatch):
    end, stream = pipe
    monkeypatch.setattr(output, "MOST", 100_000)
    monkeypatch.setattr(output, "PATIENCE", 0.01)
    out = Output(stream)
    for number in range(100_000):
        print(number, file=out)
    out.end()
    print("after", file=out)
    stream.write("past it")
    stream.flush()  # neither does this wait
    end.close()


def test_what_is_left_out_is_counted_in_its_place(pipe, monkeypatch):
    end, stream = pipe
    monkeypatch.setattr(output, "MOST", 100_000)
    out = Output(stream, gap=lambda lines: f"left out {lines}")
    for number in range(100_000):
        out.write(f"{number}\n")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.extend(end))
    reader.start()
    out.settle()
    print("after", file=out)
    out.end()
    stream.close()
    reader.join()
    *lines, after = b"".join(read).decode().splitlines()
    assert after == "after"
    expected = 0
    for line in lines:
        if line.startswith("left out "):
            expected += int(line.removeprefix("left out "))
        else:
            assert int(line) == expected
            expected += 1
    assert expected == 100_000 > len(lines)


def test_all_is_written_for_a_reader_that_is_there(pipe):
    end, stream = pipe
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.extend(end))
    reader.start()
    out = Output(stream)
    for number in range(100_000):
        print(number, "µ", file=out)
    out.end()
    stream.close()
    reader.join()
    assert b"".join(read).decode() == "".join(f"{number} µ\n" for number in range(100_000))


def test_a_reader_that_has_gone_is_told_once(pipe):
    end, stream = pipe
    end.close()
    gone = threading.Semaphore(0)
    out = Output(stream, lambda _: gone.release())
    print("lost", file=out)
    assert gone.acquire(timeout=300)
    print("lost", file=out)
    out.end()
    assert not gone.acquire(blocking=False)


def test_a_process_that_is_forked_off_writes_by_itself(capfd):
    with unhurried(lambda _: None):
        child = os.fork()
        if not child:
            print("from the child")
            os._exit(0)
        os.waitpid(child, 0)
    assert capfd.readouterr().out == "from the child\n"
