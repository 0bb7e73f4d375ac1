# SPDX-License-Identifier: GPL-2.0-only
"""Reading KTAP, the kernel's test output format, strictly.

Strictly means: a test that stops half-way is a failure, whatever its exit
status says. So each level must have a plan, and must meet it.
"""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import List, Optional

VERSION = re.compile(r"^(KTAP version 1|TAP version 1[34])\s*$")
PLAN = re.compile(r"^1\.\.(\d+)\s*(?:#\s*SKIP\b\s*(.*))?$", re.IGNORECASE)
RESULT = re.compile(r"^(not )?ok\b\s*(\d+)?\s*(?:-\s*)?([^#]*?)\s*(?:#\s*(\w+)\b:?\s*(.*))?$")
BAIL = re.compile(r"^Bail out!\s*(.*)$")
# the kernel's log before the text of a line, when a module prints KTAP
LOG_PREFIX = re.compile(r"^(?:<\d+>)?\[ *\d+\.\d+\] ?")


@dataclass
class KtapResult:
    """What one test's output says."""

    seen: bool = False
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: List[str] = field(default_factory=list)   # names of tests that are not ok
    problems: List[str] = field(default_factory=list)   # the output is not what was promised

    @property
    def ok(self) -> bool:
        """Nothing failed and nothing is missing."""
        return not self.failures and not self.problems

    @property
    def total(self) -> int:
        """Number of results."""
        return self.passed + self.failed + self.skipped


@dataclass
class _Level:
    indent: int
    plan: Optional[int] = None
    count: int = 0
    children: int = 0       # results one level below since the last result here
    bad_children: int = 0   # those of them that were not ok
    bad: int = 0            # results of this level that were not ok


class KtapParser:
    """Takes lines, one by one."""

    def __init__(self) -> None:
        self.result = KtapResult()
        self._levels: List[_Level] = []

    def line(self, text: str) -> None:
        """Take the next line; lines that are not KTAP are of no interest."""
        text = LOG_PREFIX.sub("", text.rstrip("\r\n"))
        body = text.lstrip(" ")
        # the diagnostics of a subtest's header look like "  # Subtest: name"
        if not body or body.startswith("#"):
            return
        indent = len(text) - len(body)
        match = BAIL.match(body)
        if match and self._levels:
            self.result.problems.append(f"bailed out: {match.group(1) or 'no reason given'}")
        elif VERSION.match(body):
            self.result.seen = True
            self._open(indent)
        elif PLAN.match(body):
            self._plan(indent, PLAN.match(body))
        elif self._levels and RESULT.match(body):
            self._test(indent, RESULT.match(body))

    def finish(self) -> KtapResult:
        """The output has ended."""
        self._close_to(-1)
        return self.result

    def _open(self, indent: int) -> None:
        self._close_to(indent - 1)
        self._levels.append(_Level(indent))

    def _close_to(self, indent: int) -> None:
        """Close all levels that are deeper than INDENT."""
        while self._levels and self._levels[-1].indent > indent:
            level = self._levels.pop()
            where = f" (at indentation {level.indent})" if level.indent else ""
            if level.plan is None:
                self.result.problems.append(f"no plan{where}")
            elif level.count != level.plan:
                self.result.problems.append(
                    f"{level.plan} tests planned, {level.count} reported{where}")
            if self._levels:
                self._levels[-1].children += max(level.count, 1)
                self._levels[-1].bad_children += level.bad

    def _plan(self, indent: int, match: re.Match) -> None:
        if not self._levels or indent > self._levels[-1].indent:
            # a plan may open a level by itself
            self._levels.append(_Level(indent))
            self.result.seen = True
        else:
            self._close_to(indent)
        level = self._levels[-1] if self._levels else None
        if level is None or level.plan is not None:
            self.result.problems.append("a second plan")
            return
        level.plan = int(match.group(1))
        if level.plan == 0:
            self.result.skipped += 1

    def _test(self, indent: int, match: re.Match) -> None:
        if indent > self._levels[-1].indent:
            return      # a program's output that happens to begin with "ok"
        self._close_to(indent)
        if not self._levels:
            return
        level = self._levels[-1]
        level.count += 1
        bad, number, name, directive, _ = match.groups()
        if number is not None and int(number) != level.count:
            self.result.problems.append(f"result {number} where {level.count} was due")
        is_parent, level.children = level.children > 0, 0
        bad_children, level.bad_children = level.bad_children, 0
        directive = (directive or "").upper()
        label = name or f"test {level.count}"
        if directive == "SKIP":
            self.result.skipped += not is_parent
        elif bad and directive not in ("TODO", "XFAIL"):
            self.result.failures.append(label)
            level.bad += 1
            # counted already, if it failed because of a subtest
            self.result.failed += not bad_children
        else:
            self.result.passed += not is_parent


def parse(text: str) -> KtapResult:
    """Read the whole output of one test."""
    parser = KtapParser()
    for line in text.splitlines():
        parser.line(line)
    return parser.finish()
