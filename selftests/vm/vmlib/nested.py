# SPDX-License-Identifier: GPL-2.0-only
"""Backend: a guest of Linux KVM, where KVM itself runs in Bochs.

The outer VM (L0) is a Debian with KVM and QEMU; the VM that was asked for is
its guest (L1). The guest's helper writes to the same port as ever, QEMU in the
outer VM prints that, and the outer helper sends it on: a stream in a stream.
"""
from __future__ import annotations

import shlex
from pathlib import Path
from typing import BinaryIO, List, Optional

from . import bochs, elf, image, kernels, qemu, roots
from .backend import Backend, Folders, Launch
from .cpio import CpioWriter
from .kernels import Kernel
from .spec import MARK_OUTER, VmSpec
from .util import UsageError, VmError, cache_dir, drop_old, hash_of, locked, new_file, tail
from .wiring import Wiring

OUTER_KERNEL = "6.1"
# the outer VM's own: its file system in memory with QEMU, the kernel's ELF image, and work space
OUTER_MEMORY = 640
FIRMWARE = ("/usr/share/qemu/qboot.rom", "/usr/share/qemu/pvh.bin",
            "/usr/share/seabios/bios-microvm.bin")

# The inner console is the outer machine's second serial port. QEMU's own words
# go to the first one, so that the stream has the guest's output only.
SCRIPT = """\
modprobe kvm-intel nested=1 || exit 120
exec {qemu} 2>/dev/ttyS0
"""


def _outer_base(inner: Kernel) -> Path:
    """The minimal root with QEMU, its libraries and firmware, and the inner kernel."""
    base = roots.base_archive("minimal")
    program = Path(qemu.find_qemu())
    info = program.stat()
    vmlinux = _vmlinux(inner)
    key = hash_of(base.name.encode(), f"{info.st_size} {info.st_mtime_ns}".encode(),
                  vmlinux.name.encode())
    result = cache_dir() / "initramfs" / f"nested-{key}.cpio"
    if not result.exists():
        with locked(cache_dir() / "initramfs" / ".lock"):
            if not result.exists():
                drop_old(result.parent, "nested-*.cpio")
                with new_file(result) as temporary, open(temporary, "wb") as stream:
                    _write_outer_base(stream, base, program, vmlinux)
    return result


def _write_outer_base(stream: BinaryIO, base: Path, program: Path, vmlinux: Path) -> None:
    stream.write(base.read_bytes())
    archive = CpioWriter(stream)
    archive.file("usr/bin/" + qemu.PROGRAM, program.read_bytes(), 0o755)
    for library in elf.libraries(program):
        archive.file(library, Path(library).read_bytes(), 0o755)
    found = [name for name in FIRMWARE if Path(name).exists()]
    if not found:
        raise VmError("QEMU's firmware is missing: install qemu-system-data and seabios")
    for name in found:
        archive.file(name, Path(name).read_bytes())
    archive.file("vm/vmlinux", vmlinux.read_bytes())
    archive.end()


def _vmlinux(kernel: Kernel) -> Path:
    """The kernel's ELF image: microvm starts it at once, with no decompression."""
    info = kernel.image.stat()
    key = hash_of(str(kernel.image).encode(), f"{info.st_size} {info.st_mtime_ns}".encode())
    result = cache_dir() / "vmlinux" / f"{kernel.release}-{key}"
    if not result.exists():
        with locked(cache_dir() / "vmlinux" / ".lock"):
            if not result.exists():
                data = kernels.uncompressed(kernel.image)
                with new_file(result) as temporary:
                    temporary.write_bytes(data)
    return result


class Nested(Backend):
    """KVM in Bochs; on a host with KVM, qemu-kvm is chosen instead."""

    name = "nested"
    busy_when_idle = True

    def __init__(self) -> None:
        self._bochs = bochs.Bochs()

    def check(self, spec: VmSpec) -> None:
        if spec.shell or spec.reboots:
            raise UsageError("the nested backend has neither --shell nor --reboots")
        self._bochs.check(spec)
        qemu.find_qemu()

    def prepare(self, spec: VmSpec, folders: Folders, tty: Optional[str]) -> Launch:
        apic = spec.apic or "x2apic"
        args = spec.kernel_args(["reboot=t"])
        inner = folders.work / "initrd-inner"
        # each byte out of the inner VM costs some 10,000 instructions
        spec.env.setdefault("VMRUN_DMESG", "failure")
        image.build_initramfs(spec, roots.base_archive(spec.root), self.name, apic, inner)

        command = SCRIPT.format(qemu=shlex.join(self._qemu(spec, apic, args)))
        outer = VmSpec(
            kernel=kernels.find_kernel(OUTER_KERNEL), command=command, cpus=spec.cpus,
            memory=spec.memory + OUTER_MEMORY, model=spec.model, seed=spec.seed, fresh=spec.fresh,
            verbose=spec.verbose, modules=["kvm-intel"], mark=MARK_OUTER,
            files=[(inner, "/vm/initrd")])
        wiring = Wiring(folders)
        wiring.second, wiring.console = wiring.console, folders.logs / "console-outer.txt"
        launch = self._bochs.start(outer, folders, wiring, _outer_base(spec.kernel), "xapic")
        inner.unlink()
        launch.outer_console, launch.console = launch.console, wiring.second
        launch.outer_mark = outer.mark
        launch.kernel_args = args
        return launch

    def _qemu(self, spec: VmSpec, apic: str, args: str) -> List[str]:
        cpu = "host,migratable=off" + (",-x2apic" if apic == "xapic" else "")
        return [qemu.PROGRAM, "-accel", "kvm", "-machine", "microvm,rtc=on", "-cpu", cpu,
                "-smp", str(spec.cpus), "-m", str(spec.memory), "-no-reboot",
                "-kernel", "/vm/vmlinux", "-initrd", "/vm/initrd", "-append", args,
                *qemu.device_args("serial,path=/dev/ttyS1")]

    def explain(self, folders: Folders, returncode: int) -> str:
        outer = bochs.panic_line(folders.logs / "bochs.log")
        if outer:
            return self._bochs.explain(folders, returncode)
        said = [line for line in tail(folders.logs / "console-outer.txt", 3) if "qemu" in line]
        if said:
            return f"QEMU gave up: {said[-1]}"
        return "the inner VM ended without a status (triple fault, reset or power-off)"
