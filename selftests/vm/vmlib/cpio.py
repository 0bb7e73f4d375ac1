# SPDX-License-Identifier: GPL-2.0-only
"""Writer for the archive format that the kernel takes as its initramfs."""
from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO, Dict, Set

# A merged /usr, as Debian has it. The kernel replaces a symbolic link by a
# folder when a later archive has a folder of the same name, so every path is
# written in its /usr form.
MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


def normalize(name: str) -> str:
    """A path inside the archive: relative, without .., through /usr."""
    parts = []
    for part in name.split("/"):
        if part == "..":
            if parts:
                parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    if parts and parts[0] in MERGED:
        parts.insert(0, "usr")
    return "/".join(parts)


class CpioWriter:
    """Writes one "newc" archive; parent folders appear by themselves."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.inode = 0
        self.folders: Set[str] = {""}

    def _entry(self, name: str, mode: int, data: bytes = b"", rdev: int = 0) -> None:
        self.inode += 1
        encoded = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0,
                  os.major(rdev), os.minor(rdev), len(encoded), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        self.stream.write(header + encoded)
        self.stream.write(b"\0" * (-(len(header) + len(encoded)) % 4))
        self.stream.write(data)
        self.stream.write(b"\0" * (-len(data) % 4))

    def folder(self, name: str, mode: int = 0o755) -> None:
        """Add a folder, and those above it."""
        name = normalize(name)
        if name in self.folders:
            return
        self.folder(os.path.dirname(name))
        self.folders.add(name)
        self._entry(name, stat.S_IFDIR | mode)

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None:
        """Add a regular file."""
        name = normalize(name)
        self.folder(os.path.dirname(name))
        self._entry(name, stat.S_IFREG | (mode & 0o7777), data)

    def symlink(self, name: str, target: str) -> None:
        """Add a symbolic link; a link at the top level stays as it is."""
        name = name.strip("/") if "/" not in name.strip("/") else normalize(name)
        self.folder(os.path.dirname(name))
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def device(self, name: str, mode: int, major: int, minor: int) -> None:
        """Add a character device."""
        name = normalize(name)
        self.folder(os.path.dirname(name))
        self._entry(name, stat.S_IFCHR | mode, rdev=os.makedev(major, minor))

    def copy(self, source: Path, name: str) -> None:
        """Add a file, a link or a whole folder with its modes."""
        info = source.lstat()
        if stat.S_ISLNK(info.st_mode):
            self.symlink(name, os.readlink(source))
        elif stat.S_ISDIR(info.st_mode):
            self.folder(name, stat.S_IMODE(info.st_mode))
            for entry in sorted(source.iterdir()):
                self.copy(entry, f"{name}/{entry.name}")
        elif stat.S_ISREG(info.st_mode):
            self.file(name, source.read_bytes(), stat.S_IMODE(info.st_mode))

    def end(self) -> None:
        """Close the archive so that another one may follow it."""
        self._entry("TRAILER!!!", 0)
        self.stream.write(b"\0" * (-self.stream.tell() % 512))


def read_archive(data: bytes) -> Dict[str, "CpioEntry"]:
    """Entries by name, later ones over earlier ones (used by the tests)."""
    entries: Dict[str, CpioEntry] = {}
    offset = 0
    while offset + 110 <= len(data):
        if data[offset:offset + 6] != b"070701":
            offset += 4 if data[offset:offset + 4] == b"\0\0\0\0" else len(data)
            continue
        fields = [int(data[offset + 6 + 8 * i:offset + 14 + 8 * i], 16) for i in range(13)]
        size, name_size = fields[6], fields[11]
        name_at = offset + 110
        name = data[name_at:name_at + name_size - 1].decode()
        data_at = (name_at + name_size + 3) & ~3
        if name != "TRAILER!!!":
            entries[name] = CpioEntry(fields[1], data[data_at:data_at + size])
        offset = (data_at + size + 3) & ~3
    return entries


class CpioEntry:
    """What an archive says of one name."""

    def __init__(self, mode: int, data: bytes) -> None:
        self.mode = mode
        self.data = data
