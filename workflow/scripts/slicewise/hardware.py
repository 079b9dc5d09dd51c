"""The machine that a job runs on: processor, cores, memory, GPUs and system."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

NVIDIA = Path("/proc/driver/nvidia/gpus")
"""Where the driver says which GPUs there are, without a context on one of them."""

GIB = 2**30


def machine() -> dict[str, str | int | list[str] | None]:
    """Return what is known of this machine, the same on every call; no name and no address of it.

    memory_gib: rounded, None where the system does not say it; gpus: names, sorted.
    """
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "memory_gib": _memory_gib(),
        "gpus": gpus(),
        "system": _system(),
    }


def gpus(folder: Path = NVIDIA) -> list[str]:
    """Return the names of the GPUs that NVIDIA's driver lists, sorted."""
    said = (_text(path) for path in folder.glob("*/information"))
    return sorted(match[1] for text in said for match in re.finditer(r"Model:\s+(.+)", text))


def in_words(found: dict) -> str:
    """Return a machine in words, as for a paper."""
    memory = f", {found['memory_gib']} GiB of memory" if found["memory_gib"] else ""
    cores = "1 core" if found["cores"] == 1 else f"{found['cores']} cores"
    cards = [f"{found['gpus'].count(name)} {name}" for name in dict.fromkeys(found["gpus"])]
    graphics = f", {', '.join(cards)}" if cards else " and no GPU"
    return f"{found['processor']}, {cores}{memory}{graphics} ({found['system']})"


def _processor() -> str:
    """Return the name of the processor, as far as the system tells it."""
    match = re.search(r"^model name\s*:\s*(.+)$", _text(Path("/proc/cpuinfo")), re.MULTILINE)
    return match[1] if match else platform.processor() or platform.machine() or "unknown"


def _memory_gib() -> int | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB)
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None


def _system() -> str:
    """Return the system with its version, and on Linux the distribution."""
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError, AttributeError):
        return f"{platform.system()} {platform.release()}"


def _text(path: Path) -> str:
    """Return the text of a file of the system, nothing where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
