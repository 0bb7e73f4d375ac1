/* SPDX-License-Identifier: GPL-2.0-only */
/* Core's image as data: it is copied to its own frames, never executed here. */
#include <linux/linkage.h>

	.section .rodata, "a"
	.balign 8
	.globl latch_image_start
latch_image_start:
	.incbin LATCH_CORE_IMAGE
	.globl latch_image_end
latch_image_end:

	.section .note.GNU-stack, "", @progbits
