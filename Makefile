# SPDX-License-Identifier: GPL-2.0-only
#
# Latch. `make help` lists what there is.

BUILD := $(CURDIR)/build
KDIR ?= /lib/modules/$(shell uname -r)/build
KREL = $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' $(KDIR)/include/generated/utsrelease.h 2>/dev/null)
DESTDIR ?=
PREFIX ?= /usr
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
MODDIR ?= /lib/modules/$(KREL)/updates

.PHONY: all core module lhv hvctl install clean help

all: module lhv hvctl

core:
	@$(MAKE) --no-print-directory -C core O=$(BUILD)/core

# The sources are copied, so that several kernels can be built for at once and
# nothing is left in the tree.
STAGE = $(BUILD)/module/$(KREL)
stage: core
	@test -n "$(KREL)" || { echo "No kernel headers in $(KDIR): install linux-headers-$$(uname -r), or name a folder with KDIR=." >&2; exit 1; }
	@mkdir -p $(STAGE)
	@cp -Rup Kbuild module loader include $(STAGE)/
	@cmp -s $(BUILD)/core/core.bin $(STAGE)/core.bin || { cp $(BUILD)/core/core.bin $(STAGE)/; rm -f $(STAGE)/module/image.o; }

module: stage
	$(MAKE) -C $(KDIR) M=$(STAGE) modules
	@cp $(STAGE)/latch.ko $(BUILD)/latch-$(KREL).ko
	@cp $(STAGE)/latch.ko $(BUILD)/latch.ko

# The same for the kernel of another Debian release: make module-6.12
module-%: core
	@mkdir -p $(BUILD)/stage/$*
	@cp -Rup Kbuild module loader include $(BUILD)/core/core.bin $(BUILD)/stage/$*/
	selftests/vm/debian-suite build $* $(BUILD)/stage/$* $(BUILD)/module-$*

lhv: core
	@$(MAKE) --no-print-directory -C lhv O=$(BUILD)/lhv CORE=$(BUILD)/core/core.bin

hvctl:
	@$(MAKE) --no-print-directory -C tools/hvctl O=$(BUILD)/hvctl

clean:
	rm -rf $(BUILD)
