"""Where fragments run and with what, as the one who starts them says instead of the app."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from holoflow.app.format import HOST_PATTERN
from holoflow.app.graph import App, Scheduler
from holoflow.app.report import short
from holoflow.errors import HoloflowError


def read_places(given: Sequence[str]) -> dict[str, str]:
    """Return hosts by fragment as `--place FRAGMENT=HOST` gives them; a later one wins.

    Raises `HoloflowError` for what is no host.
    """
    found: dict[str, str] = {}
    for text in given:
        name, equals, host = text.partition("=")
        if not name or not equals or not re.fullmatch(HOST_PATTERN, host) or len(host) > 253:
            raise HoloflowError(
                f"--place: {short(text)} names no host; write FRAGMENT=HOST, such as "
                f"{name[:100] or 'detect'}=edge-a"
            )
        found[name] = host
    return found


def put(app: App, places: Mapping[str, str]) -> App:
    """Return `app` with fragments on the hosts that `places` gives, by their names.

    Raises `HoloflowError` for a fragment that the app does not have.
    """
    for name in places:
        if name not in app.fragments:
            raise HoloflowError(f"--place: unknown fragment {short(name)}; {_meant(name, app)}")
    moved = {name: replace(app.fragments[name], host=host) for name, host in places.items()}
    return replace(app, fragments={**app.fragments, **moved})


def given_from_outside(app: App, here: Collection[str]) -> App:
    """Return `app` for a container, whose runtime gives GPUs and cores to the fragments `here`.

    No core is asked for any more, nor anything for one fragment alone. A container sees only its
    own GPUs, so that those of its fragments become 0, 1, … in the order of their numbers.
    """
    wanted = {gpu for name in here if (gpu := app.fragments[name].gpu) is not None}
    numbers = {gpu: number for number, gpu in enumerate(sorted(wanted))}
    fragments = {
        name: replace(
            f,
            cores=(),
            exclusive=False,
            scheduler=f.scheduler and _anywhere(f.scheduler),
            gpu=f.gpu if f.gpu is None or name not in here else numbers[f.gpu],
        )
        for name, f in app.fragments.items()
    }
    return replace(app, fragments=fragments, scheduler=_anywhere(app.scheduler))


def _anywhere(scheduler: Scheduler) -> Scheduler:
    return replace(scheduler, cores=())


def _meant(name: str, app: App) -> str:
    nearest = difflib.get_close_matches(name[:100], app.fragments, n=1)
    if nearest:
        return f"did you mean {nearest[0]!r}?"
    known = list(app.fragments)
    return f"the app has {', '.join(known[:8])}" if known else "the app has none"
