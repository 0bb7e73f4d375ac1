// SPDX-License-Identifier: GPL-2.0-only
/* What lhv begins with in each mode: command line, the machine; and its end. */
#include "lhv.h"
#include "multiboot.h"

#define PORT_BOCHS_EXIT	0x8901
#define PORT_QEMU_EXIT	0xf4
#define FEATURE_LOCK	BIT(0)
#define FEATURE_VMXON	BIT(2)

static char command_line[512];

/** option_all - the command line */
const char *option_all(void)
{
	return command_line;
}

/* Find "name" or "name=value" on the command line; @value may be NULL. */
static bool option_find(const char *name, const char **value)
{
	const char *p = command_line;
	size_t len = strlen(name);

	while (*p) {
		if (!memcmp(p, name, len) && (!p[len] || p[len] == ' ' || p[len] == '=')) {
			*value = p[len] == '=' ? p + len + 1 : "";
			return true;
		}
		while (*p && *p != ' ')
			p++;
		while (*p == ' ')
			p++;
	}
	return false;
}

bool option_has(const char *name)
{
	const char *value;

	return option_find(name, &value);
}

bool option_get(const char *name, char *value, size_t size)
{
	const char *p;
	size_t i;

	if (!option_find(name, &p))
		return false;
	for (i = 0; i + 1 < size && p[i] && p[i] != ' '; i++)
		value[i] = p[i];
	value[i] = 0;
	return true;
}

/** option_number - the value of an option: decimal, or hexadecimal behind 0x */
u32 option_number(const char *name, u32 missing)
{
	u32 value = 0, base = 10, digit;
	const char *p;

	if (!option_find(name, &p))
		return missing;
	if (p[0] == '0' && p[1] == 'x') {
		base = 16;
		p += 2;
	}
	for (; *p && *p != ' '; p++) {
		digit = (u32)(*p <= '9' ? *p - '0' : (*p | 32) - 'a' + 10);
		if (digit >= base)
			lhv_panic("%s=: not a number", name);
		value = value * base + digit;
	}
	return value;
}

static void option_init(const struct multiboot *mb)
{
	const char *p = PTR(mb->cmdline);
	size_t i;

	for (i = 0; mb->flags & MULTIBOOT_CMDLINE && p[i] && i + 1 < sizeof(command_line); i++)
		command_line[i] = p[i];
}

/**
 * lhv_exit - end the machine
 * @status: 0 if all is well
 */
void lhv_exit(u8 status)
{
	static const struct table_register no_idt;
	u16 pm1a;

	irq_disable();
	outb(PORT_BOCHS_EXIT, status);
	outl(PORT_QEMU_EXIT, status);
	pm1a = acpi_pm1a_control();
	if (pm1a)
		outw(pm1a, 0x2000);
	write_idtr(&no_idt);
	asm volatile("int3");
	__builtin_unreachable();
}

void lhv_panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print("Bail out! lhv: ");
	vprint(format, args);
	print("\n");
	va_end(args);
	lhv_exit(2);
}

static void feature_control_init(void)
{
	u64 value;

	if (!(cpuid(1, 0).ecx & BIT(5)))
		return;
	value = rdmsr(MSR_FEATURE_CONTROL);
	if (!(value & FEATURE_LOCK))
		wrmsr(MSR_FEATURE_CONTROL, value | FEATURE_LOCK | FEATURE_VMXON);
}

/* What each CPU does once, after its tables are loaded. */
void cpu_setup(void)
{
	u64 cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	bool xsave = cpuid(1, 0).ecx & BIT(26);

	write_cr0(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE);
	write_cr4(cr4 | (xsave ? CR4_OSXSAVE : 0));
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE | EFER_SCE);
	wrmsr(MSR_STAR, (u64)(SEL_UCODE32 - 0) << 48 | (u64)SEL_KCODE << 32);
	feature_control_init();
}

/** lhv_start_console - have options and a console */
void lhv_start_console(const struct multiboot *mb)
{
	option_init(mb);
	console_init();
}

/** lhv_start_machine - tables, interrupts, all CPUs; memory is mapped already */
void lhv_start_machine(void)
{
	idt_init();
	cpu_init_tables(&cpus[0]);
	cpu_load_tables(&cpus[0]);
	idt_load();
	cpu_setup();
	pic_init();
	tsc_calibrate();
	lapic_x2apic = option_has("x2apic");
	if (lapic_x2apic && !(cpuid(1, 0).ecx & BIT(21)))
		lhv_panic("this CPU has no x2APIC mode");
	lapic_init();
	smp_init();
	irq_enable();
}
