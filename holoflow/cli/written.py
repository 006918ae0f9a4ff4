"""Which files a run wrote."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from holoflow.cli import text

FEW = 8
"""Files of one kind in a folder that are still named one by one."""

State: TypeAlias = Mapping[Path, tuple[int, int]]
"""Files of a folder, with their times of change (ns) and sizes (bytes)."""


@dataclass(frozen=True)
class Written:
    """A file, or many of one kind in one folder, relative to the output folder."""

    name: str
    """`faces.mp4`, or `frames/*.png` for many."""
    files: int
    size: int
    """Bytes, together."""

    def __str__(self) -> str:
        many = f"  {text.plural(self.files, 'file')}," if self.files > 1 else ""
        return f"{self.name}{many}  {text.size(self.size)}"


def state(folder: Path) -> State:
    """Return the files in `folder` and below it."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            status = path.stat()
            found[path.relative_to(folder)] = status.st_mtime_ns, status.st_size
    return found


def written(before: State, after: State) -> tuple[Written, ...]:
    """Return the files that are new or changed in `after`, sorted, many of a kind as one."""
    kinds: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    for path, is_now in after.items():
        if before.get(path) != is_now:
            kinds[path.parent, path.suffix].append(path)
    found = []
    for (parent, suffix), paths in kinds.items():
        if len(paths) <= FEW:
            found += [Written(str(path), 1, after[path][1]) for path in paths]
        else:
            size = sum(after[path][1] for path in paths)
            found.append(Written(str(parent / f"*{suffix}"), len(paths), size))
    return tuple(sorted(found, key=lambda item: item.name))
