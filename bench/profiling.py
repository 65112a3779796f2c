"""`make profile SUITE=tcp.unary`: where a suite's time goes, and what one of its calls costs.

perf's samples become a flame graph (SVG) where perf works; callgrind's counts, by function, where it does not. Both,
and a table of counts per call, go to build/profile/SUITE.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import counts
import flames
import tables
from contestants import Contestant, Installation
from counts import Commands
from measure import MeasureError, start_line
from run import ROOT, Run, choose
from suites import Suite

CALLS = 2000  # of each of the two runs that a figure comes from
WORKS = ("unary", "calls", "threads", "connect", "put", "echo")
"""Works whose client can be told how many calls to make, and that end by themselves."""


def commands_of(suite: Suite, contestant: Contestant, run: Run) -> Commands:
    server, client = run.commands(suite, contestant)
    return Commands(server, client)


def folder(directory: Path, contestant: Contestant) -> Path:
    """Where callgrind's files of a contestant are kept."""
    there = directory / contestant.name.replace(" ", "-").replace(",", "")
    there.mkdir(parents=True, exist_ok=True)
    return there


def flame(commands: Commands, seconds: float, to: Path) -> bool:
    """Client and server sampled together; False where perf does not work."""
    if shutil.which("perf") is None:
        return False
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch, "perf.data")
        server = subprocess.Popen(commands.server, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        try:
            address = start_line(server, counts.LIMIT)
            client = subprocess.Popen(
                [*commands.client, address, "--seconds", str(seconds)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
            record = [
                "perf",
                "record",
                "-q",
                "-F",
                "997",
                "-e",
                "cpu-clock",
                "--call-graph",
                "dwarf,16384",
                "-o",
                str(data),
            ]
            pids = ["-p", f"{server.pid},{client.pid}", "--", "sleep", str(seconds)]
            done = subprocess.run([*record, *pids], capture_output=True, text=True, check=False)
            client.wait()
        finally:
            server.kill()
            server.wait()
        script = subprocess.run(["perf", "script", "-i", str(data)], capture_output=True, text=True, check=False)
        stacks = flames.fold(script.stdout)
        if not stacks:
            print(f"profile: perf: {(done.stderr or script.stderr).strip()}")
            return False
        to.write_text(flames.draw(stacks), encoding="utf-8")
        return True


def hottest(directory: Path) -> str:
    """callgrind's functions, the dearest first."""
    files = sorted(directory.glob("callgrind.client.*"))
    if not files or shutil.which("callgrind_annotate") is None:
        return ""
    done = subprocess.run(
        ["callgrind_annotate", "--threshold=80", str(files[-1])], capture_output=True, text=True, check=False
    )
    return done.stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build-dir", type=Path, default=ROOT / "build" / "release")
    parser.add_argument("--suite", default=os.environ.get("SUITE", "tcp.unary"))
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--seconds", type=float, default=3.0, help="of sampling")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "profile")
    options = parser.parse_args()
    programs = Installation(options.build_dir.resolve(), ROOT / "build" / "bench-peers")
    preload = programs.build / "bench" / "bench_preload.so"
    for suite in choose(options.suite, quick=False):
        if suite.work not in WORKS or suite.name.startswith("python"):
            print(f"profile: {suite.name}: only {', '.join(WORKS)} in C++ can be profiled")
            continue
        directory = (options.output / suite.name).resolve()
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            run = Run(programs, directory=scratch, peers=set())
            try:
                rows = {
                    c.name: counts.row(commands_of(suite, c, run), preload, options.calls, folder(directory, c))
                    for c in filter(run.takes_part, suite.contestants)
                }
            except MeasureError as failure:
                sys.exit(f"profile: {suite.name}: {failure}")
            text = "\n".join(tables.counts(rows)) + "\n"
            (directory / "counts.md").write_text(text, encoding="utf-8")
            print(f"Per call, client + server:\n\n{text}", flush=True)
            for contestant in filter(lambda c: c.is_leat, suite.contestants):
                picture = directory / "flame.svg"
                if flame(commands_of(suite, contestant, run), options.seconds, picture):
                    print(f"profile: {suite.name}: {picture}")
                else:
                    text = hottest(folder(directory, contestant))
                    (directory / "callgrind.txt").write_text(text, encoding="utf-8")
                    print(f"profile: {suite.name}: perf does not work here; see {directory / 'callgrind.txt'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
