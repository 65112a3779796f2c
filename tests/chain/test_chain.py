"""Three processes in a chain: one deadline at the top, and one word from the top, stops them all."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("LEAT_BUILD_DIR", ROOT / "build" / "release"))
PROGRAMS = {
    "cpp": [str(BUILD / "tests" / "chain" / "chain_peer")],
    "python": [sys.executable, str(Path(__file__).with_name("chain.py"))],
}
TRANSPORTS = ["tcp", "zmq+tcp"]
# Top, middle, end.
CHAINS = [
    ("cpp", "cpp", "cpp"),
    ("python", "python", "python"),
    ("cpp", "python", "cpp"),
    ("python", "cpp", "python"),
]
CASES = [
    pytest.param(transport, chain, id=f"{'-'.join(chain)}-over-{transport}")
    for transport, chain in itertools.product(TRANSPORTS, CHAINS)
]
LATEST = 0.1  # seconds after the deadline, or the cancel, that a step may come
TIMEOUT = 200  # milliseconds
PATIENCE = 20  # seconds until a handler that has not left is taken for stuck
NAMES = ("top", "middle", "end")

Event = dict[str, Any]


@contextmanager
def serving(language: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen([*PROGRAMS[language], *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, f"the process ended with {process.wait()}"
        yield process, json.loads(line)["url"]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def until_left(process: subprocess.Popen[str]) -> list[Event]:
    """What the process logged until its handler left."""
    assert process.stdout is not None
    events = []
    giving_up = threading.Timer(PATIENCE, process.kill)
    giving_up.start()
    try:
        for line in process.stdout:
            events.append(json.loads(line))
            if events[-1]["event"] == "left":
                return events
    finally:
        giving_up.cancel()
    raise AssertionError(f"the process ended before its handler: {events}")


def run(transport: str, chain: tuple[str, str, str], *how: str) -> dict[str, list[Event]]:
    url = f"{transport}://127.0.0.1:0"
    with (
        serving(chain[2], "--listen", url) as (end, end_url),
        serving(chain[1], "--listen", url, "--next", end_url) as (middle, middle_url),
    ):
        top = subprocess.run(
            [*PROGRAMS[chain[0]], "--next", middle_url, *how], capture_output=True, text=True, timeout=30, check=True
        )
        events = [json.loads(line) for line in top.stdout.splitlines()]
        return dict(zip(NAMES, (events, until_left(middle), until_left(end)), strict=True))


def times(events: list[Event], name: str) -> list[Any]:
    return [event["at"] for event in events if event["event"] == name]


def show(logs: dict[str, list[Event]], stop: float, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        f"{name} {len(times(events, 'step'))} steps, the last {(times(events, 'step')[-1] - stop) * 1000:+.0f} ms"
        for name, events in logs.items()
    ]
    with capsys.disabled():
        print(f"\n  {', '.join(words)} ", end="", flush=True)


@pytest.mark.parametrize(("transport", "chain"), CASES)
def test_a_deadline_at_the_top_stops_the_chain(
    transport: str, chain: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    logs = run(transport, chain, "--timeout", str(TIMEOUT))
    deadline = times(logs["top"], "deadline")[0]
    show(logs, deadline, capsys)
    assert logs["top"][-1]["status"] == "deadline_exceeded"
    for name in NAMES:
        (seen,) = times(logs[name], "deadline")
        # Never earlier than the top's; later by the time that the call took to come this far.
        assert -0.005 < seen - deadline < LATEST, name
        steps = times(logs[name], "step")
        assert len(steps) >= 2, name
        assert max(steps) < deadline + LATEST, name
    assert [event["status"] for event in logs["middle"] if event["event"] == "onward"] == ["deadline_exceeded"]


@pytest.mark.parametrize(("transport", "chain"), CASES)
def test_a_cancel_at_the_top_stops_the_chain(
    transport: str, chain: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    logs = run(transport, chain, "--cancel", str(TIMEOUT))
    (cancelled,) = times(logs["top"], "cancel")
    show(logs, cancelled, capsys)
    assert logs["top"][-1]["status"] == "cancelled"
    for name in NAMES:
        assert times(logs[name], "deadline") == ([] if name == "top" else [None]), name  # nobody set one
        steps = times(logs[name], "step")
        assert len(steps) >= 2, name
        assert max(steps) < cancelled + LATEST, name
