# SPDX-License-Identifier: GPL-2.0-only
"""What one VM is to be: the same for all backends."""
from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from .kernels import Kernel

# Start of the lines that the runner's part in the guest sends. A constant: a
# saved state must serve every test.
MARK = "vmrun-5f0c6b1e"
MARK_OUTER = "vmrun-outer-5f0c6b1e"

# Shortcuts that halve the boot; --slow-boot leaves them out, as users have it.
FAST_ARGS = ("nokaslr", "mitigations=off", "cryptomgr.notests")
FAST_BLACKLIST = "initcall_blacklist=load_system_certificate_list,cubictcp_register"
# The start-up self-test of kprobes costs much, but without it there are none.
NO_KPROBES = ",init_kprobe_trace"


@dataclass
class VmSpec:
    """One virtual machine and the one command that it runs."""

    kernel: Kernel
    command: str
    cpus: int = 2
    memory: int = 512
    model: str = "skylake_x"
    apic: Optional[str] = None          # None: what the backend has by itself
    seed: int = 1
    append: str = ""
    slow_boot: bool = False
    tracing: bool = False
    root: str = "minimal"
    shell: bool = False
    reboots: int = 0
    panics: int = 0                     # that the test brings about, and survives
    fresh: bool = False                 # boot, even where a saved state would do
    verbose: bool = False               # the kernel tells how far it is
    mark: str = MARK
    files: List[Tuple[Path, str]] = field(default_factory=list)
    modules: List[str] = field(default_factory=list)
    env: Dict[str, str] = field(default_factory=dict)

    def kernel_args(self, backend: List[str], console: str = "ttyS0") -> str:
        """The kernel command line, the user's arguments last."""
        args = [f"console={console},115200", "oops=panic"]
        args += ["loglevel=6"] if self.verbose else ["quiet"]
        args += backend
        if not self.slow_boot:
            args += FAST_ARGS
            if "initcall_blacklist=" not in self.append:
                args.append(FAST_BLACKLIST + ("" if self.tracing else NO_KPROBES))
        if self.append:
            args.append(self.append)
        return " ".join(args)

    def guest_env(self, backend: str, apic: str) -> str:
        """A shell file that tells the guest what it was asked to be."""
        values = {
            "VMRUN_MARK": self.mark,
            "VMRUN_BACKEND": backend,
            "VMRUN_CPUS": str(self.cpus),
            "VMRUN_MODEL": self.model,
            "VMRUN_APIC": apic,
            "VMRUN_MEM": str(self.memory),
            "VMRUN_SEED": str(self.seed),
            "VMRUN_ROOT": self.root,
            "VMRUN_REBOOTS": str(self.reboots),
            "TERM": "dumb",
        }
        values.update(self.env)
        return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())
