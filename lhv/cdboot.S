/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The quickest way from a CD to lhv: an El Torito boot image of one sector that
 * the BIOS loads at 0x10000. It reads lhv's flat image, and a module if there is one,
 * from the sectors behind it to where they belong, makes the little Multiboot
 * information that lhv wants, and goes there. The BIOS reads below 640 KB only,
 * and moves each piece up.
 *
 * Assembled to run at 0 in segment 0x1000; selftests/bare/run fills in the
 * parameters.
 */
#define BASE		0x10000
#define INFO		0x500		/* struct multiboot */
#define MMAP		0x600
#define BUFFER		0x20000
#define SECTOR_SHIFT	11
#define PIECE		16		/* sectors; 32 KB are what every BIOS moves */
#define FLAG_CMDLINE	0x04
#define FLAG_MODULES	0x08
#define FLAG_MMAP	0x40

	.code16
	.text
start:
	ljmp	$(BASE >> 4), $1f
1:	cli
	cld
	movw	%cs, %ax
	movw	%ax, %ds
	movw	%ax, %es
	xorw	%ax, %ax
	movw	%ax, %ss
	movw	$0x7000, %sp
	sti
	movb	%dl, drive
	movw	$image_sector, %si
	call	load
	movw	$module_sector, %si
	call	load

	/* INT 15h, E820: each range behind its size, as Multiboot wants it */
	xorw	%ax, %ax
	movw	%ax, %es
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

	cli
	inb	$0x92, %al
	orb	$2, %al
	andb	$0xfe, %al
	outb	%al, $0x92
	lgdtl	gdtr
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$8, $(BASE + protected)

/* Load what the three words at %si name: first sector, sectors, address. */
load:
	movl	4(%si), %eax
	testl	%eax, %eax
	jz	2f
	cmpl	$PIECE, %eax
	jbe	1f
	movl	$PIECE, %eax
1:	movw	%ax, packet_sectors
	movl	(%si), %ecx
	movl	%ecx, packet_first
	movl	8(%si), %ecx
	movl	%ecx, to_base
	movb	$0x93, to_base + 3
	rorl	$8, %ecx
	shrl	$16, %ecx
	movb	%ch, to_base + 5
	addl	%eax, (%si)
	subl	%eax, 4(%si)
	shll	$SECTOR_SHIFT, %eax
	addl	%eax, 8(%si)
	pushw	%si
	pushw	%ax
	movw	$packet, %si
	movb	drive, %dl
	movb	$0x42, %ah
	int	$0x13
	popw	%cx
	jc	fail
	shrw	$1, %cx
	movw	$moves, %si
	movb	$0x87, %ah
	int	$0x15
	popw	%si
	jnc	load
fail:
	movw	$message, %si
1:	lodsb
	outb	%al, $0xe9
	testb	%al, %al
	jnz	1b
	movb	$2, %al
	movw	$0x8901, %dx
	outb	%al, %dx
	cli
	hlt
2:	ret

message:
	.asciz	"Bail out! the BIOS cannot read the boot CD\n"
drive:	.byte	0

	/* INT 13h, AH=42h */
	.balign 4
packet:
	.word	16
packet_sectors:	.word 0
	.word	0, BUFFER >> 4
packet_first:	.quad 0

	/* INT 15h, AH=87h: descriptors of source and destination, and the BIOS's own */
	.balign 8
moves:
	.quad	0, 0
	.quad	0x000093000000ffff | BUFFER << 16
	.word	0xffff
to_base:
	.skip	6
	.quad	0, 0

	.code32
protected:
	/* A BIOS that does not know of caches leaves them off. */
	movl	%cr0, %eax
	andl	$~0x60000000, %eax
	movl	%eax, %cr0
	movl	$16, %eax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %fs
	movw	%ax, %gs
	movw	%ax, %ss
	movl	$0x7000, %esp
	cld
	movl	BASE + bss_address, %edi
	movl	BASE + bss_size, %ecx
	shrl	$2, %ecx
	xorl	%eax, %eax
	rep stosl
	movl	$INFO, %edi
	movl	$32, %ecx
	rep stosl
	movl	$(FLAG_CMDLINE | FLAG_MODULES | FLAG_MMAP), INFO
	movl	$(BASE + command_line), INFO + 16
	movl	BASE + modules, %eax
	movl	%eax, INFO + 20
	movl	$(BASE + module), INFO + 24
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
entry:		.long 0
bss_address:	.long 0
bss_size:	.long 0
image_sector:	.long 0, 0, 0
module_sector:	.long 0, 0, 0
modules:	.long 0
	/* start, end, string, 0: as Multiboot wants it */
module:		.long 0, 0, BASE + module_line, 0
command_line:	.skip 480
module_line:	.skip 472
	.org	2048
