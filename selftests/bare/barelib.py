# SPDX-License-Identifier: GPL-2.0-only
"""Boots lhv, the bare-metal test kernel, in Bochs: what run and random share."""
from __future__ import annotations

import argparse
import os
import re
import signal
import struct
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Optional, Tuple

ROOT = Path(__file__).resolve().parents[2]


class Folders:
    """Where lhv is built, and where logs are kept."""
    lhv = ROOT / "build/lhv"
    out = ROOT / "build/selftests/bare"

    @classmethod
    def set(cls, build_folder: Path) -> None:
        """All below another folder than build/."""
        cls.lhv = build_folder.resolve() / "lhv"
        cls.out = build_folder.resolve() / "selftests/bare"

MODELS = {
    "skylake_x": "corei7_skylake_x",
    "haswell": "corei7_haswell_4770",
    "sandy_bridge": "corei7_sandy_bridge_2600k",
    "ivy_bridge": "corei7_ivy_bridge_3770k",
    "broadwell": "broadwell_ult",
    "icelake_u": "corei7_icelake_u",
    "tigerlake": "tigerlake",
    "sapphire_rapids": "sapphire_rapids",
    "arrow_lake": "arrow_lake",
}
NO_X2APIC = ("sandy_bridge",)
MEMORY = 256
TIMED_OUT = -1
SECTOR = 2048
MULTIBOOT = 0x1badb002
BOOT_SECTOR = 20
# Few: the BIOS waits for seconds of the time that this defines.
IPS = 10_000_000

# reset_on_triple_fault=0: a triple fault is a panic, and so ends the run.
# vga: a string instruction ends at the next event of a timer, and by default this one's events
# come in the host's time. With several CPUs no run was like another.
BOCHSRC = """\
config_interface: textconfig
display_library: nogui
memory: guest={memory}, host={memory}
romimage: file={bios}
vgaromimage: file={vgabios}
cpu: model={model}, count={cpus}, ips={ips}, reset_on_triple_fault=0, ignore_bad_msrs=0, msrs="{msrs}"
clock: sync=none, time0=946681200
vga: extension=vbe, update_freq=5, realtime=0
boot: cdrom
ata0-master: type=cdrom, path="{iso}", status=inserted
com1: enabled=1, mode=file, dev="{serial}"
port_e9_hack: enabled=1
log: "{log}"
panic: action=fatal
error: action={log_action}
info: action={log_action}
debug: action=ignore
"""

# The emulator gives #GP for MSRs that it has not; these two a hypervisor may rely on.
# Address, type, reset value, reserved bits, ignored bits (the halves apart).
MSRS = """\
0x1a0 0 00000000 00000001 00000000 00000000 00000000 00000000
0x1d9 0 00000000 00000000 ffffffff ffff003c 00000000 00000000
"""


class RunError(Exception):
    """A message for the user."""


def model_names(text: str) -> List[str]:
    """A list of models, as the value of an option."""
    names = text.split(",")
    for name in names:
        if name not in MODELS:
            raise argparse.ArgumentTypeError(f"unknown model {name}: one of {', '.join(MODELS)}")
    return names


# --- boot CD

def flat_image(elf: bytes) -> Tuple[bytes, int, int, int]:
    """The one segment of a 32-bit ELF file: data, address, bytes behind it, entry."""
    entry, offset = struct.unpack_from("<II", elf, 24)
    size, count = struct.unpack_from("<HH", elf, 42)
    for i in range(count):
        kind, start, address, _, filled, total = struct.unpack_from("<6I", elf, offset + i * size)
        if kind == 1:
            data = elf[start:start + filled]
            data += bytes(-len(data) % 4)
            return data, address, max(0, total - len(data)) + 3 & ~3, entry
    raise RunError("the ELF file has no segment to load; build it again")


@dataclass
class Boot:
    """What a boot CD starts: a kernel (default: lhv), with a module perhaps."""
    kernel: Optional[Path] = None
    module: Optional[Path] = None
    module_options: str = ""


def sectors(data: bytes) -> int:
    return (len(data) + SECTOR - 1) // SECTOR


def boot_image(options: str, boot: Boot) -> bytes:
    """cdboot.bin with its parameters filled in, then the kernel and the module."""
    stub = bytearray((Folders.lhv / "cdboot.bin").read_bytes())
    data, address, behind, entry = flat_image((boot.kernel or Folders.lhv / "lhv.elf").read_bytes())
    module = boot.module.read_bytes() if boot.module else b""
    at = address + len(data) + behind + 4095 & ~4095
    first = BOOT_SECTOR + 1
    struct.pack_into("<12I", stub, 1024, entry, address + len(data), behind,
                     first, sectors(data), address,
                     first + sectors(data), sectors(module), at,
                     bool(module), at, at + len(module))
    for offset, size, text in ((1080, 480, options), (1560, 472, boot.module_options)):
        line = text.encode("ascii") + b"\0"
        if len(line) > size:
            raise RunError("the command line is too long")
        stub[offset:offset + len(line)] = line
    return bytes(stub) + data + bytes(-len(data) % SECTOR) + module


def make_iso(boot: bytes, path: Path) -> None:
    """The least that a BIOS boots from a CD: El Torito, no file system."""
    record = bytearray(SECTOR)
    record[0:7] = b"\0CD001\x01"
    record[7:30] = b"EL TORITO SPECIFICATION"
    struct.pack_into("<I", record, 71, BOOT_SECTOR - 1)
    primary, end = bytearray(SECTOR), bytearray(SECTOR)
    primary[0:7] = b"\x01CD001\x01"
    end[0:7] = b"\xffCD001\x01"
    validation = bytearray(32)
    validation[0], validation[30], validation[31] = 1, 0x55, 0xaa
    checksum = -sum(struct.unpack("<16H", validation)) & 0xffff
    struct.pack_into("<H", validation, 28, checksum)
    entry = struct.pack("<BBHBBHI", 0x88, 0, 0x1000, 0, 0, SECTOR // 512, BOOT_SECTOR)
    catalog = bytes(validation) + entry
    image = bytes(16 * SECTOR) + bytes(primary) + bytes(record) + bytes(end)
    image += catalog.ljust(SECTOR, b"\0") + boot
    image += bytes(-len(image) % SECTOR + SECTOR)
    path.write_bytes(image)


# --- one run

@dataclass
class Result:
    """What came out of a run of lhv."""
    status: int
    seconds: float
    lines: List[str]
    error: str = ""
    checks: List[Tuple[bool, str]] = field(default_factory=list)


def first_existing(paths: List[str], package: str) -> str:
    for path in paths:
        if os.path.exists(path):
            return path
    raise RunError(f"{paths[0]} is missing: install the Debian package {package}")


def find_bochs() -> str:
    """The emulator: $BOCHS, or the one that selftests/vm builds."""
    if os.environ.get("BOCHS"):
        return os.environ["BOCHS"]
    result = subprocess.run([str(ROOT / "selftests/vm/bochs/build-bochs")], check=False, text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    if result.returncode:
        raise RunError("there is no Bochs")
    return result.stdout.strip()


def panic_line(log: Path) -> str:
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = re.findall(r">>PANIC<< *(.*)", text)
    return found[-1].strip() if found else ""


def parse(result: Result) -> None:
    """Take the checks out of the KTAP; the plan must agree with them."""
    plan = None
    for line in result.lines:
        found = re.match(r"(not )?ok \d+ (.*)", line)
        if found:
            result.checks.append((not found.group(1), found.group(2)))
        elif line.startswith("Bail out!"):
            result.error = line
        elif re.match(r"1\.\.\d+$", line):
            plan = int(line[3:])
    if not result.error and plan != len(result.checks):
        result.error = f"{len(result.checks)} checks, then no end"


class Runner:
    """Runs lhv in Bochs."""

    def __init__(self, timeout: int, memory: int, quiet: bool = False) -> None:
        """quiet: Bochs does not log what it finds wrong, of which there is a lot in random tests."""
        self.bochs = find_bochs()
        self.timeout = timeout
        self.memory = memory
        self.log_action = "ignore" if quiet else "report"
        self.bios = first_existing(["/usr/share/bochs/BIOS-bochs-latest"], "bochsbios")
        self.vgabios = first_existing(["/usr/share/vgabios/vgabios.bin"], "vgabios")

    def run(self, name: str, model: str, cpus: int, options: str,
            boot: Boot = Boot()) -> Result:
        work = Folders.out / re.sub(r"[^a-zA-Z0-9_.=,-]+", "-", name)
        work.mkdir(parents=True, exist_ok=True)
        iso, log, rc = work / "boot.iso", work / "bochs.log", work / "bochsrc"
        (work / "msrs").write_text(MSRS, encoding="ascii")
        make_iso(boot_image(options, boot), iso)
        rc.write_text(BOCHSRC.format(memory=self.memory, bios=self.bios, vgabios=self.vgabios,
                                     model=MODELS[model], cpus=cpus, ips=IPS, iso=iso, log=log,
                                     msrs=work / "msrs", log_action=self.log_action,
                                     serial=work / "serial.txt"), encoding="utf-8")
        start = time.monotonic()
        output = work / "output.txt"
        with open(output, "wb") as stream:
            process = subprocess.Popen([self.bochs, "-q", "-f", str(rc)], stdin=subprocess.DEVNULL,
                                       stdout=stream, stderr=subprocess.STDOUT, cwd=work,
                                       env={**os.environ, "BX_SEED": "1"},
                                       start_new_session=True)
            try:
                status = process.wait(self.timeout)
            except subprocess.TimeoutExpired:
                status = TIMED_OUT
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
            if status == TIMED_OUT:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        iso.unlink()
        text = output.read_text(encoding="utf-8", errors="replace")
        lines = [line.rstrip() for line in text.splitlines()]
        result = Result(status, time.monotonic() - start, lines)
        if "bench" not in options.split():
            parse(result)
        if status == TIMED_OUT:
            result.error = f"no end after {self.timeout} s"
        elif panic_line(log):
            result.error = "Bochs: " + panic_line(log)
        elif status not in (0, 1) and not result.error:
            result.error = f"ended with {status}"
        return result


def has_core() -> bool:
    stamp = Folders.lhv / "core.stamp"
    return stamp.exists() and bool(stamp.read_text().strip())


def build(core: Optional[Path]) -> None:
    command = ["make", "-s", "-j2", "-C", str(ROOT / "lhv"), f"O={Folders.lhv}"]
    if core:
        command.append(f"CORE={core}")
    if subprocess.run(command, check=False).returncode:
        raise RunError("lhv does not build")


# --- records

def records(result: Result, skipped: Tuple[str, ...]) -> Dict[str, Dict[str, str]]:
    """Records of VM exits by name: "# record NAME: field=value ..."."""
    found: Dict[str, Dict[str, str]] = {}
    for line in result.lines:
        match = re.match(r"# record (.*): (.*)", line)
        if not match or match.group(1).startswith(skipped or ("-",)):
            continue
        name = match.group(1)
        number = 1
        while name in found:
            number += 1
            name = f"{match.group(1)} ({number})"
        found[name] = dict(part.split("=", 1) for part in match.group(2).split())
    return found


def compare_records(bare: Dict[str, Dict[str, str]], core: Dict[str, Dict[str, str]]) -> List[str]:
    """Fields of records that differ, or are on one side only."""
    differences = []
    for name in list(bare) + [name for name in core if name not in bare]:
        ours, theirs = bare.get(name), core.get(name)
        if ours is None or theirs is None:
            differences += [f"record {name}", f"    only {'bare' if ours else 'with core'}"]
            continue
        for part in sorted(set(ours) | set(theirs)):
            if ours.get(part) != theirs.get(part):
                differences += [f"record {name}", f"    {part}: bare {ours.get(part, '-')}, "
                                f"core {theirs.get(part, '-')}"]
    return differences
