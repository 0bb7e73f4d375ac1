// SPDX-License-Identifier: GPL-2.0-only
/* init32: the init of a 32-bit Linux in a VM of kvm-boot. */
#include "kvm-boot/init.h"

int main(void)
{
	be_init();
}
