// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-boot [OPTION]... IMAGE [ARGUMENTS]: boot Linux in a VM of KVM. KTAP; the
 * kernel's messages come as comments. Its init is this program; it works on each CPU
 * and ends the machine, or, with -x, runs a command, whose output is a test in the test.
 * Or start a Multiboot image, lhv, which ends the machine by itself.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "boot.h"

/* At 2 MiB of both, so that KVM maps large pages; or beside, so that it cannot. */
static uint8_t *alloc_ram(const struct machine *machine)
{
	uint8_t *ram = mmap(NULL, machine->ram_size + LARGE_PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (ram == MAP_FAILED)
		die("memory: %s", strerror(errno));
	ram += -(uintptr_t)ram & (LARGE_PAGE - 1);
	return machine->small_pages ? ram + PAGE_SIZE : ram;
}

static void make_machine(struct machine *machine)
{
	/* Linux would measure its TSC by port 0x61, which takes long. */
	struct kvm_pit_config pit = { .flags = machine->is_multiboot ? KVM_PIT_SPEAKER_DUMMY : 0 };
	struct kvm_userspace_memory_region region = { .memory_size = machine->ram_size };
	int kvm = open("/dev/kvm", O_RDWR);

	if (kvm < 0)
		die("/dev/kvm: %s", strerror(errno));
	machine->vm = XIOCTL(kvm, KVM_CREATE_VM, 0);
	close(kvm);
	XIOCTL(machine->vm, KVM_SET_TSS_ADDR, 0xfffbd000);
	XIOCTL(machine->vm, KVM_CREATE_IRQCHIP, 0);
	XIOCTL(machine->vm, KVM_CREATE_PIT2, &pit);
	machine->ram = alloc_ram(machine);
	region.userspace_addr = (uintptr_t)machine->ram;
	XIOCTL(machine->vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence\n\trdtsc" : "=a" (low), "=d" (high) : : "memory");
	return low | (uint64_t)high << 32;
}

static int usage(void)
{
	fprintf(stderr, "usage: kvm-boot [OPTION]... IMAGE [ARGUMENTS]\n"
		"  -c CPUS, -m MB\n"
		"  -n              the guest has VMX\n"
		"  -p              its RAM is pages of 4 KiB, for KVM\n"
		"  -x COMMAND      for its shell, in /t; needs " BUSYBOX "\n"
		"  -f SRC[:DST]    a file or folder for the command, by default in /t\n"
		"  -i FILE         its init: this program for another kind of kernel\n"
		"  -t SECONDS      for all of it\n"
		"  -v              all messages of the kernel\n");
	return 2;
}

static bool judge(struct machine *machine, int answer, const char *image)
{
	bool ok = answer == (machine->command || machine->is_multiboot ? 0 : machine->cpus);

	printf("%sok 1 - ", ok ? "" : "not ");
	if (machine->command)
		printf("Linux with %d CPU%s: %s\n", machine->cpus, machine->cpus > 1 ? "s" : "",
		       machine->command);
	else if (machine->is_multiboot)
		printf("%s with %d CPU%s ends well\n", image, machine->cpus, machine->cpus > 1 ? "s" : "");
	else
		printf("Linux boots with %d CPU%s, and its init works on each\n", machine->cpus,
		       machine->cpus > 1 ? "s" : "");
	printf("1..1\n");
	return ok;
}

static int boot(struct machine *machine, const char *image, const char *command_line)
{
	uint64_t before = rdtsc();
	int answer;

	machine->is_multiboot = is_multiboot(image);
	make_machine(machine);
	printf("# memory at %p\n", (void *)machine->ram);
	write_acpi(machine);
	if (machine->is_multiboot)
		load_multiboot(machine, image, command_line);
	else
		load_linux(machine, image, command_line);
	answer = run_machine(machine);
	printf("# ticks boot-%dcpu%s %llu\n", machine->cpus, machine->small_pages ? "-4k" : "",
	       (unsigned long long)(rdtsc() - before));
	return judge(machine, answer, image) ? 0 : 1;
}

static bool take_option(struct machine *machine, int option)
{
	switch (option) {
	case 'v':
		machine->verbose = true;
		return true;
	case 'n':
		machine->has_vmx = true;
		return true;
	case 'p':
		machine->small_pages = true;
		return true;
	case 'c':
		machine->cpus = atoi(optarg);
		return true;
	case 'm':
		machine->ram_size = strtoul(optarg, NULL, 0) << 20;
		return true;
	case 't':
		alarm(atoi(optarg));
		return true;
	case 'i':
		machine->init = optarg;
		return true;
	case 'x':
		machine->command = optarg;
		return true;
	case 'f':
		if (machine->nr_files == MAX_FILES)
			return false;
		machine->files[machine->nr_files++] = optarg;
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	struct machine machine = { .cpus = 1, .ram_size = 160ul << 20, .regs.rflags = 2 };
	int option;

	if (getpid() == 1)
		be_init();
	setlinebuf(stdout);
	while ((option = getopt(argc, argv, "vnpc:m:t:i:x:f:")) != -1)
		if (!take_option(&machine, option))
			return usage();
	if (optind >= argc || machine.cpus < 1 || machine.cpus > MAX_CPUS)
		return usage();
	return boot(&machine, argv[optind], optind + 1 < argc ? argv[optind + 1] : "");
}
