#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Unit tests of the runner's parts that need no VM."""
from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import io
import os
import stat
import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).resolve().parent))

from vmlib import backends, bochs, console, cpio, elf, image, kernels, ktap, matrix, spec, stream  # noqa: E402
from vmlib.util import UsageError, drop_old, new_file, tail  # noqa: E402


def load_script(name: str) -> ModuleType:
    """One of the programs, as a module."""
    path = str(Path(__file__).resolve().parent / name)
    loader = importlib.machinery.SourceFileLoader(name, path)
    module_spec = importlib.util.spec_from_loader(name, loader)
    assert module_spec is not None
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


vmrun = load_script("vmrun")
vmtest = load_script("vmtest")


def kernel(folder: str = "/nonexistent") -> kernels.Kernel:
    """A kernel that nobody boots."""
    return kernels.Kernel(Path(folder) / "vmlinuz", "6.1.0-test", Path(folder))


class Ktap(unittest.TestCase):
    """The parser must not let an incomplete output pass."""

    def parse(self, text: str) -> ktap.KtapResult:
        return ktap.parse(textwrap.dedent(text))

    def test_flat(self) -> None:
        result = self.parse("""\
            KTAP version 1
            1..3
            # a remark
            ok 1 - first
            some program's output
            ok 2 second # SKIP no such device
            ok 3
            """)
        self.assertTrue(result.ok, result.problems)
        self.assertEqual((result.passed, result.failed, result.skipped), (2, 0, 1))

    def test_not_ok(self) -> None:
        result = self.parse("TAP version 13\n1..2\nok 1 a\nnot ok 2 - b\n")
        self.assertFalse(result.ok)
        self.assertEqual(result.failures, ["b"])
        self.assertEqual((result.passed, result.failed), (1, 1))

    def test_expected_failure_is_ok(self) -> None:
        for word in ("TODO", "XFAIL"):
            result = self.parse(f"KTAP version 1\n1..1\nnot ok 1 a # {word} later\n")
            self.assertTrue(result.ok)

    def test_plan_not_met(self) -> None:
        result = self.parse("KTAP version 1\n1..3\nok 1 a\nok 2 b\n")
        self.assertFalse(result.ok)
        self.assertIn("3 tests planned, 2 reported", result.problems[0])

    def test_more_than_planned(self) -> None:
        self.assertFalse(self.parse("KTAP version 1\n1..1\nok 1 a\nok 2 b\n").ok)

    def test_no_plan(self) -> None:
        self.assertFalse(self.parse("KTAP version 1\nok 1 a\n").ok)

    def test_header_only(self) -> None:
        self.assertFalse(self.parse("KTAP version 1\n").ok)

    def test_plan_at_the_end(self) -> None:
        self.assertTrue(self.parse("TAP version 13\nok 1 a\nok 2 b\n1..2\n").ok)

    def test_number_out_of_order(self) -> None:
        self.assertFalse(self.parse("KTAP version 1\n1..2\nok 1 a\nok 3 b\n").ok)

    def test_bail_out(self) -> None:
        result = self.parse("KTAP version 1\n1..1\nok 1 a\nBail out! the device is gone\n")
        self.assertIn("the device is gone", result.problems[0])

    def test_nested_counts_leaves(self) -> None:
        result = self.parse("""\
            KTAP version 1
            1..2
              KTAP version 1
              # Subtest: group
              1..2
              ok 1 a
              ok 2 b
            ok 1 group
            ok 2 alone
            """)
        self.assertTrue(result.ok, result.problems)
        self.assertEqual(result.passed, 3)

    def test_nested_failure(self) -> None:
        result = self.parse("""\
            KTAP version 1
            1..1
              KTAP version 1
              1..2
              ok 1 a
              not ok 2 b
            not ok 1 group
            """)
        self.assertEqual((result.passed, result.failed), (1, 1))
        self.assertEqual(result.failures, ["b", "group"])

    def test_failed_group_of_good_tests_counts(self) -> None:
        result = self.parse("KTAP version 1\n1..1\n  KTAP version 1\n  1..1\n  ok 1 a\nnot ok 1 group\n")
        self.assertEqual((result.passed, result.failed), (1, 1))

    def test_nested_plan_not_met(self) -> None:
        result = self.parse("KTAP version 1\n1..1\n  KTAP version 1\n  1..2\n  ok 1 a\nok 1 group\n")
        self.assertFalse(result.ok)

    def test_two_reports(self) -> None:
        result = self.parse("TAP version 13\n1..1\nok 1 a\nTAP version 13\n1..2\nok 1 b\n")
        self.assertIn("2 tests planned, 1 reported", result.problems[0])

    def test_text_is_no_ktap(self) -> None:
        self.assertFalse(self.parse("ok 1 - this is not a test\nall is well\n").seen)

    def test_kernel_log_prefix(self) -> None:
        result = self.parse("[    1.5] KTAP version 1\n[    1.6] 1..1\n[    1.7] not ok 1 a\n")
        self.assertEqual(result.failures, ["a"])

    def test_skipped_plan(self) -> None:
        result = self.parse("TAP version 13\n1..0 # SKIP no VMX\n")
        self.assertTrue(result.ok)
        self.assertEqual(result.skipped, 1)


class Matrix(unittest.TestCase):
    """A mistake in the matrix must be said, not skipped."""

    def test_line(self) -> None:
        test, = matrix.parse("# c\n\nboot cpus=4 tags=a,b append='x=1 y=2' slow_boot=1 -- sh run.sh -- x\n")
        self.assertEqual(test.name, "boot")
        self.assertEqual(test.command, "sh run.sh -- x")
        self.assertEqual(test.tags, ["a", "b"])
        self.assertEqual(test.arguments([]), ["--append=x=1 y=2", "--cpus=4", "--slow-boot", "--",
                                              "sh run.sh -- x"])

    def test_continued_line(self) -> None:
        test, = matrix.parse("boot cpus=4 \\\n\ttags=a \\\n\t-- true\n")
        self.assertEqual((test.settings["cpus"], test.tags, test.command), (4, ["a"], "true"))

    def test_mistakes(self) -> None:
        for line in ("a cpus=2", "a -- ", "a cpu=2 -- true", "a cpus=two -- true", "a cpus=0 -- true",
                     "a cpus -- true", "a apic=y -- true", "a cpus=1 cpus=2 -- true", "-a -- true",
                     "a slow_boot=yes -- true", "cpus=1 -- true", "a reason=x -- true",
                     "a append='x -- true"):
            with self.subTest(line), self.assertRaisesRegex(UsageError, "^m:2: "):
                matrix.parse("# comment\n" + line + "\n", "m")

    def test_same_name_twice(self) -> None:
        with self.assertRaisesRegex(UsageError, "second test a"):
            matrix.parse("a -- true\na -- false\n")

    def test_select(self) -> None:
        tests = matrix.parse("a tags=x -- t\nb tags=x,y -- t\nc -- t\n")

        def names(*arguments: list) -> str:
            return "".join(test.name for test in matrix.select(tests, *arguments))

        self.assertEqual(names([], [], []), "abc")
        self.assertEqual(names(["x"], [], []), "ab")
        self.assertEqual(names(["x"], ["y"], []), "a")
        self.assertEqual(names([], ["y"], ["[bc]"]), "c")

    def test_select_pending(self) -> None:
        tests = matrix.parse("a tags=x -- t\nb tags=x,pending -- t\n")

        def names(*arguments: list) -> str:
            return "".join(test.name for test in matrix.select(tests, *arguments))

        self.assertEqual(names([], [], []), "a")
        self.assertEqual(names(["x"], [], ["*"]), "a")
        self.assertEqual(names(["pending"], [], []), "b")
        self.assertEqual(names([], [], ["b"]), "b")

    def test_files(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "x.ko").touch()
            test, = matrix.parse("a files=x.ko:/lib/x.ko -- t\n")
            self.assertIn(f"--file={folder}/x.ko:/lib/x.ko", test.arguments([Path("/proc"), Path(folder)]))
            test, = matrix.parse("a files=y.ko -- t\n")
            with self.assertRaisesRegex(UsageError, "y.ko is neither in"):
                test.arguments([Path(folder)])

    def test_own_matrix(self) -> None:
        text = (Path(__file__).resolve().parent / "matrix").read_text(encoding="utf-8")
        for test in matrix.parse(text):
            test.settings.pop("files", None)    # they need not be built yet
            options = vmrun.build_parser().parse_args(test.arguments([]))
            self.assertEqual(options.command, [test.command])


class Judge(unittest.TestCase):
    """What vmtest makes of a status and an output."""

    GOOD = "KTAP version 1\n1..1\nok 1 a\n"

    def judge(self, line: str, status: int, output: str, death: str = "") -> str:
        test, = matrix.parse(line)
        return vmtest.judge(test, status, output, death).result

    def test_ktap(self) -> None:
        self.assertEqual(self.judge("a -- t", 0, self.GOOD), "ok")
        self.assertEqual(self.judge("a -- t", 1, self.GOOD), "not ok")
        self.assertEqual(self.judge("a -- t", 0, self.GOOD.replace("ok 1", "not ok 1")), "not ok")
        self.assertEqual(self.judge("a -- t", 0, "KTAP version 1\n1..2\nok 1 a\n"), "not ok")
        self.assertEqual(self.judge("a -- t", 0, ""), "not ok")

    def test_plain(self) -> None:
        self.assertEqual(self.judge("a plain=1 -- t", 0, ""), "ok")
        self.assertEqual(self.judge("a plain=1 -- t", 1, ""), "not ok")

    def test_reason(self) -> None:
        line = "a expect=125 reason=pan.c -- t"
        self.assertEqual(self.judge(line, 125, "", "a panic"), "ok")
        self.assertEqual(self.judge(line, 125, "", "power off"), "not ok")
        self.assertEqual(self.judge(line, 0, self.GOOD), "not ok")

    def test_failed_test_counts(self) -> None:
        test, = matrix.parse("a -- t")
        result = vmtest.judge(test, 125, self.GOOD, "panic")
        self.assertEqual((result.passed, result.failed), (1, 1))

    def test_summary(self) -> None:
        results = [vmtest.Result("a", "ok", passed=2, skipped=1), vmtest.Result("b", "not ok", failed=1)]
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            self.assertEqual(vmtest.summary(results), 1)
        self.assertEqual(output.getvalue(), "2 passed, 1 failed, 1 skipped\n")


class Stream(unittest.TestCase):
    """Records must be found however the stream is cut."""

    DATA = (b"banner\x1e\n\x1em begin\nout 1\n\x1e\x1emx\x1em hello\nout 2"
            b"\x1em status 7\n\x1em dmesg\nlog \x1e 1\n\x1em end\n")

    def check(self, size: int) -> None:
        output = []
        taken = stream.GuestStream("m", output.append)
        for at in range(0, len(self.DATA), size):
            taken.feed(self.DATA[at:at + size])
        taken.finish()
        self.assertEqual(b"".join(output), b"out 1\n\x1e\x1emx\x1em hello\nout 2")
        self.assertEqual(b"".join(taken.noise), b"banner\x1e\n")
        self.assertEqual(b"".join(taken.dmesg), b"log \x1e 1\n")
        self.assertEqual(taken.status, 7)
        self.assertTrue(taken.ended)

    def test_all_sizes(self) -> None:
        for size in range(1, len(self.DATA) + 1):
            with self.subTest(size):
                self.check(size)

    def test_cut_short(self) -> None:
        taken = stream.GuestStream("m", lambda data: None)
        taken.feed(b"\x1em begin\nout\x1em status 0\n")
        taken.finish()
        self.assertFalse(taken.ended)

    def test_stream_in_stream(self) -> None:
        output = []
        inner = stream.GuestStream("in", output.append)
        outer = stream.GuestStream("out", inner.feed)
        outer.feed(b"\x1eout begin\n\x1ein begin\nhello\x1ein status 3\n\x1ein end\n\x1eout status 7\n\x1eout end\n")
        self.assertEqual((b"".join(output), inner.status, outer.status), (b"hello", 3, 7))


class ConsoleLog(unittest.TestCase):
    """A panic is seen even when its line comes in pieces."""

    def test_panic(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "console"
            watched = console.Console(path)
            watched.poll()
            with open(path, "ab", buffering=0) as log:
                log.write(b"[    1.0] hello\n[    2.0] Kernel panic - not sync")
                watched.poll()
                self.assertIsNone(watched.panic)
                log.write(b"ing: for a test\r\n")
                watched.poll()
                self.assertEqual(watched.panic, "Kernel panic - not syncing: for a test")
                self.assertFalse(watched.dead)
                log.write(b"---[ end Kernel panic - not syncing: for a test ]---\n")
                watched.poll()
                self.assertTrue(watched.dead)


class Cpio(unittest.TestCase):
    """The archive must be what was asked for, and what cpio reads."""

    def build(self) -> bytes:
        output = io.BytesIO()
        archive = cpio.CpioWriter(output)
        archive.symlink("lib", "usr/lib")
        archive.file("/lib/x86_64-linux-gnu/libx.so", b"x" * 5, 0o755)
        archive.file("t/../t/./run", b"#!/bin/sh\n", 0o750)
        archive.device("dev/console", 0o600, 5, 1)
        archive.end()
        return output.getvalue()

    def test_entries(self) -> None:
        entries = cpio.read_archive(self.build())
        self.assertEqual(entries["usr/lib/x86_64-linux-gnu/libx.so"].data, b"xxxxx")
        self.assertEqual(stat.S_IMODE(entries["t/run"].mode), 0o750)
        self.assertTrue(stat.S_ISDIR(entries["usr/lib"].mode))
        self.assertEqual(entries["lib"].data, b"usr/lib")
        self.assertTrue(stat.S_ISCHR(entries["dev/console"].mode))

    def test_link_at_the_top_stays_a_link(self) -> None:
        self.assertTrue(stat.S_ISLNK(cpio.read_archive(self.build())["lib"].mode))

    def test_archives_follow_each_other(self) -> None:
        data = self.build()
        self.assertEqual(len(data) % 512, 0)
        output = io.BytesIO()
        archive = cpio.CpioWriter(output)
        archive.file("t/run", b"new")
        archive.end()
        self.assertEqual(cpio.read_archive(data + output.getvalue())["t/run"].data, b"new")

    def test_cpio_reads_it(self) -> None:
        listing = subprocess.run(["cpio", "-t", "--quiet"], input=self.build(), check=True,
                                 stdout=subprocess.PIPE).stdout.decode().split()
        self.assertIn("usr/lib/x86_64-linux-gnu/libx.so", listing)
        self.assertIn("t/run", listing)

    def test_copy_keeps_modes_and_links(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            top = Path(folder) / "top"
            (top / "sub").mkdir(parents=True)
            (top / "sub/tool").write_bytes(b"tool")
            (top / "sub/tool").chmod(0o711)
            (top / "link").symlink_to("sub/tool")
            output = io.BytesIO()
            archive = cpio.CpioWriter(output)
            archive.copy(top, "/t/top")
            archive.end()
        entries = cpio.read_archive(output.getvalue())
        self.assertEqual(stat.S_IMODE(entries["t/top/sub/tool"].mode), 0o711)
        self.assertEqual(entries["t/top/link"].data, b"sub/tool")


class Image(unittest.TestCase):
    """What goes into one VM."""

    def test_file_argument(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "tool"
            source.touch()
            for argument, target in ((f"{source}", "/t/tool"), (f"{source}:x/y", "/t/x/y"),
                                     (f"{source}:/bin/", "/bin/tool"), (f"{source}:/bin/z", "/bin/z")):
                self.assertEqual(image.parse_file_argument(argument), (source, target))
            with self.assertRaisesRegex(UsageError, "no such file"):
                image.parse_file_argument(f"{folder}/nothing")

    def test_libraries(self) -> None:
        found = elf.libraries(Path("/bin/ls"))
        self.assertTrue(any("libc.so" in name for name in found))
        self.assertTrue(any("ld-linux" in name for name in found))
        self.assertEqual(elf.libraries(Path(__file__)), [])

    def test_program_brings_its_libraries(self) -> None:
        output = io.BytesIO()
        archive = cpio.CpioWriter(output)
        image.write_files(archive, [(Path("/bin/ls"), "/t/ls")])
        archive.end()
        names = cpio.read_archive(output.getvalue())
        self.assertIn("t/ls", names)
        self.assertTrue(any(name.endswith("/libc.so.6") for name in names))

    def test_program_with_libraries_apart(self) -> None:
        output = io.BytesIO()
        archive = cpio.CpioWriter(output)
        image.write_files(archive, [(Path("/bin/ls"), "/t/ls"), (Path(__file__), "/t/text")], apart=True)
        archive.end()
        names = cpio.read_archive(output.getvalue())
        self.assertTrue(names["t/ls.program"].data.startswith(b"\x7fELF"))
        self.assertIn(b"--library-path", names["t/ls"].data)
        self.assertIn("vmrun/lib/libc.so.6", names)
        self.assertIn(b"unittest", names["t/text"].data)

    def test_kernel_arguments(self) -> None:
        fast = spec.VmSpec(kernel(), "true", append="a=1").kernel_args(["b=2"])
        self.assertIn("nokaslr", fast)
        self.assertTrue(fast.endswith(" a=1"))
        slow = spec.VmSpec(kernel(), "true", slow_boot=True).kernel_args([])
        for word in ("nokaslr", "mitigations", "initcall_blacklist"):
            self.assertNotIn(word, slow)
        tracing = spec.VmSpec(kernel(), "true", tracing=True).kernel_args([])
        self.assertNotIn("init_kprobe_trace", tracing)
        own = spec.VmSpec(kernel(), "true", append="initcall_blacklist=x").kernel_args([])
        self.assertEqual(own.count("initcall_blacklist"), 1)

    def test_environment_is_quoted(self) -> None:
        text = spec.VmSpec(kernel(), "true", env={"X": "it's $HOME"}).guest_env("bochs", "xapic")
        shown = subprocess.run(["sh", "-c", text + 'printf %s "$X"'], check=True,
                               stdout=subprocess.PIPE, text=True).stdout
        self.assertEqual(shown, "it's $HOME")


class Modules(unittest.TestCase):
    """Dependencies of modules, by modules.dep."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.kernel = kernel(folder.name)
        (Path(folder.name) / "modules.dep").write_text(
            "kernel/kvm-intel.ko.xz: kernel/kvm.ko.xz kernel/irq.ko.xz\n"
            "kernel/kvm.ko.xz: kernel/irq.ko.xz\nkernel/irq.ko.xz:\n", encoding="ascii")
        (Path(folder.name) / "modules.builtin").write_text("kernel/loop.ko\n", encoding="ascii")

    def test_needed_ones_first(self) -> None:
        for name in ("kvm-intel", "kvm_intel"):
            self.assertEqual(kernels.module_closure(self.kernel, [name]),
                             ["kernel/irq.ko.xz", "kernel/kvm.ko.xz", "kernel/kvm-intel.ko.xz"])

    def test_builtin_needs_nothing(self) -> None:
        self.assertEqual(kernels.module_closure(self.kernel, ["loop"]), [])

    def test_unknown(self) -> None:
        with self.assertRaisesRegex(UsageError, "no module nvram"):
            kernels.module_closure(self.kernel, ["nvram"])

    def test_plain_name(self) -> None:
        self.assertEqual(kernels.plain_name("a/b.ko.xz"), "a/b.ko")
        self.assertEqual(kernels.plain_name("a/b.ko"), "a/b.ko")


class Options(unittest.TestCase):
    """The command lines."""

    def status(self, *arguments: str) -> int:
        with contextlib.redirect_stderr(io.StringIO()) as errors:
            try:
                status = vmrun.main(list(arguments))
            except SystemExit as end:
                status = end.code
        self.assertTrue(errors.getvalue().startswith("vmrun: "), errors.getvalue())
        self.assertEqual(errors.getvalue().count("\n"), 1)
        return status

    def test_mistakes(self) -> None:
        self.assertEqual(self.status("--cpus", "x", "--", "true"), 2)
        self.assertEqual(self.status("--nonsense", "--", "true"), 2)
        self.assertEqual(self.status("--kernel", "2.6", "--", "true"), 2)
        self.assertEqual(self.status("--kernel", "/etc/passwd", "--", "true"), 2)
        self.assertEqual(self.status("--env", "x", "--", "true"), 2)
        self.assertEqual(self.status("--timeout", "0", "--", "true"), 2)
        self.assertEqual(self.status(), 2)

    def test_command(self) -> None:
        self.assertEqual(vmrun.command_text(["echo a; ls"]), "echo a; ls")
        self.assertEqual(vmrun.command_text(["echo", "a b"]), "echo 'a b'")

    def test_models(self) -> None:
        self.assertEqual(bochs.short_model("corei7_skylake_x"), "skylake_x")
        with self.assertRaisesRegex(UsageError, "unknown CPU model"):
            bochs.short_model("z80")

    def test_model_and_seed_need_the_emulator(self) -> None:
        self.assertEqual(backends.choose("auto", spec.VmSpec(kernel(), "x", model="penryn"), False).name,
                         "bochs")
        self.assertEqual(backends.choose("auto", spec.VmSpec(kernel(), "x"), True).name, "bochs")


class Util(unittest.TestCase):
    """Files that others may look at while they are made."""

    def test_new_file_is_whole_or_absent(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x"
            with self.assertRaises(ValueError), new_file(path) as temporary:
                temporary.write_text("half", encoding="ascii")
                raise ValueError
            self.assertEqual(os.listdir(folder), [])
            with new_file(path) as temporary:
                temporary.write_text("whole", encoding="ascii")
            self.assertEqual(path.read_text(encoding="ascii"), "whole")

    def test_tail(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "log"
            path.write_text("a\n\n1e[CPU0  ] RDMSR: Unknown register 0xe8\nb\nc\n", encoding="ascii")
            self.assertEqual(tail(path, 2), ["b", "c"])
            self.assertEqual(tail(path, 9), ["a", "b", "c"])
            self.assertEqual(tail(Path(folder) / "none", 2), [])

    def test_drop_old(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for name in ("a-old", "a-new", "b-old"):
                (Path(folder) / name).touch()
            for name in ("a-old", "b-old"):
                os.utime(Path(folder) / name, (1, 1))
            drop_old(Path(folder), "a-*")
            self.assertEqual(sorted(os.listdir(folder)), ["a-new", "b-old"])


if __name__ == "__main__":
    unittest.main()
