"""Servers that are killed: nothing hangs, nothing runs twice that must not, and nobody has to connect again.

`python test_crash.py --rounds 100 --log FILE` is `make crash ROUNDS=100`.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("LEAT_BUILD_DIR", ROOT / "build" / "release"))
PROGRAMS = {
    "cpp": [str(BUILD / "tests" / "crash" / "crash_peer")],
    "python": [sys.executable, str(Path(__file__).with_name("crash.py"))],
}
TRANSPORTS = ["tcp", "zmq+tcp"]
PAIRS = [("cpp", "cpp"), ("python", "python"), ("python", "cpp"), ("cpp", "python")]  # server, client
CASES = [(transport, *pair) for transport in TRANSPORTS for pair in PAIRS]
PENDING = 1000
THREADS = 6


class Child:
    def __init__(self, language: str, role: str, url: str, journal: Path) -> None:
        command = [*PROGRAMS[language], role, url, str(journal)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.first = self.read()

    def read(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the peer ended with {self.process.wait()}"
        answer = json.loads(line)
        assert "wrong" not in answer, answer
        return answer

    def ask(self, command: str) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.read()

    def kill(self) -> None:
        """SIGKILL; returns once nothing is left of it."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


class Scene:
    """A server that can be killed and started again at the same URL, and a client that knows of nothing."""

    def __init__(self, directory: Path, transport: str, server: str, client: str) -> None:
        self.ran, self.ended = directory / "ran.txt", directory / "ended.txt"
        self._language = server
        self.server = Child(server, "server", f"{transport}://127.0.0.1:0", self.ran)
        self.url = self.server.first[0]
        self.client = Child(client, "client", self.url, self.ended)

    def restart(self) -> None:
        self.server = Child(self._language, "server", self.url, self.ran)

    def __enter__(self) -> Scene:
        return self

    def __exit__(self, *error: object) -> None:
        self.client.kill()
        self.server.kill()


@dataclass
class Counts:
    """What came of the calls: how each kind ended, and how often each id reached a handler."""

    ends: collections.Counter[str] = field(default_factory=collections.Counter)
    problems: list[str] = field(default_factory=list)
    repeated_looks: int = 0


def compare(ran: Path, ended: Path, calls: int) -> Counts:
    """Holds what the handlers wrote down against what the callers were told."""
    runs = collections.Counter(tuple(line.split()) for line in ran.read_text().splitlines())
    counts = Counts()
    seen: set[str] = set()
    for line in ended.read_text().splitlines():
        kind, number, how = line.split()
        times = runs[kind, number]
        counts.ends[f"{'Work' if kind == 'w' else 'Look'} {how}"] += 1
        if number in seen:
            counts.problems.append(f"call {number} ended twice")
        seen.add(number)
        if how == "ok" and times == 0:
            counts.problems.append(f"call {number} ended as ok and never ran")
        if how.endswith("/not_started") and times > 0:
            counts.problems.append(f"call {number} was said not to have started, and ran")
        if how not in ("ok", "unavailable/unknown", "unavailable/not_started"):
            counts.problems.append(f"call {number} ended as {how}")
    if len(seen) != calls:
        counts.problems.append(f"{calls} calls, {len(seen)} of which ended")
    for (kind, number), times in runs.items():
        if kind == "w" and times > 1:
            counts.problems.append(f"call {number} ran {times} times and is not idempotent")
        counts.repeated_looks += kind == "l" and times > 1
    return counts


def kill_and_restart(scene: Scene, rounds: int, chance: random.Random) -> Counts:
    """Calls from several threads while the server is killed and comes back, again and again."""
    scene.client.ask(f"begin {THREADS}")
    for _ in range(rounds):
        time.sleep(chance.uniform(0.02, 0.3))
        scene.server.kill()
        time.sleep(chance.uniform(0.0, 0.1))
        scene.restart()
    answer = scene.client.ask("wait_ready")
    assert answer["how"] == "ok", answer
    assert answer["epoch"] > 1, "the connection was never made anew"
    stopped = scene.client.ask("stop")
    assert stopped["in_flight"] == 0, stopped
    return compare(scene.ran, scene.ended, stopped["calls"] - 1)  # wait_ready's is in no journal of the client


def fail_the_pending(scene: Scene) -> tuple[float, dict[str, int]]:
    """Seconds from SIGKILL to the end of the last of the calls that wait, and how they ended."""
    scene.client.ask(f"pending {PENDING}")
    time.sleep(0.3)  # until all are on their way
    killed = time.monotonic()
    scene.server.process.kill()
    answer = scene.client.read()
    scene.server.kill()
    assert answer["ends"] == PENDING, answer
    return answer["last"] - killed, answer["how"]


@pytest.mark.parametrize(("transport", "server", "client"), CASES)
def test_sigkill_fails_what_is_pending_and_a_restart_is_used(
    tmp_path: Path, transport: str, server: str, client: str
) -> None:
    with Scene(tmp_path, transport, server, client) as scene:
        took, how = fail_the_pending(scene)
        assert how == {"unavailable/unknown": PENDING}
        assert 0 < took < 1
        scene.restart()
        answer = scene.client.ask("wait_ready")
        assert answer["how"] == "ok"
        assert answer["epoch"] == 2


@pytest.mark.parametrize(("transport", "server", "client"), CASES)
def test_no_call_that_is_not_idempotent_runs_twice(tmp_path: Path, transport: str, server: str, client: str) -> None:
    with Scene(tmp_path, transport, server, client) as scene:
        counts = kill_and_restart(scene, 3, random.Random(4))
    assert not counts.problems, "\n".join(counts.problems[:20])
    assert counts.ends["Work ok"] > 0
    assert counts.ends["Look ok"] > 0


def report(say: Callable[[str], None], rounds: int, seed: int, transport: str, server: str, client: str) -> bool:
    say(f"{client} client, {server} server, {transport}")
    with tempfile.TemporaryDirectory() as directory, Scene(Path(directory), transport, server, client) as scene:
        took, how = fail_the_pending(scene)
        good = how == {"unavailable/unknown": PENDING} and took < 1
        say(f"  SIGKILL failed {PENDING} pending calls within {took * 1000:.0f} ms (1000 allowed): {how}")
        scene.restart()
        answer = scene.client.ask("wait_ready")
        say(f"  the restarted server was used without another connect: {answer['how']}, epoch {answer['epoch']}")
    with tempfile.TemporaryDirectory() as directory, Scene(Path(directory), transport, server, client) as scene:
        counts = kill_and_restart(scene, rounds, random.Random(seed))
    say(f"  {rounds} rounds of kill and restart, {THREADS} threads: {counts.ends.total()} calls, each ended once")
    for end, count in sorted(counts.ends.items()):
        say(f"    {count:8} {end}")
    say(f"    {counts.repeated_looks:8} Look ran more than once (idempotent: tried again)")
    twice = sum("not idempotent" in problem for problem in counts.problems)
    say(f"    {twice:8} Work ran more than once (not idempotent: must be 0)")
    for problem in counts.problems[:20]:
        say(f"  PROBLEM: {problem}")
    return good and answer["how"] == "ok" and not counts.problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--log", type=Path, default=BUILD / "test-logs" / "crash.txt")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT / "scripts"))
    from evidence import Evidence

    with Evidence(options.log, f"make crash ROUNDS={options.rounds}") as log:
        log.say(f"seed {options.seed}")
        results = [report(log.say, options.rounds, options.seed, *case) for case in CASES]
        log.result(all(results), f"{sum(results)} of {len(results)} pairs as they should be")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
