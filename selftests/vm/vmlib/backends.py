# SPDX-License-Identifier: GPL-2.0-only
"""The choice of a backend."""
from __future__ import annotations

from typing import Optional

from . import bochs
from .backend import Backend
from .spec import VmSpec

MODELS = bochs.MODELS
BACKENDS = {backend.name: backend for backend in (bochs.Bochs(),)}
NAMES = tuple(BACKENDS)


def choose(name: str, spec: VmSpec, seeded: bool) -> Backend:
    """The backend of that name; auto takes the fastest that can do it."""
    del spec, seeded
    return BACKENDS["bochs" if name == "auto" else name]


def unavailable(name: str) -> Optional[str]:
    """Why this host cannot have the backend, None when it can."""
    del name
    return None


def needs_bochs(name: str) -> bool:
    """The backend will run Bochs on this host."""
    return name in ("auto", "bochs", "nested")
