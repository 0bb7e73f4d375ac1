# SPDX-License-Identifier: GPL-2.0-only
"""Backend: Bochs, which emulates VMX in full on any host."""
from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import List, Optional

from . import image, roots, snapshot
from .backend import Backend, Folders, Launch
from .spec import VmSpec
from .util import VM_DIR, UsageError, VmError, first_existing
from .wiring import Wiring

# Instructions per second of guest time. CPUID claims another frequency, so
# Linux is told the one of the TSC, which counts instructions.
IPS = 100_000_000

# The models of Bochs 3.0 that have VMX, by a short name.
MODELS = {
    "penryn": "core2_penryn_t9600",         # no EPT
    "lynnfield": "corei5_lynnfield_750",    # no unrestricted guest
    "arrandale": "corei5_arrandale_m520",
    "sandy_bridge": "corei7_sandy_bridge_2600k",
    "ivy_bridge": "corei7_ivy_bridge_3770k",    # no VMCS shadowing
    "haswell": "corei7_haswell_4770",
    "broadwell": "broadwell_ult",
    "skylake_x": "corei7_skylake_x",
    "cnl": "corei3_cnl",
    "icelake_u": "corei7_icelake_u",
    "tigerlake": "tigerlake",
    "arrow_lake": "arrow_lake",
    "ryzen": "ryzen",                       # no VMX at all, but SVM
}
# The kernel's string functions loop on an exception with the emulated FSRM;
# kernels before 5.17 take only the bit's number: word 18, bit 4.
NO_FSRM = "clearcpuid=580"
FSRM_MODELS = ("icelake_u", "tigerlake", "arrow_lake")

BOCHSRC = """\
config_interface: textconfig
display_library: nogui
memory: guest={memory}, host={memory}
romimage: file={bios}
vgaromimage: file={vgabios}
cpu: model={model}, count={cpus}, ips={ips}, reset_on_triple_fault=0, ignore_bad_msrs=1
clock: sync={sync}, time0=946681200
vga: extension=vbe, update_freq=5, realtime=0
boot: cdrom
ata0-master: type=cdrom, path={iso}, status=inserted
port_e9_hack: enabled=1
{wiring}
panic: action=fatal
error: action=report
info: action=report
debug: action=ignore
"""


def short_model(name: str) -> str:
    """The short name of a CPU model; the emulator's own name will do too."""
    if name in MODELS:
        return name
    for short, full in MODELS.items():
        if name == full:
            return short
    raise UsageError(f"unknown CPU model {name}: one of {', '.join(MODELS)}")


def find_bochs() -> Path:
    """The patched emulator; builds it when it is not in the cache."""
    result = subprocess.run([str(VM_DIR / "bochs/build-bochs")], check=False, text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    if result.returncode:
        raise VmError("there is no Bochs to run the VM")
    return Path(result.stdout.strip())


def panic_line(log: Path) -> Optional[str]:
    """What Bochs says when it gives up."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.findall(r">>PANIC<< *(.*)", text)
    return found[-1].strip() if found else None


class Bochs(Backend):
    """Full emulation; deterministic for a given seed."""

    name = "bochs"
    busy_when_idle = True

    def check(self, spec: VmSpec) -> None:
        short_model(spec.model)
        if not 1 <= spec.cpus <= 8:
            raise UsageError("Bochs does 1 to 8 CPUs")
        if not 64 <= spec.memory <= 3072:
            raise UsageError("Bochs: 64 to 3072 MB of memory")

    def kernel_args(self, spec: VmSpec) -> List[str]:
        """What the emulated machine needs or is quicker with."""
        # A reset by the keyboard controller does not unlock IA32_FEATURE_CONTROL,
        # which this BIOS writes without looking; one by port 0xcf9 does.
        args = ["tsc=reliable", f"tsc_early_khz={IPS // 1000}", "reboot=pci"]
        if not spec.slow_boot:
            args.append("idle=halt")
        if short_model(spec.model) in FSRM_MODELS:
            args.append(NO_FSRM)
        return args

    def prepare(self, spec: VmSpec, folders: Folders, tty: Optional[str]) -> Launch:
        return self.start(spec, folders, Wiring(folders, tty), roots.base_archive(spec.root),
                          spec.apic or "xapic")

    def start(self, spec: VmSpec, folders: Folders, wiring: Wiring, base: Path, apic: str) -> Launch:
        """Boot the root in the archive BASE, or restore a machine that has booted it."""
        args = spec.kernel_args(self.kernel_args(spec))
        env = {"BX_SEED": str(spec.seed)}
        if apic == "x2apic":
            env["BX_KVMSIG"] = "1"
        machine = snapshot.Machine(find_bochs(), spec, base, args, env, wiring)
        if spec.fresh or spec.shell or spec.reboots:
            initramfs = folders.work / "initrd"
            image.build_initramfs(spec, base, self.name, apic, initramfs)
            argv = self._boot(machine, folders, initramfs)
        else:
            payload = folders.work / "payload"
            with open(payload, "wb") as stream:
                image.write_test(stream, spec, self.name, apic)
            env.update(BX_PAYLOAD=str(payload), BX_RESTORE_IN_PLACE="1")
            argv = snapshot.restore(machine, self._boot, folders.work / "state")
        return Launch(argv, wiring.console, [wiring.log], args, env, wiring.tty)

    def _boot(self, machine: snapshot.Machine, folders: Folders, initramfs: Path) -> List[str]:
        """Boot CD and configuration for an initramfs that is ready."""
        spec, wiring = machine.spec, machine.wiring
        iso, config = folders.work / "boot.iso", folders.logs / "bochsrc"
        image.build_iso(spec.kernel.image, initramfs, machine.args, iso, spec.verbose)
        initramfs.unlink()
        config.write_text(BOCHSRC.format(
            memory=spec.memory, model=MODELS[short_model(spec.model)], cpus=spec.cpus, ips=IPS,
            bios=first_existing(["/usr/share/bochs/BIOS-bochs-latest"], "bochsbios"),
            vgabios=first_existing(["/usr/share/vgabios/vgabios.bin"], "vgabios"),
            # an interactive guest must not run through its idle time at full speed
            sync="slowdown" if wiring.tty else "none",
            wiring="\n".join(wiring.lines()), iso=iso), encoding="utf-8")
        return [str(machine.program), "-q", "-f", str(config)]

    def explain(self, folders: Folders, returncode: int) -> str:
        line = panic_line(folders.logs / "bochs.log")
        if line and "3rd" in line:
            return f"triple fault: {line}"
        if line:
            return f"Bochs gave up: {line}"
        if returncode < 0:
            return f"Bochs was killed by signal {-returncode}"
        return f"the guest powered off without a status (Bochs ended with {returncode})"
