# SPDX-License-Identifier: GPL-2.0-only
"""The root file systems by name."""
from __future__ import annotations

from pathlib import Path

from . import image
from .util import UsageError


def base_archive(name: str) -> Path:
    """The archive with the root file system NAME, made when it is not there."""
    if name == "minimal":
        return image.minimal_base()
    raise UsageError(f"unknown root file system {name}")
