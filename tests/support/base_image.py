"""A base image from this machine's own files, where no registry of images can be reached.

Whole Debian packages as `dpkg` lists them, the running CPython, and the libraries they need.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGES = (
    "libc6", "libc-bin", "libgcc-s1", "libstdc++6", "libgomp1", "base-files", "base-passwd",
    "bash", "dash", "coreutils", "grep", "sed", "tar", "findutils", "debianutils", "hostname",
)  # fmt: skip
LINKS = ("bin", "sbin", "lib", "lib64")
FOLDERS = (
    "tmp", "proc", "sys", "dev", "run", "root", "var/tmp", "etc", "usr/bin", "usr/sbin",
    "usr/lib", "usr/lib64", "usr/local",
)  # fmt: skip
TEXTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
_UNWANTED = re.compile(r"/(doc|locale|man)/|/(test|idlelib|turtledemo|__pycache__)(/|$)|\.a$")


def write_base(folder: Path) -> Path:
    """Write the root file system into `folder`, a new one; return the tar file of it."""
    root = folder / "root"
    for name in FOLDERS:
        (root / name).mkdir(parents=True)
    for name in LINKS:
        (root / name).symlink_to(f"usr/{name}")
    for name in ("tmp", "var/tmp"):
        (root / name).chmod(0o1777)
    prefix = Path(sys.base_prefix).resolve()
    _copy_python(prefix, root / "usr/local")
    listed = _files(PACKAGES)
    programs = [file for file in listed if "/bin/" in file or "/sbin/" in file]
    built = [str(file) for file in prefix.rglob("*.so*")] + [os.path.realpath(sys.executable)]
    for file in sorted({*listed, *_libraries([*programs, *built])}):
        if not file.startswith(f"{prefix}/") and not _UNWANTED.search(file):
            _copy(file, root)
    (root / "usr/bin/sh").unlink(missing_ok=True)
    (root / "usr/bin/sh").symlink_to("bash")
    for name, text in TEXTS.items():
        (root / name).write_text(text)
    subprocess.run(["ldconfig", "-r", str(root)], check=True)
    return _pack(root, folder / "base.tar")


def _copy_python(prefix: Path, target: Path) -> None:
    version = f"python{sysconfig.get_python_version()}"

    def unwanted(folder: str, names: list[str]) -> set[str]:
        site = folder.endswith("/site-packages")
        return {n for n in names if site or _UNWANTED.search(f"/{n}")}

    (target / "bin").mkdir(parents=True)
    shutil.copy2(os.path.realpath(sys.executable), target / "bin" / version)
    for name in ("python3", "python"):
        (target / "bin" / name).symlink_to(version)
    shutil.copytree(
        prefix / "lib" / version, target / "lib" / version, symlinks=True, ignore=unwanted
    )
    for library in (prefix / "lib").glob("libpython*"):
        shutil.copy2(library, target / "lib", follow_symlinks=False)


def _files(packages: Iterable[str]) -> list[str]:
    listed = subprocess.run(
        ["dpkg", "-L", *packages], check=True, capture_output=True, text=True
    ).stdout
    places = re.compile(r"^/(usr/)?(s?bin|lib|lib64|etc)/")
    return [line for line in listed.splitlines() if places.match(line) and Path(line).is_file()]


def _libraries(files: Iterable[str]) -> Iterator[str]:
    told = subprocess.run(["ldd", *files], check=False, capture_output=True, text=True).stdout
    for match in re.finditer(r"(?:=> )?(/[^ :]+) \(0x", told):
        yield match[1]


def _copy(file: str, root: Path) -> None:
    # Debian has /bin and /usr/bin in one.
    place = f"/usr{file}" if file.startswith(tuple(f"/{name}/" for name in LINKS)) else file
    target = root / place.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copy2(os.path.realpath(file), target)


def _pack(root: Path, path: Path) -> Path:
    def owned(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        return entry

    with tarfile.open(path, "w") as archive:
        archive.add(root, arcname=".", filter=owned)
    shutil.rmtree(root)
    return path
