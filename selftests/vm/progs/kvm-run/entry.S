/* SPDX-License-Identifier: GPL-2.0-only */
/* kvm-run, the guest's side: stubs of the IDT, and what starts a second CPU. */
#define TRAMPOLINE	0x8000
#define TABLES		0x1000
#define KERNEL_DS	0x10

	.section .note.GNU-stack, "", @progbits
	.text
	.code64

/* 256 stubs of 16 bytes. 8, 10 to 14, 17, 21, 29 and 30 have an error code. */
	.globl trap_stubs
	.balign 16
trap_stubs:
	.set vector, 0
	.rept 256
	.balign 16
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || \
	      vector == 29 || vector == 30)
	pushq	$0
	.endif
	pushq	$vector
	jmp	trap_common
	.set vector, vector + 1
	.endr

trap_common:
	pushq	%rax
	pushq	%rbx
	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	pushq	%rbp
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	cld
	movq	%rsp, %rdi
	movq	%rsp, %rbp
	andq	$-16, %rsp
	call	guest_trap
	movq	%rbp, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rbp
	popq	%rdi
	popq	%rsi
	popq	%rdx
	popq	%rcx
	popq	%rbx
	popq	%rax
	addq	$16, %rsp
	iretq

/* Real mode at TRAMPOLINE, up to long mode: CR0, CR4 and EFER by the guest itself. */
	.section .rodata
	.globl trampoline, trampoline_end
	.balign 16
	.code16
trampoline:
	cli
	movw	%cs, %ax
	movw	%ax, %ds
	lgdtl	trampoline_gdtr - trampoline
	movl	$0x20, %eax		/* PAE */
	movl	%eax, %cr4
	movl	$TABLES, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx	/* EFER: LME, NXE */
	rdmsr
	orl	$0x900, %eax
	wrmsr
	movl	$0x80000011, %eax	/* PG, ET, PE */
	movl	%eax, %cr0
	ljmpl	*(trampoline_far - trampoline)
	.balign 4
trampoline_far:
	.long	trampoline_64 - trampoline + TRAMPOLINE
	.word	0x08
trampoline_gdtr:
	.word	23
	.long	trampoline_gdt - trampoline + TRAMPOLINE
	.balign 8
trampoline_gdt:
	.quad	0
	.quad	0x00af9b000000ffff
	.quad	0x00cf93000000ffff
	.code64
trampoline_64:
	movl	$KERNEL_DS, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movq	second_stack, %rsp
	movq	second_entry, %rdi
	movabsq	$guest_main, %rax
	pushq	$0
	jmp	*%rax
trampoline_end:

/* Each vector's handler in real mode: its number to port 0x10. */
	.globl real_start, real_end
	.code16
real_start:
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	$0x7000, %sp
	movb	$'r', %al
	outb	%al, $0x10
	inb	$0x11, %al
	incb	%al
	outb	%al, $0x10
	/* INT n, INT3 and INTO by the table at 0 */
	movw	$real_handler_int - real_start + 0x7c00, 0x42 * 4
	movw	$0, 0x42 * 4 + 2
	movw	$real_handler_bp - real_start + 0x7c00, 3 * 4
	movw	$0, 3 * 4 + 2
	movw	$real_handler_of - real_start + 0x7c00, 4 * 4
	movw	$0, 4 * 4 + 2
	int	$0x42
	int3
	movb	$0x7f, %al
	addb	$1, %al
	into
	/* a string */
	movw	$real_text - real_start + 0x7c00, %si
	movw	$4, %cx
	movw	$0x12, %dx
	cld
	rep outsb
	/* to protected mode without paging, a CPUID there, and back */
	lgdtl	real_gdtr - real_start + 0x7c00
	movl	%cr0, %eax
	orl	$1, %eax
	movl	%eax, %cr0
	ljmpw	$0x08, $real_32 - real_start + 0x7c00
	.code32
real_32:
	movl	$0x10, %eax
	movl	%eax, %ds
	movl	$0x40000000, %eax
	cpuid
	movl	%ebx, 0x100000		/* beyond real mode */
	movl	0x100000, %eax
	movw	$0x14, %dx
	outl	%eax, %dx
	ljmpl	$0x18, $real_16 - real_start + 0x7c00
	.code16
real_16:
	movw	$0x20, %ax
	movw	%ax, %ds
	movl	%cr0, %eax
	andl	$~1, %eax
	movl	%eax, %cr0
	ljmpw	$0, $real_back - real_start + 0x7c00
real_back:
	xorw	%ax, %ax
	movw	%ax, %ds
	movb	$'b', %al
	outb	%al, $0x10
	hlt
	movb	$'h', %al
	outb	%al, $0x10
	hlt
real_handler_int:
	movb	$'i', %al
	outb	%al, $0x10
	iretw
real_handler_bp:
	movb	$'3', %al
	outb	%al, $0x10
	iretw
real_handler_of:
	movb	$'o', %al
	outb	%al, $0x10
	iretw
real_text:
	.ascii	"text"
real_gdtr:
	.word	39
	.long	real_gdt - real_start + 0x7c00
	.balign 8
real_gdt:
	.quad	0
	.quad	0x00cf9b000000ffff	/* 32-bit code */
	.quad	0x00cf93000000ffff	/* 4 GiB of data */
	.quad	0x00009b000000ffff	/* as real mode has them */
	.quad	0x000093000000ffff
real_end:
