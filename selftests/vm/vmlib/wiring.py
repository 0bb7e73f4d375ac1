# SPDX-License-Identifier: GPL-2.0-only
"""The part of Bochs' configuration that differs from run to run."""
from __future__ import annotations

from pathlib import Path
from typing import List, Optional

from .backend import Folders


class Wiring:
    """Where the serial ports and the log of one run go."""

    def __init__(self, folders: Folders, tty: Optional[str] = None) -> None:
        self.tty = tty
        self.log = folders.logs / "bochs.log"
        self.console = folders.logs / "console.txt"
        self.second: Optional[Path] = None      # the second serial port's log

    def lines(self) -> List[str]:
        """Lines for the configuration."""
        com1 = f"mode=term, dev={self.tty}" if self.tty else f"mode=file, dev={self.console}"
        lines = [f"com1: enabled=1, {com1}", f"log: {self.log}"]
        if self.second:
            lines.append(f"com2: enabled=1, mode=file, dev={self.second}")
        return lines
