// SPDX-License-Identifier: GPL-2.0-only
/*
 * lhv in 32-bit protected mode with PAE paging: the tests of nested VMX by a hypervisor
 * of 32 bits. It cannot launch core; the other lhv starts it on core.
 *
 * Command line, all optional: x2apic, only=SUITE, hv=CPU, serial, as for the other lhv.
 */
#include "lhv.h"
#include "multiboot.h"

void lhv_main(u32 magic, const struct multiboot *mb);

void lhv_main(u32 magic, const struct multiboot *mb)
{
	if (magic != MULTIBOOT_LOADER)
		lhv_exit(2);
	lhv_start_console(mb);
	mem_init(mb);
	lhv_start_machine();
	print("# lhv32: %u CPUs, %llu MiB, %s, TSC %llu kHz, \"%s\"\n", nr_cpus,
	      mem_ram_top >> 20, lapic_x2apic ? "x2APIC" : "xAPIC", tsc_khz, option_all());
	tests_run();
	lhv_exit(ktap_end() ? 1 : 0);
}
