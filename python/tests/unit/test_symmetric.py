"""Peers that serve each other over one connection."""

import contextlib
import subprocess
import sys
import threading

import leat
import pytest

URLS = ["tcp://127.0.0.1:0", "zmq+tcp://127.0.0.1:0", "inproc://symmetric"]


class Screen:
    """What a client serves."""

    def __init__(self):
        self.shown = []

    def show(self, value):
        self.shown.append(value)
        return len(self.shown)

    def ticks(self, n):
        yield from range(n)

    def total(self, items):
        return sum(items)

    def fail(self):
        raise LookupError("no screen")

    def ask_back(self, n):
        """Calls the side that calls: the server, which calls this one, ..."""
        return leat.context().peer["scope"].bounce(n - 1) if n else ["the end"]


class Scope:
    """What the server serves: it calls its caller."""

    def __init__(self):
        self.kept = None

    def show(self, value):
        return leat.context().peer["screen"].show(value)

    def stream(self, n):
        return list(leat.context().peer["screen"].ticks(n))

    def upload(self, n):
        return leat.context().peer["screen"].total(i for i in range(n))

    def fail(self):
        leat.context().peer["screen"].fail()

    def missing(self, name):
        return leat.context().peer[name].anything()

    def bounce(self, n):
        return [n, *leat.context().peer["screen"].ask_back(n)]

    def items(self, n):
        """A generator that calls back in each step."""
        for i in range(n):
            yield leat.context().peer["screen"].show(i)

    def keep(self):
        self.kept = leat.context().peer

    def future(self, n):
        futures = [leat.context().peer["screen"].show.future(i) for i in range(n)]
        return sorted(each.result() for each in futures)


@pytest.fixture(params=URLS, ids=lambda url: url.partition(":")[0])
def site(request):
    scope = Scope()
    with leat.serve({"scope": scope}, request.param) as server:
        yield scope, server.url


def test_a_handler_calls_its_caller_in_every_way(site):
    _, url = site
    screen = Screen()
    with leat.connect(url, serve={"screen": screen}) as peer:
        scope = peer["scope"]
        assert scope.show("hello") == 1
        assert scope.stream(1000) == list(range(1000))
        assert scope.upload(100) == 4950
        assert list(scope.items(5)) == [2, 3, 4, 5, 6]
        assert scope.future(20) == list(range(7, 27))
        assert screen.shown[:6] == ["hello", *range(5)]
        assert sorted(screen.shown[6:]) == list(range(20))
        with pytest.raises(LookupError, match="no screen") as caught:
            scope.fail()
        assert "in fail" in caught.value.remote_traceback


def test_calls_go_back_and_forth(site):
    _, url = site
    with leat.connect(url, serve={"screen": Screen()}) as peer:
        # Each round holds a thread on both sides, of which there are four.
        assert peer["scope"].bounce(3) == [3, 2, 1, 0, "the end"]


def test_what_a_client_does_not_serve_is_named(site):
    _, url = site
    with leat.connect(url) as peer:
        with pytest.raises(leat.RemoteError, match="nothing is offered here as 'screen'; nothing is offered at all"):
            peer["scope"].show(1)
        peer.add(Screen(), "screen")
        assert peer["scope"].show(1) == 1
        with pytest.raises(leat.RemoteError, match="did you mean 'screen'"):
            peer["scope"].missing("scren")
        with pytest.raises(leat.RemoteError, match="already offered") as caught:
            peer.add(Screen(), "screen")
        assert caught.value.code == "already_exists"
        with pytest.raises(TypeError, match="an object needs a name"):
            peer.add(Screen())


def test_each_caller_is_called_over_its_own_connection(site):
    _, url = site
    screens = [Screen() for _ in range(5)]
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(leat.connect(url, serve={"screen": screen})) for screen in screens]
        threads = [
            threading.Thread(target=lambda i=i: [peers[i]["scope"].show((i, n)) for n in range(50)]) for i in range(5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for i, screen in enumerate(screens):
        assert screen.shown == [(i, n) for n in range(50)] or screen.shown == [[i, n] for n in range(50)]


def test_a_caller_that_is_kept_can_be_called_until_it_is_gone(site):
    scope, url = site
    screen = Screen()
    with leat.connect(url, serve={"screen": screen}) as peer:
        peer["scope"].keep()
        assert scope.kept["screen"].show("later") == 1
        assert list(scope.kept["screen"].ticks(3)) == [0, 1, 2]
    with pytest.raises(leat.RemoteError) as caught:
        scope.kept["screen"].show("too late")
    assert caught.value.code in ("unavailable", "cancelled")


def test_what_a_client_serves_is_served_again_after_a_reconnection():
    server = leat.serve({"scope": Scope()}, "tcp://127.0.0.1:0")
    with leat.connect(server.url, serve={"screen": Screen()}, wait_for_ready=True) as peer:
        assert peer["scope"].show(1) == 1
        server.close()
        while peer.connected:
            threading.Event().wait(0.001)
        with leat.serve({"scope": Scope()}, server.url):
            assert peer["scope"].show(2) == 2
            assert peer.epoch == 2


SCHEMA = """
namespace symmetric;
table Number { value: int64; }
rpc_service Doubler { Double(Number): Number; }
"""


def test_a_client_serves_a_schema_and_a_handler_has_a_typed_client_of_it(tmp_path):
    path = tmp_path / "symmetric.fbs"
    path.write_text(SCHEMA)
    module = leat.load_schema(path)

    class Doubler(module.DoublerService):
        def double(self, request):
            return module.Number(value=2 * request.value)

    class Scope:
        def double(self, value):
            return leat.context().peer.service(module.Doubler).double(value=value).value

    with leat.serve({"scope": Scope()}, "tcp://127.0.0.1:0") as server:
        with leat.connect(server.url, serve=[Doubler()]) as peer:
            assert peer["scope"].double(21) == 42
        with leat.connect(server.url) as peer:
            peer.add(Doubler())
            assert peer["scope"].double(4) == 8


PROGRAM = """
import leat, threading, time
class Screen:
    def spin(self):
        entered.set()
        while True: time.sleep(0.01)
    def show(self, value): return value
class Scope:
    def call(self): leat.context().peer["screen"].spin()
    def show(self, value): return leat.context().peer["screen"].show(value)
entered = threading.Event()
server = leat.serve({"scope": Scope()}, "tcp://127.0.0.1:0")
peer = leat.connect(server.url, serve={"screen": Screen()})
"""


@pytest.mark.parametrize(
    "end",
    {
        "an idle client": "peer['scope'].show(1)",
        "a client's handler that never ends": "peer['scope'].call.oneway(); entered.wait()",
    }.items(),
    ids=lambda item: item[0],
)
def test_the_interpreter_exits_cleanly_with(end):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + end[1]], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
