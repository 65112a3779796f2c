"""Runs bench/ as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("LEAT_BUILD_DIR", ROOT / "build" / "release"))


def bench(results: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """A run as short as can be, with no peers unless they are asked for."""
    command = [sys.executable, str(ROOT / "bench" / "run.py"), "--build-dir", str(BUILD), "--rounds", "1"]
    if "--peers" not in options:
        command += ["--peers", "none"]
    if "--counts" not in options:
        command += ["--no-counts"]
    options = tuple(option for option in options if option != "--counts")
    return subprocess.run(
        [*command, "--seconds", "0.03", "--results", str(results), *options],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
