// SPDX-License-Identifier: GPL-2.0-only
/*
 * Choices of VMCS shadowing: a shadow VMCS behind the VMCS link pointer, its bitmaps, and
 * pieces of code that execute VMREAD and VMWRITE with any operand. At the end of the case the
 * shadow VMCS is read field by field, as the format of the region is nobody's business.
 */
#include "random.h"

#define FIELD_ENTRY(name, encoding) encoding,
static const u16 all_fields[] = { HV_FIELDS(FIELD_ENTRY) };

#define SHADOW_BIT	BIT(31)
#define BITMAP_BITS	0x8000
/* In access rights the SDM has bits that are reserved, which need not hold anything. */
#define ACCESS_BITS	0x1f0ff

static bool has_shadow(const struct rnd *r)
{
	return r->vmcs && hv_can(F_SECONDARY_CONTROLS, SECONDARY_SHADOWING);
}

static u64 value_for(u64 field, u64 value)
{
	return field >= F_GUEST_ES_ACCESS && field <= F_GUEST_TR_ACCESS ? value & ACCESS_BITS :
									    value;
}

static bool begin_access(struct rnd *r)
{
	return !vmptrld(ADDR(r->shadow));
}

static void end_access(struct rnd *r)
{
	vmclear(ADDR(r->shadow));
	vmptrld(ADDR(r->hv->vmcs));
}

/** random_shadow_begin - make the shadow VMCS that cases start from; all fields have values */
void random_shadow_begin(struct rnd *r)
{
	u32 i;

	if (!has_shadow(r))
		return;
	hv_vmcs_format(r->shadow);
	vmclear(ADDR(r->shadow));
	*r->shadow |= (u32)SHADOW_BIT;
	if (!begin_access(r))
		lhv_panic("random: VMPTRLD of a shadow VMCS fails");
	for (i = 0; i < ARRAY_SIZE(all_fields); i++)
		vmwrite_flags(all_fields[i], value_for(all_fields[i], random_mix(all_fields[i])));
	end_access(r);
	memcpy(r->shadow_start, r->shadow, PAGE_SIZE);
}

/** random_shadow_reset - the shadow VMCS for a new case */
void random_shadow_reset(struct rnd *r)
{
	if (!r->shadow_used)
		return;
	vmclear(ADDR(r->shadow));
	memcpy(r->shadow, r->shadow_start, PAGE_SIZE);
	r->shadow_used = false;
}

/** random_shadow_record - what the shadow VMCS has at the end of the case */
void random_shadow_record(struct rnd *r)
{
	char name[] = "0000";
	u64 value = 0;
	u32 i, at;

	if (!r->shadow_used)
		return;
	vmclear(ADDR(r->shadow));
	*r->shadow = *r->shadow_start;
	if (!begin_access(r))
		lhv_panic("random: VMPTRLD of the shadow VMCS fails");
	record_begin(r, "shadow VMCS", r->exits);
	for (i = 0; i < ARRAY_SIZE(all_fields); i++) {
		for (at = 0; at < 4; at++)
			name[at] = "0123456789abcdef"[all_fields[i] >> (12 - 4 * at) & 15];
		if (!vmread_flags(all_fields[i], &value))
			record_value(r, name, value);
	}
	record_end(r);
	end_access(r);
}

/* --- fields */

static u64 some_field(u64 v)
{
	return all_fields[(v >> 8) % ARRAY_SIZE(all_fields)];
}

/* As a guest names them: some with the high half, some that there are not, some wrong */
static u32 guest_field(u64 v)
{
	u64 field = some_field(v);

	switch (v & 15) {
	case 0:
	case 1:
	case 2:
		return (u32)(FIELD_WIDTH(field) == WIDTH_64 ? field | FIELD_HIGH : field);
	case 3:
		return (u32)(field | BIT(15 + (v >> 32) % 17));
	case 4:
		return (u32)(v >> 32 & 0x6c3e) | 0x200;
	default:
		return (u32)field;
	}
}

/* --- the hypervisor's part */

static void apply_vmcs(struct rnd *r, const struct choice *choice)
{
	u64 count = choice->v[0] % 8, field, value, i;

	if (!has_shadow(r))
		return;
	say(r, "linked, %llu fields, bitmaps %llu", count, choice->v[3] % 4);
	r->shadow_used = true;
	if (count && begin_access(r)) {
		for (i = 0; i < count; i++) {
			field = some_field(random_mix(choice->v[1] + i));
			value = value_for(field, random_mix(choice->v[2] + i));
			say(r, "field %llx = %llx", field, value);
			vmwrite_flags(field, value);
		}
		end_access(r);
	}
	hv_set(F_SECONDARY_CONTROLS, SECONDARY_SHADOWING);
	vmwrite(F_LINK_POINTER, ADDR(r->shadow));
	if (choice->v[3] % 4 != 1)
		memset(PTR(host_page(r, HP_VMREAD)), 0, PAGE_SIZE);
	if (choice->v[3] % 4 != 2)
		memset(PTR(host_page(r, HP_VMWRITE)), 0, PAGE_SIZE);
}

/* Bits of one bitmap: those of a field and of its high half, of many, or of all but these */
static void apply_bitmap(struct rnd *r, const struct choice *choice)
{
	bool write = choice->v[0] & 1;
	u8 *bitmap = PTR(host_page(r, write ? HP_VMWRITE : HP_VMREAD));
	u32 field = guest_field(choice->v[1]) & (BITMAP_BITS - 1), i;

	if (!has_shadow(r))
		return;
	say(r, "%s, %llu, field %x", write ? "VMWRITE" : "VMREAD", choice->v[2] % 4, field);
	switch (choice->v[2] % 4) {
	case 0:
		memset(bitmap, 0, PAGE_SIZE);
		bitmap[field / 8] = 1 << field % 8;
		return;
	case 1:
		memset(bitmap, 0xff, PAGE_SIZE);
		bitmap[field / 8] ^= 1 << field % 8;
		return;
	case 2:
		for (i = 0; i < PAGE_SIZE; i++)
			bitmap[i] = (u8)random_mix(choice->v[3] + i);
		return;
	default:
		bitmap[field / 8] ^= 1 << field % 8;
	}
}

/* The address is wrong, or what is there. */
static void apply_wrong_link(struct rnd *r, const struct choice *choice)
{
	const u64 wrong[] = {
		ADDR(r->shadow) | 8, ADDR(r->shadow) | 0x800, ADDR(r->shadow) | BIT(52),
		ADDR(r->shadow) | BIT(63), ADDR(r->hv->vmcs), ADDR(r->hv->vmxon), ADDR(r->other),
		ram_page(r, PG_ZERO), ~0ull, ~0ull - 0xfff,
	};
	u64 link = wrong[choice->v[0] % ARRAY_SIZE(wrong)];
	u32 flip = choice->v[2] & 1 ? (u32)SHADOW_BIT : (u32)BIT(choice->v[3] % 32);

	if (!has_shadow(r))
		return;
	if (choice->v[1] % 3 == 0) {
		say(r, "revision ^ %x", flip);
		r->shadow_used = true;
		vmclear(ADDR(r->shadow));
		*r->shadow ^= flip;
		return;
	}
	say(r, "link pointer %llx", link);
	vmwrite(F_LINK_POINTER, link);
}

const struct kind random_shadow[] = {
	{ "shadow VMCS", 12, apply_vmcs },
	{ "shadow bitmap", 8, apply_bitmap },
	{ "shadow VMCS, wrong", 1, apply_wrong_link },
	{ NULL, 0, NULL },
};

/* --- between two entries */

/* The hypervisor looks at what the guest has written, and writes itself. */
static void apply_access(struct rnd *r, const struct choice *choice)
{
	u64 field = some_field(choice->v[0]), value = value_for(field, choice->v[1]);
	bool write = choice->v[2] & 1, clear = choice->v[2] & 2;

	if (!has_shadow(r))
		return;
	say(r, "%s of %llx, %llx%s", write ? "VMWRITE" : "VMREAD", field, value,
	    clear ? ", VMCLEAR" : "");
	r->shadow_used = true;
	if (!begin_access(r))
		return;
	if (write)
		random_result(r, "VMWRITE", vmwrite_flags(field, value), 0);
	else
		random_result(r, "VMREAD", vmread_flags(field, &value), value);
	if (clear)
		end_access(r);
	else
		vmptrld(ADDR(r->hv->vmcs));
}

static void apply_clear(struct rnd *r, const struct choice *choice)
{
	(void)choice;
	if (!has_shadow(r))
		return;
	say(r, "VMCLEAR");
	r->shadow_used = true;
	random_result(r, "VMCLEAR", vmclear(ADDR(r->shadow)), 0);
}

static void apply_relink(struct rnd *r, const struct choice *choice)
{
	bool linked = choice->v[0] & 1;

	if (!has_shadow(r))
		return;
	say(r, "%s", linked ? "linked" : "no link pointer");
	vmwrite(F_LINK_POINTER, linked ? ADDR(r->shadow) : ~0ull);
	if (!linked)
		return;
	r->shadow_used = true;
	hv_set(F_SECONDARY_CONTROLS, SECONDARY_SHADOWING);
}

const struct kind random_shadow_between[] = {
	{ "shadow VMCS", 6, apply_access },
	{ "shadow VMCS", 1, apply_clear },
	{ "shadow VMCS", 2, apply_relink },
	{ "shadow bitmap", 4, apply_bitmap },
	{ NULL, 0, NULL },
};

/* --- the guest's part; RSI gets the flags */

#define FLAGS	"\n\tpushfq\n\tpopq %rsi"

SNIPPET(vmread_register, "vmread %rcx, %rbx" FLAGS);
SNIPPET(vmread_r9, "vmread %rcx, %r9" FLAGS);
SNIPPET(vmread_rsp, "movq %rsp, %rdi\n\tvmread %rcx, %rsp\n\tmovq %rsp, %rbx\n\t"
	"movq %rdi, %rsp" FLAGS);
SNIPPET(vmread_data, "vmread %rcx, 0x18(%rax)" FLAGS);
SNIPPET(vmread_across, "vmread %rcx, 0xffc(%rax)" FLAGS);
SNIPPET(vmread_stack, "vmread %rcx, -0x10(%rsp)" FLAGS "\n\tmovl -0x8(%rsp), %ebx");
SNIPPET(vmread_fs, "vmread %rcx, %fs:8(%rax)" FLAGS);
SNIPPET(vmread_short, "vmread %rcx, 8(%eax)" FLAGS);
SNIPPET(vmread_index, "vmread %rcx, 0x10(%rax,%rdx,4)" FLAGS);
SNIPPET(vmread_wide, "btsq $40, %rcx\n\tvmread %rcx, %rbx" FLAGS);
SNIPPET(vmread_step, "pushfq\n\torl $0x100, (%rsp)\n\tpopfq\n\tvmread %rcx, %rbx\n\tnop");
SNIPPET(vmread_mov_ss, "movw %ss, %bx\n\tmovw %bx, %ss\n\tvmread %rcx, %rbx" FLAGS);
SNIPPET(vmread_sti, "sti\n\tvmread %rcx, 0x20(%rax)\n\tnop\n\tcli");
SNIPPET(vmread_break, "leaq 0x18(%rax), %rbx\n\tmovq %rbx, %db1\n\tmovl $0x000d0408, %ebx\n\t"
	"movq %rbx, %db7\n\tvmread %rcx, 0x18(%rax)\n\tmovl $0x400, %ebx\n\tmovq %rbx, %db7");
SNIPPET(vmwrite_register, "vmwrite %rdx, %rcx" FLAGS "\n\tvmread %rcx, %rbx");
SNIPPET(vmwrite_r10, "movq %rcx, %r10\n\tmovq %rdx, %r11\n\tvmwrite %r11, %r10" FLAGS);
SNIPPET(vmwrite_64, "imulq %rdx, %rdx\n\tnotq %rdx\n\tvmwrite %rdx, %rcx" FLAGS
	"\n\tvmread %rcx, %rbx");
SNIPPET(vmwrite_data, "vmwrite 0x18(%rax), %rcx" FLAGS);
SNIPPET(vmwrite_stored, "movl %edx, 0x18(%rax)\n\tvmwrite 0x18(%rax), %rcx" FLAGS);
SNIPPET(vmwrite_across, "vmwrite 0xffc(%rax), %rcx" FLAGS);
SNIPPET(vmwrite_stack, "pushq %rdx\n\tpushq %rdx\n\tvmwrite 4(%rsp), %rcx" FLAGS);
SNIPPET(vmwrite_gs, "vmwrite %gs:(%rax), %rcx" FLAGS);
SNIPPET(vmwrite_short, "vmwrite 8(%eax), %rcx" FLAGS);
SNIPPET(vmwrite_wide, "btsq $33, %rcx\n\tvmwrite %rdx, %rcx" FLAGS);
SNIPPET(vmwrite_step, "pushfq\n\torl $0x100, (%rsp)\n\tpopfq\n\tvmwrite %rdx, %rcx\n\tnop");

static const struct piece pieces[] = {
	PIECE(vmread_register), PIECE(vmread_register), PIECE(vmread_r9), PIECE(vmread_rsp),
	PIECE(vmread_data), PIECE(vmread_data), PIECE(vmread_across), PIECE(vmread_stack),
	PIECE(vmread_fs), PIECE(vmread_short), PIECE(vmread_index), PIECE(vmread_wide),
	PIECE(vmread_step), PIECE(vmread_mov_ss), PIECE(vmread_sti), PIECE(vmread_break),
	PIECE(vmwrite_register), PIECE(vmwrite_register), PIECE(vmwrite_r10), PIECE(vmwrite_64),
	PIECE(vmwrite_data), PIECE(vmwrite_stored), PIECE(vmwrite_stored), PIECE(vmwrite_across),
	PIECE(vmwrite_stack), PIECE(vmwrite_gs), PIECE(vmwrite_short), PIECE(vmwrite_wide),
	PIECE(vmwrite_step),
};

static void apply_piece(struct rnd *r, const struct choice *choice)
{
	const struct piece *piece = &pieces[choice->v[0] % ARRAY_SIZE(pieces)];
	u64 edx = choice->v[3];

	if (piece->code == snip_vmread_index)
		edx &= 0x3ff;
	random_piece(r, piece, random_data(r, choice->v[1]), guest_field(choice->v[2]), (u32)edx);
}

const struct kind random_shadow_code[] = {
	{ "code", 1, apply_piece },
	{ NULL, 0, NULL },
};
