"""What the figures were measured on: nothing that names the host or its owner."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _first_line(*command: str) -> str:
    try:
        output = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except OSError:
        return "unknown"
    return output.stdout.splitlines()[0].strip() if output.stdout else "unknown"


def cmake_cache(build: Path, key: str) -> str:
    found = re.search(rf"^{key}:[^=]*=(.*)$", _read(str(build / "CMakeCache.txt")), re.MULTILINE)
    return found.group(1) if found else ""


def describe(build: Path) -> dict[str, Any]:
    cpu = re.search(r"^model name\s*: (.*)$", _read("/proc/cpuinfo"), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+) kB", _read("/proc/meminfo"), re.MULTILINE)
    system = re.search(r'^PRETTY_NAME="?([^"\n]*)', _read("/etc/os-release"), re.MULTILINE)
    kind = cmake_cache(build, "CMAKE_BUILD_TYPE")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": cpu.group(1) if cpu else platform.machine(),
        "virtual": "hypervisor" in _read("/proc/cpuinfo"),
        "memory_gib": round(int(memory.group(1)) / 2**20, 1) if memory else None,
        "kernel": platform.release(),
        "system": system.group(1) if system else "unknown",
        "compiler": _first_line(cmake_cache(build, "CMAKE_CXX_COMPILER") or "c++", "--version"),
        "flags": cmake_cache(build, f"CMAKE_CXX_FLAGS_{kind.upper()}") if kind else "",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def loaded(machine: dict[str, Any]) -> bool:
    return bool(machine["load_before"] > 0.5 * machine["cores"])
