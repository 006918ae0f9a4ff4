"""`extends:` makes an app of another one: what the file says goes over what that one says."""

from __future__ import annotations

from pathlib import Path

from holoflow.app.describe import shown
from holoflow.app.document import Broken, Value, plain, read_file
from holoflow.app.format import AppFile
from holoflow.app.report import Report, short
from holoflow.app.shape import check

_KEY = "extends"
_MAX_CHAIN = 8


def read_app(path: Path, report: Report) -> Value | None:
    """Return the app file at `path`, put over those that it extends.

    Every value keeps its place in the file where it stands. None if one of the files cannot be
    read, which is then reported.
    """
    return _read(path, report, ())


def _read(path: Path, report: Report, chain: tuple[Path, ...]) -> Value | None:
    root = read_file(path, report)
    name = root.get(_KEY) if root is not None else None
    if root is None or name is None:
        return root
    base_path = _find(name, report, (*chain, path))
    base = _read(base_path, report, (*chain, path)) if base_path is not None else None
    if base is None:
        return None
    if not isinstance(base.data, dict):
        check(AppFile, base, report)
        return None
    own = {key: item for key, item in root.mapping.items() if key != _KEY}
    return merged(base, Value(own, root.at, keys=root.keys))


def _find(name: Value, report: Report, chain: tuple[Path, ...]) -> Path | None:
    if isinstance(name.data, Broken):
        return None
    if not isinstance(name.data, str):
        wrong = f"'extends' cannot be {shown(plain(name))}"
        report.add(name.at, wrong, "it is the path of an app file, such as app.yaml")
        return None
    folder = Path(name.at.file).parent
    path = folder / name.data
    try:
        if not path.is_file():
            right = f"a path is meant from {folder.absolute()}"
            report.add(name.at, f"there is no file {short(name.data)}", right)
            return None
        files = [file.resolve() for file in (*chain, path)]
    except (OSError, ValueError) as error:
        report.add(name.at, f"{short(name.data)} cannot be read: {error}")
        return None
    if files[-1] in files[:-1] or len(files) > _MAX_CHAIN:
        names = " → ".join(file.name for file in files)
        report.add(name.at, f"apps extend one another: {names}", "break the circle")
        return None
    return path


def merged(base: Value, over: Value) -> Value:
    """Return `base` with what `over` says.

    Mappings are merged key by key; all else replaces what is there, and an entry without a value
    takes it away (much as JSON Merge Patch, RFC 7396).
    """
    if not (isinstance(base.data, dict) and isinstance(over.data, dict)):
        return over
    entries, keys = dict(base.data), dict(base.keys)
    for key, item in over.data.items():
        if key in entries and item.data is None:
            del entries[key], keys[key]
            continue
        below = entries.get(key)
        entries[key] = item if below is None else merged(below, item)
        keys[key] = over.keys[key]
    size = 1 + sum(item.size for item in entries.values())
    depth = 1 + max((item.depth for item in entries.values()), default=0)
    return Value(entries, over.at, keys=keys, size=size, depth=depth)
