"""`make bench` as a user calls it: every answer is checked, figures are judged by bench/aims.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import measure
import pytest
import report
from running import bench


def document(results: Path) -> dict[str, Any]:
    (result,) = results.glob("*.json")
    found: dict[str, Any] = json.loads(result.read_text())
    return found


def test_a_short_run(tmp_path: Path) -> None:
    done = bench(tmp_path, "--suite", "tcp.unary")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("bench: 2 ratios, ")
    found = document(tmp_path)
    suite = found["suites"][0]
    assert {"free", "one core"} == suite["placements"].keys()
    assert all(ratio["ratio"]["median"] > 0 for ratio in found["ratios"])
    (round_,) = suite["placements"]["free"]["leat"]
    assert 0 < round_["p50"] <= round_["p99"] <= round_["p999"]
    assert round_["cpu_per_call"] > 0
    assert round_["server_cpu_per_call"] > 0
    assert "host" not in json.dumps(found["machine"])


@pytest.mark.parametrize(
    "suite", ["tcp.calls.64", "tcp.threads.8", "tcp.stream.source.64B", "tcp.stream.sink.64B", "tcp.bulk.put.4KiB"]
)
def test_every_kind_of_work_runs(tmp_path: Path, suite: str) -> None:
    done = bench(tmp_path, "--suite", suite)
    assert done.returncode == 0, done.stdout + done.stderr
    for rounds in document(tmp_path)["suites"][0]["placements"].values():
        assert rounds["leat"][0]["calls"] > 0


@pytest.mark.parametrize(
    ("suite", "contestant"),
    [
        ("tcp.unary", "leat"),
        ("tcp.unary", "raw TCP"),
        ("tcp.calls.64", "raw ZeroMQ"),
        ("tcp.stream.chat.64B", "leat"),
        ("python.calls", "leat, Python"),
    ],
)
def test_a_wrong_answer_fails_the_run(tmp_path: Path, suite: str, contestant: str) -> None:
    done = bench(tmp_path, "--suite", suite, "--plant", f"wrong:{contestant}")
    assert done.returncode == 1
    assert f"bench: FAILED: {suite}, free, {contestant}: call " in done.stdout
    assert "was answered wrongly" in done.stdout


def test_who_hangs_is_ended_and_the_others_go_on(tmp_path: Path) -> None:
    done = bench(tmp_path, "--suite", "tcp.unary", "--plant", "hang:raw TCP", "--limit", "0.5")
    assert done.returncode == 1
    assert "bench: FAILED: tcp.unary, free, raw TCP: hung; ended after " in done.stdout
    rounds = document(tmp_path)["suites"][0]["placements"]["free"]
    assert "raw TCP" not in rounds
    assert len(rounds["leat"]) == 1
    assert done.stdout.splitlines()[-1] == "bench: 0 ratios, 0 below aim, 0 below floor"


def test_unknown_names_list_the_known_ones(tmp_path: Path) -> None:
    done = bench(tmp_path, "--suite", "tcp.unari")
    assert done.returncode != 0
    assert "no suite is called tcp.unari; there are: tcp.unary, " in done.stderr
    done = bench(tmp_path, "--peers", "grpc,gprc")
    assert done.returncode != 0
    assert "no peer is called gprc; there are: grpc, capnp, " in done.stderr


def test_a_peer_that_is_not_installed_is_listed(tmp_path: Path) -> None:
    done = bench(tmp_path, "--suite", "tcp.unary", "--peers", "capnp,ws", "--peers-dir", str(tmp_path / "none"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "bench: without capnp, ws: not installed" in done.stdout
    told = document(tmp_path)["peers"]
    assert told == {"capnp": "not installed: 'make bench-peers'", "ws": "comes with the JavaScript client"}


def test_a_peer_that_could_not_be_installed_says_why(tmp_path: Path) -> None:
    (tmp_path / "peers.json").write_text('{"capnp": {"reason": "no such package"}}')
    done = bench(tmp_path / "results", "--suite", "tcp.unary", "--peers", "capnp", "--peers-dir", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| capnp | no such package |" in done.stdout


def test_a_peer_that_beats_leat_stands_first() -> None:
    def rounds(time: float) -> list[dict[str, float]]:
        return [{"p50": time, "calls": 1, "seconds": time}]

    suite = {
        "name": "tcp.unary",
        "title": "calls",
        "work": "unary",
        "kinds": {"raw": "floor", "leat": "leat", "fast": "peer", "slow": "peer"},
        "placements": {"free": {"raw": rounds(1), "leat": rounds(3), "fast": rounds(2), "slow": rounds(4)}},
    }
    (ahead,) = report.peers_ahead({"suites": [suite]})
    assert ahead.line() == "- **fast** is 1.50 x as fast: `tcp.unary` (calls), free"


def test_what_a_library_prints_is_no_figure() -> None:
    line = '{"calls": 1, "seconds": 2, "bytes": 0, "cpu_per_call": 0.5}'
    assert measure.figures_of(f'hello\n{line}\n{{"closed": true}}\nbye\n')["calls"] == 1
    with pytest.raises(measure.MeasureError, match="printed no figures"):
        measure.figures_of("bye\n7\n")


def test_verdicts() -> None:
    good = report.judge("tcp.unary", "free", "free", [1.0, 1.1, 9.0])
    below_aim = report.judge("tcp.unary", "one_core", "one core", [1.7])
    below_floor = report.judge("tcp.calls", "grpc", "free", [9.0], "tcp.calls.64")
    assert [v.word for v in (good, below_aim, below_floor)] == ["ok", "below aim", "below floor"]
    lines = report.closing_lines([good, below_aim, below_floor])
    assert len(lines) == 3
    assert lines[0].startswith("tcp.unary.one_core: ")
    assert lines[1].startswith("tcp.calls.64.grpc: ")
    assert lines[-1] == "bench: 3 ratios, 1 below aim, 1 below floor"


def test_every_aim_is_at_least_as_strict_as_its_floor() -> None:
    aims = report.load_aims()
    assert len({row for row, _ in aims}) == 30
    for (row, key), aim in aims.items():
        better = aim["better"]
        assert better in ("lower", "higher"), (row, key)
        strict, loose = aim["aim"], aim["floor"]
        assert strict <= loose if better == "lower" else strict >= loose, (row, key)
