"""The memory that processes have."""

import os
import re
from pathlib import Path


def resident_mib(pid: int | None = None, *, peak: bool = False) -> float:
    """Resident memory now, or the largest so far; of this process, if no other is named."""
    status = Path(f"/proc/{pid or os.getpid()}/status").read_text()
    field = "VmHWM" if peak else "VmRSS"
    return int(re.findall(rf"{field}:\s+(\d+) kB", status)[0]) / 1024
