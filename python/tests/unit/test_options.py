"""What connect() and serve() can be told: each keyword reaches the C++ side, and nonsense is refused by its name."""

import dataclasses
import inspect
import math
import subprocess
import sys
import threading

import leat
import numpy as np
import pytest
from leat import _native


class Scope:
    def __init__(self):
        self.gate = threading.Event()
        self.running = 0
        self.most = 0
        self.lock = threading.Lock()

    def one(self, value):
        return value

    def frames(self, n):
        yield from range(n)

    def hold(self):
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        self.gate.wait()
        with self.lock:
            self.running -= 1

    @leat.method(max_inflight=2)
    def held(self):
        self.hold()

    @staticmethod
    @leat.method(max_inflight=3)
    def still():
        return "still"

    @leat.method(max_inflight=4)
    @classmethod
    def named(cls):
        return cls.__name__

    def remaining(self):
        return leat.context().remaining


@pytest.fixture
def scope():
    return Scope()


@pytest.fixture
def serve(scope):
    """serve(...) and connect(...) with keywords for each."""
    opened = []

    def start(connect=None, **keywords):
        server = leat.serve({"scope": scope}, "tcp://127.0.0.1:0", **keywords)
        opened.append(server)
        peer = leat.connect(server.url, **(connect or {}))
        opened.append(peer)
        return peer["scope"]

    yield start
    scope.gate.set()
    for each in reversed(opened):
        each.close()


def defaults_of(cls):
    fields = dataclasses.asdict(cls())
    return {name: 0 if value is None else value for name, value in fields.items()}


def test_the_defaults_are_those_of_cpp():
    known = _native.default_options()
    assert defaults_of(leat.Limits) == known["Limits"]
    assert defaults_of(leat.Reconnect) == known["Reconnect"]
    assert defaults_of(leat.Retry) == known["Retry"]
    for function in (leat.serve, leat.Server.__init__):
        keywords = inspect.signature(function).parameters
        assert {name: keywords[name].default for name in known["serve"]} == known["serve"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: leat.Limits(max_streams=-1), r"Limits\.max_streams is a number from 0 to 4294967295, got -1"),
        (lambda: leat.Limits(max_streams=1 << 32), r"Limits\.max_streams is a number from 0 to 4294967295"),
        (lambda: leat.Limits(assembly_bytes=1 << 64), r"Limits\.assembly_bytes is a number from 0"),
        (lambda: leat.Limits(heartbeat_interval=-1), r"Limits\.heartbeat_interval is a number of seconds"),
        (lambda: leat.Sending(lane_patience=math.nan), r"Sending\.lane_patience is a number of seconds"),
        (lambda: leat.Reconnect(max_backoff=-1), r"Reconnect\.max_backoff is a number of seconds"),
        (lambda: leat.Retry(max_attempts=-1), r"Retry\.max_attempts is a number from 0"),
        (lambda: leat.Retry(budget_tokens=-1), r"Retry\.budget_tokens is a number, not negative"),
        (lambda: leat.Retry(max_attempts=0), r"Retry\.max_attempts is at least 1, got 0"),
        (lambda: leat.Limits(stream_window_bytes=1), r"Limits\.stream_window_bytes is at least 65536, got 1"),
        (lambda: leat.Limits(channel_window_bytes=1), r"Limits\.channel_window_bytes is at least 65536, got 1"),
        (lambda: leat.Sending(rpc_share_bytes=0), r"Sending\.rpc_share_bytes is at least 1, got 0"),
        (lambda: leat.Sending(bulk_piece_bytes=1 << 20), r"Sending\.bulk_piece_bytes is at most 524288, got 1048576"),
        (
            lambda: leat.Sending(bulk_in_flight_beside_calls_bytes=1),
            r"Sending\.bulk_in_flight_beside_calls_bytes is at least 262144, got 1",
        ),
        (lambda: leat.method(max_inflight=0), "max_inflight is a number of calls, at least 1, got 0"),
        (lambda: leat.serve({}, "inproc://x", max_waiting=-1), "max_waiting is a number from 0 to 4294967295, got -1"),
        (lambda: leat.serve({}, "inproc://x", handshake_timeout=-1), "handshake_timeout is a number of seconds"),
        (lambda: leat.connect("inproc://x", threads=-1), "threads is a number from 0 to 4294967295, got -1"),
        (lambda: leat.connect("inproc://x", call_timeout=-1), "call_timeout is a number of seconds"),
    ],
)
def test_nonsense_is_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: leat.Limits(max_streams=1.5), r"Limits\.max_streams is a whole number, got 1\.5"),
        (lambda: leat.Retry(budget_tokens="x"), r"Retry\.budget_tokens is a number, got 'x'"),
        (lambda: leat.connect("inproc://x", timeout="x"), r"timeout is a number of seconds, got 'x'"),
        (lambda: leat.Limits(sending=5), r"Limits\.sending is a leat\.Sending, got 5"),
        (
            lambda: leat.Reconnect(first_backoff="soon"),
            r"Reconnect\.first_backoff is a number of seconds, got 'soon'",
        ),
        (lambda: leat.Limits(65536), "takes 1 positional argument"),
        (lambda: leat.connect("inproc://x", limits={}), r"limits is a leat\.Limits, got \{\}"),
        (lambda: leat.serve({}, "inproc://x", limits=5), r"limits is a leat\.Limits, got 5"),
        (lambda: leat.connect("inproc://x", reconnect=5), r"reconnect is True, False or a leat\.Reconnect, got 5"),
        (lambda: leat.connect("inproc://x", retry=5), r"retry is True, False or a leat\.Retry, got 5"),
        (lambda: leat.connect("inproc://x", serve=5), r"connect\(serve=\.\.\.\) takes a dict of objects by name"),
    ],
)
def test_what_is_of_another_type_is_refused(make, message):
    with pytest.raises(TypeError, match=message):
        make()


def test_options_can_not_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        leat.Limits().max_streams = 5


def test_limits_of_a_client_bound_what_it_takes(serve):
    limits = leat.Limits(max_message_bytes=100_000)
    scope = serve(connect={"limits": limits})
    with pytest.raises(leat.RemoteError, match="max_message_bytes") as caught:
        scope.one(np.zeros(200_000, np.uint8))
    assert caught.value.code == "resource_exhausted"


def test_limits_of_a_server_bound_what_it_takes(serve):
    scope = serve(limits=leat.Limits(max_metadata_bytes=1000))
    assert scope.one.options(metadata={"a": "b" * 500})(1) == 1
    with pytest.raises(leat.RemoteError, match="max_metadata_bytes") as caught:
        scope.one.options(metadata={"a": "b" * 1500})(1)
    assert caught.value.code == "resource_exhausted"


def test_sending_options_reach_the_connection(lab):
    array = np.zeros(300_000, np.uint8)
    with leat.connect(lab, limits=leat.Limits(sending=leat.Sending(second_lane=False))) as peer:
        peer["scope"].one.options(channel="bulk")(array)
        assert peer.stats()["lanes"] == 1
    with leat.connect(lab, limits=leat.Limits(sending=leat.Sending(lane_patience=60))) as peer:
        peer["scope"].one.options(channel="bulk")(array)
        assert peer.stats()["lanes"] == 2


def test_a_heartbeat_ends_a_connection_to_a_peer_that_is_stopped(start):
    child = start("-c", "import leat; s = leat.serve({}, 'tcp://127.0.0.1:0'); print(s.url, flush=True); s.wait()")
    limits = leat.Limits(heartbeat_interval=0.05, heartbeat_timeout=0.1)
    with leat.connect(child.url, limits=limits, reconnect=False) as peer:
        child.process.send_signal(19)  # SIGSTOP: the socket stays open
        while peer.state != "closed":
            threading.Event().wait(0.01)


def test_max_inflight_of_a_method_holds_calls_back(serve, scope):
    remote = serve(threads=8)
    calls = [remote.held.future() for _ in range(6)]
    while scope.running < 2:
        threading.Event().wait(0.01)
    assert remote.one(1) == 1  # others go on
    assert remote.still() == "still"
    assert remote.named() == "Scope"
    scope.gate.set()
    for call in calls:
        call.result(60)
    assert scope.most == 2


def test_max_inflight_of_a_server_and_max_waiting_refuse_the_rest(serve, scope):
    remote = serve(max_inflight=1, max_waiting=1)
    first = remote.hold.future()
    while scope.running < 1:
        threading.Event().wait(0.01)
    second = remote.one.future(2)
    with pytest.raises(leat.RemoteError, match="max_waiting") as caught:
        remote.one(3)
    assert caught.value.code == "resource_exhausted"
    assert caught.value.not_started
    assert not caught.value.outcome_unknown
    scope.gate.set()
    first.result(60)
    assert second.result(60) == 2


def test_threads_bound_what_a_server_runs_at_a_time(serve, scope):
    remote = serve(threads=2)
    calls = [remote.hold.future() for _ in range(5)]
    while scope.running < 2:
        threading.Event().wait(0.01)
    scope.gate.set()
    for call in calls:
        call.result(60)
    assert scope.most == 2


def test_call_timeout_is_for_calls_that_say_nothing_else(serve, scope):
    remote = serve(connect={"call_timeout": 100})
    assert 0 < remote.remaining() <= 100
    assert 100 < remote.remaining.options(timeout=200)() <= 200
    assert remote.remaining.options(timeout=math.inf)() is None
    assert 0 < remote.remaining.options(metadata={"a": "b"})() <= 100
    assert 0 < remote.remaining.future().result(60) <= 100


def test_a_call_that_exceeds_call_timeout_ends(serve):
    with pytest.raises(TimeoutError):
        serve(connect={"call_timeout": 0.05}).hold()


SCHEMA = """
include "leat/leat.fbs";
namespace options;
table Nothing {}
table Left { seconds: double = -1; }
rpc_service Clock {
  Left(Nothing): Left;
  Short(Nothing): Left (deadline_ms: 5000);
  Hold(Nothing): Left;
}
"""


def test_call_timeout_and_max_inflight_of_schema_services(tmp_path):
    path = tmp_path / "options.fbs"
    path.write_text(SCHEMA)
    module = leat.load_schema(path)
    gate, entered, running, most = threading.Event(), threading.Semaphore(0), [], []

    class Clock(module.ClockService):
        def left(self, request):
            left = leat.context().remaining
            return module.Left(seconds=-1 if left is None else left)

        short = left

        @leat.method(max_inflight=1)
        def hold(self, request):
            running.append(1)
            most.append(len(running))
            entered.release()
            gate.wait()
            running.pop()
            return module.Left()

    with (
        leat.serve(Clock(), "tcp://127.0.0.1:0", threads=4) as server,
        leat.connect(server.url, call_timeout=100, wait_for_ready=True) as peer,
    ):
        clock = peer.service(module.Clock)
        assert 50 < clock.left().seconds <= 100
        assert 0 < clock.short().seconds <= 5  # the schema's own goes before
        assert clock.left(timeout=math.inf).seconds == -1
        assert clock.short.options(timeout=math.inf)().seconds == -1
        assert 50 < clock.left.options(metadata={"a": "b"})().seconds <= 100
        calls = [clock.hold.future() for _ in range(3)]
        entered.acquire()
        assert clock.left().seconds > 0
        gate.set()
        for call in calls:
            call.result(60)
    assert max(most) == 1


def test_the_process_budget_is_set_before_the_first_connection():
    program = """
import leat, numpy as np
class Scope:
    def one(self, value): return value
leat.set_process_assembly_bytes(1 << 20)
with leat.serve({"scope": Scope()}, "tcp://127.0.0.1:0") as server, leat.connect(server.url) as peer:
    try:
        peer["scope"].one(np.zeros(2 << 20, np.uint8))
    except leat.RemoteError as error:
        print(error.code, "process_assembly_bytes" in str(error))
    try:
        leat.set_process_assembly_bytes(1)
    except leat.RemoteError as error:
        print(error.code)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["resource_exhausted True", "failed_precondition"]


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda server, peer: leat.connect(None), "url is a str, got None"),
        (lambda server, peer: leat.connect(server.url, on_state=3), "on_state is a function, got 3"),
        (lambda server, peer: leat.connect(server.url, interceptors=3), r"interceptors is a list of leat\.Interceptor"),
        (lambda server, peer: peer[3], "an object's name is a str, got 3"),
        (lambda server, peer: peer.service("x"), r"service\(\) takes a client class from generated code, got 'x'"),
        (lambda server, peer: peer.on_state(3), "on_state is a function, got 3"),
        (lambda server, peer: peer.health(3), "the name of what is served is a str, got 3"),
        (lambda server, peer: peer["scope"].one.options(timeout="2")(1), "timeout is a number of seconds, got '2'"),
        (lambda server, peer: server.drain("x"), "timeout is a number of seconds, got 'x'"),
        (lambda server, peer: server.wait("x"), "timeout is a number of seconds, got 'x'"),
        (lambda server, peer: server.listen(3), "url is a str, got 3"),
        (lambda server, peer: server.set_health(3, True), "the name of what is served is a str, got 3"),
        (lambda server, peer: peer.add(object()), r"an object needs a name .* or add\(object\(\), 'name'\)"),
    ],
)
def test_an_argument_of_another_type_is_named(scope, use, message):
    with (
        leat.serve({"scope": scope}, "tcp://127.0.0.1:0") as server,
        leat.connect(server.url) as peer,
        pytest.raises(TypeError, match=message),
    ):
        use(server, peer)


def test_a_hook_that_would_never_be_called_is_refused():
    with pytest.raises(TypeError, match=r"Typo\.on_recieve\(\) would never be called; the hooks are on_start"):

        class Typo(leat.Interceptor):
            def on_recieve(self, call, message):
                pass


def test_a_deadline_that_passes_names_the_call_and_its_length(scope):
    with leat.serve({"scope": scope}, "tcp://127.0.0.1:0") as server, leat.connect(server.url) as peer:
        with pytest.raises(TimeoutError, match=r"scope\.hold: the call's deadline \(50 ms\) has passed"):
            peer["scope"].hold.options(timeout=0.05)()
        with pytest.raises(TimeoutError, match=r"scope\.hold: the call's deadline \(50 ms\) has passed"):
            leat.future(peer["scope"].hold.options(timeout=0.05))().result()
        scope.gate.set()
