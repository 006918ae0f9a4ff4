"""Where `/dev/shm` is full nobody is killed, and it is said what was needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.launched import APART, OPERATORS

pytest.importorskip("iceoryx2")

MOUNT = "mount -t tmpfs -o size=16m none /dev/shm"
FULL = (
    "import os\n"
    "def fill():\n"
    "    with open('/dev/shm/other', 'wb', 0) as file:\n"
    "        try:\n"
    "            while True: file.write(bytes(4096))\n"
    "        except OSError: pass\n"
)


def in_small_memory(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a Python script with 16 MB of shared memory of its own, if the system lets it have it."""
    if subprocess.run(["unshare", "-rm", "sh", "-c", MOUNT], capture_output=True).returncode:
        # Elsewhere it is a right that not everybody has.
        assert os.environ.get("CI") != "true", "unshare -rm must work in CI"
        pytest.skip("no mounts here")
    mounted = f'{MOUNT} && exec "$0" -c "$@"'
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", mounted, sys.executable, FULL + script, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


def test_messages_that_are_too_large() -> None:
    done = in_small_memory(
        "import numpy as np\n"
        "from support.shared_ends import Stage, new_run, send\n"
        "from holoflow.core.errors import HoloflowError\n"
        "from holoflow.link.shared_memory import SharedMemory\n"
        "from holoflow.link.shared_memory.memory import free\n"
        "with new_run() as run:\n"
        "    link, linked = SharedMemory('edge', run.folder, run.run), run.flow()\n"
        "    out = link.outlet([linked], Stage())\n"
        "    left = free()\n"
        "    for _ in range(3):\n"
        "        try:\n"
        "            send(out, [linked], b'', np.zeros(40 << 20, np.uint8))\n"
        "        except HoloflowError as error:\n"
        "            print(error)\n"
        "    assert free() > left - (1 << 20)\n"
        "    assert out.allocate((40 << 20,), np.uint8).base is None\n"
        "    send(out, [linked], b'', np.zeros(1 << 20, np.uint8))\n"
        "    link.close(0)\n"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("/dev/shm is full: a message of camera.image needs 41,943,") == 3


def test_a_message_for_which_there_was_room_before() -> None:
    done = in_small_memory(
        "import numpy as np\n"
        "from support.shared_ends import Stage, new_run, send\n"
        "from holoflow.core.errors import ShortageError\n"
        "from holoflow.link.shared_memory import SharedMemory\n"
        "with new_run() as run:\n"
        "    link, linked = SharedMemory('edge', run.folder, run.run), run.flow()\n"
        "    other = SharedMemory('view0', run.folder, run.run)\n"
        "    out = link.outlet([linked], Stage())\n"
        "    into = other.inlet(linked, Stage())\n"
        "    assert into.join()\n"
        "    send(out, [linked], b'', np.zeros(1 << 20, np.uint8))\n"
        "    fill()\n"
        "    for _ in range(3):\n"
        "        try:\n"
        "            send(out, [linked], b'', np.zeros(1 << 20, np.uint8))\n"
        "        except ShortageError as error:\n"
        "            print(error)\n"
        "    other.close(0)\n"
        "    link.close(0)\n"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("/dev/shm is full: a message of camera.image needs 1,048,") == 3


def test_before_a_run_begins(tmp_path: Path) -> None:
    (tmp_path / "operators.py").write_text(OPERATORS)
    (tmp_path / "app.yaml").write_text(APART)
    done = in_small_memory(
        "import sys\n"
        "fill()\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'holoflow', 'run', *sys.argv[1:]])\n",
        str(tmp_path), "--output", str(tmp_path / "out"), "--engine", "inline",
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "/dev/shm is full: " in done.stderr
