"""What machine a measurement was made on."""

import os
import platform
from pathlib import Path


def describe_machine() -> dict[str, object]:
    """Give processor, cores, kernel and Python of this machine."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    if not file.exists():
        return platform.processor()
    lines = file.read_text().splitlines()
    names = (line.partition(":")[2] for line in lines if line.startswith("model name"))
    return next(names, platform.processor()).strip()
