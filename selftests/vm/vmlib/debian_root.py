# SPDX-License-Identifier: GPL-2.0-only
"""A root file system of stock Debian programs, in memory.

The packages are fetched by debian-suite's private apt configuration and only
unpacked: no maintainer script runs, so what those would have set up and a
shell needs is written here.
"""
from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Callable, Dict, List

from .cpio import CpioWriter
from .util import VM_DIR, VmError, cache_dir, drop_old, hash_of, locked, new_file, tail

SUITE = "bookworm"
PACKAGES = ["base-files", "base-passwd", "bash", "coreutils", "cpio", "dash", "debianutils", "findutils",
            "gawk", "grep", "gzip", "hostname", "kmod", "less", "libc-bin", "mount", "ncurses-base",
            "ncurses-bin", "procps", "psmisc", "sed", "tar", "util-linux"]
# what the others depend on for their maintainer scripts only
NOT_UNPACKED = ("perl", "libperl", "libdb5", "libgdbm", "init-system-helpers", "tzdata")
# what nothing in a test VM reads; the archive is loaded into memory at each boot
PRUNE = ["usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/lintian",
         "usr/share/bug", "usr/share/bash-completion", "usr/share/common-licenses", "usr/share/initramfs-tools", "usr/share/zoneinfo", "usr/share/awk", "usr/share/gawk",
         "usr/lib/x86_64-linux-gnu/gconv", "usr/lib/x86_64-linux-gnu/audit", "usr/lib/systemd",
         "usr/lib/udev", "usr/bin/localedef", "usr/bin/mawk", "usr/include", "var", "boot", "media",
         "srv", "opt", "home", "mnt", "dev", "proc", "sys", "run", "tmp", "root"]
HOSTNAME = "debian"


def is_host() -> bool:
    """The host is of the same release: its libraries are those of this root."""
    try:
        text = Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return False
    return f"VERSION_CODENAME={SUITE}\n" in text


def _apt_config() -> Path:
    """debian-suite's apt configuration, after it has read the package lists."""
    result = subprocess.run([str(VM_DIR / "debian-suite"), "kernel", SUITE], check=False,
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    config = cache_dir() / "debian-suite" / SUITE / "apt/apt.conf"
    if result.returncode or not config.exists():
        raise VmError(f"debian-suite cannot reach the packages of {SUITE}")
    return config


def _run(argv: List[str], log: Path, **options) -> None:
    with open(log, "ab") as stream:
        result = subprocess.run(argv, check=False, stdin=subprocess.DEVNULL, stdout=stream,
                                stderr=subprocess.STDOUT, **options)
    if result.returncode:
        raise VmError(f"{argv[0]} failed:\n" + "\n".join(tail(log, 8)))


def _fetch(folder: Path, log: Path) -> List[Path]:
    (folder / "partial").mkdir(parents=True)
    env = dict(os.environ, APT_CONFIG=str(_apt_config()), LC_ALL="C",
               DEBIAN_FRONTEND="noninteractive")
    # its lock is a file that all users of this configuration share
    with locked(cache_dir() / "debian-suite" / SUITE / ".root-lock"):
        _run(["apt-get", "install", "-q", "-y", "--download-only", "-o",
              f"Dir::Cache::archives={folder}/", *PACKAGES], log, env=env)
    return sorted(folder.glob("*.deb"))


def _unpack(packages: List[Path], root: Path, log: Path) -> None:
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for package in packages:
        if package.name.startswith(NOT_UNPACKED):
            continue
        # dpkg-deb -x would put a folder where the link /lib is
        _run(["sh", "-c", 'dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink -C "$2"',
              "sh", str(package), str(root)], log)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.exists() or path.is_symlink():
        path.unlink()


def _configure(root: Path, log: Path) -> None:
    """What the packages' own scripts would have done."""
    for name in ("passwd", "group"):
        shutil.copy(root / f"usr/share/base-passwd/{name}.master", root / "etc" / name)
    for name, target in (("usr/bin/awk", "gawk"), ("usr/bin/which", "which.debianutils"),
                         ("usr/bin/sh", "dash"), ("etc/mtab", "../proc/self/mounts")):
        _remove(root / name)
        (root / name).symlink_to(target)
    (root / "etc/hostname").write_text(HOSTNAME + "\n", encoding="ascii")
    (root / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {HOSTNAME}\n", encoding="ascii")
    shutil.copy(root / "usr/share/base-files/dot.bashrc", root / "etc/skel/.bashrc")
    for path in PRUNE:
        _remove(root / path)
    ldconfig = shutil.which("ldconfig", path="/usr/sbin:/sbin:" + os.environ.get("PATH", ""))
    _run([ldconfig or "ldconfig", "-r", str(root)], log)


def base(skeleton: Callable[[CpioWriter], None], key: bytes) -> Path:
    """The archive of this root; SKELETON adds what each root has."""
    result = cache_dir() / "initramfs" / f"debian-{hash_of(key, Path(__file__).read_bytes())}.cpio"
    if result.exists():
        return result
    with locked(cache_dir() / "initramfs" / ".debian-lock"):
        if not result.exists():
            drop_old(result.parent, "debian-*.cpio")
            with tempfile.TemporaryDirectory(prefix="debian-root-", dir=result.parent) as work:
                _build(Path(work), result, skeleton)
    return result


def _build(work: Path, result: Path, skeleton: Callable[[CpioWriter], None]) -> None:
    root, log = work / "root", work / "log"
    root.mkdir()
    _unpack(_fetch(work / "debs", log), root, log)
    _configure(root, log)
    links: Dict[str, str] = {}
    with new_file(result) as temporary, open(temporary, "wb") as stream:
        archive = CpioWriter(stream)
        skeleton(archive)
        for entry in sorted(root.iterdir()):
            if entry.is_symlink():
                links[entry.name] = os.readlink(entry)
            else:
                archive.copy(entry, entry.name)
        for name, target in links.items():
            archive.symlink(name, target)
        archive.end()
