# SPDX-License-Identifier: GPL-2.0-only
"""Saved states of Bochs: boot once, then start each test from there.

All machines of one kind (kernel, root, CPUs, model, memory, APIC, kernel
arguments) boot the same way, so that is done once. The guest's init saves the
machine; one that is restored goes on from there and reads its test from a port.
The state is read in place and never written, so runs share nothing but it.
"""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List

from . import image
from .backend import Folders
from .spec import VmSpec
from .util import VmError, cache_dir, child_setup, hash_of, locked, tail
from .wiring import Wiring

SAVED = 42              # the emulator's exit status after the save that a guest asked for
CPU_LIMIT = 400
WALL_LIMIT = 1500
KEEP_DAYS = 3
KEEP_MOST = 40
# lines of the saved configuration that belong to the run that saved
RUN_LINES = re.compile(r"^(com\d|log): .*\n", re.MULTILINE)
ISO_LINE = re.compile(r"^(ata0-master: .*path=)[^,]*", re.MULTILINE)


@dataclass
class Machine:
    """What Bochs starts from."""

    program: Path
    spec: VmSpec
    base: Path
    args: str
    env: Dict[str, str]
    wiring: Wiring

    def kind(self) -> str:
        """Equal for machines that boot the same way."""
        spec = self.spec
        kernel = spec.kernel.image.stat()
        parts = [str(self.program), self.base.name, self.args, spec.model, spec.cpus, spec.memory,
                 sorted(name for name in self.env if name == "BX_KVMSIG"), bool(self.wiring.second),
                 spec.kernel.image, kernel.st_size, kernel.st_mtime_ns,
                 # KASLR is a matter of the seed
                 spec.seed if spec.slow_boot else 0]
        for rom in ("/usr/share/bochs/BIOS-bochs-latest", "/usr/share/vgabios/vgabios.bin"):
            if os.path.exists(rom):
                parts += [os.path.getsize(rom), os.path.getmtime(rom)]
        return hash_of(repr(parts).encode(), Path(__file__).read_bytes())


Boot = Callable[[Machine, Folders, Path], List[str]]


def restore(machine: Machine, boot: Boot, state: Path) -> List[str]:
    """Make the folder STATE for one run; returns the command that runs it."""
    saved = _have(machine, boot)
    state.mkdir()
    for entry in (saved / "state").iterdir():
        if entry.name != "config":
            (state / entry.name).symlink_to(entry)
    config = (saved / "state/config").read_text(encoding="utf-8")
    config = ISO_LINE.sub(rf'\g<1>"{saved}/boot.iso"', RUN_LINES.sub("", config))
    (state / "config").write_text(config.rstrip("\n") + "\n" + "\n".join(machine.wiring.lines()) + "\n",
                                  encoding="utf-8")
    shutil.copy(state / "config", machine.wiring.log.parent / "bochsrc")
    return [str(machine.program), "-q", "-r", str(state)]


def _have(machine: Machine, boot: Boot) -> Path:
    """The saved state of this kind of machine; boots one when there is none."""
    top = cache_dir() / "snapshots"
    saved = top / machine.kind()
    with locked(top / f".{saved.name}.lock"):
        if not saved.exists():
            _drop_old(top)
            _make(machine, boot, saved)
        os.utime(saved)
    return saved


def _make(machine: Machine, boot: Boot, saved: Path) -> None:
    work = Path(tempfile.mkdtemp(prefix=".new-", dir=saved.parent))
    try:
        folders = Folders(work, work)
        wiring = Wiring(folders)
        if machine.wiring.second:
            wiring.second = work / "console2.txt"
        booted = Machine(machine.program, machine.spec, machine.base, machine.args, machine.env, wiring)
        initramfs = work / "initrd"
        image.build_snapshot_initramfs(machine.spec, machine.base, initramfs)
        argv = boot(booted, folders, initramfs)
        env = {**os.environ, **machine.env, "BX_SAVE_DIR": str(work / "state")}
        if not machine.spec.slow_boot:
            env["BX_SEED"] = "1"
        status = _run(argv, env, work)
        if status != SAVED:
            said = "\n".join(tail(wiring.console, 15) + tail(wiring.log, 10))
            raise VmError(f"the first boot of this kind of VM failed (Bochs ended with {status}):\n{said}")
        wiring.log.unlink()
        work.rename(saved)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _run(argv: List[str], env: Dict[str, str], work: Path) -> int:
    with open(work / "emulator.txt", "wb") as output:
        try:
            return subprocess.run(argv, env=env, cwd=work, check=False, stdin=subprocess.DEVNULL,
                                  stdout=output, stderr=subprocess.STDOUT, timeout=WALL_LIMIT,
                                  preexec_fn=child_setup(CPU_LIMIT)).returncode
        except subprocess.TimeoutExpired:
            raise VmError(f"the first boot of this kind of VM took more than {WALL_LIMIT} s") from None


def _drop_old(top: Path) -> None:
    """A state that is read by a running VM may go: it has its files open."""
    saved = sorted((path for path in top.iterdir() if path.is_dir() and path.name[0] != "."),
                   key=lambda path: path.stat().st_mtime, reverse=True)
    for number, path in enumerate(saved):
        if number >= KEEP_MOST or time.time() - path.stat().st_mtime > KEEP_DAYS * 86400:
            shutil.rmtree(path, ignore_errors=True)
