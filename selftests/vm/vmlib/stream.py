# SPDX-License-Identifier: GPL-2.0-only
"""The byte stream that a guest sends: a command's output, with records in it.

A record is one line "RS MARK WORD [VALUE]"; guest/vmio.c writes them.
"""
from __future__ import annotations

import re
from typing import Callable, List, Optional

RECORD_START = b"\x1e"
MAX_RECORD = 300

Sink = Callable[[bytes], None]


class GuestStream:
    """Takes the stream apart as it comes, in pieces of any size."""

    def __init__(self, mark: str, output: Sink, on_begin: Optional[Callable[[], None]] = None) -> None:
        self._head = RECORD_START + mark.encode() + b" "
        self._pending = b""
        self._output = output
        self._on_begin = on_begin
        self._state = "before"          # before, output, dmesg, ended
        self.status: Optional[int] = None
        self.rebooted = False
        self.noise: List[bytes] = []    # what came before the guest's init: the emulator's own
        self.dmesg: List[bytes] = []

    @property
    def begun(self) -> bool:
        """The guest's init runs."""
        return self._state != "before"

    @property
    def ended(self) -> bool:
        """All that was to come has come."""
        return self._state == "ended"

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        self._pending += data
        while self._pending:
            at = self._pending.find(RECORD_START)
            if at < 0:
                self._plain(self._pending)
                self._pending = b""
                return
            self._plain(self._pending[:at])
            self._pending = self._pending[at:]
            if not self._record():
                return

    def finish(self) -> None:
        """There is no more: a record that never ended is plain text."""
        self._plain(self._pending)
        self._pending = b""

    def _record(self) -> bool:
        """Take the record at the front; False when more bytes are needed."""
        head, pending = self._head, self._pending
        if not pending.startswith(head[:len(pending)]):
            self._plain(pending[:1])
            self._pending = pending[1:]
            return True
        end = pending.find(b"\n")
        if end < 0 and len(pending) < MAX_RECORD:
            return False
        words = pending[len(head):end].split() if end >= 0 else []
        if not words or not self._control(words):
            self._plain(pending[:1])
            self._pending = pending[1:]
            return True
        self._pending = pending[end + 1:]
        return True

    def _control(self, words: List[bytes]) -> bool:
        word = words[0]
        if word == b"begin":
            # after a reset that the test asked for the output goes on
            if self._state == "before" and self._on_begin:
                self._on_begin()
            self._state = "output"
        elif word == b"status" and len(words) == 2 and re.fullmatch(rb"\d{1,3}", words[1]):
            self.status = int(words[1])
        elif word == b"dmesg":
            self._state = "dmesg"
        elif word == b"end":
            self._state = "ended"
        elif word == b"rebooted":
            self.rebooted = True
        else:
            return False
        return True

    def _plain(self, data: bytes) -> None:
        if not data:
            return
        if self._state == "output":
            self._output(data)
        elif self._state == "dmesg":
            self.dmesg.append(data)
        else:
            self.noise.append(data)
