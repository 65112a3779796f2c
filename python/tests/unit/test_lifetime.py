"""How things end: interpreter exit with everything alive, servers closed under load, other libraries in the process."""

import contextlib
import gc
import subprocess
import sys
import threading
import time
import weakref

import leat
import numpy as np
import pytest

SCOPE = """
import threading, time
import numpy as np
import leat
class Scope:
    def one(self, value): return value
    def frames(self):
        while True: yield np.zeros(1000)
    def sleep(self, seconds): time.sleep(seconds)
    def spin(self):
        while True: time.sleep(0.01)
server = leat.serve({"scope": Scope()}, "tcp://127.0.0.1:0")
peer = leat.connect(server.url)
scope = peer["scope"]
def daemon(work):
    def quiet():
        try: work()
        except leat.RemoteError: pass  # closed at exit
    threading.Thread(target=quiet, daemon=True).start()
"""


def run(program):
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(
    "alive",
    {
        "nothing open": "server.close(); peer.close()",
        "all open": "scope.one(1)",
        "an array kept": "kept = scope.one(np.zeros(100_000))",
        "a stream half read": "items = scope.frames(); next(items)",
        "a thread that calls": "daemon(lambda: [scope.one(1) for _ in iter(int, 1)]); time.sleep(0.1)",
        "a thread that reads a stream": "daemon(lambda: list(scope.frames())); time.sleep(0.1)",
        "a handler that sleeps": "daemon(lambda: scope.sleep(0.3)); time.sleep(0.1)",
        "a handler that never ends": "daemon(lambda: scope.spin()); time.sleep(0.1)",
        "a cycle": "class C: pass\nc = C(); c.c = c; c.kept = (peer, server, scope, scope.frames())",
        "a global in a module": "import builtins; builtins.kept = (peer, server, scope.frames())",
    }.items(),
    ids=lambda item: item[0],
)
def test_the_interpreter_exits_cleanly_with(alive):
    run(SCOPE + alive[1] + "\n")


@pytest.mark.parametrize("order", [("leat", "zmq", "pyarrow"), ("zmq", "pyarrow", "leat"), ("pyarrow", "leat", "zmq")])
def test_leat_lives_in_one_process_with_pyzmq_and_pyarrow(order):
    for name in order:
        pytest.importorskip(name)
    program = "\n".join(f"import {name}" for name in order)
    program += """
import numpy as np
class Scope:
    def one(self, value): return value
for url in ("tcp://127.0.0.1:0", "zmq+tcp://127.0.0.1:0"):
    with leat.serve({"scope": Scope()}, url) as server, leat.connect(server.url) as peer:
        context = zmq.Context()
        push, pull = context.socket(zmq.PUSH), context.socket(zmq.PULL)
        port = pull.bind_to_random_port("tcp://127.0.0.1")
        push.connect(f"tcp://127.0.0.1:{port}")
        for i in range(100):
            array = pyarrow.array(range(i, i + 100))
            assert (peer["scope"].one(array.to_numpy()) == array.to_numpy()).all()
            push.send(b"x")
            assert pull.recv() == b"x"
        context.destroy()
print("ok")
"""
    assert run(program) == "ok\n"


class Scope:
    def one(self, value):
        return value

    def sleep(self, seconds):
        time.sleep(seconds)

    def frames(self, n):
        for i in range(n):
            yield np.full(2000, i)


def test_a_server_lets_go_of_what_it_served():
    scope = Scope()
    gone = weakref.ref(scope)
    with leat.serve({"scope": scope}, "inproc://gone") as server, leat.connect(server.url) as peer:
        peer["scope"].one(1)
    del scope, server, peer
    for _ in range(100):
        gc.collect()
        if gone() is None:
            return
        time.sleep(0.01)
    pytest.fail("the object is still held")


def test_an_array_that_was_sent_is_let_go_of():
    array = np.zeros(100_000)
    gone = weakref.ref(array)
    with leat.serve({"scope": Scope()}, "tcp://127.0.0.1:0") as server, leat.connect(server.url) as peer:
        peer["scope"].one(array)
        del array
        while gone() is not None:
            peer["scope"].one(1)


def test_a_server_is_closed_while_it_is_called():
    server = leat.serve({"scope": Scope()}, "tcp://127.0.0.1:0")
    peer = leat.connect(server.url)
    ends = []

    def work():
        try:
            while True:
                list(peer["scope"].frames(10))
        except leat.RemoteError as error:
            ends.append(error.code)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    server.close()
    server.close()
    for thread in threads:
        thread.join()
    assert ends == ["unavailable"] * 4
    peer.close()


def test_close_ends_wait():
    server = leat.serve({"scope": Scope()}, "tcp://127.0.0.1:0")
    assert server.wait(0.01) is False
    threading.Timer(0.1, server.close).start()
    assert server.wait() is True


def test_a_server_may_be_closed_by_a_handler():
    class Closing:
        def close(self):
            server.close()

    server = leat.serve({"it": Closing()}, "tcp://127.0.0.1:0")
    with leat.connect(server.url) as peer:
        with contextlib.suppress(ConnectionError):  # if it is faster than its own answer
            peer["it"].close()
        assert server.wait() is True


def test_a_server_serves_several_addresses(tmp_path):
    with leat.serve({"scope": Scope()}, "tcp://127.0.0.1:0", f"ipc://{tmp_path}/s", "inproc://several") as server:
        assert len(server.urls) == 3
        assert server.url == server.urls[0]
        for url in server.urls:
            with leat.connect(url) as peer:
                assert peer["scope"].one(url) == url
        assert server.stats()["connections_accepted"] == 3
        assert server.stats()["calls"] == 3


def test_the_gil_is_free_while_a_call_waits():
    counted = 0
    with leat.serve({"scope": Scope()}, "tcp://127.0.0.1:0") as server, leat.connect(server.url) as peer:
        thread = threading.Thread(target=lambda: peer["scope"].sleep(0.3))
        thread.start()
        while thread.is_alive():
            counted += 1
    assert counted > 1000


def test_a_forked_child_is_told_that_the_connection_is_its_parents():
    out = run(
        SCOPE
        + """
import os
scope.one(1)
child = os.fork()
if child == 0:
    try:
        scope.one(2)
    except leat.RemoteError as error:
        print(f"{error.code}, {error.not_started}: {error}", flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(scope.one(3), peer.epoch)
"""
    )
    first, second = out.splitlines()
    assert first.startswith("failed_precondition, True: ")
    assert "before fork()" in first
    assert second == "3 1"
