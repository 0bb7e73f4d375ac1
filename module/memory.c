// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory for core: chunks of 2 MiB that Linux will not see again until unload,
 * and public memory that both see.
 */
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/smp.h>
#include <linux/string.h>
#include "latch.h"

#define CHUNK_ORDER	get_order(LATCH_CHUNK_SIZE)

static const struct latch_image *image_header(void)
{
	return (const struct latch_image *)latch_image_start;
}

static int check_image(void)
{
	const struct latch_image *image = image_header();
	struct latch_error error = { .reason = LATCH_REASON_IMAGE, .step = LATCH_STEP_IMAGE };
	u64 size = latch_image_end - latch_image_start;

	if (image->signature == LATCH_IMAGE_SIGNATURE && image->version == LATCH_LAUNCH_VERSION &&
	    image->size == sizeof(*image) && image->base == LATCH_CORE_BASE &&
	    image->file_size == size && image->mem_size <= LATCH_CHUNK_SIZE &&
	    nr_cpu_ids <= image->max_cpus)
		return 0;
	error.value = nr_cpu_ids > image->max_cpus ? nr_cpu_ids : size;
	return latch_failure_report(raw_smp_processor_id(), &error, 0);
}

static int no_memory(u64 pages)
{
	struct latch_error error = {
		.reason = LATCH_REASON_NO_MEMORY, .step = LATCH_STEP_MEMORY, .value = pages
	};

	return latch_failure_report(raw_smp_processor_id(), &error, 0);
}

/* Each chunk is aligned to its size: the EPT hides whole entries of 2 MiB. */
static int alloc_chunks(u64 count)
{
	struct page *page;
	u32 i;

	if (count > LATCH_MAX_CHUNKS)
		return no_memory(count << CHUNK_ORDER);
	for (i = 0; i < count; i++) {
		page = alloc_pages(GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN, CHUNK_ORDER);
		if (!page)
			return no_memory(count << CHUNK_ORDER);
		latch.chunk[i] = page_address(page);
		latch.boot.chunk[i] = page_to_phys(page);
		latch.boot.nr_chunks = i + 1;
	}
	return 0;
}

static int alloc_public(void)
{
	unsigned int cpu;

	latch.public_size = LATCH_LOG_BYTES + (size_t)nr_cpu_ids * PAGE_SIZE;
	latch.public = alloc_pages_exact(latch.public_size, GFP_KERNEL | __GFP_ZERO);
	if (!latch.public)
		return no_memory(latch.public_size >> PAGE_SHIFT);
	latch.boot.public_va = (unsigned long)latch.public;
	latch.boot.public_phys = virt_to_phys(latch.public);
	latch.boot.public_size = latch.public_size;
	latch.boot.log_size = LATCH_LOG_BYTES;
	for (cpu = 0; cpu < nr_cpu_ids; cpu++)
		latch_cpu_page_init(latch_cpu_page(cpu));
	return 0;
}

/**
 * latch_memory_alloc - get memory for core and put the image there
 * @ram_top: end of RAM, physical
 * @extra_mib: for hypapps, MiB
 *
 * Return: 0 or a negative errno, which has been reported.
 */
int latch_memory_alloc(u64 ram_top, u64 extra_mib)
{
	int ret = latch_failure_injected(LATCH_STEP_IMAGE);

	if (!ret)
		ret = check_image();
	if (!ret)
		ret = latch_failure_injected(LATCH_STEP_MEMORY);
	if (!ret)
		ret = alloc_chunks(latch_chunks_needed(image_header(), nr_cpu_ids, ram_top) +
				   DIV_ROUND_UP_ULL(extra_mib << 20, LATCH_CHUNK_SIZE));
	if (!ret)
		ret = alloc_public();
	if (ret)
		return ret;
	latch.boot.nr_cpus = nr_cpu_ids;
	latch.entry = image_header()->entry;
	latch.image_bytes = image_header()->mem_size;
	memcpy(latch.chunk[0], latch_image_start, image_header()->file_size);
	memcpy(latch.chunk[0] + image_header()->boot, &latch.boot, sizeof(latch.boot));
	return 0;
}

/**
 * latch_memory_free - give all of it back
 *
 * Context: no CPU is under Latch. Fine after a failed latch_memory_alloc().
 */
void latch_memory_free(void)
{
	u32 i;

	/* Rather lose the memory than have a CPU run in it. */
	if (WARN_ON(!cpumask_empty(&latch.cpus)))
		return;
	for (i = 0; i < latch.boot.nr_chunks; i++) {
		memset(latch.chunk[i], 0, LATCH_CHUNK_SIZE);
		__free_pages(virt_to_page(latch.chunk[i]), CHUNK_ORDER);
	}
	latch.boot.nr_chunks = 0;
	if (latch.public)
		free_pages_exact(latch.public, latch.public_size);
	latch.public = NULL;
}

/** latch_cpu_page - the CPU page of a CPU */
struct latch_cpu_page *latch_cpu_page(unsigned int cpu)
{
	return latch.public + LATCH_LOG_BYTES + (size_t)cpu * PAGE_SIZE;
}
