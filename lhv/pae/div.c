// SPDX-License-Identifier: GPL-2.0-only
/* What the compiler calls for divisions of 64 bits. */
#include "types.h"

u64 __udivdi3(u64 dividend, u64 divisor);
u64 __umoddi3(u64 dividend, u64 divisor);
u64 __udivmoddi4(u64 dividend, u64 divisor, u64 *remainder);

u64 __udivmoddi4(u64 dividend, u64 divisor, u64 *remainder)
{
	u64 quotient = 0, rest = 0;
	u32 bit;

	for (bit = 64; bit--;) {
		bool out = rest >> 63;

		rest = rest << 1 | (dividend >> bit & 1);
		if (!out && rest < divisor)
			continue;
		rest -= divisor;
		quotient |= 1ull << bit;
	}
	*remainder = rest;
	return quotient;
}

u64 __udivdi3(u64 dividend, u64 divisor)
{
	u64 remainder;

	return __udivmoddi4(dividend, divisor, &remainder);
}

u64 __umoddi3(u64 dividend, u64 divisor)
{
	u64 remainder;

	__udivmoddi4(dividend, divisor, &remainder);
	return remainder;
}
