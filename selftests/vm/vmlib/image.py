# SPDX-License-Identifier: GPL-2.0-only
"""The initramfs and the boot CD of a VM."""
from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import BinaryIO, List, Tuple

from . import cpio as cpio_module
from . import debian_root, elf, kernels
from .cpio import CpioWriter
from .spec import VmSpec
from .util import VM_DIR, UsageError, VmError, cache_dir, drop_old, first_existing, hash_of, locked, new_file

GUEST_DIR = VM_DIR / "guest"
# a program of another release than the root's
APART_DIR = "/vmrun/lib"
APART_SUFFIX = ".program"
APART_SCRIPT = """\
#!/bin/sh
exec {folder}/{loader} --library-path {folder} "$0{suffix}" "$@"
"""
FOLDERS = ("dev", "proc", "sys", "run", "tmp", "root", "mnt", "etc", "var", "t", "vmrun",
           "usr/bin", "usr/sbin", "usr/lib", "usr/lib64")


def parse_file_argument(argument: str) -> Tuple[Path, str]:
    """SRC[:DST] as (source, absolute path in the guest)."""
    source, target = argument, ""
    if not os.path.exists(source) and ":" in argument:
        source, target = argument.rsplit(":", 1)
    path = Path(source)
    if not path.exists():
        raise UsageError(f"no such file to put into the VM: {source}")
    name = path.resolve().name
    if not target:
        target = name
    elif target.endswith("/"):
        target += name
    return path, os.path.join("/t", target)


# --- the part that all VMs with one root file system share

def build_helper() -> Path:
    """The guest's static helper, compiled once for each version of its source."""
    source = GUEST_DIR / "vmio.c"
    program = cache_dir() / "vmio" / hash_of(source.read_bytes()) / "vmio"
    if not program.exists():
        with locked(cache_dir() / "vmio" / ".lock"):
            if not program.exists():
                _compile(source, program)
    return program


def _compile(source: Path, program: Path) -> None:
    with new_file(program) as temporary:
        try:
            subprocess.run(["gcc", "-Wall", "-Wextra", "-O2", "-static", "-s", "-o", str(temporary),
                            str(source)], check=True, stderr=subprocess.PIPE, text=True)
        except FileNotFoundError:
            raise VmError("gcc is missing: install the Debian package build-essential") from None
        except subprocess.CalledProcessError as error:
            raise VmError(f"{source.name} does not compile:\n{error.stderr}") from None
    program.chmod(0o755)


def _minimal_base(stream: BinaryIO, busybox: Path) -> None:
    archive = CpioWriter(stream)
    write_skeleton(archive)
    for name in cpio_module.MERGED[:5]:
        if name not in ("lib32",):
            archive.symlink(name, f"usr/{name}")
    data = busybox.read_bytes()
    if elf.interpreter(data):
        raise VmError(f"{busybox} is not static: install the Debian package busybox-static")
    archive.file("usr/bin/busybox", data, 0o755)
    applets = subprocess.run([str(busybox), "--list"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout.split()
    for applet in applets:
        if applet != "busybox":
            archive.symlink(f"usr/bin/{applet}", "busybox")
    archive.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
    archive.file("etc/group", b"root:x:0:\nnogroup:x:65534:\n")
    archive.end()


def write_skeleton(archive: CpioWriter) -> None:
    """What every root file system has: mount points, init and its helper."""
    for name in FOLDERS:
        archive.folder(name)
    archive.device("dev/console", 0o600, 5, 1)
    archive.file("init", (GUEST_DIR / "init").read_bytes(), 0o755)
    archive.file("usr/bin/vmio", build_helper().read_bytes(), 0o755)


def minimal_base() -> Path:
    """busybox and the helper: small, for tests."""
    busybox = first_existing(["/bin/busybox", "/usr/bin/busybox"], "busybox-static")
    info = busybox.stat()
    key = hash_of(b"minimal", f"{info.st_size} {info.st_mtime_ns}".encode(), code_key())
    base = cache_dir() / "initramfs" / f"minimal-{key}.cpio"
    if not base.exists():
        with locked(cache_dir() / "initramfs" / ".lock"):
            if not base.exists():
                drop_old(base.parent, "minimal-*.cpio")
                with new_file(base) as temporary, open(temporary, "wb") as stream:
                    _minimal_base(stream, busybox)
    return base


def code_key() -> bytes:
    """Changes with everything in this folder that shapes a base archive."""
    sources = [GUEST_DIR / "vmio.c", GUEST_DIR / "init", Path(__file__), Path(cpio_module.__file__)]
    return b"".join(source.read_bytes() for source in sources)


# --- the part of one VM

def write_modules(archive: CpioWriter, spec: VmSpec) -> None:
    """A /lib/modules with just the wanted modules, ready for modprobe."""
    paths = kernels.module_closure(spec.kernel, spec.modules)
    if not paths:
        return
    assert spec.kernel.modules is not None
    folder = f"usr/lib/modules/{spec.kernel.release}"
    dependencies = kernels.load_dependencies(spec.kernel.modules)
    lines = []
    for path in paths:
        plain = kernels.plain_name(path)
        archive.file(f"{folder}/{plain}", kernels.module_data(spec.kernel.modules / path))
        needed = " ".join(kernels.plain_name(name) for name in dependencies[path])
        lines.append(f"{plain}: {needed}".rstrip())
    archive.file(f"{folder}/modules.dep", ("\n".join(lines) + "\n").encode())
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        source = spec.kernel.modules / name
        if source.exists():
            archive.file(f"{folder}/{name}", source.read_bytes())


def _program_files(path: Path) -> List[Path]:
    if path.is_dir():
        return [entry for entry in path.rglob("*") if entry.is_file() and not entry.is_symlink()]
    return [path]


def write_files(archive: CpioWriter, files: List[Tuple[Path, str]], apart: bool = False) -> None:
    """The user's files, and the libraries that programs among them need.

    APART keeps the libraries away from those of the root: a program that was
    built on another Debian release is then started by its own loader.
    """
    needed: List[str] = []
    for source, target in files:
        libraries = [name for program in _program_files(source) for name in elf.libraries(program)]
        needed += libraries
        if source.is_dir():
            archive.copy(source.resolve(), target)
        elif apart and libraries:
            archive.file(target + APART_SUFFIX, source.read_bytes(), 0o755)
            loader = os.path.basename(libraries[0])
            archive.file(target, APART_SCRIPT.format(folder=APART_DIR, loader=loader,
                                                     suffix=APART_SUFFIX).encode(), 0o755)
        else:
            archive.file(target, source.read_bytes(), source.stat().st_mode & 0o777)
    for library in sorted(set(needed)):
        name = f"{APART_DIR}/{os.path.basename(library)}" if apart else library
        archive.file(name, Path(library).read_bytes(), 0o755)


def write_test(stream: BinaryIO, spec: VmSpec, backend: str, apic: str) -> None:
    """An archive with what belongs to one VM only."""
    archive = CpioWriter(stream)
    archive.file("vmrun/env", spec.guest_env(backend, apic).encode())
    archive.file("vmrun/command", (spec.command + "\n").encode())
    if spec.shell:
        archive.file("vmrun/shell", (GUEST_DIR / "shell").read_bytes())
    write_modules(archive, spec)
    write_files(archive, spec.files, spec.root == "debian" and not debian_root.is_host())
    archive.end()


def build_initramfs(spec: VmSpec, base: Path, backend: str, apic: str, output: Path) -> None:
    """The base archive, followed by that of this VM."""
    shutil.copyfile(base, output)
    with open(output, "ab") as stream:
        write_test(stream, spec, backend, apic)


def build_snapshot_initramfs(spec: VmSpec, base: Path, output: Path) -> None:
    """The base archive for a VM that saves itself and gets its test later."""
    shutil.copyfile(base, output)
    with open(output, "ab") as stream:
        archive = CpioWriter(stream)
        archive.file("vmrun/env", spec.guest_env("bochs", "").encode())
        archive.file("vmrun/snapshot", b"")
        archive.end()


def build_iso(kernel: Path, initramfs: Path, args: str, output: Path,
              serial: bool = False) -> None:
    """A CD that starts the kernel by isolinux, the quickest loader in Bochs."""
    loader = first_existing(["/usr/lib/ISOLINUX/isolinux.bin"], "isolinux")
    module = first_existing(["/usr/lib/syslinux/modules/bios/ldlinux.c32"], "syslinux-common")
    config = output.with_suffix(".cfg")
    lines = ["DEFAULT l", "PROMPT 0", "TIMEOUT 0", "LABEL l",
             " KERNEL /vmlinuz", " INITRD /initrd", f" APPEND {args}"]
    if serial:
        lines.insert(0, "SERIAL 0 115200")
    config.write_text("\n".join(lines) + "\n", encoding="ascii")
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-o", str(output), "-graft-points",
               "-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat",
               "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table",
               f"isolinux/isolinux.bin={loader}", f"isolinux/ldlinux.c32={module}",
               f"isolinux/isolinux.cfg={config}", f"vmlinuz={kernel}", f"initrd={initramfs}"]
    try:
        result = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except FileNotFoundError:
        raise VmError("xorriso is missing: install the Debian package xorriso") from None
    if result.returncode:
        raise VmError(f"xorriso cannot make the boot CD:\n{result.stdout}")
