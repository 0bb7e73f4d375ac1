/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest's memory: the only way from root mode to what the guest can change. */
#ifndef CORE_GUEST_H
#define CORE_GUEST_H

#include "percpu.h"
#include "walk.h"

/**
 * struct guest_fault - the page fault that an access would have met
 * @linear: goes to CR2
 * @error: error code
 */
struct guest_fault {
	u64 linear;
	u32 error;
};

u32 guest_cpl(void);
void guest_read_mode(struct guest_paging *paging);
void guest_read_paging(struct guest_paging *paging);
bool guest_read(const struct guest_paging *paging, u64 linear, u32 access, void *buf, u32 size,
		struct guest_fault *fault);
bool guest_write(const struct guest_paging *paging, u64 linear, u32 access, const void *buf,
		 u32 size, struct guest_fault *fault);
bool guest_is_canonical(u64 linear);
bool guest_argument(u64 *linear, u64 *size);
bool guest_read_argument(u64 linear, void *buf, u64 size);
bool guest_write_argument(u64 linear, const void *buf, u64 size);
const volatile u64 *guest_window(u64 gpa);
void guest_read_physical(u64 gpa, void *buf, u32 size);
void guest_write_physical(u64 gpa, const void *buf, u32 size);
void guest_inject_page_fault(struct percpu *cpu, const struct guest_fault *fault);

#endif
