"""What is measured: suites, and the contestants of each. A new workload is an entry here and a program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from measure import Round

Rounds = dict[str, list[Round]]


@dataclass(frozen=True)
class Contestant:
    """A program with the commands `server` and `client` (round.h says what they print)."""

    name: str
    program: str
    server: tuple[str, ...] = ()
    client: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ratio:
    """One figure that an aim in aims.json is about: `key` of the suite's row, in one placement."""

    key: str
    placement: str
    of: Callable[[Rounds], list[float]]


def time_over(ours: str, theirs: str) -> Callable[[Rounds], list[float]]:
    """The median round trip over another's, round by round: what disturbs the machine disturbs both."""
    return lambda rounds: [a.p50 / b.p50 for a, b in zip(rounds[ours], rounds[theirs], strict=True)]


@dataclass(frozen=True)
class Suite:
    row: str
    title: str
    contestants: tuple[Contestant, ...]
    ratios: tuple[Ratio, ...] = field(default=())


SUITES = (
    Suite(
        row="tcp.unary",
        title="64 B there and back over TCP, one call after another",
        contestants=(
            Contestant("raw TCP", "bench_tcp_unary"),
            Contestant("leat", "bench_leat_unary", server=("--listen", "tcp://127.0.0.1:0")),
        ),
        ratios=(
            Ratio("free", "free", time_over("leat", "raw TCP")),
            Ratio("one_core", "one core", time_over("leat", "raw TCP")),
        ),
    ),
)
