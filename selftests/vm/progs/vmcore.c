// SPDX-License-Identifier: GPL-2.0-only
/*
 * A crash dump: what must be in it, and what must not.
 *
 * vmcore chunks: the physical addresses of core's chunks, of the loaded module
 * vmcore fill SEED PAGES: fill memory with what is to be found, and hold it
 * vmcore check SEED PAGES CHUNK...: read all of /proc/vmcore: all pages that
 *	"fill" filled are there, and core's chunks are there as zeros
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <latch/launch.h>

#define PAGE		4096u
#define PAGE_WORDS	(PAGE / 8)
#define CHUNK_PAGES	(LATCH_CHUNK_SIZE / PAGE)
#define BLOCK		(256 * PAGE)
#define MAX_SEGMENTS	256
#define MAX_PAGES	65536

static int complain(const char *what)
{
	fprintf(stderr, "vmcore: %s: %s\n", what, strerror(errno));
	return 1;
}

/* A pattern that is nowhere but where it was made: no program or command line has it. */
static uint64_t pattern(uint64_t seed, uint64_t number)
{
	uint64_t value = (seed + number + 1) * 0x9e3779b97f4a7c15ull;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
	value = (value ^ value >> 27) * 0x94d049bb133111ebull;
	return value ^ value >> 31;
}

static void pattern_fill(uint64_t *page, uint64_t seed, uint64_t index)
{
	uint64_t word;

	page[0] = pattern(seed, UINT32_MAX);
	page[1] = index;
	for (word = 2; word < PAGE_WORDS; word++)
		page[word] = pattern(seed, index * PAGE_WORDS + word);
}

/* Its number, or -1. */
static int64_t pattern_find(const uint64_t *page, uint64_t seed, uint64_t pages)
{
	uint64_t word;

	if (page[0] != pattern(seed, UINT32_MAX) || page[1] >= pages)
		return -1;
	for (word = 2; word < PAGE_WORDS; word++)
		if (page[word] != pattern(seed, page[1] * PAGE_WORDS + word))
			return -1;
	return (int64_t)page[1];
}

static int fill(uint64_t seed, uint64_t pages)
{
	uint8_t *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t i;

	if (memory == MAP_FAILED || mlock(memory, pages * PAGE))
		return complain("memory");
	for (i = 0; i < pages; i++)
		pattern_fill((uint64_t *)(memory + i * PAGE), seed, i);
	puts("filled");
	fflush(stdout);
	for (;;)
		pause();
}

/* --- the chunks, from the running kernel */

static uint64_t find_symbol(const char *name, const char *module)
{
	FILE *file = fopen("/proc/kallsyms", "r");
	char line[512], symbol[256], of[256];
	uint64_t address, found = 0;

	while (file && !found && fgets(line, sizeof(line), file))
		if (sscanf(line, "%lx %*c %255s [%255[^]]]", &address, symbol, of) == 3 &&
		    !strcmp(symbol, name) && !strcmp(of, module))
			found = address;
	if (file)
		fclose(file);
	return found;
}

/* The program headers of an ELF file with one or more of type PT_LOAD. */
static int read_segments(int fd, Elf64_Phdr *segment)
{
	Elf64_Ehdr head;
	ssize_t size;

	if (pread(fd, &head, sizeof(head), 0) != sizeof(head) ||
	    memcmp(head.e_ident, ELFMAG, SELFMAG) || head.e_phnum > MAX_SEGMENTS)
		return -1;
	size = head.e_phnum * sizeof(*segment);
	if (pread(fd, segment, size, (off_t)head.e_phoff) != size)
		return -1;
	return head.e_phnum;
}

/* The module's struct latch begins with this. */
static int read_boot(struct latch_boot *boot)
{
	static Elf64_Phdr segment[MAX_SEGMENTS];
	uint64_t address = find_symbol("latch", "latch"), offset;
	int fd = open("/proc/kcore", O_RDONLY), count, i;

	count = fd < 0 || !address ? -1 : read_segments(fd, segment);
	for (i = 0; i < count; i++) {
		if (segment[i].p_type != PT_LOAD || address < segment[i].p_vaddr ||
		    address - segment[i].p_vaddr >= segment[i].p_memsz)
			continue;
		offset = segment[i].p_offset + (address - segment[i].p_vaddr);
		if (pread(fd, boot, sizeof(*boot), (off_t)offset) == sizeof(*boot))
			return 0;
	}
	return complain("struct latch");
}

static int chunks(void)
{
	struct latch_boot boot;
	uint32_t i;

	if (read_boot(&boot))
		return 1;
	if (!boot.nr_chunks || boot.nr_chunks > LATCH_MAX_CHUNKS) {
		fprintf(stderr, "vmcore: %u chunks\n", boot.nr_chunks);
		return 1;
	}
	for (i = 0; i < boot.nr_chunks; i++)
		printf("%#llx\n", (unsigned long long)boot.chunk[i]);
	return 0;
}

/* --- the dump */

static struct {
	uint64_t seed, pages, found;
	uint64_t chunk[LATCH_MAX_CHUNKS];
	uint64_t chunks, chunk_pages, non_zero;
	uint64_t bytes;
	bool seen[MAX_PAGES];
} dump;

static bool in_chunk(uint64_t phys)
{
	uint64_t i;

	for (i = 0; i < dump.chunks; i++)
		if (phys >= dump.chunk[i] && phys - dump.chunk[i] < LATCH_CHUNK_SIZE)
			return true;
	return false;
}

static bool is_zero(const uint64_t *page)
{
	uint64_t word;

	for (word = 0; word < PAGE_WORDS; word++)
		if (page[word])
			return false;
	return true;
}

static void check_page(const uint64_t *page, uint64_t phys)
{
	int64_t index = pattern_find(page, dump.seed, dump.pages);

	if (index >= 0 && !dump.seen[index]) {
		dump.seen[index] = true;
		dump.found++;
	}
	if (!in_chunk(phys))
		return;
	dump.chunk_pages++;
	if (is_zero(page))
		return;
	if (!dump.non_zero++)
		printf("core's page %#lx is not zeros: %016lx %016lx\n", phys, page[0], page[1]);
}

static int check_segment(int fd, const Elf64_Phdr *segment)
{
	static uint64_t block[BLOCK / 8];
	uint64_t done, size, i;
	ssize_t got;

	for (done = 0; done < segment->p_filesz; done += size) {
		size = segment->p_filesz - done < BLOCK ? segment->p_filesz - done : BLOCK;
		got = pread(fd, block, size, (off_t)(segment->p_offset + done));
		if (got != (ssize_t)size) {
			printf("read at physical address %#lx: %zd, %s\n", segment->p_paddr + done,
			       got, strerror(errno));
			return 1;
		}
		for (i = 0; i + PAGE <= size; i += PAGE)
			check_page(block + i / 8, segment->p_paddr + done + i);
	}
	dump.bytes += segment->p_filesz;
	return 0;
}

static int check(void)
{
	static Elf64_Phdr segment[MAX_SEGMENTS];
	int fd = open("/proc/vmcore", O_RDONLY), count, i;

	count = fd < 0 ? -1 : read_segments(fd, segment);
	if (count < 0)
		return complain("/proc/vmcore");
	/* The first ones are the kernel's own, mapped a second time: x86 has one for its text. */
	for (i = 0; i < count; i++) {
		if (segment[i].p_type != PT_LOAD)
			continue;
		if (segment[i].p_paddr % PAGE || check_segment(fd, &segment[i]))
			return 1;
	}
	printf("%lu KiB read; %lu of %lu marked pages found; %lu of %lu pages of core found, %lu not zeros\n",
	       dump.bytes / 1024, dump.found, dump.pages, dump.chunk_pages,
	       dump.chunks * CHUNK_PAGES, dump.non_zero);
	return !(dump.found == dump.pages && dump.chunks && !dump.non_zero &&
		 dump.chunk_pages == dump.chunks * CHUNK_PAGES);
}

int main(int argc, char **argv)
{
	int i;

	if (argc == 2 && !strcmp(argv[1], "chunks"))
		return chunks();
	if (argc >= 4) {
		dump.seed = strtoull(argv[2], NULL, 0);
		dump.pages = strtoull(argv[3], NULL, 0);
		for (i = 4; i < argc && dump.chunks < LATCH_MAX_CHUNKS; i++)
			dump.chunk[dump.chunks++] = strtoull(argv[i], NULL, 0);
	}
	if (argc == 4 && dump.pages <= MAX_PAGES && !strcmp(argv[1], "fill"))
		return fill(dump.seed, dump.pages);
	if (argc > 4 && dump.pages <= MAX_PAGES && !strcmp(argv[1], "check"))
		return check();
	fprintf(stderr, "usage: vmcore chunks | fill SEED PAGES | check SEED PAGES CHUNK...\n");
	return 2;
}
