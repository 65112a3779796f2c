"""`make profile`: counts per call that are those of the work, and a flame graph of perf's stacks."""

from __future__ import annotations

import shutil
from pathlib import Path

import counts
import flames
import pytest
from counts import Commands
from running import BUILD, bench

PROGRAM = str(BUILD / "bench" / "bench_socket")
RAW = Commands([PROGRAM, "server", "--listen", "127.0.0.1:0"], [PROGRAM, "client"])


def test_a_raw_call_is_two_system_calls_on_each_side() -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    counted = counts.system_calls(RAW, 200)
    if counted is None:
        pytest.skip("strace may not trace here")
    assert counted == pytest.approx({"client": 2, "server": 2}, abs=0.1)


def test_a_raw_call_allocates_and_copies_nothing_and_a_copied_one_does() -> None:
    preload = BUILD / "bench" / "bench_preload.so"
    nothing = {"client": 0, "server": 0}
    assert counts.memory(RAW, preload, 200) == {"allocations": nothing, "copies": nothing}
    # memcpy of its one array, and nobody else
    program = str(BUILD / "bench" / "bench_memory")
    size = ["--size", "65536"]
    copied = counts.memory(Commands([program, "server", *size], [program, "client", *size]), preload, 200)["copies"]
    assert copied == {"client": 1, "server": 0}


def test_a_full_run_tells_what_a_call_costs(tmp_path: Path) -> None:
    done = bench(tmp_path, "--suite", "tcp.unary", "--counts")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "What one such call costs, client + server:" in done.stdout
    assert "| contestant | instructions | system calls | wake-ups | allocations | copies |" in done.stdout
    assert "| raw TCP | " in done.stdout


def test_stacks_become_a_flame_graph() -> None:
    script = (
        "bench 12 1.5: 1 cpu-clock:\n"
        "\t    a send+0x10 (/lib/libc.so.6)\n"
        "\t    b call<int>(std::span<int>)+0x2 (/bin/bench)\n"
        "\t    c main+0x2 (/bin/bench)\n"
        "\n"
        "bench 12 1.6: 1 cpu-clock:\n"
        "\t    c main+0x2 (/bin/bench)\n"
        "\n"
    )
    stacks = flames.fold(script)
    assert stacks == [["bench", "main", "call", "send"], ["bench", "main"]]
    picture = flames.draw(stacks)
    assert "<title>main: 100.0 %</title>" in picture
    assert "<title>send: 50.0 %</title>" in picture


def test_a_server_that_does_not_answer_is_no_count(tmp_path: Path) -> None:
    mute = Commands(RAW.server, ["sh", "-c", "echo refused >&2; exit 3"])
    with pytest.raises(counts.MeasureError, match="refused"):
        counts.wake_ups(mute, 10)
