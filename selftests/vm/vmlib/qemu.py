# SPDX-License-Identifier: GPL-2.0-only
"""Backends: QEMU with KVM, and QEMU's own emulation, which has no VMX."""
from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import List, Optional

from . import image, roots
from .backend import Backend, Folders, Launch
from .console import KVM_DEATH
from .spec import VmSpec
from .util import UsageError, VmError, tail

PROGRAM = "qemu-system-x86_64"
NESTED_PARAMETER = Path("/sys/module/kvm_intel/parameters/nested")


def find_qemu() -> str:
    """The path of QEMU."""
    program = shutil.which(PROGRAM)
    if not program:
        raise VmError(f"{PROGRAM} is missing: install the Debian package qemu-system-x86")
    return program


def kvm_unavailable() -> Optional[str]:
    """Why KVM cannot give a guest VMX on this host; None when it can."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "no access to /dev/kvm"
    try:
        nested = NESTED_PARAMETER.read_text(encoding="ascii").strip()
    except OSError:
        return "kvm_intel is not loaded"
    if nested not in ("1", "Y"):
        return "kvm_intel was loaded without nested=1"
    return None


def device_args(serial: str) -> List[str]:
    """The devices that the guest's helper and its console need, and no others."""
    return ["-nodefaults", "-no-user-config", "-display", "none",
            "-chardev", "stdio,id=output,signal=off",
            "-device", "isa-debugcon,iobase=0xe9,chardev=output",
            "-device", "isa-debug-exit,iobase=0x8901,iosize=1",
            "-chardev", serial + ",id=console", "-serial", "chardev:console"]


class Qemu(Backend):
    """What the two have in common."""

    accel = ""
    cpu = ""
    default_apic = "x2apic"

    def check(self, spec: VmSpec) -> None:
        find_qemu()
        if spec.memory < 128:
            raise UsageError("QEMU: at least 128 MB of memory")

    def prepare(self, spec: VmSpec, folders: Folders, tty: Optional[str]) -> Launch:
        apic = spec.apic or self.default_apic
        args = spec.kernel_args([])
        initramfs, console = folders.work / "initrd", folders.logs / "console.txt"
        image.build_initramfs(spec, roots.base_archive(spec.root), self.name, apic, initramfs)
        cpu = self.cpu + (",-x2apic" if apic == "xapic" else ",+x2apic")
        serial = f"serial,path={tty}" if tty else f"file,path={console}"
        argv = [find_qemu(), "-accel", self.accel, "-machine", "q35", "-cpu", cpu,
                "-smp", str(spec.cpus), "-m", str(spec.memory),
                "-kernel", str(spec.kernel.image), "-initrd", str(initramfs), "-append", args]
        argv += device_args(serial)
        if not spec.reboots:
            argv.append("-no-reboot")
        return Launch(argv, console, [], args, tty=tty)

    def explain(self, folders: Folders, returncode: int) -> str:
        said = tail(folders.logs / "emulator.txt", 1)
        if returncode < 0:
            return f"QEMU was killed by signal {-returncode}"
        if returncode:
            return f"QEMU ended with {returncode}" + (f": {said[0]}" if said else "")
        if any("Power down" in line for line in tail(folders.logs / "console.txt", 5)):
            return "the guest powered off without a status"
        return "the guest was reset (triple fault, or a reboot) without a status"

    def fatal_text(self, text: bytes) -> Optional[str]:
        match = KVM_DEATH.search(text)
        return match.group().decode("utf-8", "replace") if match else None


class QemuKvm(Qemu):
    """Hardware VMX, given to the guest by KVM."""

    name = "qemu-kvm"
    accel = "kvm"
    cpu = "host,migratable=off"

    def check(self, spec: VmSpec) -> None:
        super().check(spec)
        reason = kvm_unavailable()
        if reason:
            raise VmError(f"QEMU with KVM cannot have VMX here: {reason}")


class QemuTcg(Qemu):
    """Emulation without VMX: the machine on which Latch must refuse to load."""

    name = "qemu-tcg"
    accel = "tcg"
    cpu = "max"
    default_apic = "xapic"

    def check(self, spec: VmSpec) -> None:
        super().check(spec)
        if spec.apic == "x2apic":
            raise UsageError("qemu-tcg does xapic only (QEMU before 9.0 emulates no x2APIC)")
