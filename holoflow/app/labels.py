"""Names of the places in an app that was built in code, where a file has lines."""

from __future__ import annotations

from dataclasses import replace

from holoflow.app.document import Value


def labelled(value: Value, path: tuple[str, ...] = ()) -> Value:
    """Return `value` with places that say what is there: `detect.image`, `scheduler.workers`.

    Args:
        value: An app, or the part of one at `path`.
        path: Keys that lead to it.
    """
    data = value.data
    at = replace(value.at, label=label(path))
    if isinstance(data, dict):
        entries = {key: labelled(item, (*path, key)) for key, item in data.items()}
        keys = {key: replace(place, label=label((*path, key))) for key, place in value.keys.items()}
        return replace(value, data=entries, at=at, keys=keys)
    if isinstance(data, list):
        items = [labelled(item, (*path[:-1], f"{path[-1]}[{i}]")) for i, item in enumerate(data)]
        return replace(value, data=items, at=at)
    return replace(value, at=at)


def label(path: tuple[str, ...]) -> str:
    """Return what is at `path`: an operator, its port or parameter, or another key of the app."""
    match path:
        case ():
            return "the app"
        case ("operators", name, "inputs" | "with", inner, *_):
            return f"{name}.{inner}"
        case ("operators", name, *rest):
            return ".".join((name, *rest))
        case _:
            return ".".join(path)
