"""Markdown tables of what was measured."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from report import Verdict

Rounds = list[dict[str, Any]]


def _spread(values: Iterable[float], scale: float, digits: int) -> str:
    scaled = [value * scale for value in values]
    median, low, high = statistics.median(scaled), min(scaled), max(scaled)
    return f"{median:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def _median(rounds: Rounds, figure: Callable[[dict[str, Any]], float]) -> float:
    return float(statistics.median(map(figure, rounds)))


def _named(key: str) -> Callable[[dict[str, Any]], float]:
    return lambda r: float(r["extra"].get(key, r.get(key)))


def _micros(seconds: float) -> str:
    return f"{seconds * 1e6:,.1f}"


def _row(rounds: Rounds, timed: bool, moves: bool) -> list[str]:
    cells = []
    if timed:
        cells += [_spread((r["p50"] for r in rounds), 1e6, 1)]
        cells += [_micros(_median(rounds, lambda r: r["p99"])), _micros(_median(rounds, lambda r: r["p999"]))]
    rates = [r["calls"] / r["seconds"] for r in rounds]
    cells.append(_spread(rates, 1, 0 if statistics.median(rates) >= 100 else 1))
    if moves:
        cells.append(f"{_median(rounds, lambda r: r['bytes'] / r['seconds']) * 1e-9:.2f}")
    client, server = (_median(rounds, _named(key)) for key in ("cpu_per_call", "server_cpu_per_call"))
    cells.append(f"{client * 1e6:,.1f} + {server * 1e6:,.1f}")
    return cells


def suite(measured: dict[str, Any]) -> list[str]:
    """One suite: a line for each placement and contestant."""
    every = [r for rounds in measured["placements"].values() for each in rounds.values() for r in each]
    timed = any(r["p50"] for r in every)
    moves = any(r["bytes"] for r in every)
    heads = ["placement", "contestant"]
    heads += ["p50, us", "p99, us", "p99.9, us"] if timed else []
    heads += ["calls/s" if timed else "items/s"] + (["GB/s"] if moves else [])
    heads.append("CPU, us (client + server)")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for placement, rounds in measured["placements"].items():
        for name, each in rounds.items():
            if each:
                lines.append(f"| {' | '.join([placement, name, *_row(each, timed, moves)])} |")
    if any(r["extra"] for r in every):
        lines += ["", *_beside_bulk(measured)]
    return lines


def _beside_bulk(measured: dict[str, Any]) -> list[str]:
    """What the priority suites measure beside each call's time."""
    lines = [
        "| placement | contestant | idle p50, us | beside bulk | idle p99, us | beside bulk "
        "| bulk alone, GB/s | beside calls |",
        "|---|---|---|---|---|---|---|---|",
    ]
    columns = [("idle_p50", 1e6), ("p50", 1e6), ("idle_p99", 1e6), ("p99", 1e6), ("bulk_alone", 1e-9)]
    columns.append(("bulk_beside", 1e-9))
    for placement, contestants in measured["placements"].items():
        for name, rounds in contestants.items():
            cells = [f"{_median(rounds, _named(key)) * scale:.{1 if scale > 1 else 2}f}" for key, scale in columns]
            lines.append(f"| {placement} | {name} | {' | '.join(cells)} |")
    return lines


def ratios(verdicts: list[Verdict]) -> list[str]:
    lines = ["| row | ratio | measured | aim | floor | |", "|---|---|---|---|---|---|"]
    for v in verdicts:
        sign = "<=" if v.better == "lower" else ">="
        lines.append(
            f"| {v.name} | {v.what} ({v.placement}) | {v.ratio.median:.2f} ({v.ratio.low:.2f} to "
            f"{v.ratio.high:.2f}) | {sign} {v.aim} | {v.floor} | {v.word} |"
        )
    return lines


def counts(rows: dict[str, Any]) -> list[str]:
    """What a call costs in things that do not drift, by contestant: client + server."""

    def cell(by_side: dict[str, float] | None) -> str:
        if by_side is None:
            return "can't be counted here"
        digits = 0 if max(by_side.values()) >= 100 else 1
        return f"{by_side['client']:,.{digits}f} + {by_side['server']:,.{digits}f}"

    columns = list(next(iter(rows.values())))
    lines = [f"| contestant | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    return lines + [f"| {name} | {' | '.join(cell(row[c]) for c in columns)} |" for name, row in rows.items()]
