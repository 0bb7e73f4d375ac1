# SPDX-License-Identifier: GPL-2.0-only
"""The user's terminal, joined to the serial console of a VM."""
from __future__ import annotations

import os
import pty
import sys
import termios
import tty
from typing import Optional

from .util import UsageError

QUIT = b"\x1d"      # Ctrl-]


class Terminal:
    """A pseudo terminal whose other side the emulator has as its serial port."""

    def __init__(self) -> None:
        if not sys.stdin.isatty():
            raise UsageError("--shell needs a terminal")
        self.master, self._slave = pty.openpty()
        self.name = os.ttyname(self._slave)
        tty.setraw(self._slave)
        self._saved: Optional[list] = termios.tcgetattr(sys.stdin.fileno())
        size = os.get_terminal_size(sys.stdin.fileno())
        self.env = {"VMRUN_ROWS": str(size.lines or 24), "VMRUN_COLUMNS": str(size.columns or 80),
                    "TERM": os.environ.get("TERM", "vt100")}

    def start(self) -> None:
        """Give each key to the guest from now on."""
        tty.setraw(sys.stdin.fileno())

    def key(self) -> bool:
        """Pass on what was typed; False when the user wants to leave."""
        data = os.read(sys.stdin.fileno(), 1024)
        if QUIT in data or not data:
            return False
        os.write(self.master, data)
        return True

    def show(self) -> bytes:
        """Pass on what the guest wrote, and return it for the log."""
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return b""
        os.write(sys.stdout.fileno(), data)
        return data

    def close(self) -> None:
        """Give the terminal back as it was."""
        if self._saved is not None:
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._saved)
            self._saved = None
        os.close(self.master)
        os.close(self._slave)
