// SPDX-License-Identifier: GPL-2.0-only
/*
 * lhv in 64-bit mode: what it does.
 *
 * Command line, all optional:
 *	core			launch core underneath, run the same tests, leave
 *	second			start the boot loader's first module, a Multiboot image, in
 *				lhv's place, on core if there is `core`
 *	icr			have core see all writes of the APIC's ICR
 *	fail=STEP[,CPU]		a launch must fail there; the tests run natively
 *	failall			a launch must fail at each step on each CPU in turn
 *	x2apic			use the local APICs in x2APIC mode
 *	bench			measure instead of testing
 *	only=SUITE		run one group of tests, or those that begin so, as "nested"
 *	hv=CPU			the CPU that the tests of nested VMX run on
 *	random=SEED,FIRST,COUNT	random cases of nested VMX instead, see random/random.c
 *	nmis=N, seed=N		N times as many NMIs, with pauses by a seed
 *	experiments=N		that many experiments of nested-nmi-table, by seed=N
 *	options=MASK		one mask of nested-option-table
 *	serial			write to COM1 and the screen even if there is port 0xE9
 */
#include "lhv.h"
#include "multiboot.h"

void lhv_main(u32 magic, const struct multiboot *mb);

static int lhv_run(void)
{
	int failures = 0;

	if (option_has("second"))
		second_start();
	random_prepare();
	if (option_has("failall") || option_has("fail"))
		failures = launch_fail_all();
	else if (option_has("core"))
		launch_core();
	if (option_has("bench"))
		bench_run();
	else if (option_has("random"))
		random_run();
	else
		tests_run();
	if (launch_active)
		failures += launch_leave();
	return failures + (option_has("bench") ? 0 : (int)ktap_end());
}

void lhv_main(u32 magic, const struct multiboot *mb)
{
	if (magic != MULTIBOOT_LOADER)
		lhv_exit(2);
	lhv_start_console(mb);
	second_init(mb);
	mem_init(mb);
	second_save();
	lhv_start_machine();
	print("# lhv: %u CPUs, %llu MiB, %s, TSC %llu kHz, \"%s\"\n", nr_cpus, mem_ram_top >> 20,
	      lapic_x2apic ? "x2APIC" : "xAPIC", tsc_khz, option_all());
	lhv_exit(lhv_run() ? 1 : 0);
}
