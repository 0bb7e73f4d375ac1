// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-run SUBJECT...: small virtual machines of KVM that show what VMX does; KTAP.
 * kvm-run --list: the subjects. "bench" measures, and has to be asked for.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm.h"

/* Seconds for a subject: a guest that hangs ends the program without a plan. */
#define LIMIT	60

int kvm_fd;

static int number, failed;

static const struct subject subjects[] = {
	{ "real", subject_real },
	{ "exits", subject_exits },
	{ "traps", subject_traps },
	{ "debug", subject_debug },
	{ "memory", subject_memory },
	{ "dirty", subject_dirty },
	{ "irq", subject_irq },
	{ "window", subject_window },
	{ "smp", subject_smp },
	{ "run", subject_run },
	{ "bench", subject_bench },
};

void check(bool ok, const char *format, ...)
{
	va_list arguments;
	char text[256];

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	failed += !ok;
	printf("%sok %d - %s\n", ok ? "" : "not ", __atomic_add_fetch(&number, 1, __ATOMIC_RELAXED), text);
}

void skip(const char *why, const char *what)
{
	printf("ok %d - %s # SKIP %s\n", __atomic_add_fetch(&number, 1, __ATOMIC_RELAXED), what, why);
}

void note(const char *format, ...)
{
	va_list arguments;
	char text[256];

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	printf("# %s\n", text);
}

static void run(const char *name)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(subjects); i++) {
		if (strcmp(subjects[i].name, name))
			continue;
		alarm(LIMIT);
		subjects[i].run();
		alarm(0);
		return;
	}
	die("no subject is called %s", name);
}

static void list(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(subjects); i++)
		puts(subjects[i].name);
}

int main(int argc, char **argv)
{
	setlinebuf(stdout);
	if (argc == 2 && !strcmp(argv[1], "--list")) {
		list();
		return 0;
	}
	kvm_fd = open("/dev/kvm", O_RDWR);
	if (kvm_fd < 0)
		die("/dev/kvm: %s", strerror(errno));
	for (int i = 1; i < argc; i++)
		run(argv[i]);
	printf("1..%d\n", number);
	return failed ? 1 : 0;
}
