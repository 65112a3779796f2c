"""From rounds to figures: medians, verdicts against aims.json, and where a peer beats Leat."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tables

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Spread:
    """The median of some rounds, and the worst and best of them."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(values: list[float]) -> Spread:
        return Spread(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Verdict:
    """One ratio beside its aim and floor."""

    row: str
    key: str
    what: str
    placement: str
    ratio: Spread
    better: str
    aim: float
    floor: float
    suite: str = ""
    """Where there are several of the row: at 64 calls and at 256."""

    def _misses(self, bound: float) -> bool:
        return self.ratio.median > bound if self.better == "lower" else self.ratio.median < bound

    @property
    def below_floor(self) -> bool:
        return self._misses(self.floor)

    @property
    def below_aim(self) -> bool:
        """Below the aim but not below the floor, which is counted by itself."""
        return self._misses(self.aim) and not self.below_floor

    @property
    def word(self) -> str:
        return "below floor" if self.below_floor else "below aim" if self.below_aim else "ok"

    @property
    def name(self) -> str:
        return self.suite if self.suite.startswith(self.row) else self.row

    def line(self) -> str:
        sign = "<=" if self.better == "lower" else ">="
        spread = f"{self.ratio.median:.2f} ({self.ratio.low:.2f} to {self.ratio.high:.2f})"
        bounds = f"aim {sign} {self.aim}, floor {self.floor}"
        return f"{self.name}.{self.key}: {self.what}: {spread}; {bounds}: {self.word}"


def load_aims(path: Path = HERE / "aims.json") -> dict[tuple[str, str], dict[str, Any]]:
    """The measures by row and key."""
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    return {(row["row"], measure["key"]): measure for row in rows for measure in row["measures"]}


def judge(row: str, key: str, placement: str, values: list[float], suite: str = "") -> Verdict:
    aim = load_aims()[row, key]
    return Verdict(
        row=row,
        key=key,
        what=aim["what"],
        placement=placement,
        ratio=Spread.of(values),
        better=aim["better"],
        aim=aim["aim"],
        floor=aim["floor"],
        suite=suite,
    )


def verdicts_of(document: dict[str, Any]) -> list[Verdict]:
    """As they were written down."""
    return [Verdict(**{**entry, "ratio": Spread(**entry["ratio"])}) for entry in document["ratios"]]


@dataclass(frozen=True)
class Beaten:
    """Where somebody who uses a peer has no reason to change."""

    suite: str
    title: str
    placement: str
    peer: str
    times: float

    def line(self) -> str:
        return f"- **{self.peer}** is {self.times:.2f} x as fast: `{self.suite}` ({self.title}), {self.placement}"


def peers_ahead(document: dict[str, Any]) -> Iterator[Beaten]:
    """Suites in which a peer's median round was better than Leat's, by the median of the rounds' ratios."""
    for suite in document["suites"]:
        for placement, rounds in suite["placements"].items():
            ours = [name for name, kind in suite["kinds"].items() if kind == "leat" and rounds.get(name)]
            if not ours:
                continue
            for name, each in rounds.items():
                if suite["kinds"][name] != "peer":
                    continue
                pairs = list(zip(rounds[ours[-1]], each, strict=False))  # slow ones have fewer
                latency = suite["work"] in ("unary", "connect", "array") and all(
                    a["p50"] and b["p50"] for a, b in pairs
                )
                if latency:
                    times = statistics.median(a["p50"] / b["p50"] for a, b in pairs)
                else:
                    times = statistics.median(
                        (b["calls"] / b["seconds"]) / (a["calls"] / a["seconds"]) for a, b in pairs
                    )
                if times > 1:
                    yield Beaten(suite["name"], suite["title"], placement, name, times)


def markdown(document: dict[str, Any]) -> str:
    """The tables of one run."""
    machine = document["machine"]
    when = document["when"][:10]
    kind = "a quick run" if document["quick"] else "a full run"
    lines = [
        f"{machine['cores']} cores, {machine['cpu']}{' (virtual)' if machine['virtual'] else ''}, "
        f"{machine['memory_gib']} GiB, {machine['system']}, kernel {machine['kernel']}, {machine['compiler']} "
        f"{machine['flags']}, Python {machine['python']}; {kind} on {when}, load {machine['load_before']} before it. "
        "Median of the rounds (lowest to highest).",
        "",
    ]
    ahead = sorted(peers_ahead(document), key=lambda beaten: -beaten.times)
    if ahead:
        lines += ["### Where a peer beats Leat", "", *(beaten.line() for beaten in ahead), ""]
    lines += ["### Ratios and aims", "", *tables.ratios(verdicts_of(document)), ""]
    for suite in document["suites"]:
        lines += [f"### {suite['name']}: {suite['title']}", "", *tables.suite(suite), ""]
        if suite.get("counts"):
            lines += ["What one such call costs, client + server:", "", *tables.counts(suite["counts"]), ""]
    lines += ["### Peers", "", "| peer | version, or why it took no part |", "|---|---|"]
    lines += [f"| {name} | {version} |" for name, version in document["peers"].items()]
    if document["failures"]:
        lines += ["", "### Failed", "", *(f"- {reason}" for reason in document["failures"])]
    return "\n".join(lines) + "\n"


def closing_lines(verdicts: list[Verdict]) -> list[str]:
    bad = [v for v in verdicts if v.below_aim or v.below_floor]
    lines = [v.line() for v in bad]
    below_aim = sum(v.below_aim for v in verdicts)
    below_floor = sum(v.below_floor for v in verdicts)
    return [*lines, f"bench: {len(verdicts)} ratios, {below_aim} below aim, {below_floor} below floor"]
