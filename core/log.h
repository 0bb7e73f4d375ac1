/* SPDX-License-Identifier: GPL-2.0-only */
/* Core's log: a ring in public memory that Linux can read whatever becomes of core. */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include <stdarg.h>
#include "types.h"

struct latch_boot;

void log_init(const struct latch_boot *boot);
void log_publish_pool(u32 pages);
u64 log_next(void);
u32 log_records(void);

/**
 * log_write - write a line
 * @cpu: index of the calling CPU
 * @level: enum latch_log_level
 * @format: %s %c %u %d %x %%, with l for 64 bits and a width like %016lx
 *
 * Context: root mode, any lock held; takes none.
 */
void log_write(u32 cpu, u32 level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

size_t format_text(char *buf, size_t size, const char *format, va_list args);

#define log_err(cpu, ...)	log_write((cpu)->index, LATCH_LOG_ERR, __VA_ARGS__)
#define log_warn(cpu, ...)	log_write((cpu)->index, LATCH_LOG_WARN, __VA_ARGS__)
#define log_info(cpu, ...)	log_write((cpu)->index, LATCH_LOG_INFO, __VA_ARGS__)

#endif
