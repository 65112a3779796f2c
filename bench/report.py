"""From rounds to figures: medians, verdicts against aims.json, Markdown and the lines that close a run."""

from __future__ import annotations

import json
import re
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
MARKERS = re.compile(r"(<!-- bench:begin -->\n).*?(<!-- bench:end -->)", re.DOTALL)


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

    def line(self) -> str:
        sign = "<=" if self.better == "lower" else ">="
        spread = f"{self.ratio.median:.2f} ({self.ratio.low:.2f} to {self.ratio.high:.2f})"
        bounds = f"aim {sign} {self.aim}, floor {self.floor}"
        return f"{self.row}.{self.key}: {self.what}: {spread}; {bounds}: {self.word}"


def load_aims(path: Path = HERE / "aims.json") -> dict[tuple[str, str], dict[str, Any]]:
    """The measures by row and key."""
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    return {(row["row"], measure["key"]): measure for row in rows for measure in row["measures"]}


def judge(row: str, key: str, placement: str, values: list[float]) -> Verdict:
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
    )


def microseconds(spread: Spread) -> str:
    return f"{spread.median * 1e6:.1f} ({spread.low * 1e6:.1f} to {spread.high * 1e6:.1f})"


def markdown(results: list[dict[str, Any]], verdicts: list[Verdict], machine: dict[str, Any]) -> str:
    """The tables of one run."""
    lines = [
        f"{machine['cores']} cores, {machine['cpu']}{' (virtual)' if machine['virtual'] else ''}, "
        f"{machine['system']}, kernel {machine['kernel']}, {machine['compiler']} {machine['flags']}. "
        "Median of the rounds (lowest to highest).",
        "",
    ]
    for suite in results:
        lines += [
            f"### {suite['row']}: {suite['title']}",
            "",
            "| placement | contestant | p50, us | p99, us | calls/s | CPU per call, us (client + server) |",
            "|---|---|---|---|---|---|",
        ]
        for placement, contestants in suite["placements"].items():
            for name, rounds in contestants.items():
                p50 = Spread.of([r["p50"] for r in rounds])
                p99 = Spread.of([r["p99"] for r in rounds])
                rate = statistics.median(r["calls"] / r["seconds"] for r in rounds)
                client = statistics.median(r["cpu_per_call"] for r in rounds) * 1e6
                server = statistics.median(r["server_cpu_per_call"] for r in rounds) * 1e6
                lines.append(
                    f"| {placement} | {name} | {microseconds(p50)} | {microseconds(p99)} | {rate:,.0f} "
                    f"| {client:.1f} + {server:.1f} |"
                )
        lines.append("")
    lines += ["| row | ratio | measured | aim | floor | |", "|---|---|---|---|---|---|"]
    for v in verdicts:
        sign = "<=" if v.better == "lower" else ">="
        lines.append(
            f"| {v.row} | {v.what} ({v.placement}) | {v.ratio.median:.2f} ({v.ratio.low:.2f} to "
            f"{v.ratio.high:.2f}) | {sign} {v.aim} | {v.floor} | {v.word} |"
        )
    return "\n".join(lines) + "\n"


def readme_lines(verdicts: list[Verdict], machine: dict[str, Any]) -> str:
    """What the README shows: the ratios of 64 B calls to raw TCP, whatever they are."""
    shown = {v.key: v for v in verdicts if v.row == "tcp.unary"}
    lines = ["| 64 B there and back over `tcp://` | time over raw TCP's |", "|---|---|"]
    names = {"free": "the peers where the system puts them", "one_core": "both peers on one core"}
    for key, name in names.items():
        v = shown[key]
        lines.append(f"| {name} | {v.ratio.median:.2f} ({v.ratio.low:.2f} to {v.ratio.high:.2f}) |")
    lines += [
        "",
        "Median of the rounds (lowest to highest), `make bench` on "
        f"{machine['cores']}{' virtual' if machine['virtual'] else ''} cores, {machine['system']}. "
        "Left free, the system puts a contestant's two processes now on one core and now on two, and not the "
        "same for both contestants: hence the spread, and ratios below 1.",
    ]
    return "\n".join(lines) + "\n"


def update_readme(path: Path, text: str) -> bool:
    """Replaces what stands between the markers; False if they are missing."""
    before = path.read_text(encoding="utf-8")
    after, count = MARKERS.subn(lambda m: f"{m[1]}{text}{m[2]}", before)
    if count == 1:
        path.write_text(after, encoding="utf-8")
    return count == 1


def closing_lines(verdicts: list[Verdict]) -> list[str]:
    bad = [v for v in verdicts if v.below_aim or v.below_floor]
    lines = [v.line() for v in bad]
    below_aim = sum(v.below_aim for v in verdicts)
    below_floor = sum(v.below_floor for v in verdicts)
    return [*lines, f"bench: {len(verdicts)} ratios, {below_aim} below aim, {below_floor} below floor"]
