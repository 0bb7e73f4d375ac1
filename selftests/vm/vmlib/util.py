# SPDX-License-Identifier: GPL-2.0-only
"""Folders, locks and errors that all parts share."""
from __future__ import annotations

import contextlib
import ctypes
import fcntl
import hashlib
import os
import re
import resource
import signal
import tempfile
import time
from pathlib import Path
from typing import Callable, Iterator, List

VM_DIR = Path(__file__).resolve().parent.parent
REPO_DIR = VM_DIR.parent.parent
PR_SET_PDEATHSIG = 1


class VmError(Exception):
    """Something that the user is told in one line; ends with status 1."""


class UsageError(VmError):
    """A wrong argument; ends with status 2."""


def cache_dir() -> Path:
    """The folder for expensive things that outlive the build folder."""
    path = os.environ.get("LATCH_CACHE")
    if path:
        return Path(path)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "latch"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold PATH's lock; others who make the same thing wait here."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A name to write to, which becomes PATH only when all went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd, name = tempfile.mkstemp(prefix="." + path.name + ".", dir=path.parent)
    os.close(fd)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def drop_old(folder: Path, pattern: str, days: float = 7) -> None:
    """Remove files that were made long ago and were not used since."""
    for path in folder.glob(pattern):
        with contextlib.suppress(OSError):
            info = path.stat()
            if time.time() - max(info.st_mtime, info.st_atime) > days * 86400:
                path.unlink()


def hash_of(*parts: bytes) -> str:
    """A short key that changes with any of the parts."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()[:20]


def first_existing(paths: List[str], package: str) -> Path:
    """The first of PATHS that is there; else tell which package has it."""
    for path in paths:
        if os.path.exists(path):
            return Path(path)
    raise VmError(f"{paths[0]} is missing: install the Debian package {package}")


def child_setup(cpu: int) -> Callable[[], None]:
    """What an emulator's process does before it starts: limits on itself."""
    prctl = ctypes.CDLL(None).prctl

    def setup() -> None:
        # no emulator outlives its runner, however that one ends
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if cpu != resource.RLIM_INFINITY:
            resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 5))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    return setup


# Linux reads these two counters at each tick, where there are none.
DULL = re.compile(r"RDMSR: Unknown register 0xe[78]$")


def tail(path: Path, lines: int) -> List[str]:
    """The last interesting lines of a log, which need not exist or be clean text."""
    try:
        with open(path, "rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - 100000))
            text = log.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [line.rstrip() for line in text.splitlines()
            if line.strip() and not DULL.search(line)][-lines:]
