"""Ctrl-C in everything that blocks: a child says that it is about to, and gets SIGINT."""

import signal
import socket
import subprocess

import pytest

PROGRAM = """
import leat, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
url = {url!r}
{before}
try:
    print("ready", flush=True)
    {wait}
except KeyboardInterrupt:
    print("interrupted", flush=True)
    {after}
"""
CALL = "peer = leat.connect(url); scope = peer['scope']"

NAPPING = """
import os, threading, time
class Napper:
    def nap(self):
        asleep.set()
        time.sleep(3600)
asleep = threading.Event()
server = leat.serve({'napper': Napper()}, 'tcp://127.0.0.1:0')
peer = leat.connect(server.url)
threading.Thread(target=peer['napper'].nap, daemon=True).start()
asleep.wait()
"""

CASES = {
    "a call": (CALL, "scope.sleep(3600)", "assert scope.one(1) == 1"),
    "a call with a timeout": (CALL, "scope.sleep.options(timeout=3600)(3600)", "assert scope.one(1) == 1"),
    "the first item": (CALL, "list(scope.slow_items())", "assert scope.one(1) == 1"),
    "the next item": (
        CALL + "; items = scope.slow_items(); next(items)",
        "next(items)",
        "assert scope.one(1) == 1",
    ),
    "the end of a stream": (CALL + "; items = scope.slow_items()", "items.finish()", "assert scope.one(1) == 1"),
    "a stream that never makes its reader wait": (CALL, "sum(scope.endless())", "assert scope.one(1) == 1"),
    "a server's close while a handler runs": (NAPPING, "server.close()", "os._exit(0)"),
    "a server's wait": (
        "server = leat.serve({'x': object()}, 'tcp://127.0.0.1:0')",
        "server.wait()",
        "server.close()",
    ),
    "a server's wait with a timeout": (
        "server = leat.serve({'x': object()}, 'tcp://127.0.0.1:0')",
        "server.wait(3600)",
        "server.close()",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_ctrl_c_ends(start, lab, case):
    before, wait, after = CASES[case]
    child = start("-c", PROGRAM.format(url=lab, before=before, wait=wait, after=after))
    child.process.send_signal(signal.SIGINT)
    # The signal may come before the wait begins; then the wait must not begin.
    out, _ = child.process.communicate()
    assert out == "interrupted\n"
    assert child.process.returncode == 0


def test_ctrl_c_ends_connecting(start):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        wait = "leat.connect(url, timeout=3600)"
        child = start("-c", PROGRAM.format(url=url, before="", wait=wait, after="pass"))
        child.process.send_signal(signal.SIGINT)
        out, _ = child.process.communicate()
    assert out == "interrupted\n"
    assert child.process.returncode == 0


def test_ctrl_c_without_a_handler_ends_the_program_with_a_traceback(start, lab):
    program = f"import leat; peer = leat.connect({lab!r}); print('ready', flush=True); peer['scope'].sleep(3600)"
    child = start("-c", program, stderr=subprocess.PIPE)
    child.process.send_signal(signal.SIGINT)
    _, err = child.process.communicate()
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert child.process.returncode == -signal.SIGINT
