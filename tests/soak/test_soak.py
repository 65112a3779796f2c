"""The slow reader: what a stream costs that nobody reads, and what it does to the calls beside it.

`python test_soak.py --log FILE` is `make soak`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("LEAT_BUILD_DIR", ROOT / "build" / "release"))
PROGRAM = str(BUILD / "tests" / "soak" / "soak_peer")
TRANSPORTS = ["tcp", "zmq+tcp"]
GROWTH = 64.0  # MiB that either process may grow by
SIDES = ("server", "client")


class Memory:
    """Resident MiB of a process, as the kernel tells."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._directory = Path(f"/proc/{process.pid}")

    def _read(self, name: str) -> float:
        for line in (self._directory / "status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / 1024
        raise AssertionError(f"/proc/status has no {name}")

    def now(self) -> float:
        return self._read("VmRSS")

    def peak(self) -> float:
        """Since the last forget_peak()."""
        return self._read("VmHWM")

    def forget_peak(self) -> None:
        (self._directory / "clear_refs").write_text("5")


@dataclass
class Outcome:
    phases: list[dict[str, Any]] = field(default_factory=list)
    stream: dict[str, Any] = field(default_factory=dict)
    growth: dict[str, float] = field(default_factory=dict)  # MiB by side, peak above idle

    def problems(self) -> list[str]:
        found = [f"{phase['failures']} calls failed: {phase['phase']}" for phase in self.phases if phase["failures"]]
        if self.stream["stream"] != "cancelled":
            found.append(f"the stream ended as {self.stream['stream']}")
        found += [f"the {side} grew by {mib:.1f} MiB" for side, mib in self.growth.items() if mib >= GROWTH]
        return found


def run(transport: str, idle: float, reading: float, standing: float, say: Callable[[str], None]) -> Outcome:
    server = subprocess.Popen([PROGRAM, "server", f"{transport}://127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    url = json.loads(server.stdout.readline())["url"]
    plan = ["--idle", str(idle), "--reading", str(reading), "--standing", str(standing)]
    client = subprocess.Popen([PROGRAM, "client", url, *plan], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert client.stdout is not None
    assert client.stdin is not None
    outcome = Outcome()
    try:
        memories = {"server": Memory(server), "client": Memory(client)}
        before: dict[str, float] = {}
        for line in client.stdout:
            answer = json.loads(line)
            if "stream" in answer:
                outcome.stream = answer
                break
            outcome.phases.append(answer)
            words = ", ".join(f"{side} {memory.now():.1f}" for side, memory in memories.items())
            say(
                f"  {answer['phase']:25} {answer['calls']:6} calls, {answer['rate']:5.0f}/s, "
                f"{answer['failures']} failed, p50 {answer['p50']:5.0f} us, p99 {answer['p99']:6.0f} us; MiB: {words}"
            )
            if not before:
                before = {side: memory.now() for side, memory in memories.items()}
                for memory in memories.values():
                    memory.forget_peak()
            outcome.growth = {side: memory.peak() - before[side] for side, memory in memories.items()}
            client.stdin.write("go on\n")
            client.stdin.flush()
    finally:
        for process in (client, server):
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
    say(f"  {outcome.stream['read'] / 1e6:.1f} MB of 10 GB were read; the stream ended as {outcome.stream['stream']}")
    grown = ", ".join(f"{side} {mib:.1f} MiB" for side, mib in outcome.growth.items())
    say(f"  peak above idle ({GROWTH:.0f} MiB allowed): {grown}")
    return outcome


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_slow_reader_costs_little_and_delays_nobody(transport: str, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print()
        outcome = run(transport, idle=0.5, reading=1.5, standing=1.0, say=print)
    assert not outcome.problems()
    assert outcome.phases[1]["calls"] == 1500
    assert 0.5e6 < outcome.stream["read"] < 3e6  # slowly, but read


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, default=BUILD / "test-logs" / "soak.txt")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT / "scripts"))
    from evidence import Evidence

    with Evidence(options.log, "make soak") as log:
        problems = []
        for transport in TRANSPORTS:
            log.say(
                f"{transport}: 10 GB in items of 64 KiB, read at 1 MB/s for 60 s, then not for 30 s, then cancelled"
            )
            problems += run(transport, idle=10, reading=60, standing=30, say=log.say).problems()
        log.result(not problems, "; ".join(problems) or "no call failed, and both processes stayed below the bound")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
