# SPDX-License-Identifier: GPL-2.0-only
"""Runs one VM to its end, which always comes."""
from __future__ import annotations

import json
import os
import resource
import selectors
import signal
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Optional

from .backend import Backend, Folders, Launch
from .console import Console
from .progress import Progress
from .spec import VmSpec
from .stream import GuestStream
from .terminal import Terminal
from .util import child_setup

STATUS_TIMEOUT = 124
STATUS_DIED = 125
POLL = 0.1
# An emulator that was told to end gets this long before it is killed.
END_GRACE = 10.0


@dataclass
class Limits:
    """Bounds on one run, in seconds."""

    cpu: int
    wall: int

    @classmethod
    def of(cls, timeout: int, backend: Backend, spec: VmSpec) -> "Limits":
        """TIMEOUT is what the guest may use; the host may be slow or busy.

        An emulator that skips idle time never sleeps, so its CPU time is the
        measure and the wall clock only a last resort. A person at a shell has
        all the time in the world, once the guest has booted.
        """
        if spec.shell:
            return cls(resource.RLIM_INFINITY, 3 * timeout + 30)
        if backend.busy_when_idle:
            return cls(timeout, 3 * timeout + 30)
        return cls(timeout * (spec.cpus + 1), timeout + 10)


@dataclass
class Outcome:
    """How a run ended."""

    kind: str               # exit, timeout, died, interrupted
    status: int             # what vmrun exits with
    reason: str = ""
    boot_seconds: float = 0.0
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0

    def save(self, path: Path) -> None:
        """For a program that reads the logs."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


class Run:
    """One VM from its start to its end."""

    def __init__(self, backend: Backend, spec: VmSpec, folders: Folders, limits: Limits,
                 output: BinaryIO, progress: Progress, terminal: Optional[Terminal] = None) -> None:
        self.backend = backend
        self.spec = spec
        self.folders = folders
        self.limits = limits
        self.output: Optional[BinaryIO] = output
        self.progress = progress
        self.terminal = terminal
        self.start = 0.0
        self.boot_seconds = 0.0
        self._stdout_log = open(folders.logs / "stdout.txt", "wb")
        self.stream = GuestStream(spec.mark, self._output, self._begun)
        self._outer: Optional[GuestStream] = None

    def _output(self, data: bytes) -> None:
        self.progress.clear()
        self._stdout_log.write(data)
        if self.output:
            try:
                self.output.write(data)
                self.output.flush()
            except BrokenPipeError:
                self.output = None      # the reader has seen enough; the log goes on

    def _begun(self) -> None:
        self.boot_seconds = time.monotonic() - self.start
        self.progress.say(f"the guest is up (booted in {self.boot_seconds:.1f} s)")

    def go(self) -> Outcome:
        """Start it and wait for its end."""
        self.progress.update("preparing the VM")
        launch = self.backend.prepare(self.spec, self.folders, self._tty_name())
        (self.folders.logs / "cmdline").write_text(launch.kernel_args + "\n", encoding="utf-8")
        if launch.outer_mark:
            self._outer = GuestStream(launch.outer_mark, self.stream.feed)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.start = time.monotonic()
        with open(self.folders.logs / "emulator.txt", "wb") as errors:
            process = subprocess.Popen(
                launch.argv, cwd=self.folders.work, env={**os.environ, **launch.env},
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                start_new_session=True, preexec_fn=child_setup(self.limits.cpu))
            try:
                outcome = self._watch(process, launch)
            finally:
                if process.poll() is None:
                    process.kill()
                process.wait()
                self._end_logs()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        outcome.boot_seconds = round(self.boot_seconds, 2)
        outcome.wall_seconds = round(time.monotonic() - self.start, 2)
        outcome.cpu_seconds = round(after.ru_utime + after.ru_stime
                                    - before.ru_utime - before.ru_stime, 2)
        outcome.save(self.folders.logs / "result.json")
        return outcome

    def _tty_name(self) -> Optional[str]:
        return self.terminal.name if self.terminal else None

    def _end_logs(self) -> None:
        (self._outer or self.stream).finish()
        self.stream.finish()
        self._stdout_log.close()
        noise = (self._outer or self.stream).noise
        with open(self.folders.logs / "emulator.txt", "ab") as log:
            log.write(b"".join(noise))
        for stream, name in ((self.stream, "dmesg.txt"), (self._outer, "dmesg-outer.txt")):
            if stream and stream.dmesg:
                (self.folders.logs / name).write_bytes(b"".join(stream.dmesg))

    def _watch(self, process: subprocess.Popen, launch: Launch) -> Outcome:
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        console = Console(launch.console, self.spec.panics)
        outer = Console(launch.outer_console) if launch.outer_console else None
        deadline = self.start + self.limits.wall
        end_deadline = 0.0
        interactive = False
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ, self._read_stream)
            if self.terminal:
                selector.register(self.terminal.master, selectors.EVENT_READ, "console")
            while True:
                for key, _ in selector.select(POLL):
                    if key.data == "console":
                        self._log_console(launch.console)
                    elif key.data == "key":
                        if not self.terminal.key():
                            return Outcome("interrupted", 0, "left with Ctrl-]")
                    elif not self._read_stream(process.stdout):
                        selector.unregister(process.stdout)
                if self.terminal and self.stream.begun and not interactive:
                    interactive = True
                    self.terminal.start()
                    selector.register(0, selectors.EVENT_READ, "key")
                now = time.monotonic()
                console.poll()
                if outer:
                    outer.poll()
                if process.poll() is not None:
                    while self._read_stream(process.stdout, True):
                        pass
                    console.poll()
                    return self._ended(process.returncode, console)
                if self.stream.ended:
                    end_deadline = end_deadline or now + END_GRACE
                    if now > end_deadline:
                        return self._ended(0, console)
                if console.dead:
                    return Outcome("died", STATUS_DIED, console.panic or "")
                if outer and outer.dead:
                    return Outcome("died", STATUS_DIED, f"in the outer VM: {outer.panic}")
                fatal = self.backend.fatal_text(self._emulator_text())
                if fatal:
                    return Outcome("died", STATUS_DIED, fatal)
                if now > deadline and not interactive:
                    return Outcome("timeout", STATUS_TIMEOUT,
                                   f"no end within {self.limits.wall} s of wall-clock time")
                self._tell(console)

    def _read_stream(self, stream: BinaryIO, until_empty: bool = False) -> bool:
        """Take what is there; False at the end (or when nothing is there)."""
        data = stream.read(1 << 20)
        if data:
            (self._outer or self.stream).feed(data)
        return bool(data) or (data is None and not until_empty)

    def _log_console(self, path: Path) -> None:
        data = self.terminal.show()
        with open(path, "ab") as log:
            log.write(data)

    def _emulator_text(self) -> bytes:
        try:
            return (self.folders.logs / "emulator.txt").read_bytes()
        except OSError:
            return b""

    def _tell(self, console: Console) -> None:
        if self.stream.begun:
            return
        self.progress.update(f"booting: {console.stage}")

    def _ended(self, returncode: int, console: Console) -> Outcome:
        stream = self.stream
        if stream.ended and stream.status is not None:
            return Outcome("exit", stream.status)
        if returncode == -signal.SIGXCPU:
            return Outcome("timeout", STATUS_TIMEOUT,
                           f"no end within {self.limits.cpu} s of CPU time")
        if stream.rebooted:
            return Outcome("died", STATUS_DIED, "the guest was reset and booted again")
        if console.panic:
            return Outcome("died", STATUS_DIED, console.panic)
        return Outcome("died", STATUS_DIED, self.backend.explain(self.folders, returncode))


def run(backend: Backend, spec: VmSpec, folders: Folders, limits: Limits, output: BinaryIO,
        progress: Progress, shell: bool) -> Outcome:
    """Run SPEC's VM; OUTPUT gets what its command writes."""
    terminal = Terminal() if shell else None
    try:
        if terminal:
            spec.env.update(terminal.env)
        return Run(backend, spec, folders, limits, output, progress, terminal).go()
    except KeyboardInterrupt:
        return Outcome("interrupted", 130, "interrupted")
    finally:
        if terminal:
            terminal.close()
