"""Runs test programs and counts what they say: gtest programs as ctest lists them, and pytest.

Every count comes from a JUnit file that the runner wrote itself. A program that writes none (it crashed, or
it is no gtest program) counts as one test, passed or failed by its exit code.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# Programs with these labels neither open sockets nor measure time: they may share the machine.
QUIET_LABELS = {"unit", "sim"}
# Process groups of the programs that run now, which end with this process.
running: set[int] = set()


def end_programs(signal_number: int, _frame: object) -> None:
    for group in list(running):
        kill_group(group)
    os._exit(128 + signal_number)


def kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def end_programs_with_this() -> None:
    """For scripts: nothing that they have started outlives them."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end_programs)


@dataclass
class Tally:
    """What a runner counted; tallies add up."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def __iadd__(self, other: Tally) -> Tally:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        return self

    @property
    def total(self) -> int:
        return self.passed + len(self.failed) + len(self.skipped)

    @property
    def good(self) -> bool:
        """Nothing failed, and something ran: a run without a test proves nothing."""
        return not self.failed and self.passed > 0

    def line(self) -> str:
        return f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped"


def read_junit(path: Path, exit_code: int, name: str) -> Tally:
    """Counts one JUnit file; an exit code that contradicts it counts as a failure of its own."""
    tally = Tally()
    try:
        cases = list(ET.parse(path).iter("testcase"))
    except (OSError, ET.ParseError):
        cases = None
    if cases is None:
        if exit_code == 0:
            tally.passed = 1
        else:
            tally.failed.append(f"{name}: ended with {describe_exit(exit_code)} and no report")
        return tally
    for case in cases:
        title = f"{name}: {case.get('classname', '')}.{case.get('name', '')}"
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            tally.failed.append(title)
        elif skip is not None:
            reason = " ".join((skip.get("message") or skip.text or "no reason given").split())
            tally.skipped.append(f"{title}: {reason}")
        elif case.get("status") == "notrun":
            tally.skipped.append(f"{title}: disabled")
        else:
            tally.passed += 1
    if exit_code != 0 and not tally.failed:
        tally.failed.append(f"{name}: its tests passed, but it ended with {describe_exit(exit_code)}")
    return tally


def describe_exit(code: int) -> str:
    if code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"


@dataclass
class Program:
    """One test that ctest lists."""

    name: str
    command: list[str]
    labels: set[str]
    timeout: float
    directory: str | None
    environment: dict[str, str]


def list_programs(build: Path, labels: set[str] | None) -> list[Program]:
    listing = subprocess.run(
        ["ctest", "--test-dir", str(build), "--show-only=json-v1"],
        check=True,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    ).stdout
    programs = []
    for test in json.loads(listing)["tests"]:
        properties: dict[str, Any] = {p["name"]: p["value"] for p in test.get("properties", [])}
        own_labels = set(properties.get("LABELS", []))
        if labels is not None and not own_labels & labels:
            continue
        environment = dict(entry.split("=", 1) for entry in properties.get("ENVIRONMENT", []))
        programs.append(
            Program(
                name=test["name"],
                command=test.get("command", []),
                labels=own_labels,
                timeout=float(properties.get("TIMEOUT", 300)),
                directory=properties.get("WORKING_DIRECTORY"),
                environment=environment,
            )
        )
    return programs


def run_program(program: Program, logs: Path, environment: dict[str, str]) -> Tally:
    report = logs / f"{program.name}.xml"
    log = logs / f"{program.name}.log"
    report.unlink(missing_ok=True)
    if not program.command:
        return Tally(failed=[f"{program.name}: was not built"])
    started = time.monotonic()
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                program.command,
                cwd=program.directory,
                env={**os.environ, **environment, **program.environment, "GTEST_OUTPUT": f"xml:{report}"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return Tally(failed=[f"{program.name}: {error}"])
        running.add(process.pid)
        timed_out = False
        try:
            process.wait(program.timeout)
        except subprocess.TimeoutExpired:
            timed_out = True
        kill_group(process.pid)  # whatever the test left behind goes with it
        code = process.wait()
        running.discard(process.pid)
    took = time.monotonic() - started
    if timed_out:
        tally = Tally(failed=[f"{program.name}: took more than {program.timeout:.0f} s"])
    else:
        tally = read_junit(report, code, program.name)
    word = "FAILED" if tally.failed else "ok"
    print(f"  {word:6} {program.name} ({tally.line()}, {took:.1f} s)", flush=True)
    if tally.failed:
        lines = log.read_text(errors="replace").splitlines()
        print("\n".join(f"    | {line}" for line in lines[-80:]), flush=True)
    return tally


def run_programs(
    build: Path,
    labels: set[str] | None = None,
    environment: dict[str, str] | None = None,
    jobs: int | None = None,
) -> Tally:
    """Runs the test programs of a build tree, or those of them with one of the labels."""
    logs = build / "test-logs"
    logs.mkdir(parents=True, exist_ok=True)
    programs = list_programs(build, labels)
    quiet = [p for p in programs if p.labels and p.labels <= QUIET_LABELS]
    others = [p for p in programs if p not in quiet]
    print(f"{build.relative_to(ROOT)}: {len(programs)} test programs", flush=True)
    tally = Tally()
    extra = environment or {}
    with concurrent.futures.ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        for result in pool.map(lambda p: run_program(p, logs, extra), quiet):
            tally += result
    for program in others:
        tally += run_program(program, logs, extra)
    return tally


def run_pytest(name: str, arguments: list[str], report: Path, environment: dict[str, str] | None = None) -> Tally:
    """Runs pytest in a process of its own, its output passed on as it comes."""
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    print(f"{name}: pytest {' '.join(arguments)}", flush=True)
    code = subprocess.run(
        [sys.executable, "-m", "pytest", f"--junitxml={report}", *arguments],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        check=False,
    ).returncode
    if code == 5:  # nothing collected
        return Tally(failed=[f"{name}: pytest found no test"])
    return read_junit(report, code, name)


def close(tally: Tally) -> int:
    """Prints skips and failures and, last, the one line of counts; returns the exit code."""
    for skip in tally.skipped:
        print(f"skipped: {skip}")
    for failure in tally.failed:
        print(f"FAILED: {failure}")
    if tally.total == 0:
        print("no test ran")
    print(tally.line(), flush=True)
    return 0 if tally.good else 1
