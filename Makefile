# SPDX-License-Identifier: GPL-2.0-only
#
# Latch. `make help` lists what there is.

BUILD := $(CURDIR)/build
KDIR ?= /lib/modules/$(shell uname -r)/build
KREL = $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' $(KDIR)/include/generated/utsrelease.h 2>/dev/null)
DESTDIR ?=
prefix ?= /usr
INSTALL ?= install

SUITES := 5.10 6.1 6.12 sid

.PHONY: all core stage module lhv hvctl hvctl-static libhv install uninstall clean help
.PHONY: packages vm-files demo vm check check-long check-nested bench

all: module lhv hvctl libhv

help:
	@echo "make            build build/latch.ko (for KDIR=, the running kernel), lhv, hvctl, libhv"
	@echo "make install    install latch.ko, hvctl, libhv and manuals (DESTDIR=, prefix=)"
	@echo "make demo       boot a Debian in a VM, put it under Latch and take it out again"
	@echo "make vm         an interactive shell in such a VM"
	@echo "make check      all tests (installs the Debian packages that they need)"
	@echo "make check-long  what takes hours: a million NMIs, random cases, kexec, kdump, suspend, ..."
	@echo "make check-nested  Latch in a guest of KVM"
	@echo "make bench      measure, and write build/bench.json"
	@echo "make module-X   latch.ko for the kernel of another release: $(SUITES)"
	@echo "make clean      remove build/"

core:
	@$(MAKE) --no-print-directory -C core O=$(BUILD)/core

# The sources are copied, so that several kernels can be built for at once and
# nothing is left in the tree.
MODULE_FILES := Kbuild module loader include
STAGE = $(BUILD)/stage/$(KREL)

stage: core
	@test -n "$(KREL)" || { echo "No kernel headers in $(KDIR): install linux-headers-$$(uname -r), or name another folder with KDIR=." >&2; exit 1; }
	@scripts/stage-module $(STAGE)

module: stage
	$(MAKE) -C $(KDIR) M=$(STAGE) modules
	@cp $(STAGE)/latch.ko $(BUILD)/latch.ko

# For the kernel of a Debian release, whatever runs here.
module-%: core
	@scripts/stage-module $(BUILD)/stage/$*
	@selftests/vm/debian-suite build $* $(BUILD)/stage/$* $(BUILD)/module-$*

lhv: core
	@$(MAKE) --no-print-directory -C lhv O=$(BUILD)/lhv CORE=$(BUILD)/core/core.bin

hvctl:
	@$(MAKE) --no-print-directory -C tools/hvctl O=$(BUILD)/hvctl

libhv:
	@$(MAKE) --no-print-directory -C lib/libhv O=$(BUILD)/libhv prefix=$(prefix)

hvctl-static:
	@$(MAKE) --no-print-directory -C tools/hvctl O=$(BUILD)/hvctl-static STATIC=1

install: module hvctl libhv
	$(INSTALL) -D -m 644 $(BUILD)/latch.ko $(DESTDIR)/lib/modules/$(KREL)/updates/latch.ko
	$(MAKE) -C tools/hvctl O=$(BUILD)/hvctl prefix=$(prefix) DESTDIR=$(DESTDIR) install
	$(MAKE) -C lib/libhv O=$(BUILD)/libhv prefix=$(prefix) DESTDIR=$(DESTDIR) install
	$(if $(DESTDIR),@echo "Run depmod $(KREL) where this is installed.",depmod $(KREL))

uninstall:
	rm -f $(DESTDIR)/lib/modules/$(KREL)/updates/latch.ko
	$(MAKE) -C tools/hvctl O=$(BUILD)/hvctl prefix=$(prefix) DESTDIR=$(DESTDIR) uninstall
	$(MAKE) -C lib/libhv O=$(BUILD)/libhv prefix=$(prefix) DESTDIR=$(DESTDIR) uninstall
	$(if $(DESTDIR),,depmod $(KREL))

packages:
	@scripts/install-packages

vm-files: packages
	@$(MAKE) --no-print-directory module-6.1 hvctl-static

demo: vm-files
	@selftests/demo/run

vm: vm-files
	@selftests/demo/run --shell

check: packages
	@scripts/build-for-tests $(SUITES)
	@selftests/check

# What takes too long for each time: a million NMIs, random cases, kexec, kdump, suspend, ...
check-long: packages
	@scripts/build-for-tests 6.1 6.12
	@echo "build kselftests" && $(MAKE) -s -C selftests/vm kselftests kvm-selftests kernel-i386 >$(BUILD)/kselftests.log 2>&1 || \
		{ tail $(BUILD)/kselftests.log; exit 1; }
	@selftests/check bare-all nmis random-long slow

check-nested: packages
	@scripts/build-for-tests 6.1
	@selftests/check nested

bench: packages
	@scripts/build-for-tests 6.1
	@selftests/bench/run

clean:
	rm -rf $(BUILD)
