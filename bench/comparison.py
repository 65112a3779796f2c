"""What changed between two runs, beyond noise.

Times drift with the machine, so a contestant's rounds are taken relative to those of the suite's floor, round by
round, where there is one. A change is beyond noise if the rounds of the two runs, their extremes aside, do not
overlap, and their medians differ by more than a twentieth.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LEAST = 0.05
SAME = ("cores", "cpu", "virtual", "memory_gib", "system", "kernel", "compiler", "flags", "python")
"""What must be the same about two machines."""


@dataclass(frozen=True)
class Change:
    where: str
    factor: float
    """How many times as long it takes now; below 1 is faster."""
    relative: bool

    def line(self) -> str:
        word = f"{self.factor:.2f} x slower" if self.factor > 1 else f"{1 / self.factor:.2f} x faster"
        return f"{self.where}: {word}{' relative to the floor' if self.relative else ''}"


def different(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What differs between the machines of two runs."""
    return [f"{key}: {old.get(key)} and {new.get(key)}" for key in SAME if old.get(key) != new.get(key)]


def _costs(suite: dict[str, Any], placement: str, name: str) -> list[float]:
    """Seconds a call, by round: the median where it is known."""
    timed = suite["work"] in ("unary", "connect", "array", "priority")
    rounds = suite["placements"][placement][name]
    return [r["p50"] if timed and r["p50"] else r["seconds"] / r["calls"] for r in rounds]


def _floor(suite: dict[str, Any], placement: str) -> str | None:
    there = (name for name, kind in suite["kinds"].items() if kind == "floor")
    return next((name for name in there if suite["placements"][placement].get(name)), None)


def _inner(values: list[float]) -> list[float]:
    return sorted(values)[1:-1] if len(values) >= 5 else sorted(values)


def _apart(old: list[float], new: list[float]) -> float | None:
    """By how much the medians differ, if that is beyond noise."""
    factor = statistics.median(new) / statistics.median(old)
    low, high = _inner(old), _inner(new)
    overlap = low[0] <= high[-1] and high[0] <= low[-1]
    return factor if not overlap and abs(factor - 1) > LEAST else None


def _figures(document: dict[str, Any]) -> dict[str, tuple[list[float], list[float] | None]]:
    """Costs by where they were measured, and the same relative to the suite's floor, where there is one."""
    figures = {}
    for suite in document["suites"]:
        for placement, rounds in suite["placements"].items():
            floor = _floor(suite, placement)
            for name, each in rounds.items():
                if not each:
                    continue
                costs = _costs(suite, placement, name)
                relative = None
                if floor is not None and name != floor:
                    relative = [a / b for a, b in zip(costs, _costs(suite, placement, floor), strict=False)]
                figures[f"{suite['name']}, {placement}, {name}"] = (costs, relative)
    return figures


def changes(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    before, after = _figures(old), _figures(new)
    for where in before:
        if where not in after:
            continue
        (costs, relative), (costs_now, relative_now) = before[where], after[where]
        if relative is not None and relative_now is not None:
            factor = _apart(relative, relative_now)
        else:  # there is no floor, or it failed in one of the runs
            factor = _apart(costs, costs_now)
        if factor is not None:
            yield Change(where, factor, relative is not None and relative_now is not None)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench/compare", description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--anyway", action="store_true", help="compare runs of different machines, too")
    options = parser.parse_args()
    old, new = (json.loads(path.read_text(encoding="utf-8")) for path in (options.old, options.new))
    differences = different(old["machine"], new["machine"])
    if differences:
        print(f"compare: the machines differ: {'; '.join(differences)}")
        if not options.anyway:
            print("compare: not compared; --anyway compares them all the same")
            return 2
    found = sorted(changes(old, new), key=lambda change: -change.factor)
    for change in found:
        print(change.line())
    shared = len(_figures(old).keys() & _figures(new).keys())
    slower = sum(change.factor > 1 for change in found)
    print(f"compare: {shared} figures, {slower} slower, {len(found) - slower} faster")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
