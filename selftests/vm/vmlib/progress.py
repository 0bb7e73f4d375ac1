# SPDX-License-Identifier: GPL-2.0-only
"""Telling a person who waits what is going on."""
from __future__ import annotations

import shutil
import sys
import time

# on no terminal: a plain line when there is news, at most this often
PLAIN_INTERVAL = 5.0


class Progress:
    """One line that is rewritten on a terminal, plain lines elsewhere."""

    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled
        self._tty = sys.stderr.isatty()
        self._start = time.monotonic()
        self._shown_at = 0.0
        self._shown = ""

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._start

    def update(self, text: str) -> None:
        """Say what goes on now."""
        if not self._enabled:
            return
        if self._tty:
            line = f"{self.seconds:5.1f} s  {text}"
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write("\r\033[K" + line[:width])
            sys.stderr.flush()
        elif text != self._shown and time.monotonic() - self._shown_at >= PLAIN_INTERVAL:
            self._shown, self._shown_at = text, time.monotonic()
            print(f"{self.seconds:5.1f} s  {text}", file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """A line that stays."""
        if self._enabled:
            self.clear()
            print(f"{self.seconds:5.1f} s  {text}", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the line away, before something else is written."""
        if self._enabled and self._tty:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
