"""The wheel, installed outside the tree, and beside libraries that carry natives of their own."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

CALL = """
import leat
import numpy as np

class Adder:
    def add(self, a, b):
        return a + b

with leat.serve({"adder": Adder()}, "tcp://127.0.0.1:0") as server:
    with leat.connect(server.url, timeout=20) as peer:
        assert peer["adder"].add(2, 40) == 42
        total = peer["adder"].add(np.arange(100_000), np.ones(100_000, dtype=np.int64))
        assert total.sum() == sum(range(100_000)) + 100_000
"""
CALL_OVER_ZMQ = CALL.replace("tcp://127.0.0.1:0", "zmq+tcp://127.0.0.1:0")
USE = {
    "leat": CALL_OVER_ZMQ,
    "zmq": """
import zmq
pair = [zmq.Context.instance().socket(zmq.PAIR) for _ in range(2)]
pair[0].bind("inproc://pair"), pair[1].connect("inproc://pair")
pair[0].send(b"hello")
assert pair[1].recv() == b"hello"
for socket in pair: socket.close(0)
""",
    "pyarrow": """
import pyarrow
import pyarrow.compute
assert pyarrow.compute.sum(pyarrow.array([1, 2, 3])).as_py() == 6
""",
}


def run(*command: str | Path, cwd: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    result = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.returncode == 0, f"{' '.join(map(str, command))}\n{result.stdout}"
    return result.stdout


@pytest.fixture(scope="module")
def wheel() -> Path:
    (path,) = (ROOT / "dist").glob("leat-*.whl")
    return path


@pytest.mark.timeout(400)
def test_it_works_outside_the_tree(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    run(sys.executable, "-m", "venv", environment, cwd=tmp_path)
    python = environment / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", wheel, cwd=tmp_path)
    run(python, "-c", CALL, cwd=tmp_path)
    run(python, "-c", CALL_OVER_ZMQ, cwd=tmp_path)


def test_it_carries_its_libraries(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.startswith("leat.libs/libzmq") for name in names), names
    assert "leat/py.typed" in names
    assert "manylinux" in wheel.name


def test_its_symbols_are_hidden(wheel: Path, tmp_path: Path) -> None:
    """The module exports its initialisation and nothing that could be taken for another library's."""
    archive = zipfile.ZipFile(wheel)
    (name,) = [n for n in archive.namelist() if n.startswith("leat/_native") and n.endswith(".so")]
    listing = run("nm", "--dynamic", "--defined-only", archive.extract(name, tmp_path), cwd=tmp_path)
    exported = [line.split()[-1] for line in listing.splitlines()]
    ours = [symbol for symbol in exported if "leat" in symbol or "zmq" in symbol]
    assert ours == []
    assert "PyInit__native" in exported


@pytest.mark.parametrize("order", list(itertools.permutations(USE)), ids="-".join)
def test_it_lives_with_others_in_one_process(order: tuple[str, ...], tmp_path: Path) -> None:
    run(sys.executable, "-c", "".join(USE[name] for name in order), cwd=tmp_path)
