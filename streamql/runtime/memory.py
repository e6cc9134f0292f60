"""The memory of this process and of the machine, or the container, that it runs in."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUP_V1 = Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")
_CGROUPS = Path("/sys/fs/cgroup")


def machine_memory() -> int | None:
    """Return the bytes that this process may take: those of the machine, or of its control group.

    None where the system does not tell.
    """
    try:
        physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None
    limits = [_number(path) for path in (*_group_limits(), _CGROUP_V1)]
    return min([physical, *(limit for limit in limits if limit)])


def resident_memory() -> int | None:
    """Return the bytes of memory that this process has now; None where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def _group_limits() -> list[Path]:
    """Return where the limits of the control group, and of those around it, are written."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    group = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), None)
    if group is None:
        return []
    folder = _CGROUPS / group
    return [at / "memory.max" for at in (folder, *folder.parents) if at.is_relative_to(_CGROUPS)]


def _number(path: Path) -> int | None:
    """Return what a file says; None for `max`, or when it is not there."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
