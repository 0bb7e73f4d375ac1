// SPDX-License-Identifier: GPL-2.0-only
/*
 * A second Multiboot image, which lhv starts in its own place, as core's guest or
 * on the bare CPU: somebody else's tests, another kernel.
 *
 * It finds the machine as the firmware and a boot loader leave it, not as lhv used
 * it, and nothing of lhv stays. Core's memory is reserved in its memory map.
 */
#include "lhv.h"
#include "multiboot.h"

#define SECOND_PAGE	0x8000ull	/* secondboot.S, gone when the image runs */
#define SECOND_INFO	0x9000ull
#define SECOND_LOW_END	0xa000ull
#define SECOND_SEGMENTS	16
#define SECOND_RANGES	64

#define PIC_MASTER	0x20
#define PIC_SLAVE	0xa0
#define PORT_SPEAKER	0x61

#define APIC_BASE_MODE	(BIT(10) | BIT(11))
#define APIC_BASE_XAPIC	BIT(11)

#define ELF_MAGIC	0x464c457fu
#define ELF_CLASS32	1
#define ELF_CLASS64	2
#define ELF_LOAD	1
#define MACHINE_386	3
#define MACHINE_X86_64	62

/**
 * struct second_segment - a part of the image; the trampoline knows this layout
 * @to: where it belongs
 * @from: where its content is
 * @size: bytes of content
 * @clear: zeros behind it
 */
struct second_segment {
	u32 to, from, size, clear;
};

/**
 * struct second_info - the page that the image gets its information in
 * @mb: what EBX points to
 * @range: memory map
 * @options: command line
 * @name: of the boot loader
 */
struct second_info {
	struct multiboot mb;
	struct multiboot_range range[SECOND_RANGES];
	char options[1024];
	char name[8];
};

_Static_assert(sizeof(struct second_info) <= SECOND_LOW_END - SECOND_INFO, "one page");

/* Registers of the local APIC that lhv writes, SVR last: it masks the others. */
static const u32 apic_registers[] = {
	LAPIC_TPR, LAPIC_TIMER, LAPIC_LINT0, LAPIC_LINT1, LAPIC_ERROR, LAPIC_DIVIDE,
	LAPIC_INITIAL, LAPIC_SVR,
};

/**
 * struct firmware - what the firmware and the boot loader left
 * @apic: registers of the local APIC, as apic_registers
 * @pic_mask: of both interrupt controllers
 * @speaker: the port that has the gate of the PIT's channel 2
 */
struct firmware {
	u64 apic_base;
	u32 apic[ARRAY_SIZE(apic_registers)];
	u8 pic_mask[2];
	u8 speaker;
};

/**
 * struct second - the image and the machine for it
 * @file: the module
 * @size: its bytes
 * @options: its command line
 * @entry: where the image begins
 * @count: segments
 * @ranges: entries of @range, which is the memory map in ascending order
 */
static struct {
	const u8 *file;
	u64 size;
	char options[1024];
	u32 entry;
	u32 count;
	struct second_segment segment[SECOND_SEGMENTS];
	u32 ranges;
	struct multiboot_range range[SECOND_RANGES];
	struct firmware firmware;
} second;

extern const char second_page[], second_page_end[], second_page_entry[];
extern const char second_page_count[], second_page_segments[];

/* Memory map */

static void map_insert(u64 base, u64 end, u32 type)
{
	u32 i = second.ranges;

	if (base >= end)
		return;
	if (i == SECOND_RANGES)
		lhv_panic("the memory map has too many ranges");
	for (; i && second.range[i - 1].base > base; i--)
		second.range[i] = second.range[i - 1];
	second.range[i] = (struct multiboot_range) {
		.size = sizeof(second.range[0]) - 4, .base = base, .length = end - base,
		.type = type,
	};
	second.ranges++;
}

/* Cut a piece out of the RAM that it is in. */
static void map_reserve(u64 start, u64 end)
{
	u32 i;

	for (i = 0; i < second.ranges; i++) {
		struct multiboot_range *range = &second.range[i];
		u64 range_end = range->base + range->length;

		if (range->type != MULTIBOOT_RAM || start < range->base || end > range_end)
			continue;
		range->length = start - range->base;
		if (!range->length)
			range->type = MULTIBOOT_RESERVED;
		map_insert(start, end, MULTIBOOT_RESERVED);
		map_insert(end, range_end, MULTIBOOT_RAM);
		return;
	}
}

static bool map_is_ram(u64 start, u64 end)
{
	u32 i;

	for (i = 0; i < second.ranges; i++) {
		const struct multiboot_range *range = &second.range[i];

		if (range->type == MULTIBOOT_RAM && start >= range->base &&
		    end <= range->base + range->length)
			return true;
	}
	return false;
}

/* KiB of RAM from @start on without a gap */
static u32 map_kib(u64 start)
{
	u64 end = start;
	u32 i;

	for (i = 0; i < second.ranges; i++) {
		const struct multiboot_range *range = &second.range[i];

		if (range->type == MULTIBOOT_RAM && range->base <= end &&
		    range->base + range->length > end)
			end = range->base + range->length;
	}
	return (u32)((end - start) >> 10);
}

/* What lhv is told at its start */

static void second_copy_map(const struct multiboot *mb)
{
	u64 addr = mb->mmap_addr;

	while (mb->flags & MULTIBOOT_MMAP && addr < (u64)mb->mmap_addr + mb->mmap_length) {
		const struct multiboot_range *range = PTR(addr);

		map_insert(range->base, range->base + range->length, range->type);
		addr += range->size + sizeof(range->size);
	}
}

/**
 * second_init - note what the boot loader says of the module and of memory
 * @mb: its information, which may be in memory that lhv takes later
 */
void second_init(const struct multiboot *mb)
{
	const struct multiboot_module *module = PTR(mb->mods_addr);
	const char *string;
	size_t i;

	if (!option_has("second"))
		return;
	if (!(mb->flags & MULTIBOOT_MODULES) || !mb->mods_count)
		lhv_panic("second: the boot loader has loaded no module");
	if (module->end > SIZE_1G || module->end <= module->start || module->start < 1 << 20 ||
	    module->string >= SIZE_1G)
		lhv_panic("second: the module is empty, or not between 1 MiB and 1 GiB");
	second.file = PTR(module->start);
	second.size = module->end - module->start;
	string = PTR(module->string);
	for (i = 0; string[i] && i + 1 < sizeof(second.options); i++)
		second.options[i] = string[i];
	second_copy_map(mb);
}

/** second_save - note what lhv is about to change of the machine; once it has page tables */
void second_save(void)
{
	struct firmware *firmware = &second.firmware;
	const volatile u32 *apic;
	u32 i;

	firmware->pic_mask[0] = inb(PIC_MASTER + 1);
	firmware->pic_mask[1] = inb(PIC_SLAVE + 1);
	firmware->speaker = inb(PORT_SPEAKER) & 3;
	firmware->apic_base = rdmsr(MSR_APIC_BASE);
	if ((firmware->apic_base & APIC_BASE_MODE) != APIC_BASE_XAPIC)
		return;
	apic = PTR(firmware->apic_base & PTE_ADDR);
	for (i = 0; i < ARRAY_SIZE(apic_registers); i++)
		firmware->apic[i] = apic[apic_registers[i] * 4];
}

/* The image */

static void image_add(u64 to, u64 offset, u64 size, u64 memory)
{
	if (offset > second.size || size > second.size - offset || memory < size)
		lhv_panic("second: a segment is not in the file");
	if (to + memory > 4 * SIZE_1G)
		lhv_panic("second: a segment at 0x%llx is not below 4 GiB", to);
	if (second.count == SECOND_SEGMENTS)
		lhv_panic("second: more than %u segments", SECOND_SEGMENTS);
	if (!memory)
		return;
	second.segment[second.count++] = (struct second_segment) {
		.to = (u32)to, .from = (u32)(ADDR(second.file) + offset), .size = (u32)size,
		.clear = (u32)(memory - size),
	};
}

static void image_addresses(const struct multiboot_header *header)
{
	u64 at = ADDR(header) - ADDR(second.file);
	u64 before = (u64)header->header_addr - header->load_addr;
	u64 size, memory;

	if (header->header_addr < header->load_addr || before > at)
		lhv_panic("second: the addresses in the Multiboot header make no sense");
	size = second.size - (at - before);
	if (header->load_end_addr)
		size = (u64)header->load_end_addr - header->load_addr;
	memory = size;
	if (header->bss_end_addr > header->load_addr + size)
		memory = (u64)header->bss_end_addr - header->load_addr;
	image_add(header->load_addr, at - before, size, memory);
	second.entry = header->entry_addr;
}

/* A field of the ELF file: 4 bytes, or 8 in one of 64 bits */
static u64 elf_field(u64 offset, bool wide)
{
	u64 value = 0;

	if (offset > second.size || second.size - offset < (wide ? 8 : 4))
		lhv_panic("second: the ELF file ends too early");
	memcpy(&value, second.file + offset, wide ? 8 : 4);
	return value;
}

/* The entry point is a linear address; the image is started without paging. */
static void elf_segment(u64 at, bool wide, u64 entry)
{
	u64 offset = elf_field(at + (wide ? 8 : 4), wide);
	u64 linear = elf_field(at + (wide ? 16 : 8), wide);
	u64 physical = elf_field(at + (wide ? 24 : 12), wide);
	u64 size = elf_field(at + (wide ? 32 : 16), wide);
	u64 memory = elf_field(at + (wide ? 40 : 20), wide);

	if ((u32)elf_field(at, false) != ELF_LOAD)
		return;
	image_add(physical, offset, size, memory);
	if (entry >= linear && entry - linear < memory)
		second.entry = (u32)(entry - linear + physical);
}

static void image_elf(void)
{
	u8 class = (u8)elf_field(4, false);
	u32 machine = (u32)elf_field(18, false) & 0xffff;
	bool wide = class == ELF_CLASS64;
	u64 entry, headers, sizes, i;

	if ((u32)elf_field(0, false) != ELF_MAGIC ||
	    (class != ELF_CLASS32 && class != ELF_CLASS64) ||
	    (machine != MACHINE_386 && machine != MACHINE_X86_64))
		lhv_panic("second: neither ELF for x86 nor addresses in the Multiboot header");
	entry = elf_field(24, wide);
	headers = elf_field(wide ? 32 : 28, wide);
	/* Bytes of a program header, and their number behind it */
	sizes = elf_field(wide ? 54 : 42, false);
	second.entry = (u32)entry;
	for (i = 0; i < sizes >> 16; i++)
		elf_segment(headers + i * (sizes & 0xffff), wide, entry);
}

static const struct multiboot_header *image_find_header(void)
{
	u64 end = second.size < MULTIBOOT_SEARCH ? second.size : MULTIBOOT_SEARCH;
	u64 at;

	for (at = 0; at + 12 <= end; at += 4) {
		const struct multiboot_header *header = (const void *)(second.file + at);

		if (header->magic == MULTIBOOT_HEADER &&
		    !(header->magic + header->flags + header->checksum)) {
			if (header->flags & MULTIBOOT_ADDRESSES && at + sizeof(*header) > end)
				break;
			return header;
		}
	}
	lhv_panic("second: no Multiboot header in the first %u bytes", MULTIBOOT_SEARCH);
}

/* Find out what belongs where. */
static void image_read(void)
{
	const struct multiboot_header *header = image_find_header();
	u32 must = header->flags & MULTIBOOT_WANT_MUST & ~MULTIBOOT_WANT_KNOWN;

	if (must & MULTIBOOT_WANT_VIDEO)
		print("# second: the image asks for a video mode and gets none\n");
	if (must & ~MULTIBOOT_WANT_VIDEO)
		lhv_panic("second: the image asks for what is not known, flags 0x%x",
			  header->flags);
	if (header->flags & MULTIBOOT_ADDRESSES)
		image_addresses(header);
	else
		image_elf();
	if (!second.count)
		lhv_panic("second: the image has nothing to load");
}

/*
 * Move the segments to where the last copy does not overwrite them: the lowest
 * addresses are where most images want to be, so to the highest.
 */
static void image_stage(void)
{
	u64 end = mem_top();
	u32 i;

	for (i = 0; i < second.count; i++) {
		struct second_segment *segment = &second.segment[i];

		if (segment->size)
			segment->from = (u32)ADDR(memcpy(mem_alloc_top(segment->size, 16),
							 PTR(segment->from), segment->size));
	}
	for (i = 0; i < second.count; i++) {
		const struct second_segment *segment = &second.segment[i];
		u64 to = segment->to, to_end = to + segment->size + segment->clear;

		if (!map_is_ram(to, to_end))
			lhv_panic("second: no RAM for the segment from 0x%llx to 0x%llx", to,
				  to_end);
		if (to < end && to_end > mem_top())
			lhv_panic("second: too little RAM for the segment at 0x%llx", to);
		if (to < SECOND_LOW_END && to_end > SECOND_PAGE)
			lhv_panic("second: the segment at 0x%llx is where the last loader is", to);
	}
}

/* The machine as it was */

static void pic_restore(void)
{
	static const u16 ports[] = { PIC_MASTER, PIC_SLAVE };
	static const u8 vectors[] = { 0x08, 0x70 }, wiring[] = { 4, 2 };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(ports); i++) {
		outb(ports[i], 0x11);
		outb(ports[i] + 1, vectors[i]);
		outb(ports[i] + 1, wiring[i]);
		outb(ports[i] + 1, 1);
		outb(ports[i] + 1, second.firmware.pic_mask[i]);
	}
}

/* Of each CPU: what INIT keeps of lhv's */
static void cpu_restore(void *arg)
{
	static const u32 msrs[] = {
		MSR_STAR, MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE,
	};
	u64 base = rdmsr(MSR_APIC_BASE);
	u32 i;

	(void)arg;
	irq_disable();
	for (i = 0; i < ARRAY_SIZE(msrs); i++)
		wrmsr(msrs[i], 0);
	if (lapic_x2apic) {
		wrmsr(MSR_APIC_BASE, base & ~APIC_BASE_MODE);
		wrmsr(MSR_APIC_BASE, (base & ~APIC_BASE_MODE) | APIC_BASE_XAPIC);
	}
}

/* The other CPUs wait for a start-up IPI, the boot CPU is as the firmware left it. */
static void machine_restore(void)
{
	const struct firmware *firmware = &second.firmware;
	u32 i;

	cpu_call_all(cpu_restore, NULL);
	irq_disable();
	lapic_x2apic = false;
	lapic_moved();
	for (i = 1; i < nr_cpus; i++) {
		lapic_ipi(cpus[i].apic_id, ICR_INIT | ICR_ASSERT);
		delay_us(1000);
	}
	if ((firmware->apic_base & APIC_BASE_MODE) == APIC_BASE_XAPIC)
		for (i = 0; i < ARRAY_SIZE(apic_registers); i++)
			lapic_write(apic_registers[i], firmware->apic[i]);
	wrmsr(MSR_APIC_BASE, firmware->apic_base);
	pic_restore();
	outb(PORT_SPEAKER, (inb(PORT_SPEAKER) & 0xc) | firmware->speaker);
}

static void second_tell(void)
{
	struct second_info *info = memset(PTR(SECOND_INFO), 0, sizeof(*info));

	memcpy(info->range, second.range, second.ranges * sizeof(second.range[0]));
	memcpy(info->options, second.options, sizeof(info->options));
	memcpy(info->name, "lhv", 4);
	info->mb = (struct multiboot) {
		.flags = MULTIBOOT_MEMORY | MULTIBOOT_CMDLINE | MULTIBOOT_MMAP | MULTIBOOT_NAME,
		.mem_lower = map_kib(0), .mem_upper = map_kib(1 << 20),
		.cmdline = (u32)ADDR(info->options),
		.mmap_length = second.ranges * sizeof(second.range[0]),
		.mmap_addr = (u32)ADDR(info->range),
		.boot_loader_name = (u32)ADDR(info->name),
	};
}

static void *second_low(const char *label)
{
	return PTR(SECOND_PAGE + (u64)(label - second_page));
}

/**
 * second_start - start the second image, with core underneath if that was asked for
 */
void second_start(void)
{
	call_fn last = PTR(SECOND_PAGE);
	u64 top = mem_top();

	image_read();
	if (option_has("core")) {
		launch_core();
		map_reserve(mem_top(), top);
	}
	image_stage();
	print("# second: %u segments, entry 0x%x, \"%s\"\n", second.count, second.entry,
	      second.options);
	machine_restore();
	second_tell();
	memcpy(PTR(SECOND_PAGE), second_page, (size_t)(second_page_end - second_page));
	*(u32 *)second_low(second_page_entry) = second.entry;
	*(u32 *)second_low(second_page_count) = second.count;
	memcpy(second_low(second_page_segments), second.segment, sizeof(second.segment));
	last(NULL);
	__builtin_unreachable();
}
