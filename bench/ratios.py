"""How the rounds of contestants become ratios: round by round, since what disturbs the machine disturbs both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from measure import Round

Rounds = dict[str, list[Round]]


@dataclass(frozen=True)
class Ratio:
    """One figure that an aim in aims.json is about: `key` of a row, in one placement."""

    key: str
    placement: str
    of: Callable[[Rounds], list[float]]
    """Raises KeyError if a contestant that it needs was not measured."""
    row: str = ""
    """Where it stands in aims.json, if not under the suite's row."""


class NotMeasuredError(KeyError):
    """None of the contestants that a ratio is to was measured."""


def _best(rounds: Rounds, names: tuple[str, ...], figure: Callable[[Round], float]) -> list[float]:
    """Of several that are one peer (gRPC's two ways): round by round, the one that does best. Low is good."""
    there = [rounds[name] for name in names if rounds.get(name)]
    if not there:
        raise NotMeasuredError(names[0])
    return [min(map(figure, each)) for each in zip(*there, strict=False)]


def _rate(r: Round) -> float:
    return r.calls / r.seconds


def _cpu(r: Round) -> float:
    return r.cpu_per_call + r.server_cpu_per_call


def _quotients(above: list[float], below: list[float]) -> list[float]:
    return [a / b for a, b in zip(above, below, strict=False)]  # the slow have fewer rounds


def time_over(ours: str, *theirs: str) -> Callable[[Rounds], list[float]]:
    """Our median round trip over theirs."""
    return lambda rounds: _quotients(_best(rounds, (ours,), lambda r: r.p50), _best(rounds, theirs, lambda r: r.p50))


def their_time(ours: str, *theirs: str) -> Callable[[Rounds], list[float]]:
    """How many times as fast we are: their median round trip over ours."""
    return lambda rounds: _quotients(_best(rounds, theirs, lambda r: r.p50), _best(rounds, (ours,), lambda r: r.p50))


def rate_over(ours: str, *theirs: str) -> Callable[[Rounds], list[float]]:
    """Our calls, items or arrays a second over theirs."""
    return lambda rounds: _quotients(
        _best(rounds, theirs, lambda r: 1 / _rate(r)), _best(rounds, (ours,), lambda r: 1 / _rate(r))
    )


def cpu_over(ours: str, *theirs: str) -> Callable[[Rounds], list[float]]:
    """CPU time of client and server per call over theirs."""
    return lambda rounds: _quotients(_best(rounds, (ours,), _cpu), _best(rounds, theirs, _cpu))


# What a frame of bulk holds while calls are active: an urgent frame may have to wait for one (docs/limits.md).
CHUNK = 64 * 1024


def p99_over_idle(*names: str) -> Callable[[Rounds], list[float]]:
    """The p99 beside bulk, less the time of one chunk, over the idle p99; of the worst of the contestants."""

    def of(r: Round) -> float:
        return (r.p99 - CHUNK / r.extra["bulk_alone"]) / r.extra["idle_p99"]

    return lambda rounds: [max(map(of, each)) for each in zip(*(rounds[n] for n in names), strict=True)]


def bulk_kept(*names: str) -> Callable[[Rounds], list[float]]:
    """Bulk bytes/s beside calls over those without; of the worst of the contestants."""

    def of(r: Round) -> float:
        return r.extra["bulk_beside"] / r.extra["bulk_alone"]

    return lambda rounds: [min(map(of, each)) for each in zip(*(rounds[n] for n in names), strict=True)]
