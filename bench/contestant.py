"""What every contestant in Python does, Leat's and the peers': the twin of round.h.

A contestant's file defines `serve(options)`, which prints its address and answers until it is killed, and a
client for each work; `main()` does the rest. A client calls one of the `measure` functions, which print the round.
"""

from __future__ import annotations

import argparse
import array
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

STAMP_STEP = 64 << 10  # pattern.h


@dataclass
class Options:
    """As options.h has them; a server has no address yet, or the one to listen at."""

    server: bool = False
    address: str = ""
    work: str = "unary"
    size: int = 64
    outstanding: int = 1
    warm_up: float = 0.1
    seconds: float = 0.5
    calls: int = 0
    wrong: int = -1
    slow: int = 0
    samples: str = ""
    answers: int = field(default=0, repr=False)

    def spoilt(self, answer: bytes) -> bytes:
        """What a server answers instead, for the tests of the harness: one answer wrong, or all slow."""
        if self.slow:
            until = time.perf_counter() + self.slow * 1e-6
            while time.perf_counter() < until:
                pass
        if self.wrong >= 0:
            self.answers += 1
            if self.answers - 1 == self.wrong:
                return bytes([answer[0] ^ 1]) + bytes(answer[1:])
        return answer


def parse() -> Options:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    server = commands.add_parser("server")
    server.add_argument("--listen", dest="address", default="")
    server.add_argument("--wrong", type=int, default=-1)
    server.add_argument("--slow", type=int, default=0)
    client = commands.add_parser("client")
    client.add_argument("address")
    client.add_argument("--warm-up", type=float, default=0.1)
    client.add_argument("--seconds", type=float, default=0.5)
    client.add_argument("--calls", type=int, default=0)
    client.add_argument("--outstanding", type=int, default=1)
    client.add_argument("--samples", default="")
    for command in (server, client):
        command.add_argument("--work", default="unary")
        command.add_argument("--size", type=int, default=64)
    given = vars(parser.parse_args())
    return Options(server=given.pop("command") == "server", **given)


Client = Callable[[Options], None]


def main(serve: Callable[[Options], None], clients: Mapping[str, Client]) -> None:
    options = parse()
    if options.server:
        serve(options)
    elif options.work in clients:
        clients[options.work](options)
    else:
        sys.exit(f"there is no work called {options.work} here")


def announce(address: str) -> None:
    print(address, flush=True)


_TAIL = bytes((i * 131 + 7) & 0xFF for i in range(1 << 16))


def request(number: int, size: int) -> bytes:
    """Bytes that differ from call to call, so that no stale answer passes for a right one."""
    return number.to_bytes(8, "little") + _TAIL[8:size]


def stamp(large: np.ndarray[Any, Any], number: int) -> None:
    """Writes into sampled places of an array of bytes which one it is."""
    places = large[: len(large) // STAMP_STEP * STAMP_STEP].reshape(-1, STAMP_STEP)
    places[:, :8] = np.frombuffer(number.to_bytes(8, "little"), np.uint8)


def stamped(large: Any, size: int, number: int) -> bool:
    """Takes whatever has the buffer interface."""
    seen = np.frombuffer(large, np.uint8)
    places = seen[: len(seen) // STAMP_STEP * STAMP_STEP].reshape(-1, STAMP_STEP)
    return len(seen) == size and bool((places[:, :8] == np.frombuffer(number.to_bytes(8, "little"), np.uint8)).all())


class Round:
    """The clock of a round, and what it has measured."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.took = array.array("Q")
        self.start = time.perf_counter_ns() + (0 if options.calls else int(options.warm_up * 1e9))
        self.begun = 0
        self.cpu = 0.0
        self.last = 0
        if options.calls:
            self._begin(time.perf_counter_ns())

    def _begin(self, now: int) -> None:
        self.begun = now
        self.cpu = time.process_time()

    def done(self, began: int, now: int) -> bool:
        """A call has ended rightly. True if there should be another."""
        self.last = now
        if self.begun and began >= self.begun:
            self.took.append(now - began)
        elif not self.begun and now >= self.start:
            self._begin(now)
            return True
        if self.options.calls:
            return len(self.took) < self.options.calls
        return not self.begun or not self.took or now < self.begun + self.options.seconds * 1e9

    def finish(self, size: int = 0) -> None:
        cpu = time.process_time() - self.cpu
        calls = len(self.took)
        if not calls:
            sys.exit("nothing was measured")
        if self.options.samples:
            Path(self.options.samples).write_bytes(self.took)
        seconds = (self.last - self.begun) * 1e-9
        print(json.dumps({"calls": calls, "seconds": seconds, "bytes": size * calls, "cpu_per_call": cpu / calls}))


def wrong_answer(number: int) -> None:
    sys.exit(f"call {number} was answered wrongly")


def measure(options: Options, call: Callable[[bytes], Any]) -> None:
    """Small calls, one after another: `call` takes the request and gives the answer."""
    round_ = Round(options)
    number = 0
    now = time.perf_counter_ns
    before = now()
    while True:
        sent = request(number, options.size)
        if call(sent) != sent:
            wrong_answer(number)
        after = now()
        if not round_.done(before, after):
            return round_.finish()
        before = after
        number += 1


async def measure_async(options: Options, call: Callable[[bytes], Awaitable[Any]]) -> None:
    """`outstanding` small calls at a time, each in a task of its own."""
    round_ = Round(options)
    now = time.perf_counter_ns

    async def repeat(number: int) -> None:
        while True:
            sent = request(number, options.size)
            began = now()
            if await call(sent) != sent:
                wrong_answer(number)
            if not round_.done(began, now()):
                return
            number += options.outstanding

    await asyncio.gather(*(repeat(slot) for slot in range(options.outstanding)))
    round_.finish()


def measure_window(options: Options, start: Callable[[bytes], Any], collect: Callable[[Any], Any]) -> None:
    """`outstanding` small calls at a time: `start` begins one, `collect` waits for its answer, oldest first."""
    round_ = Round(options)
    now = time.perf_counter_ns
    under_way: list[tuple[bytes, int, Any]] = []
    for number in range(options.outstanding):
        sent = request(number, options.size)
        under_way.append((sent, now(), start(sent)))
    number = options.outstanding
    at = 0
    more = True
    while more:
        sent, began, handle = under_way[at]
        if collect(handle) != sent:
            wrong_answer(number)
        more = round_.done(began, now())
        sent = request(number, options.size)
        under_way[at] = (sent, now(), start(sent))
        number += 1
        at = (at + 1) % len(under_way)
    for step in range(len(under_way)):  # so that nothing is cut off
        collect(under_way[(at + step) % len(under_way)][2])
    round_.finish()


def measure_array(options: Options, call: Callable[[np.ndarray[Any, Any]], Any]) -> None:
    """An array there and back, again and again; `call` gives something with the buffer interface."""
    round_ = Round(options)
    large = np.zeros(options.size, np.uint8)
    number = 0
    before = time.perf_counter_ns()
    while True:
        stamp(large, number)
        if not stamped(call(large), options.size, number):
            wrong_answer(number)
        after = time.perf_counter_ns()
        if not round_.done(before, after):
            return round_.finish(2 * options.size)
        before = after
        number += 1


async def measure_array_async(options: Options, call: Callable[[np.ndarray[Any, Any]], Awaitable[Any]]) -> None:
    round_ = Round(options)
    large = np.zeros(options.size, np.uint8)
    number = 0
    before = time.perf_counter_ns()
    while True:
        stamp(large, number)
        if not stamped(await call(large), options.size, number):
            wrong_answer(number)
        after = time.perf_counter_ns()
        if not round_.done(before, after):
            return round_.finish(2 * options.size)
        before = after
        number += 1
