# SPDX-License-Identifier: GPL-2.0-only
"""The root file systems by name."""
from __future__ import annotations

from pathlib import Path

from . import debian_root, image
from .util import UsageError

NAMES = ("minimal", "debian")


def base_archive(name: str) -> Path:
    """The archive with the root file system NAME, made when it is not there."""
    if name == "minimal":
        return image.minimal_base()
    if name == "debian":
        return debian_root.base(image.write_skeleton, image.code_key())
    raise UsageError(f"unknown root file system {name}: one of {', '.join(NAMES)}")
