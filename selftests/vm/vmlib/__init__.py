# SPDX-License-Identifier: GPL-2.0-only
"""Parts of the VM test runner: see vmrun (one VM) and vmtest (many)."""
