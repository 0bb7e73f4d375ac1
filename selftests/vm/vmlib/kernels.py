# SPDX-License-Identifier: GPL-2.0-only
"""Finding a kernel and its modules."""
from __future__ import annotations

import gzip
import lzma
import os
import re
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, List, Optional

from .util import VM_DIR, UsageError, VmError

# what a user may say -> the Debian release that has it
SUITES = {
    "5.10": "bullseye", "bullseye": "bullseye",
    "6.1": "bookworm", "bookworm": "bookworm",
    "6.12": "trixie", "trixie": "trixie",
    "sid": "sid",
}


@dataclass
class Kernel:
    """A kernel image with the folder of its modules, if it has one."""

    image: Path
    release: str
    modules: Optional[Path]     # .../lib/modules/RELEASE


def image_release(image: Path) -> str:
    """The release string that a bzImage carries in its boot header."""
    try:
        with open(image, "rb") as stream:
            head = stream.read(0x8000)
    except OSError as error:
        raise UsageError(f"cannot read the kernel {image}: {error.strerror}") from None
    if head[0x202:0x206] != b"HdrS":
        raise UsageError(f"{image} is not a Linux boot image (bzImage)")
    start = struct.unpack_from("<H", head, 0x20e)[0] + 0x200
    return head[start:head.index(b"\0", start)].decode("ascii", "replace").split()[0]


def find_kernel(wanted: str) -> Kernel:
    """The kernel for a version, a Debian release or the path of an image."""
    if wanted in SUITES:
        return _from_suite(SUITES[wanted])
    if "/" not in wanted and not os.path.exists(wanted):
        names = ", ".join(SUITES)
        raise UsageError(f"unknown kernel {wanted}: one of {names} or the path of a vmlinuz")
    image = Path(wanted)
    release = image_release(image)
    for modules in (image.parent / "modules/lib/modules" / release,
                    image.parent.parent / "lib/modules" / release,
                    Path("/lib/modules") / release):
        if (modules / "modules.dep").exists():
            return Kernel(image, release, modules)
    return Kernel(image, release, None)


def _from_suite(suite: str) -> Kernel:
    """Ask debian-suite, which downloads and unpacks what is not there yet."""
    helper = VM_DIR / "debian-suite"
    if not helper.exists():
        return _from_boot(suite)
    result = subprocess.run([str(helper), "kernel", suite], check=False,
                            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    lines = result.stdout.split("\n")
    if result.returncode or not lines[0]:
        raise VmError(f"debian-suite has no kernel of {suite} (status {result.returncode})")
    folder = Path(lines[0])
    release = (folder / "krel").read_text(encoding="ascii").strip()
    return Kernel(folder / "vmlinuz", release, folder / "modules/lib/modules" / release)


def _from_boot(suite: str) -> Kernel:
    """The newest installed cloud kernel, on a machine of that release only."""
    def version(path: Path) -> List[int]:
        return [int(number) for number in re.findall(r"\d+", path.name)]

    prefix = {suite_: number for number, suite_ in SUITES.items() if number[0].isdigit()}[suite]
    images = sorted(Path("/boot").glob(f"vmlinuz-{prefix}.*-cloud-amd64"), key=version)
    if not images:
        raise VmError(f"no cloud kernel of {suite} in /boot: install linux-image-cloud-amd64")
    return find_kernel(str(images[-1]))


# --- the uncompressed kernel, which starts by PVH without a boot loader

def _decompressors() -> Iterable[tuple]:
    yield b"\x1f\x8b\x08", lambda data: gzip.decompress(data)
    yield b"\xfd7zXZ\x00", lambda data: lzma.LZMADecompressor().decompress(data)
    yield b"\x5d\x00\x00", lambda data: lzma.LZMADecompressor().decompress(data)
    yield b"\x28\xb5\x2f\xfd", lambda data: _filter(["zstd", "-dcq"], data)
    yield b"\x02\x21\x4c\x18", lambda data: _filter(["lz4", "-dcq"], data)


def _filter(command: List[str], data: bytes) -> bytes:
    try:
        result = subprocess.run(command, input=data, check=False,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        raise VmError(f"{command[0]} is missing: install the Debian package {command[0]}") from None
    return result.stdout


def uncompressed(image: Path) -> bytes:
    """The vmlinux inside a bzImage."""
    data = image.read_bytes()
    sectors = data[0x1f1] or 4
    offset, length = struct.unpack_from("<II", data, 0x248)
    start = (sectors + 1) * 512 + offset
    payload = data[start:start + length]
    if payload.startswith(b"\x7fELF"):
        return payload
    for magic, decompress in _decompressors():
        if payload.startswith(magic):
            # the build appends the size of the result
            result = decompress(payload[:-4])
            if result.startswith(b"\x7fELF"):
                return result
    raise VmError(f"{image}: cannot unpack this kind of kernel image")


# --- modules

def plain_name(path: str) -> str:
    """A module's file name without the suffix of a compressor."""
    return re.sub(r"\.ko\.(xz|gz|zst)$", ".ko", path)


def _module_name(path: str) -> str:
    return plain_name(os.path.basename(path))[:-len(".ko")].replace("-", "_")


def load_dependencies(modules: Path) -> Dict[str, List[str]]:
    """modules.dep as path -> paths; each path is relative to the folder."""
    dependencies = {}
    with open(modules / "modules.dep", encoding="ascii") as stream:
        for line in stream:
            path, _, rest = line.partition(":")
            dependencies[path.strip()] = rest.split()
    return dependencies


def module_closure(kernel: Kernel, names: List[str]) -> List[str]:
    """Paths of the modules and all that they need, needed ones first."""
    if not names:
        return []
    if kernel.modules is None or not (kernel.modules / "modules.dep").exists():
        raise VmError(f"no modules.dep for {kernel.release}, so no module can be put in")
    dependencies = load_dependencies(kernel.modules)
    by_name = {_module_name(path): path for path in dependencies}
    builtin = set()
    with open(kernel.modules / "modules.builtin", encoding="ascii") as stream:
        builtin = {_module_name(line.strip()) for line in stream}

    order: List[str] = []

    def add(path: str) -> None:
        for needed in dependencies[path]:
            if needed not in order:
                add(needed)
        if path not in order:
            order.append(path)

    for name in names:
        wanted = name.replace("-", "_")
        if wanted in by_name:
            add(by_name[wanted])
        elif wanted not in builtin:
            raise UsageError(f"the kernel {kernel.release} has no module {name}")
    return order


def module_data(path: Path) -> bytes:
    """A module as insmod wants it: uncompressed."""
    data = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(data)
    if path.suffix == ".gz":
        return gzip.decompress(data)
    if path.suffix == ".zst":
        return _filter(["zstd", "-dcq"], data)
    return data
