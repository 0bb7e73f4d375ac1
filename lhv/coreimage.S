/* SPDX-License-Identifier: GPL-2.0-only */
/* Core's image, as data */
	.section .rodata
	.balign 4096
	.globl core_image, core_image_end
core_image:
#ifdef CORE_FILE
	.incbin CORE_FILE
#endif
core_image_end:
	.section .note.GNU-stack, "", @progbits
