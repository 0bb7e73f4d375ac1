// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arguments of a PAL. What pointers point to is copied into the PAL before the call
 * and back after it, with the caller's own rights: the PAL sees one state of it, which
 * nobody changes while it looks.
 */
#include "guest.h"
#include "hypapp/pal.h"
#include "vmx.h"

#define PART	512u	/* bytes that are copied at once: on the stack */

static u32 part_of(u64 address, u32 size)
{
	u32 rest = PART - address % PART;

	return size < rest ? size : rest;
}

static u64 *argument(struct latch_gpr *gpr, u32 index)
{
	u64 *const reg[LATCH_PAL_ARGS] = { &gpr->rdi, &gpr->rsi, &gpr->rdx, &gpr->rcx, &gpr->r8,
					   &gpr->r9 };

	return reg[index];
}

/* Between the caller's memory at @outside and the PAL's at @inside. */
static bool copy(struct percpu *cpu, const struct pal *pal, const struct guest_paging *paging,
		 u64 outside, u64 inside, u32 size, bool in, struct guest_fault *fault)
{
	u8 buf[PART];
	u32 part;

	for (; size; outside += part, inside += part, size -= part) {
		part = part_of(outside, size);
		if (in && !guest_read(paging, outside, PF_USER, buf, part, fault))
			return false;
		pal_space_copy(cpu, pal, inside, buf, part, in);
		if (!in && !guest_write(paging, outside, PF_USER, buf, part, fault))
			return false;
	}
	return true;
}

/* Better a page fault before the call than after it. */
static bool can_write(const struct guest_paging *paging, u64 linear, u32 size,
		      struct guest_fault *fault)
{
	u64 gpa, rest;

	for (fault->linear = linear; ; fault->linear += PAGE_SIZE - fault->linear % PAGE_SIZE) {
		if (!walk(paging, fault->linear, PF_USER | PF_WRITE, &gpa, &fault->error))
			return false;
		rest = linear + size - fault->linear;
		if (rest <= PAGE_SIZE - fault->linear % PAGE_SIZE)
			return true;
	}
}

static bool take_pointer(struct percpu *cpu, const struct pal *pal,
			 const struct guest_paging *paging, const struct latch_pal_arg *arg,
			 u64 from, u64 to, struct guest_fault *fault)
{
	u64 linear = from, size = arg->size;

	if (!guest_argument(&linear, &size) || linear >> 63) {
		/* No address that CR2 can have. */
		*fault = (struct guest_fault) { .linear = 0, .error = PF_USER };
		return false;
	}
	if (arg->flags & LATCH_PAL_OUT && !can_write(paging, linear, arg->size, fault))
		return false;
	if (arg->flags & LATCH_PAL_IN)
		return copy(cpu, pal, paging, linear, to, arg->size, true, fault);
	/* What is there is from another call. */
	pal_space_clear(cpu, pal, to, arg->size);
	return true;
}

/* In 32-bit code they are on the stack, behind the return address. */
static bool read_arguments(struct pal *pal, const struct guest_paging *paging,
			   struct guest_fault *fault)
{
	u32 on_stack[LATCH_PAL_ARGS] = { }, i, n = pal->entry->nr_args;
	struct pal_caller *caller = &pal->caller;
	bool is_32 = pal_is_32(pal);

	caller->back = 0;
	if (!guest_read(paging, caller->at.rsp, PF_USER, &caller->back, is_32 ? 4 : 8, fault))
		return false;
	if (is_32 && n && !guest_read(paging, (u32)caller->at.rsp + 4, PF_USER, on_stack,
				      n * sizeof(u32), fault))
		return false;
	for (i = 0; i < n; i++)
		caller->arg[i] = is_32 ? on_stack[i] : *argument(&caller->at.gpr, i);
	return true;
}

static void put_arguments(struct percpu *cpu, struct pal *pal, struct pal_context *to,
			  const u64 value[LATCH_PAL_ARGS])
{
	const struct latch_pal_section *stack = pal_desc_find_type(&pal->desc, LATCH_PAL_STACK);
	u64 top = stack->start + stack->size;
	u32 frame[1 + LATCH_PAL_ARGS] = { (u32)pal->caller.back }, i, n = pal->entry->nr_args;

	for (i = 0; i < n; i++) {
		frame[1 + i] = (u32)value[i];
		if (!pal_is_32(pal))
			*argument(&to->gpr, i) = value[i];
	}
	/* As the ABIs want it: 16 bytes aligned in front of the CALL. */
	if (pal_is_32(pal)) {
		to->rsp = ((top - 4 * n) & ~15ull) - 4;
		pal_space_copy(cpu, pal, to->rsp, frame, 4 + 4 * n, true);
	} else {
		to->rsp = top - 8;
		pal_space_copy(cpu, pal, to->rsp, &pal->caller.back, 8, true);
	}
}

static bool take_all(struct percpu *cpu, struct pal *pal, struct pal_context *to,
		     struct guest_fault *fault)
{
	const struct latch_pal_section *param = pal_desc_find_type(&pal->desc, LATCH_PAL_PARAM);
	u64 room = param ? param->start : 0, value[LATCH_PAL_ARGS];
	const struct latch_pal_arg *arg = pal->entry->arg;
	struct guest_paging paging;
	u32 i;

	guest_read_paging(&paging);
	if (!read_arguments(pal, &paging, fault))
		return false;
	for (i = 0; i < pal->entry->nr_args; i++, arg++) {
		value[i] = pal->caller.arg[i];
		if (!arg->size)
			continue;
		if (!take_pointer(cpu, pal, &paging, arg, value[i], room, fault))
			return false;
		value[i] = room;
		room += pal_desc_arg_room(arg);
	}
	put_arguments(cpu, pal, to, value);
	return true;
}

/**
 * pal_args_take - make the stack and the arguments of a call
 * @cpu: this CPU, in the common EPT
 * @pal: @entry and @caller.at are set
 * @to: out: stack pointer, and argument registers
 *
 * Return: false if the caller has to get a page fault first, which is injected.
 */
bool pal_args_take(struct percpu *cpu, struct pal *pal, struct pal_context *to)
{
	struct guest_fault fault;

	if (take_all(cpu, pal, to, &fault))
		return true;
	guest_inject_page_fault(cpu, &fault);
	return false;
}

static bool give_all(struct percpu *cpu, struct pal *pal, struct guest_fault *fault)
{
	const struct latch_pal_section *param = pal_desc_find_type(&pal->desc, LATCH_PAL_PARAM);
	const struct latch_pal_arg *arg = pal->entry->arg;
	u64 room = param ? param->start : 0;
	struct guest_paging paging;
	u32 i;

	guest_read_paging(&paging);
	for (i = 0; i < pal->entry->nr_args; i++, arg++) {
		if (arg->flags & LATCH_PAL_OUT &&
		    !copy(cpu, pal, &paging, pal->caller.arg[i], room, arg->size, false, fault))
			return false;
		room += pal_desc_arg_room(arg);
	}
	return true;
}

/**
 * pal_args_give - copy back what the call has changed
 *
 * As pal_args_take(); it can be done again.
 */
bool pal_args_give(struct percpu *cpu, struct pal *pal)
{
	struct guest_fault fault;

	if (give_all(cpu, pal, &fault))
		return true;
	guest_inject_page_fault(cpu, &fault);
	return false;
}
