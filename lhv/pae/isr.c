// SPDX-License-Identifier: GPL-2.0-only
/* Interrupts in 32-bit mode: between what the CPU pushes there and struct regs. */
#include "lhv.h"

/**
 * struct frame - what is on the stack; entry.S knows this layout
 * @esp_here: of PUSHA, not to be used
 * @esp, @ss: only when it comes from another CPL
 */
struct frame {
	u32 es, ds;
	u32 edi, esi, ebp, esp_here, ebx, edx, ecx, eax;
	u32 vector, error;
	u32 eip, cs, eflags;
	u32 esp, ss;
};

/* Bytes that are there in any case */
#define FRAME_SAME_CPL	offsetof(struct frame, esp)

struct frame *isr_enter(struct frame *frame);

static bool from_user(u64 cs)
{
	return cs & 3;
}

static void frame_read(const struct frame *frame, struct regs *regs)
{
	bool user = from_user(frame->cs);

	*regs = (struct regs) {
		.rdi = frame->edi, .rsi = frame->esi, .rbp = frame->ebp, .rbx = frame->ebx,
		.rdx = frame->edx, .rcx = frame->ecx, .rax = frame->eax,
		.vector = frame->vector, .error = frame->error, .rip = frame->eip,
		.cs = frame->cs & 0xffff, .rflags = frame->eflags,
		.rsp = user ? frame->esp : ADDR(&frame->esp),
		.ss = user ? frame->ss & 0xffff : SEL_KDATA,
	};
}

static void frame_write(struct frame *frame, const struct regs *regs)
{
	frame->edi = (u32)regs->rdi;
	frame->esi = (u32)regs->rsi;
	frame->ebp = (u32)regs->rbp;
	frame->ebx = (u32)regs->rbx;
	frame->edx = (u32)regs->rdx;
	frame->ecx = (u32)regs->rcx;
	frame->eax = (u32)regs->rax;
	frame->eip = (u32)regs->rip;
	frame->cs = (u32)regs->cs;
	frame->eflags = (u32)regs->rflags;
}

/**
 * isr_enter - called by the entry code
 *
 * IRET to the same CPL does not load ESP: another stack is one that the frame is moved to.
 * That lies above this function's own, as trap() is further out.
 *
 * Return: the frame to go back by
 */
struct frame *isr_enter(struct frame *frame)
{
	struct frame copy;
	struct regs regs;
	u8 *to;

	frame_read(frame, &regs);
	idt_dispatch(&regs);
	frame_write(frame, &regs);
	if (from_user(regs.cs)) {
		frame->esp = (u32)regs.rsp;
		frame->ss = (u32)regs.ss;
		return frame;
	}
	if (regs.rsp == ADDR(&frame->esp))
		return frame;
	memcpy(&copy, frame, FRAME_SAME_CPL);
	to = (u8 *)PTR(regs.rsp) - FRAME_SAME_CPL;
	return memcpy(to, &copy, FRAME_SAME_CPL);
}
