# SPDX-License-Identifier: GPL-2.0-only
"""Watching a guest's console log while it grows."""
from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Optional

PANIC = re.compile(rb"Kernel panic - not syncing[^\r\n]*")
# QEMU's last words about its guest, when it runs in the VM itself
KVM_DEATH = re.compile(rb"KVM: entry failed[^\r\n]*|KVM internal error[^\r\n]*")
PANIC_END = re.compile(rb"end Kernel panic - not syncing")
# the panic's call trace follows its first line
PANIC_GRACE = 3.0
# harmless complaints about the emulated machine, which would worry a newcomer
UNSHOWN = re.compile(rb"fail|error|bug|warn|perfctr", re.IGNORECASE)
LOADER = re.compile(rb"^(ISOLINUX|Loading )")
TIMESTAMP = re.compile(rb"^\[ *\d+\.\d+\] *")


class Console:
    """The part of a console log that was not looked at yet."""

    def __init__(self, path: Path, panics: int = 0) -> None:
        self.path = path
        self._panics = panics           # how many the test asked for
        self._offset = 0
        self._rest = b""
        self.stage = "starting the firmware"
        self.panic: Optional[str] = None
        self._panic_at = 0.0
        self._panic_ended = False

    def poll(self) -> None:
        """Read on."""
        try:
            with open(self.path, "rb") as stream:
                stream.seek(self._offset)
                data = stream.read()
        except OSError:
            return
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line.strip())

    def _line(self, line: bytes) -> None:
        text = TIMESTAMP.sub(b"", line)
        if text and not UNSHOWN.search(text):
            who = "boot loader" if LOADER.search(text) else "kernel"
            self.stage = f"{who}: {text.decode('utf-8', 'replace')}"
        if self.panic is None:
            match = PANIC.search(line) or KVM_DEATH.search(line)
            if match and self._panics:
                self._panics -= 1
            elif match:
                self.panic = match.group().decode("utf-8", "replace")
                self._panic_at = time.monotonic()
        elif PANIC_END.search(line):
            self._panic_ended = True

    @property
    def dead(self) -> bool:
        """The guest has panicked and said all that it had to say."""
        if self.panic is None:
            return False
        return self._panic_ended or time.monotonic() - self._panic_at > PANIC_GRACE
