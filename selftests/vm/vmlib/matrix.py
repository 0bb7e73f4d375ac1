# SPDX-License-Identifier: GPL-2.0-only
"""The list of VM tests: one a line, "NAME key=value... -- command"."""
from __future__ import annotations

import fnmatch
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, List, Optional

from .util import UsageError

NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")


def _number(low: int, high: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError(f"not from {low} to {high}")
        return value
    return convert


def _choice(*allowed: str) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"not one of {', '.join(allowed)}")
        return text
    return convert


def _flag(text: str) -> bool:
    return _choice("0", "1")(text) == "1"


def _list(text: str) -> List[str]:
    return [item for item in text.split(",") if item]


# what a test line may say, and how it is read
KEYS: Dict[str, Callable] = {
    "kernel": str, "model": str, "append": str, "reason": str,
    "apic": _choice("xapic", "x2apic"),
    "backend": _choice("auto", "bochs", "qemu-kvm", "qemu-tcg", "nested"),
    "root": _choice("minimal", "debian"),
    "cpus": _number(1, 64), "mem": _number(64, 1 << 20), "seed": _number(0, (1 << 31) - 1),
    "timeout": _number(1, 7200), "expect": _number(0, 255), "reboots": _number(0, 100),
    "panics": _number(0, 100), "with_kernel": _flag,
    "slow_boot": _flag, "tracing": _flag, "fresh": _flag, "plain": _flag,
    "files": _list, "modules": _list, "env": _list, "tags": _list,
}


@dataclass
class VmTest:
    """One line of the matrix."""

    name: str
    command: str
    settings: Dict[str, object] = field(default_factory=dict)

    @property
    def tags(self) -> List[str]:
        """What --tag selects by."""
        return self._list("tags")

    @property
    def expect(self) -> int:
        """The exit status that vmrun must end with."""
        value = self.settings.get("expect", 0)
        assert isinstance(value, int)
        return value

    @property
    def plain(self) -> bool:
        """The command prints no KTAP: the exit status tells all."""
        return bool(self.settings.get("plain")) or self.expect != 0

    @property
    def reason(self) -> Optional[str]:
        """A regular expression that the reason of the VM's death must match."""
        value = self.settings.get("reason")
        assert value is None or isinstance(value, str)
        return value

    def _list(self, key: str) -> List[str]:
        value = self.settings.get(key, [])
        assert isinstance(value, list)
        return value

    def arguments(self, folders: List[Path]) -> List[str]:
        """The arguments of vmrun; files are looked for in FOLDERS."""
        arguments: List[str] = []
        for key in ("kernel", "model", "append", "apic", "backend", "root", "cpus", "mem", "seed",
                    "timeout", "reboots", "panics"):
            if key in self.settings:
                arguments.append(f"--{key}={self.settings[key]}")
        for key in ("slow_boot", "tracing", "fresh", "with_kernel"):
            if self.settings.get(key):
                arguments.append("--" + key.replace("_", "-"))
        for name in self._list("files"):
            arguments.append(f"--file={find_file(name, folders)}")
        arguments += [f"--module={name}" for name in self._list("modules")]
        arguments += [f"--env={name}" for name in self._list("env")]
        return arguments + ["--", self.command]


def find_file(name: str, folders: List[Path]) -> str:
    """SRC[:DST] with SRC found in the first of FOLDERS that has it."""
    source, sep, target = name.partition(":")
    for folder in folders:
        if (folder / source).exists():
            return f"{folder / source}{sep}{target}"
    places = " and ".join(str(folder) for folder in folders)
    raise UsageError(f"{source} is neither in {places}: has it been built?")


def parse(text: str, origin: str = "matrix") -> List[VmTest]:
    """All tests; a mistake is a UsageError that names the line."""
    tests: List[VmTest] = []
    seen = set()
    pending, first = "", 0
    for number, line in enumerate(text.splitlines() + [""], 1):
        if not pending:
            first = number
        if line.endswith("\\"):
            pending += line[:-1].rstrip() + " "
            continue
        line, pending = (pending + line.lstrip() if pending else line), ""
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            test = _parse_line(line)
            if test.name in seen:
                raise ValueError(f"a second test {test.name}")
        except ValueError as error:
            raise UsageError(f"{origin}:{first}: {error}") from None
        seen.add(test.name)
        tests.append(test)
    return tests


def _parse_line(line: str) -> VmTest:
    head, sep, command = line.partition(" -- ")
    command = command.strip()
    if not sep or not command:
        raise ValueError("no ' -- command'")
    words = shlex.split(head)
    if not words or not NAME.match(words[0]):
        raise ValueError("a test begins with its name: letters, digits and _ . + -")
    test = VmTest(words[0], command)
    for word in words[1:]:
        key, sep, value = word.partition("=")
        if not sep or key not in KEYS:
            raise ValueError(f"unknown setting {word}: one of {', '.join(KEYS)}")
        if key in test.settings:
            raise ValueError(f"{key} is set twice")
        try:
            test.settings[key] = KEYS[key](value)
        except ValueError as error:
            raise ValueError(f"{key}={value}: {error}") from None
    if test.reason is not None and test.expect not in (124, 125):
        raise ValueError("only a VM that dies (expect=125) or is too slow (124) has a reason")
    return test


# What waits for something that is not there yet: not run by other tags or by a glob.
PENDING = "pending"


def select(tests: List[VmTest], tags: List[str], not_tags: List[str],
           globs: List[str]) -> List[VmTest]:
    """Tests with one of TAGS (if any are given), none of NOT_TAGS, of such a name.

    A pending one has to be asked for, by its tag or by its name.
    """
    chosen = []
    for test in tests:
        if PENDING in test.tags and PENDING not in tags and test.name not in globs:
            continue
        if tags and not set(tags) & set(test.tags):
            continue
        if set(not_tags) & set(test.tags):
            continue
        if globs and not any(fnmatch.fnmatchcase(test.name, glob) for glob in globs):
            continue
        chosen.append(test)
    return chosen
