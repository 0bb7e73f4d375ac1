/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The quickest way from a CD to lhv: an El Torito boot image that the BIOS loads
 * whole, at 0x10000. It is this code, one sector of parameters and lhv's flat
 * image. It makes the little Multiboot information that lhv wants, copies the
 * image to 1 MiB and goes there.
 *
 * Assembled to run at 0 in segment 0x1000; selftests/bare/run fills in the
 * parameters.
 */
#define BASE		0x10000
#define IMAGE		(BASE + 2048)
#define INFO		0x500		/* struct multiboot */
#define MMAP		0x600
#define FLAG_CMDLINE	0x04
#define FLAG_MMAP	0x40

	.code16
	.text
start:
	ljmp	$(BASE >> 4), $1f
1:	cli
	movw	%cs, %ax
	movw	%ax, %ds
	xorw	%ax, %ax
	movw	%ax, %es
	movw	%ax, %ss
	movw	$0x7000, %sp

	/* INT 15h, E820: each range behind its size, as Multiboot wants it */
	xorl	%ebx, %ebx
	movw	$MMAP, %di
2:	movl	$20, %es:(%di)
	addw	$4, %di
	movl	$0xe820, %eax
	movl	$0x534d4150, %edx
	movl	$20, %ecx
	int	$0x15
	jc	3f
	addw	$20, %di
	testl	%ebx, %ebx
	jnz	2b
	jmp	4f
3:	subw	$4, %di
4:	movzwl	%di, %ebp

	inb	$0x92, %al
	orb	$2, %al
	andb	$0xfe, %al
	outb	%al, $0x92
	lgdtl	gdtr
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$8, $(BASE + protected)

	.code32
protected:
	movl	$16, %eax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$0x7000, %esp
	cld
	movl	$IMAGE, %esi
	movl	BASE + load_address, %edi
	movl	BASE + load_size, %ecx
	shrl	$2, %ecx
	rep movsl
	movl	BASE + bss_size, %ecx
	shrl	$2, %ecx
	xorl	%eax, %eax
	rep stosl
	movl	$INFO, %edi
	movl	$32, %ecx
	rep stosl
	movl	$(FLAG_CMDLINE | FLAG_MMAP), INFO
	movl	$(BASE + command_line), INFO + 16
	subl	$MMAP, %ebp
	movl	%ebp, INFO + 44
	movl	$MMAP, INFO + 48
	movl	$INFO, %ebx
	movl	$0x2badb002, %eax
	jmp	*BASE + entry

	.balign 8
gdt:	.quad	0
	.quad	0x00cf9b000000ffff
	.quad	0x00cf93000000ffff
gdtr:	.word	. - gdt - 1
	.long	BASE + gdt

	/* Parameters */
	.org	1024
load_address:	.long 0
load_size:	.long 0
bss_size:	.long 0
entry:		.long 0
command_line:	.skip 512
	.org	2048
