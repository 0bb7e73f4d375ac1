// SPDX-License-Identifier: GPL-2.0-only
/*
 * The log ring. A writer takes a sequence number and with it a record of its
 * own, so writers need no lock, and a CPU that dies while it writes blocks
 * nobody. Everything that core relies on (the next number, the size) is kept in
 * core's memory; public memory is only written.
 */
#include <latch/launch.h>
#include "layout.h"
#include "log.h"
#include "x86.h"

static struct {
	struct latch_log *ring;
	u32 count;
	u64 next;
} log;

/** log_init - once, at LATCH_OP_INIT; the largest ring that fits */
void log_init(const struct latch_boot *boot)
{
	u64 room = (boot->log_size - sizeof(struct latch_log)) / sizeof(struct latch_log_record);

	log.ring = (struct latch_log *)LATCH_PUBLIC_BASE;
	for (log.count = 1; log.count * 2ull <= room; )
		log.count *= 2;
	log.next = 1;
	log.ring->count = log.count;
	log.ring->next = 1;
}

/** log_publish_pool - tell Linux how many pages of the pool are free */
void log_publish_pool(u32 pages)
{
	WRITE_ONCE(log.ring->pool_free, pages);
}

/** log_next - sequence number of the next record */
u64 log_next(void)
{
	return READ_ONCE(log.next);
}

/** log_records - records that the ring holds */
u32 log_records(void)
{
	return log.count;
}

void log_write(u32 cpu, u32 level, const char *format, ...)
{
	struct latch_log_record *record;
	char text[LATCH_LOG_TEXT];
	va_list args;
	size_t len;
	u64 seq;

	va_start(args, format);
	len = format_text(text, sizeof(text), format, args);
	va_end(args);

	seq = __atomic_fetch_add(&log.next, 1, __ATOMIC_RELAXED);
	record = &log.ring->record[seq & (log.count - 1)];
	/* 0 first, the number last: a reader never takes half a record. */
	__atomic_store_n(&record->seq, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	record->tsc = rdtsc();
	record->cpu = (u16)cpu;
	record->level = (u8)level;
	record->len = (u8)len;
	memcpy(record->text, text, len);
	__atomic_store_n(&record->seq, seq, __ATOMIC_RELEASE);
	__atomic_store_n(&log.ring->next, seq + 1, __ATOMIC_RELEASE);
}
