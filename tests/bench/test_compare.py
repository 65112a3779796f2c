"""bench/compare names what changed beyond noise, and bench/publish.py writes where it should."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import comparison
import publish
import pytest
from running import ROOT, bench

MACHINE = dict.fromkeys(comparison.SAME, "same")


def run(*rounds: float, floor: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0, 1.0)) -> dict[str, Any]:
    """A run of one suite in which Leat's median times were these."""

    def plain(times: tuple[float, ...]) -> list[dict[str, float]]:
        return [{"p50": time, "seconds": time, "calls": 1} for time in times]

    suite = {
        "name": "tcp.unary",
        "work": "unary",
        "kinds": {"raw TCP": "floor", "leat": "leat"},
        "placements": {"free": {"raw TCP": plain(floor), "leat": plain(rounds)}},
    }
    return {"machine": dict(MACHINE), "suites": [suite]}


def compare(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "bench" / "compare"), *arguments], capture_output=True, text=True, check=False
    )


def test_a_planted_slowdown_is_named(tmp_path: Path) -> None:
    effort = ["--suite", "tcp.unary", "--rounds", "5"]
    for name, plant in (("old", []), ("new", ["--plant", "slow:leat"])):
        done = bench(tmp_path / name, *effort, *plant)
        assert done.returncode == 0, done.stdout + done.stderr
    (old,), (new,) = ((tmp_path / name).glob("*.json") for name in ("old", "new"))
    done = compare(old, new)
    assert done.returncode == 1, done.stdout + done.stderr
    named = [line for line in done.stdout.splitlines() if "x slower" in line]
    assert {line.rpartition(":")[0] for line in named} >= {"tcp.unary, free, leat", "tcp.unary, one core, leat"}
    assert "slower" in done.stdout.splitlines()[-1]


def test_noise_is_not_named() -> None:
    assert not list(comparison.changes(run(1, 1.2, 1.1, 1.3, 1.0), run(1.1, 1.3, 1.2, 1.4, 1.0)))
    # apart, but by less than a twentieth
    assert not list(comparison.changes(run(1, 1, 1, 1, 1), run(1.04, 1.04, 1.04, 1.04, 1.04)))
    # one round that went wrong
    assert not list(comparison.changes(run(1, 1, 1, 1, 1), run(1, 1, 1, 1, 50)))


def test_a_machine_that_got_slower_is_no_change() -> None:
    slower = run(2, 2.2, 2.1, 2.3, 2.0, floor=(2.0, 2.0, 2.0, 2.0, 2.0))
    (change,) = comparison.changes(run(1, 1.1, 1.05, 1.15, 1.0), slower)  # the floor itself
    assert change.where == "tcp.unary, free, raw TCP"


def test_a_floor_that_failed_in_one_run_is_no_change() -> None:
    without = run(1, 1, 1, 1, 1)
    without["suites"][0]["placements"]["free"]["raw TCP"] = []
    assert not list(comparison.changes(run(1, 1, 1, 1, 1, floor=(0.1,) * 5), without))


def test_an_improvement_is_named() -> None:
    (change,) = comparison.changes(run(2, 2, 2, 2, 2), run(1, 1, 1, 1, 1))
    assert change.line() == "tcp.unary, free, leat: 2.00 x faster relative to the floor"


def test_runs_of_different_machines_are_not_compared_without_saying_so(tmp_path: Path) -> None:
    old, new = run(1, 1, 1, 1, 1), copy.deepcopy(run(2, 2, 2, 2, 2))
    new["machine"]["cpu"] = "another"
    for name, document in (("old", old), ("new", new)):
        (tmp_path / name).write_text(json.dumps(document))
    done = compare(tmp_path / "old", tmp_path / "new")
    assert done.returncode == 2
    assert "the machines differ: cpu: same and another" in done.stdout
    assert "slower" not in done.stdout
    done = compare("--anyway", tmp_path / "old", tmp_path / "new")
    assert done.returncode == 1
    assert "the machines differ" in done.stdout
    assert "leat: 2.00 x slower" in done.stdout


def test_a_file_changes_only_between_its_markers(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nafter\n")
    publish.between_markers(readme, "new\n")
    assert readme.read_text() == "before\n<!-- bench:begin -->\nnew\n<!-- bench:end -->\nafter\n"
    readme.write_text("no markers\n")
    with pytest.raises(SystemExit, match="no <!-- bench:begin -->"):
        publish.between_markers(readme, "new\n")
    assert readme.read_text() == "no markers\n"
