"""Pictures of a run: ratios beside their aims, who is how fast, and the tails."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import matplotlib as mpl
import report
from matplotlib import pyplot as plt
from matplotlib import ticker
from matplotlib.axes import Axes

mpl.use("Agg")
COLOURS = {"leat": "#1f6fb4", "floor": "#8a8a8a", "peer": "#e0913a"}
VERDICTS = {"ok": "#3a9d5d", "below aim": "#e0b03a", "below floor": "#c8402f"}


def _bars(axes: Axes, suite: dict[str, Any], placement: str) -> None:
    """Contestants of one suite: median round, and the range of the rounds."""
    rounds = {name: each for name, each in suite["placements"][placement].items() if each}
    timed = suite["work"] in ("unary", "connect", "array", "priority")
    moves = suite["work"] in ("put", "echo")
    figures: dict[str, list[float]] = {}
    for name, each in rounds.items():
        if timed:
            figures[name] = [r["p50"] * 1e6 for r in each]
        elif moves:
            figures[name] = [r["bytes"] / r["seconds"] * 1e-9 for r in each]
        else:
            figures[name] = [r["calls"] / r["seconds"] for r in each]
    names = sorted(figures, key=lambda name: statistics.median(figures[name]), reverse=not timed)
    medians = [statistics.median(figures[name]) for name in names]
    ends = [
        [m - min(figures[n]) for m, n in zip(medians, names, strict=True)],
        [max(figures[n]) - m for m, n in zip(medians, names, strict=True)],
    ]
    axes.barh(
        names, medians, xerr=ends, color=[COLOURS[suite["kinds"][n]] for n in names], ecolor="#444444", height=0.7
    )
    axes.invert_yaxis()
    if max(medians) > 20 * min(medians):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    axes.xaxis.set_major_formatter(ticker.EngFormatter(sep=""))
    unit = "us (less is better)" if timed else "GB/s (more is better)" if moves else "a second (more is better)"
    axes.set_xlabel(unit)
    axes.set_title(f"{suite['name']}, {placement}", fontsize=10)


def _grid(suites: list[dict[str, Any]], path: Path) -> None:
    panels = [(suite, placement) for suite in suites for placement in suite["placements"]]
    across = 2
    down = -(-len(panels) // across)
    figure, all_axes = plt.subplots(down, across, figsize=(11, 2.6 * down), squeeze=False, layout="constrained")
    for axes, panel in zip(all_axes.flat, panels, strict=False):
        _bars(axes, *panel)
    for axes in list(all_axes.flat)[len(panels) :]:
        axes.remove()
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _ratios(document: dict[str, Any], path: Path) -> None:
    """Each ratio as a share of its aim, so that right of the line is better."""
    verdicts = report.verdicts_of(document)
    names = [f"{v.name}.{v.key}" for v in verdicts]
    shares = [v.aim / v.ratio.median if v.better == "lower" else v.ratio.median / v.aim for v in verdicts]
    floors = [v.aim / v.floor if v.better == "lower" else v.floor / v.aim for v in verdicts]
    figure, axes = plt.subplots(figsize=(9, 0.34 * len(verdicts) + 1.3), layout="constrained")
    axes.barh(names, shares, color=[VERDICTS[v.word] for v in verdicts], height=0.7)
    axes.scatter(floors, names, marker="|", s=140, color="black", label="floor", zorder=3)
    axes.axvline(1, color="black", linewidth=1, label="aim")
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.set_xlabel("measured, as a share of the aim (right of the line is better)")
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _tails(suite: dict[str, Any], path: Path) -> None:
    """All rounds' calls together, by percentile."""
    curves = suite["curves"]
    figure, all_axes = plt.subplots(1, len(curves), figsize=(11, 4), sharey=True, squeeze=False, layout="constrained")
    for axes, (placement, by_name) in zip(all_axes.flat, curves.items(), strict=True):
        for name, curve in by_name.items():
            nines = [1 / (1 - p / 100) for p, _ in curve]
            axes.plot(nines, [seconds * 1e6 for _, seconds in curve], label=name)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks([2, 10, 100, 1000, 10_000], labels=["50", "90", "99", "99.9", "99.99"])
        axes.set_xlabel("percentile")
        axes.set_title(f"{suite['name']}, {placement}", fontsize=10)
    all_axes.flat[0].set_ylabel("us")
    all_axes.flat[0].legend(fontsize=8)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def draw(document: dict[str, Any], directory: Path) -> dict[str, Path]:
    """The pictures by title."""
    directory.mkdir(parents=True, exist_ok=True)
    drawn: dict[str, Path] = {}
    if document["ratios"]:
        drawn["Ratios as shares of their aims"] = directory / "ratios.png"
        _ratios(document, directory / "ratios.png")
    groups = {
        "calls": ("Calls", ("unary", "calls", "threads", "connect", "priority")),
        "streams": ("Items of streams a second", ("source", "sink", "chat")),
        "arrays": ("Arrays", ("put", "echo")),
        "python": ("Python", ("unary", "calls", "array")),
    }
    for stem, (title, works) in groups.items():
        suites = [
            s
            for s in document["suites"]
            if s["work"] in works and s["name"].startswith("python.") == (stem == "python")
        ]
        if any(any(rounds.values()) for s in suites for rounds in s["placements"].values()):
            drawn[title] = directory / f"{stem}.png"
            _grid(suites, directory / f"{stem}.png")
    for suite in document["suites"]:
        if suite["name"] in ("tcp.unary", "python.unary") and suite["curves"]:
            path = directory / f"tails-{suite['name'].replace('.', '-')}.png"
            drawn[f"Tails of {suite['name']}"] = path
            _tails(suite, path)
    return drawn
