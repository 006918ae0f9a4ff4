import io

import pytest
from rich.console import Console

from holoflow.cli.tables import table

COLUMNS = ((0, "operator"), (30, "frames"), (60, "dropped"))
ROW = {"operator": "[red]camera", "frames": "1,234", "dropped": "3 full\n\x1b[1m"}


def drawn(width):
    page = io.StringIO()
    console = Console(file=page, width=width, color_system=None)
    console.print(table(COLUMNS, [ROW], width))
    return [line.rstrip() for line in page.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (80, ["operator     frames  dropped", "[red]camera   1,234  3 full \\x1b[1m"]),
        (40, ["operator     frames", "[red]camera   1,234"]),
        (20, ["operator", "[red]camera"]),
        (6, ["opera…", "[red]…"]),
    ],
)
def test_columns_that_have_no_room_are_left_out(width, lines):
    assert drawn(width) == lines


@pytest.mark.parametrize("width", [1, 2, 3])
def test_no_terminal_is_too_narrow(width):
    assert all(len(line) <= width for line in drawn(width))
