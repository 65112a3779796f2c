"""Starts contestants and collects what their clients print."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

START_LIMIT = 10.0  # seconds until a server must have printed its address
ROUND_LIMIT = 30.0  # seconds beyond its measuring time until a client is ended as hanging


class MeasureError(Exception):
    """A contestant could not be measured, or gave a wrong answer."""


@dataclass(frozen=True)
class Round:
    """One round of one contestant; times in seconds, per call."""

    calls: int
    seconds: float
    mean: float
    p50: float
    p99: float
    p999: float
    cpu_per_call: float
    server_cpu_per_call: float


@dataclass(frozen=True)
class Placement:
    """The processors that each of the two peers may use; None: all."""

    server: set[int] | None = None
    client: set[int] | None = None


def placements() -> dict[str, Placement]:
    """As the system likes; both on one core (the last one); each on one of its own, if there are two.

    Left free, the system puts two peers that wake each other now on one core and now on two.
    """
    cores = sorted(os.sched_getaffinity(0))
    found = {"free": Placement(), "one core": Placement({cores[-1]}, {cores[-1]})}
    if len(cores) > 1:
        found["two cores"] = Placement({cores[-1]}, {cores[-2]})
    return found


def pinned(command: Sequence[str], cores: set[int] | None) -> list[str]:
    if cores is None:
        return list(command)
    return ["taskset", "--cpu-list", ",".join(map(str, sorted(cores))), *command]


def cpu_time(pid: int) -> float:
    """Seconds on a processor, of all threads that live."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # a thread may end meanwhile
            total += int((task / "schedstat").read_text().split()[0])
    return total * 1e-9


class Server:
    def __init__(self, command: Sequence[str], cores: set[int] | None) -> None:
        self.name = Path(command[0]).name
        self._process = subprocess.Popen(
            pinned(command, cores), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], START_LIMIT)
        self.address = self._process.stdout.readline().strip() if ready else ""
        if not self.address:
            self.close()
            raise MeasureError(f"{self.name} server: printed no address within {START_LIMIT:.0f} s")

    def cpu(self) -> float:
        return cpu_time(self._process.pid)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def serving(command: Sequence[str], cores: set[int] | None) -> Iterator[Server]:
    server = Server(command, cores)
    try:
        yield server
    finally:
        server.close()


def run_round(command: Sequence[str], server: Server, cores: set[int] | None, seconds: float, warm_up: float) -> Round:
    """One client process, which checks every answer; a wrong one raises MeasureError."""
    options = ["--seconds", str(seconds), "--warm-up", str(warm_up)]
    name = Path(command[0]).name
    cpu_before = server.cpu()
    started = time.monotonic()
    try:
        done = subprocess.run(
            pinned([*command, server.address, *options], cores),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds + warm_up + ROUND_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise MeasureError(f"{name}: hung; ended after {time.monotonic() - started:.0f} s") from None
    if done.returncode != 0:
        reason = done.stderr.strip() or f"exit code {done.returncode}"
        raise MeasureError(f"{name}: {reason}")
    figures = json.loads(done.stdout)
    # The server's share of the warm-up and of the start is counted too: it is small, and the same for all.
    cpu = server.cpu() - cpu_before
    share = seconds / (seconds + warm_up)
    return Round(server_cpu_per_call=cpu * share / figures["calls"], **figures)
