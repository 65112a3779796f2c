"""Starts peers of both languages, gives them commands and watches their memory."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("LEAT_BUILD_DIR", ROOT / "build" / "release"))
PROGRAMS = {
    "cpp": [str(BUILD / "tests" / "interop" / "interop_peer")],
    "python": [sys.executable, str(Path(__file__).with_name("peer.py"))],
}
LANGUAGES = list(PROGRAMS)
PROGRAMS["aio"] = [sys.executable, str(Path(__file__).with_name("aio_peer.py"))]  # behaviours alone
TRANSPORTS = ["tcp", "zmq+tcp"]


class Child:
    """A peer, its answers and its log."""

    def __init__(self, language: str, role: str, urls: Sequence[str], log: Path) -> None:
        self.log = log
        self._errors: IO[bytes] = log.open("wb")
        self.process = subprocess.Popen(
            [*PROGRAMS[language], role, *urls],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        try:
            self.first = self.read()
        except AssertionError:
            self.end()
            raise

    def read(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            raise AssertionError(f"the peer ended with {code}: {self.log.read_text(errors='replace')[-2000:]}")
        return json.loads(line)

    def tell(self, command: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def ask(self, command: str) -> dict[str, Any]:
        self.tell(command)
        answer: dict[str, Any] = self.read()
        assert "wrong" not in answer, f"{command}: {answer['wrong']}"
        return answer

    def logged(self) -> str:
        return self.log.read_text(errors="replace")

    # Memory in MiB.

    def _status(self, field: str) -> float:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) / 1024
        raise AssertionError(f"/proc/status has no {field}")

    def resident(self) -> float:
        """Now; and from now on peak() counts."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        return self._status("VmRSS")

    def peak(self) -> float:
        return self._status("VmHWM")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self._errors):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


def wait_until(condition: Any, seconds: float = 5.0) -> bool:
    """Asks until the answer is yes or time is up."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
