"""Starts contestants, collects what their clients print, and ends those that hang."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import histogram
from hdrh.histogram import HdrHistogram

HERE = Path(__file__).resolve().parent
START_LIMIT = 60.0  # seconds until a server must have printed its address (hypha's takes ten)
ROUND_LIMIT = 30.0  # seconds beyond its measuring time until a client is ended as hanging


# clock_getcpuclockid(3), which Python has for threads only: the clock of another process.
_CPUCLOCK_SCHED = 2


FIGURES = {"calls", "seconds", "bytes", "cpu_per_call"}
"""What every client prints."""


class MeasureError(Exception):
    """A contestant could not be measured, or gave a wrong answer."""


@dataclass(frozen=True)
class Round:
    """One round of one contestant; times in seconds, per call."""

    calls: int
    seconds: float
    bytes: int
    """Moved by all calls; 0 if that is not what the work is about."""
    cpu_per_call: float
    server_cpu_per_call: float
    p50: float = 0
    """0, and so the others, where the times of single calls say nothing (items of a stream)."""
    p99: float = 0
    p999: float = 0
    extra: dict[str, float] = field(default_factory=dict)
    """What only some workloads measure (priority.h)."""
    histogram: HdrHistogram | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Placement:
    """The processors that each of the two peers may use; None: all."""

    server: set[int] | None = None
    client: set[int] | None = None


def placements() -> dict[str, Placement]:
    """As the system likes, and both on one core (the last one).

    Left free, the system puts two peers that wake each other now on one core and now on two.
    """
    cores = sorted(os.sched_getaffinity(0))
    return {"free": Placement(), "one core": Placement({cores[-1]}, {cores[-1]})}


def pinned(command: Sequence[str], cores: set[int] | None) -> list[str]:
    if cores is None:
        return list(command)
    return ["taskset", "--cpu-list", ",".join(map(str, sorted(cores))), *command]


def _environment() -> dict[str, str]:
    """Contestants in Python import contestant.py from here."""
    path = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": f"{HERE}{os.pathsep}{path}" if path else str(HERE)}


def _family(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _family(int(child))


def cpu_time(pid: int) -> float:
    """Seconds on a processor, of all threads that there ever were, in the process and its children."""
    total = 0.0
    for process in _family(pid):
        with contextlib.suppress(OSError):  # a child may end meanwhile
            total += time.clock_gettime(~process << 3 | _CPUCLOCK_SCHED)
    return total


def start_line(process: subprocess.Popen[str], limit: float) -> str:
    """The address that a server prints; empty if it prints none in time."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], limit)
    return process.stdout.readline().strip() if ready else ""


class Server:
    def __init__(self, command: Sequence[str], cores: set[int] | None) -> None:
        self.name = Path(command[0]).name
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  # closed with the server
        self._process = subprocess.Popen(
            pinned(command, cores),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=_environment(),
            start_new_session=True,
        )
        self.address = start_line(self._process, START_LIMIT)
        if not self.address:
            reason = self.last_words() or f"printed no address within {START_LIMIT:.0f} s"
            self.close()
            raise MeasureError(f"server: {reason}")

    def last_words(self) -> str:
        self.errors.seek(0)
        lines = self.errors.read().strip().splitlines()
        return lines[-1] if lines else ""

    def cpu(self) -> float:
        return cpu_time(self._process.pid)

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self.errors.close()


@contextlib.contextmanager
def serving(command: Sequence[str], cores: set[int] | None) -> Iterator[Server]:
    server = Server(command, cores)
    try:
        yield server
    finally:
        server.close()


def _run(command: list[str], limit: float) -> tuple[int, str, str]:
    """Ended with all its children when it takes longer than the limit."""
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(),
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise MeasureError(f"hung; ended after {time.monotonic() - started:.0f} s") from None
    return process.returncode, output, errors


def figures_of(output: str) -> dict[str, Any]:
    """The line of JSON that a client printed; libraries may print what they like around it."""
    for line in reversed(output.splitlines()):
        with contextlib.suppress(ValueError):
            found = json.loads(line)
            if isinstance(found, dict) and found.keys() >= FIGURES:
                return found
    raise MeasureError("printed no figures")


def run_round(
    command: Sequence[str],
    server: Server,
    cores: set[int] | None,
    seconds: float,
    warm_up: float,
    limit: float = ROUND_LIMIT,
) -> Round:
    """One client process, which checks every answer; a wrong one raises MeasureError."""
    with tempfile.TemporaryDirectory() as directory:
        samples = Path(directory) / "samples"
        options = ["--seconds", str(seconds), "--warm-up", str(warm_up), "--samples", str(samples)]
        cpu_before = server.cpu()
        code, output, errors = _run(pinned([*command, server.address, *options], cores), seconds + warm_up + limit)
        if code != 0:
            raise MeasureError(errors.strip().splitlines()[-1] if errors.strip() else f"exit code {code}")
        # The server's share of the warm-up and of the start is counted too: it is small, and the same for all.
        cpu = (server.cpu() - cpu_before) * seconds / (seconds + warm_up)
        figures = figures_of(output)
        known = {name: figures.pop(name) for name in FIGURES}
        extra = dict(figures)
        times: dict[str, Any] = {}
        whole = None
        if samples.exists():
            whole = histogram.read(samples)
            times = vars(histogram.quantiles(whole))
        idle = samples.with_suffix(".idle")
        if idle.exists():
            extra |= {f"idle_{name}": value for name, value in vars(histogram.quantiles(histogram.read(idle))).items()}
    return Round(**known, server_cpu_per_call=cpu / known["calls"], **times, extra=extra, histogram=whole)
