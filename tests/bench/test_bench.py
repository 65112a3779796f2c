"""`make bench` checks every answer, and judges figures by bench/aims.json."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("LEAT_BUILD_DIR", ROOT / "build" / "release"))
sys.path.insert(0, str(ROOT / "bench"))

import report  # noqa: E402


def run(results: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "bench" / "run.py"), "--build-dir", str(BUILD), "--rounds", "1"]
    return subprocess.run(
        [*command, "--seconds", "0.05", "--results", str(results), *options],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def test_a_short_run(tmp_path: Path) -> None:
    done = run(tmp_path, "--suite", "tcp.unary")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("bench: 2 ratios, ")
    (result,) = tmp_path.glob("*.json")
    document = json.loads(result.read_text())
    assert {"free", "one core"} <= document["suites"][0]["placements"].keys()
    assert all(ratio["ratio"]["median"] > 0 for ratio in document["ratios"])
    assert "host" not in json.dumps(document["machine"])


@pytest.mark.parametrize("contestant", ["leat", "raw TCP"])
def test_a_wrong_answer_fails_the_run(tmp_path: Path, contestant: str) -> None:
    done = run(tmp_path, "--suite", "tcp.unary", "--spoil", contestant)
    assert done.returncode == 1
    assert f"bench: FAILED: tcp.unary, free, {contestant}: " in done.stdout
    assert "call 500 was answered wrongly" in done.stdout


def test_an_unknown_suite_lists_the_known_ones(tmp_path: Path) -> None:
    done = run(tmp_path, "--suite", "tcp.unari")
    assert done.returncode != 0
    assert "no suite is called tcp.unari; there are: tcp.unary" in done.stderr


def test_verdicts() -> None:
    good = report.judge("tcp.unary", "free", "free", [1.0, 1.1, 9.0])
    below_aim = report.judge("tcp.unary", "one_core", "one core", [1.7])
    below_floor = report.judge("tcp.calls", "grpc", "free", [9.0])
    assert [v.word for v in (good, below_aim, below_floor)] == ["ok", "below aim", "below floor"]
    lines = report.closing_lines([good, below_aim, below_floor])
    assert len(lines) == 3
    assert lines[0].startswith("tcp.unary.one_core: ")
    assert lines[-1] == "bench: 3 ratios, 1 below aim, 1 below floor"


def test_every_aim_is_at_least_as_strict_as_its_floor() -> None:
    aims = report.load_aims()
    assert len({row for row, _ in aims}) == 30
    for (row, key), measure in aims.items():
        better = measure["better"]
        assert better in ("lower", "higher"), (row, key)
        strict, loose = measure["aim"], measure["floor"]
        assert strict <= loose if better == "lower" else strict >= loose, (row, key)


def test_the_readme_changes_only_between_its_markers(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nafter\n")
    assert report.update_readme(readme, "new\n")
    assert readme.read_text() == "before\n<!-- bench:begin -->\nnew\n<!-- bench:end -->\nafter\n"
    readme.write_text("no markers\n")
    assert not report.update_readme(readme, "new\n")
    assert readme.read_text() == "no markers\n"
