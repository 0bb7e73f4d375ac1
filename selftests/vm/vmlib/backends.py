# SPDX-License-Identifier: GPL-2.0-only
"""The choice of a backend."""
from __future__ import annotations

from typing import Optional

from . import bochs, nested, qemu
from .backend import Backend
from .spec import VmSpec

MODELS = bochs.MODELS
BACKENDS = {backend.name: backend for backend in (
    bochs.Bochs(), qemu.QemuKvm(), qemu.QemuTcg(), nested.Nested())}
NAMES = tuple(BACKENDS)


def choose(name: str, spec: VmSpec, seeded: bool) -> Backend:
    """The backend of that name; auto takes the fastest that can do it.

    A CPU model and a seed are things that only the emulator has.
    """
    if name == "auto":
        emulate = seeded or bochs.short_model(spec.model) != VmSpec.model
        name = "bochs" if emulate or qemu.kvm_unavailable() else "qemu-kvm"
    if name == "nested" and not qemu.kvm_unavailable():
        name = "qemu-kvm"
    return BACKENDS[name]


def unavailable(name: str) -> Optional[str]:
    """Why this host cannot have the backend, None when it can."""
    return qemu.kvm_unavailable() if name == "qemu-kvm" else None


def needs_bochs(name: str) -> bool:
    """The backend may run Bochs on this host."""
    return name in ("auto", "bochs", "nested")
