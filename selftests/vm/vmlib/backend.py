# SPDX-License-Identifier: GPL-2.0-only
"""What the runner asks of a backend."""
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Optional

from .spec import VmSpec


@dataclass
class Folders:
    """Where one run keeps its files."""

    work: Path      # large things, gone after the run
    logs: Path      # small things that tell what happened


@dataclass
class Launch:
    """An emulator that is ready to be started in its own folder."""

    argv: List[str]
    console: Path
    logs: List[Path]                    # shown beside the console when the VM dies
    kernel_args: str
    env: Dict[str, str] = field(default_factory=dict)
    tty: Optional[str] = None           # of a shell: the emulator's side
    outer_mark: Optional[str] = None    # the stream comes out of a VM in a VM
    outer_console: Optional[Path] = None


class Backend:
    """One way to run a VM. A subclass says how; the runner does the rest."""

    name = ""
    # an idle guest of an emulator that skips idle time still uses CPU time
    busy_when_idle = False

    def check(self, spec: VmSpec) -> None:
        """Raise UsageError when this backend cannot be what SPEC asks for."""

    def prepare(self, spec: VmSpec, folders: Folders, tty: Optional[str]) -> Launch:
        """Make all files that the VM needs; TTY is the terminal of a shell."""
        raise NotImplementedError

    def explain(self, folders: Folders, returncode: int) -> str:
        """Why the emulator ended though the guest had not, in one line."""
        raise NotImplementedError

    def fatal_text(self, text: bytes) -> Optional[str]:
        """A line in the emulator's own output after which the guest is dead."""
        del text
        return None
