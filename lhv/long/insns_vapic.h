/* SPDX-License-Identifier: GPL-2.0-only */
/* Task priority in EDI */
INSN(vapic_set_tpr, "movq %rdi, %cr8");
