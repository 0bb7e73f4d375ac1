// SPDX-License-Identifier: GPL-2.0-only
/*
 * Core's memory, as Linux sees it: zeros, and every write is dropped and
 * counted. From all CPUs at once, in all the ways that a program could.
 */
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/stop_machine.h>
#include <linux/string.h>
#include <asm/fpu/api.h>
#include "probe.h"

#define MAX_ISLANDS	16
#define BLOCK_ORDER	get_order(LATCH_CHUNK_SIZE)
#define REP_BYTES	24

static struct page *island[MAX_ISLANDS];

/*
 * To see what a write over the end of core's memory does to what is behind, that
 * must be ours. So take 4 MiB blocks and give back their first halves: core's
 * chunk is then most likely one of those.
 */
int probe_islands_init(unsigned int count)
{
	unsigned int i, page;

	for (i = 0; i < min_t(unsigned int, count, MAX_ISLANDS); i++) {
		struct page *pages = alloc_pages(GFP_KERNEL | __GFP_NOWARN, BLOCK_ORDER + 1);

		if (!pages)
			break;
		/* Two blocks of half the order: only the first page of each is counted. */
		split_page(pages, BLOCK_ORDER + 1);
		for (page = 1; page < 2u << BLOCK_ORDER; page++)
			if (page != 1u << BLOCK_ORDER)
				page_ref_dec(pages + page);
		island[i] = pages + (1u << BLOCK_ORDER);
	}
	while (i--)
		__free_pages(island[i] - (1u << BLOCK_ORDER), BLOCK_ORDER);
	return 0;
}

/** probe_islands_exit - give the other halves back */
void probe_islands_exit(void)
{
	unsigned int i;

	for (i = 0; i < MAX_ISLANDS; i++) {
		if (island[i])
			__free_pages(island[i], BLOCK_ORDER);
		island[i] = NULL;
	}
}

static bool is_island(u64 phys)
{
	unsigned int i;

	for (i = 0; i < MAX_ISLANDS; i++)
		if (island[i] && page_to_phys(island[i]) == phys)
			return true;
	return false;
}

static u64 chunk_non_zero(struct latch *latch, u32 chunk)
{
	u64 *word = phys_to_virt(latch->boot.chunk[chunk]);
	u64 bad = 0, i;

	for (i = 0; i < LATCH_CHUNK_SIZE / sizeof(*word); i++)
		bad += READ_ONCE(word[i]) != 0;
	return bad;
}

static u64 non_zero(struct latch *latch)
{
	u64 bad = 0;
	u32 i;

	for (i = 0; i < latch->boot.nr_chunks; i++)
		bad += chunk_non_zero(latch, i);
	return bad;
}

/*
 * Ways to write. Each writes once to @to, which reads as zeros, and returns false
 * when it has read something else. REP writes once in each iteration.
 */
static bool write_mov(void *to)
{
	asm volatile("movq %1, %0" : "=m" (*(u64 *)to) : "r" (~0ul));
	return true;
}

static bool write_byte(void *to)
{
	asm volatile("movb $0x5a, %0" : "=m" (*(u8 *)to));
	return true;
}

static bool write_xchg(void *to)
{
	u64 value = ~0ull;

	asm volatile("xchgq %0, %1" : "+r" (value), "+m" (*(u64 *)to) : : "memory");
	return !value;
}

static bool write_lock_add(void *to)
{
	bool zero;

	asm volatile("lock addq $0, %1\n\tsetz %0" : "=q" (zero), "+m" (*(u64 *)to) : : "cc");
	return zero;
}

static bool write_xadd(void *to)
{
	u64 value = 0x123456789abcdef0ull;

	asm volatile("lock xaddq %0, %1" : "+r" (value), "+m" (*(u64 *)to) : : "cc");
	return !value;
}

static bool write_cmpxchg(void *to)
{
	u64 old = 0;
	bool equal;

	asm volatile("lock cmpxchgq %3, %2\n\tsetz %0"
		     : "=q" (equal), "+a" (old), "+m" (*(u64 *)to) : "r" (~0ull) : "cc");
	return equal && !old;
}

static bool write_push(void *to)
{
	asm volatile("pushq $-1\n\tpopq (%0)" : : "r" (to) : "memory");
	return true;
}

static bool write_sse(void *to)
{
	kernel_fpu_begin();
	asm volatile("pcmpeqd %%xmm0, %%xmm0\n\tmovups %%xmm0, %0" : "=m" (*(u8 (*)[16])to));
	kernel_fpu_end();
	return true;
}

static bool write_rep(void *to)
{
	unsigned long count = REP_BYTES;
	const void *from = write_rep;

	asm volatile("rep movsb" : "+D" (to), "+S" (from), "+c" (count) : : "memory");
	return !count;
}

static const struct way {
	const char *name;
	bool (*write)(void *to);
	u32 offset;	/* in the page that is written */
	u32 step;
	u32 most;	/* times that it may be counted */
} ways[] = {
	{ "mov", write_mov, 0, 8, 1 },
	{ "mov of a byte", write_byte, 5, 1, 1 },
	{ "xchg", write_xchg, 16, 8, 1 },
	{ "lock add", write_lock_add, 0, 24, 1 },
	{ "lock xadd", write_xadd, 8, 8, 1 },
	{ "lock cmpxchg", write_cmpxchg, 8, 40, 1 },
	{ "pop", write_push, 0, 8, 1 },
	{ "16-byte SSE", write_sse, 48, 16, 1 },
	{ "rep movsb", write_rep, 100, 3, REP_BYTES },
	{ "mov across a page boundary", write_mov, PAGE_SIZE - 4, PAGE_SIZE, 1 },
	{ "SSE across a page boundary", write_sse, PAGE_SIZE - 1, PAGE_SIZE, 1 },
	{ "xchg across a page boundary", write_xchg, PAGE_SIZE - 7, PAGE_SIZE, 1 },
};

struct attack {
	struct latch *latch;
	const struct way *way;
	atomic_t arrived;
	atomic_t misread;
	atomic_t miscounted;
	u32 cpus;
	u64 least, most;	/* counted on any CPU */
};

static void attack_cpu(unsigned int cpu, void *data)
{
	struct attack *attack = data;
	void *base = phys_to_virt(attack->latch->boot.chunk[0]);
	u64 before = probe_stat(attack->latch, cpu, LATCH_STAT_HIDDEN_WRITES), counted;
	u32 i, offset = attack->way->offset;

	probe_meet(&attack->arrived, attack->cpus);
	for (i = 0; i < probe_count; i++) {
		if (!attack->way->write(base + offset))
			atomic_inc(&attack->misread);
		offset += attack->way->step;
		if (offset > LATCH_CHUNK_SIZE - 64)
			offset = attack->way->offset;
	}
	counted = probe_stat(attack->latch, cpu, LATCH_STAT_HIDDEN_WRITES) - before;
	if (counted < probe_count || counted > (u64)probe_count * attack->way->most)
		atomic_inc(&attack->miscounted);
	WRITE_ONCE(attack->most, max(attack->most, counted));
}

static void run_way(struct seq_file *out, struct latch *latch, const struct way *way)
{
	struct attack attack = { .latch = latch, .way = way, .cpus = num_online_cpus() };
	u64 seen;

	probe_on_each_cpu(attack_cpu, &attack);
	seen = non_zero(latch);
	probe_result(out, !seen && !atomic_read(&attack.misread) && !atomic_read(&attack.miscounted),
		     way->name,
		     "%u writes on each of %u CPUs, %llu counted; %llu words not zero, %d read wrong, counted wrong on %d CPUs",
		     probe_count, attack.cpus, attack.most, seen, atomic_read(&attack.misread),
		     atomic_read(&attack.miscounted));
}

struct over_end {
	void *at;
	u32 kept;	/* what was behind */
	u32 got;	/* what is there after the write */
};

/* Nobody else runs, so nobody misses the four bytes. */
static int write_over_end(void *data)
{
	struct over_end *over = data;

	over->kept = READ_ONCE(*(u32 *)(over->at + 4));
	asm volatile("movq %1, %0" : "=m" (*(u64 *)over->at)
		     : "r" ((u64)~over->kept << 32 | 0x12345678));
	over->got = READ_ONCE(*(u32 *)(over->at + 4));
	WRITE_ONCE(*(u32 *)(over->at + 4), over->kept);
	return 0;
}

static u64 all_hidden_writes(struct latch *latch)
{
	unsigned int cpu;
	u64 sum = 0;

	for_each_online_cpu(cpu)
		sum += probe_stat(latch, cpu, LATCH_STAT_HIDDEN_WRITES);
	return sum;
}

static void run_over_end(struct seq_file *out, struct latch *latch)
{
	const char *name = "mov across the end of the chunk";
	struct over_end over;
	u64 before;
	u32 i;

	for (i = 0; i < latch->boot.nr_chunks; i++) {
		if (!is_island(latch->boot.chunk[i] + LATCH_CHUNK_SIZE))
			continue;
		over.at = phys_to_virt(latch->boot.chunk[i]) + LATCH_CHUNK_SIZE - 4;
		before = all_hidden_writes(latch);
		stop_machine(write_over_end, &over, NULL);
		probe_result(out, over.got == ~over.kept && !non_zero(latch) &&
			     all_hidden_writes(latch) == before + 1, name,
			     "%08x written behind, %08x there; %llu counted, %llu words not zero",
			     ~over.kept, over.got, all_hidden_writes(latch) - before, non_zero(latch));
		return;
	}
	seq_printf(out, "skip %s | the page behind belongs to somebody\n", name);
}

static void run_execute(struct seq_file *out, struct latch *latch)
{
	u64 bad = 0, before = all_hidden_writes(latch);
	u32 i;

	/* Reads are not counted, and read the same on each CPU. */
	for (i = 0; i < latch->boot.nr_chunks; i++)
		bad += memchr_inv(phys_to_virt(latch->boot.chunk[i]), 0, LATCH_CHUNK_SIZE) != NULL;
	probe_result(out, !bad && all_hidden_writes(latch) == before, "reads are not counted",
		     "%llu counted", all_hidden_writes(latch) - before);
}

/** probe_hidden_show - read and write core's memory, "count" times in each way */
int probe_hidden_show(struct seq_file *out, void *unused)
{
	struct latch *latch = probe_latch_get();
	u64 bad;
	u32 i;

	if (!latch)
		return -ENODEV;
	bad = non_zero(latch);
	probe_result(out, !bad && latch->boot.nr_chunks, "all pages of all chunks read as zeros",
		     "%u chunks, %llu words not zero", latch->boot.nr_chunks, bad);
	for (i = 0; i < ARRAY_SIZE(ways); i++)
		run_way(out, latch, &ways[i]);
	run_over_end(out, latch);
	run_execute(out, latch);
	probe_latch_put();
	return 0;
}

/* /dev/latch_probe: the first chunk for a program to map */
static int hidden_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct latch *latch = probe_latch_get();
	unsigned long size = vma->vm_end - vma->vm_start;
	u64 chunk;

	if (!latch)
		return -ENODEV;
	chunk = latch->boot.chunk[0];
	probe_latch_put();
	if (vma->vm_pgoff || size > LATCH_CHUNK_SIZE)
		return -EINVAL;
	return remap_pfn_range(vma, vma->vm_start, chunk >> PAGE_SHIFT, size, vma->vm_page_prot);
}

static const struct file_operations hidden_fops = {
	.owner = THIS_MODULE,
	.mmap = hidden_mmap,
};

static struct miscdevice hidden_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "latch_probe",
	.fops = &hidden_fops,
	.mode = 0600,
};

/** probe_hidden_mmap_init - make /dev/latch_probe */
int probe_hidden_mmap_init(void)
{
	return misc_register(&hidden_device);
}

/** probe_hidden_mmap_exit - and take it away */
void probe_hidden_mmap_exit(void)
{
	misc_deregister(&hidden_device);
}
