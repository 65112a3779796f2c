"""What one call costs in things that do not drift with the machine: instructions, system calls, wake-ups,
allocations, copies, at client and server.

Each figure is taken from two runs of so many calls and of more, whose difference leaves start and end out.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from measure import MeasureError as MeasureError
from measure import start_line

SIDES = ("client", "server")
LIMIT = 120.0  # seconds for one client


@dataclass(frozen=True)
class Commands:
    """A contestant's two programs; the client's lacks the address and the number of calls."""

    server: list[str]
    client: list[str]


Wrap = Callable[[str, list[str]], list[str]]
"""Puts a tool before a side's command."""
Usage = dict[str, resource.struct_rusage]
"""What each side used, all its threads together, once both have ended."""


def _wait(process: subprocess.Popen[str], limit: float) -> resource.struct_rusage | None:
    """None if it has not ended in time. As Popen.wait(), which does not tell what was used."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage
        time.sleep(0.01)
    return None


def _end(process: subprocess.Popen[str], usage: Usage, side: str, limit: float) -> None:
    used = _wait(process, limit)
    if used is None:
        process.kill()
        process.wait()
    else:
        usage[side] = used


@contextmanager
def _both(commands: Commands, calls: int, wrap: Wrap) -> Iterator[tuple[int, Usage]]:
    """Runs until the client has ended; the server's pid, and what comes to be known when it has ended, too."""
    usage: Usage = {}
    with tempfile.TemporaryFile("w+") as errors:
        server = subprocess.Popen(
            wrap("server", commands.server), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        try:
            command = wrap("client", [*commands.client, start_line(server, LIMIT), "--calls", str(calls)])
            client = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, text=True
            )
            _end(client, usage, "client", LIMIT)
            if client.returncode != 0:
                errors.seek(0)
                raise MeasureError(errors.read().strip() or f"exit code {client.returncode}")
            yield server.pid, usage
        finally:
            os.kill(server.pid, signal.SIGTERM)  # send_signal() might reap it
            _end(server, usage, "server", 10)
            assert server.stdout is not None
            server.stdout.close()


def _per_call(few: float, many: float, calls: int) -> float:
    return max(0.0, (many - few) / calls)


def _twice(measured: Callable[[int], dict[str, float]], calls: int) -> dict[str, float]:
    """From a run of `calls` and one of twice as many."""
    few, many = measured(calls), measured(2 * calls)
    return {side: _per_call(few[side], many[side], calls) for side in SIDES}


def memory(commands: Commands, preload: Path, calls: int) -> dict[str, dict[str, float]]:
    """Allocations, and copies of 64 bytes and more that are calls of memcpy or memmove."""

    def measured(number: int) -> dict[str, tuple[int, ...]]:
        with tempfile.TemporaryDirectory() as directory:

            def wrap(side: str, command: list[str]) -> list[str]:
                return ["env", f"LD_PRELOAD={preload}", f"LEAT_BENCH_COUNTS={directory}/{side}", *command]

            with _both(commands, number, wrap):
                pass
            return {side: struct.unpack("4Q", Path(directory, side).read_bytes()) for side in SIDES}

    few, many = measured(calls), measured(2 * calls)
    kinds = {"allocations": 0, "copies": 2}
    return {
        name: {side: _per_call(few[side][place], many[side][place], calls) for side in SIDES}
        for name, place in kinds.items()
    }


def system_calls(commands: Commands, calls: int) -> dict[str, float] | None:
    """By strace; None where there is none, or it may not trace."""
    if shutil.which("strace") is None:
        return None

    def measured(number: int) -> dict[str, float]:
        with tempfile.TemporaryDirectory() as directory:
            prefix = ["strace", "-f", "-c", "-U", "calls,name", "-o"]
            with _both(commands, number, lambda side, command: [*prefix, f"{directory}/{side}", *command]) as (
                server,
                _,
            ):
                # strace passes no SIGTERM on, but ends, with its report, when what it traces does
                for child in Path(f"/proc/{server}/task/{server}/children").read_text().split():
                    subprocess.run(["kill", child], check=False)
                time.sleep(0.3)
            return {side: _total(Path(directory, side).read_text()) for side in SIDES}

    try:
        return _twice(measured, calls)
    except (MeasureError, ZeroDivisionError):
        return None


def _total(report: str) -> float:
    found = re.search(r"^\s*(\d+)\s+total$", report, re.MULTILINE)
    assert found is not None
    return float(found.group(1))


def wake_ups(commands: Commands, calls: int) -> dict[str, float]:
    """Voluntary context switches: how often a thread went to sleep, and had to be woken."""

    def measured(number: int) -> dict[str, float]:
        with _both(commands, number, lambda _, command: command) as (_, usage):
            pass
        return {side: float(usage[side].ru_nvcsw) for side in SIDES}

    return _twice(measured, calls)


def instructions(commands: Commands, calls: int, kept: Path | None = None) -> dict[str, float] | None:
    """By callgrind, which counts the same on every machine; None where there is none. Keeps its files in `kept`."""
    if shutil.which("valgrind") is None:
        return None

    def measured(number: int) -> dict[str, float]:
        with tempfile.TemporaryDirectory() as directory:
            where = kept or Path(directory)
            tool = ["valgrind", "--tool=callgrind", "--quiet"]
            files = {side: where / f"callgrind.{side}.{number}" for side in SIDES}
            wrap: Wrap = lambda side, command: [*tool, f"--callgrind-out-file={files[side]}", *command]  # noqa: E731
            with _both(commands, number, wrap):
                pass
            return {side: _instructions(files[side]) for side in SIDES}

    return _twice(measured, calls)


def _instructions(file: Path) -> float:
    found = re.search(r"^(?:summary|totals):\s*(\d+)", file.read_text(errors="replace"), re.MULTILINE)
    if found is None:
        raise MeasureError(f"{file.name}: callgrind wrote no total")
    return float(found.group(1))


Row = dict[str, dict[str, float] | None]
"""By column and side; None where it can't be counted."""


def row(commands: Commands, preload: Path, calls: int, kept: Path | None = None) -> Row:
    """All that a call costs. Callgrind is slow: it sees a sixth of the calls."""
    return {
        "instructions": instructions(commands, max(1, calls // 6), kept),
        "system calls": system_calls(commands, calls),
        "wake-ups": wake_ups(commands, calls),
        **memory(commands, preload, calls),
    }
