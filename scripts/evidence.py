"""The log of a long run, as docs/evidence/ keeps it: commit, date, command, what happened, result."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parent.parent


def commit() -> str:
    """The commit that runs, and whether files differ from it."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" with changes" if changed else "")


class Evidence:
    """Prints what it is told and writes it to a file."""

    def __init__(self, path: Path, command: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8")
        self.say(f"commit: {commit()}")
        self.say(f"date: {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC")
        self.say(f"command: {command}")
        self.say(f"machine: {platform.system()} {platform.machine()}, {os.cpu_count()} processors")
        self.say("")

    def say(self, line: str) -> None:
        print(line, flush=True)
        self._file.write(line + "\n")
        self._file.flush()

    def result(self, good: bool, line: str) -> None:
        self.say("")
        self.say(f"result: {'passed' if good else 'FAILED'}: {line}")

    def __enter__(self) -> Evidence:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.result(False, f"{type(error).__name__}: {error}")
        self._file.close()
