// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operands of VMX instructions (SDM vol. 3, tables 28-13 to 28-15). The CPU has decoded
 * the instruction; the address is put together here, with the segment's checks.
 */
#include "event.h"
#include "gpr.h"
#include "guest.h"
#include "operand.h"
#include "vmx.h"

#define INFO_SCALE(info)	((info) & 3)
#define INFO_REGISTER1(info)	((info) >> 3 & 15)
#define INFO_ADDRESS_SIZE(info)	((info) >> 7 & 7)
#define INFO_IS_REGISTER	BIT(10)
#define INFO_SEGMENT(info)	((info) >> 15 & 7)
#define INFO_INDEX(info)	((info) >> 18 & 15)
#define INFO_NO_INDEX		BIT(22)
#define INFO_BASE(info)		((info) >> 23 & 15)
#define INFO_NO_BASE		BIT(27)
#define INFO_REGISTER2(info)	((info) >> 28 & 15)

#define SEGMENT_SS		2
#define SEGMENT_FS		4
#define ACCESS_CODE		BIT(3)
#define ACCESS_EXPAND_DOWN	BIT(2)
#define ACCESS_READ_WRITE	BIT(1)

/** operand_is_64 - is it 64-bit code */
bool operand_is_64(void)
{
	return vmread(VMCS_GUEST_CS_ACCESS) & SEGMENT_L;
}

/** operand_size - of VMREAD and VMWRITE: as the mode has it, whatever prefixes there are */
u32 operand_size(void)
{
	return operand_is_64() ? 8 : 4;
}

static u64 read_gpr(struct percpu *cpu, u32 number)
{
	u64 value = gpr_read(cpu->gpr, number);

	return operand_is_64() ? value : (u32)value;
}

/** operand_register - the register operand: field of VMREAD and VMWRITE, type of INVEPT */
u64 operand_register(struct percpu *cpu)
{
	return read_gpr(cpu, INFO_REGISTER2((u32)vmread(VMCS_EXIT_INSTRUCTION_INFO)));
}

static u64 effective_address(struct percpu *cpu, u32 info)
{
	static const u64 mask[8] = { 0xffff, 0xffffffff, ~0ull };
	u64 offset = vmread(VMCS_EXIT_QUALIFICATION);

	if (!(info & INFO_NO_BASE))
		offset += gpr_read(cpu->gpr, INFO_BASE(info));
	if (!(info & INFO_NO_INDEX))
		offset += gpr_read(cpu->gpr, INFO_INDEX(info)) << INFO_SCALE(info);
	return offset & mask[INFO_ADDRESS_SIZE(info)];
}

/* Outside of 64-bit code: type and limit (SDM vol. 3, 6.3 and 6.5). */
static bool segment_allows(u32 seg, u64 offset, u32 size, bool write)
{
	u32 access = (u32)vmread(VMCS_GUEST_ES_ACCESS + 2 * seg);
	u64 limit = vmread(VMCS_GUEST_ES_LIMIT + 2 * seg), last = offset + size - 1;
	u64 top = access & SEGMENT_DB ? 0xffffffff : 0xffff;

	if (access & SEGMENT_UNUSABLE)
		return false;
	if (write && (access & ACCESS_CODE || !(access & ACCESS_READ_WRITE)))
		return false;
	if (!write && access & ACCESS_CODE && !(access & ACCESS_READ_WRITE))
		return false;
	if (!(access & ACCESS_CODE) && access & ACCESS_EXPAND_DOWN)
		return offset > limit && last <= top;
	return last <= limit;
}

/* False: the fault has been injected. */
static bool linear_address(struct percpu *cpu, u32 size, bool write, u64 *linear)
{
	u32 info = (u32)vmread(VMCS_EXIT_INSTRUCTION_INFO), seg = INFO_SEGMENT(info);
	u64 offset = effective_address(cpu, info);
	bool allowed;

	*linear = offset;
	if (!operand_is_64() || seg >= SEGMENT_FS)
		*linear += vmread(VMCS_GUEST_ES_BASE + 2 * seg);
	if (operand_is_64()) {
		allowed = guest_is_canonical(*linear) && guest_is_canonical(*linear + size - 1);
	} else {
		*linear &= 0xffffffff;
		allowed = segment_allows(seg, offset, size, write);
	}
	if (!allowed)
		event_inject_fault(cpu, seg == SEGMENT_SS ? VECTOR_SS : VECTOR_GP, 0);
	return allowed;
}

/**
 * operand_read - read the operand that is in memory or a register
 * @cpu: this CPU; L1, or L2, is at CPL 0
 * @value: where to
 * @size: bytes
 *
 * Return: false if the guest has got a fault instead, or L1 an exit.
 */
bool operand_read(struct percpu *cpu, void *value, u32 size)
{
	u32 info = (u32)vmread(VMCS_EXIT_INSTRUCTION_INFO);
	struct guest_paging paging;
	struct guest_fault fault;
	u64 linear;

	if (info & INFO_IS_REGISTER) {
		*(u64 *)value = read_gpr(cpu, INFO_REGISTER1(info));
		return true;
	}
	if (!linear_address(cpu, size, false, &linear))
		return false;
	guest_read_paging(&paging);
	if (guest_read(&paging, linear, 0, value, size, &fault))
		return true;
	guest_inject_page_fault(cpu, &fault);
	return false;
}

/** operand_write - and write it; as operand_read() */
bool operand_write(struct percpu *cpu, u64 value, u32 size)
{
	u32 info = (u32)vmread(VMCS_EXIT_INSTRUCTION_INFO);
	struct guest_paging paging;
	struct guest_fault fault;
	u64 linear;

	if (info & INFO_IS_REGISTER) {
		gpr_write(cpu->gpr, INFO_REGISTER1(info), size == 8 ? value : (u32)value);
		return true;
	}
	if (!linear_address(cpu, size, true, &linear))
		return false;
	guest_read_paging(&paging);
	if (guest_write(&paging, linear, 0, &value, size, &fault))
		return true;
	guest_inject_page_fault(cpu, &fault);
	return false;
}
