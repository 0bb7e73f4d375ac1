# SPDX-License-Identifier: GPL-2.0-only
"""Just enough of ELF to put a program into a VM with its libraries."""
from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path
from typing import List, Optional

PT_DYNAMIC = 2
PT_INTERP = 3
ET_REL = 1


def _segments(data: bytes) -> List[tuple]:
    if data[:4] != b"\x7fELF" or len(data) < 64 or data[4] != 2:
        return []
    kind = struct.unpack_from("<H", data, 16)[0]
    if kind == ET_REL:
        return []
    offset, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    segments = []
    for i in range(count):
        at = offset + i * size
        if at + 56 > len(data):
            break
        kind, _, start, _, _, length = struct.unpack_from("<IIQQQQ", data, at)
        segments.append((kind, start, length))
    return segments


def interpreter(data: bytes) -> Optional[str]:
    """The dynamic loader that a program names, None when it is static."""
    for kind, start, length in _segments(data):
        if kind == PT_INTERP:
            return data[start:start + length].rstrip(b"\0").decode()
    return None


def is_dynamic(data: bytes) -> bool:
    """True for a program or library that needs other libraries."""
    return any(kind == PT_DYNAMIC for kind, _, _ in _segments(data))


def libraries(path: Path) -> List[str]:
    """Paths of the loader and all libraries that the file at PATH needs."""
    with open(path, "rb") as program:
        if program.read(4) != b"\x7fELF":
            return []
        program.seek(0)
        data = program.read()
    loader = interpreter(data)
    if loader is None:
        if not is_dynamic(data):
            return []
        loader = "/lib64/ld-linux-x86-64.so.2"
    if not os.path.exists(loader):
        return []
    result = subprocess.run([loader, "--list", str(path.resolve())], check=False,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    found = [loader]
    for line in result.stdout.splitlines():
        words = line.split()
        target = words[2] if len(words) > 2 and words[1] == "=>" else words[0] if words else ""
        if target.startswith("/") and target not in found:
            found.append(target)
    return found
