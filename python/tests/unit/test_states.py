"""What becomes of connections: states and who is told of them, reconnection, retries, health, draining, SIGTERM."""

import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import leat
import pytest


class Scope:
    def __init__(self):
        self.gate = threading.Event()
        self.entered = threading.Semaphore(0)
        self.calls = 0

    def one(self, value):
        return value

    def hold(self):
        self.calls += 1
        self.entered.release()
        self.gate.wait()
        return "done"


def serve(scope=None, url="tcp://127.0.0.1:0", **keywords):
    return leat.serve({"scope": scope or Scope()}, url, **keywords)


def lose(peer, server):
    server.close()
    while peer.connected:
        threading.Event().wait(0.001)


class Watch:
    """The events of a peer, to be waited for."""

    def __init__(self):
        self.events = []
        self.changed = threading.Condition()

    def __call__(self, event):
        with self.changed:
            self.events.append(event)
            self.changed.notify_all()

    def wait_for(self, state):
        with self.changed:
            assert self.changed.wait_for(lambda: any(event.state == state for event in self.events), 60)
            return self.events


def test_a_restarted_server_is_used_without_another_connect():
    watch = Watch()
    server = serve()
    url = server.url
    with leat.connect(url, on_state=watch) as peer:
        assert (peer.state, peer.epoch, peer.connected) == ("ready", 1, True)
        lose(peer, server)
        with pytest.raises(ConnectionError, match="not connected, trying again") as caught:
            peer["scope"].one(1)
        assert caught.value.not_started
        assert peer.state in ("backoff", "connecting")
        with serve(url=url):
            peer.wait_ready(60)
            assert peer["scope"].one(2) == 2
            assert (peer.state, peer.epoch) == ("ready", 2)
            events = watch.wait_for("ready")
        assert [event.state for event in events[:2]] == ["backoff", "connecting"]
        assert events[0].epoch == 1
        assert isinstance(events[0].reason, ConnectionError)
        ready = next(event for event in events if event.state == "ready")
        assert (ready.epoch, ready.reason) == (2, None)
    assert peer.state == "closed"
    assert watch.wait_for("closed")[-1].reason.code == "cancelled"


def test_wait_for_ready_waits_by_call_and_by_connection():
    server = serve()
    url = server.url
    with leat.connect(url, wait_for_ready=True) as peer, leat.connect(url) as other:
        lose(peer, server)
        lose(other, server)
        pool = ThreadPoolExecutor()
        patient = [pool.submit(peer["scope"].one, 1), pool.submit(other["scope"].one.options(wait_for_ready=True), 2)]
        with pytest.raises(ConnectionError):
            other["scope"].one(3)
        with pytest.raises(ConnectionError):
            peer["scope"].one.options(wait_for_ready=False)(3)
        with serve(url=url):
            assert [each.result(60) for each in patient] == [1, 2]
        pool.shutdown()


def test_wait_ready_ends_at_its_timeout_and_names_the_reason():
    server = serve()
    with leat.connect(server.url) as peer:
        lose(peer, server)
        with pytest.raises(TimeoutError, match=r"not connected in time; the last failure: "):
            peer.wait_ready(0.01)
        threading.Timer(0.05, peer.close).start()
        with pytest.raises(ConnectionError, match="closed"):
            peer.wait_ready()


@pytest.mark.parametrize("reconnect", [False, leat.Reconnect(first_backoff=1000, max_backoff=1000, give_up_after=0.01)])
def test_reconnection_is_given_up(reconnect):
    watch = Watch()
    server = serve()
    with leat.connect(server.url, reconnect=reconnect, on_state=watch) as peer:
        lose(peer, server)
        watch.wait_for("closed")
        assert peer.state == "closed"
        with pytest.raises(ConnectionError, match="the connection is closed"):
            peer["scope"].one.options(wait_for_ready=True)(1)
        assert peer.epoch == 1


def test_the_backoff_is_the_given_one():
    server = serve()
    url = server.url
    with leat.connect(url, reconnect=leat.Reconnect(first_backoff=1000, max_backoff=1000)) as peer:
        lose(peer, server)
        with serve(url=url), pytest.raises(TimeoutError):
            peer.wait_ready(0.3)
        assert peer.state == "backoff"


def test_on_state_is_a_decorator_and_outlives_what_its_callbacks_raise(caplog):
    server = serve()
    with leat.connect(server.url, reconnect=False) as peer:

        @peer.on_state
        def broken(event):
            raise ValueError("not interested")

        watch = peer.on_state(Watch())
        lose(peer, server)
        assert watch.wait_for("closed")[0].epoch == 1
    assert "not interested" in caplog.text
    assert broken.__name__ == "broken"


def test_who_is_told_of_a_state_may_close_the_peer_and_call_it():
    server = serve()
    url = server.url
    peer = leat.connect(url, wait_for_ready=True)
    ended = threading.Event()

    @peer.on_state
    def changed(event):
        if event.state == "ready":
            assert peer["scope"].one(event.epoch) == 2
            peer.close()
        elif event.state == "closed":
            ended.set()

    lose(peer, server)
    with serve(url=url):
        assert ended.wait(60)
    assert peer.state == "closed"


def test_who_watches_a_peer_does_not_keep_it_alive():
    with serve() as server:
        peer = leat.connect(server.url)
        peer.on_state(lambda event, peer=peer: None)
        gone = weakref.ref(peer)
        del peer
        gc.collect()
        assert gone() is None


def test_an_idempotent_call_is_made_again_and_another_is_not():
    scope = Scope()
    server = serve(scope)
    url = server.url
    with leat.connect(url) as peer:
        ends = {}

        def call(name, method):
            try:
                ends[name] = method()
            except leat.RemoteError as error:
                ends[name] = error

        hold = peer["scope"].hold
        calls = {"again": hold.options(idempotent=True, wait_for_ready=True), "once": hold}
        threads = [threading.Thread(target=call, args=item) for item in calls.items()]
        for thread in threads:
            thread.start()
        for _ in threads:
            scope.entered.acquire()
        closing = threading.Thread(target=server.close)
        closing.start()
        while peer.connected:
            threading.Event().wait(0.001)
        scope.gate.set()
        closing.join()
        with serve(scope, url):
            for thread in threads:
                thread.join()
        assert ends["again"] == "done"
        assert isinstance(ends["once"], ConnectionError)
        assert ends["once"].outcome_unknown
        assert not ends["once"].not_started
        assert scope.calls == 3


@pytest.mark.parametrize("retry", [False, leat.Retry(max_attempts=1), leat.Retry(budget_tokens=2)])
def test_retries_are_given_up(retry):
    scope = Scope()
    server = serve(scope)
    with leat.connect(server.url, retry=retry) as peer:
        ends = []

        def call():
            try:
                peer["scope"].hold.options(idempotent=True, wait_for_ready=True)()
            except leat.RemoteError as error:
                ends.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        scope.entered.acquire()
        closing = threading.Thread(target=server.close)
        closing.start()
        thread.join()
        scope.gate.set()
        closing.join()
    assert ends[0].outcome_unknown
    assert scope.calls == 1


def test_marks_of_a_failure_survive_pickling_but_no_handler():
    error = leat.RemoteError("lost", code="unavailable", outcome_unknown=True)
    assert pickle.loads(pickle.dumps(error)).outcome_unknown
    assert not leat.RemoteError("x").not_started

    class Broken:
        def fail(self):
            raise leat.RemoteError("elsewhere", code="unavailable", not_started=True, outcome_unknown=True)

    with leat.serve({"it": Broken()}, "tcp://127.0.0.1:0") as server, leat.connect(server.url) as peer:
        with pytest.raises(ConnectionError) as caught:
            peer["it"].fail()
        assert (caught.value.not_started, caught.value.outcome_unknown) == (False, False)


def test_health_is_asked_of_the_other_side():
    with serve() as server, leat.connect(server.url) as peer:
        assert peer.health("scope")
        assert peer.health()
        server.set_health("scope", False)
        assert peer.health("scope") is False
        assert peer.health() is True
        server.set_health("", serving=False)
        assert peer.health(timeout=10) is False
        server.set_health("scope", True)
        assert peer.health("scope") is True
        with pytest.raises(LookupError, match="nothing is offered there as 'nobody'"):
            peer.health("nobody")
        with pytest.raises(LookupError, match="nothing is offered here as 'nobody'"):
            server.set_health("nobody", True)


def test_drain_lets_calls_finish_and_refuses_new_ones():
    scope = Scope()
    with serve(scope) as server, leat.connect(server.url, reconnect=False) as peer:
        running = peer["scope"].hold.future()
        scope.entered.acquire()
        drained = []
        draining = threading.Thread(target=lambda: drained.append(server.drain()))
        draining.start()
        refused = None
        while refused is None:
            refused = peer["scope"].one.future(1).exception(60)
        assert isinstance(refused, ConnectionError)
        assert refused.not_started
        scope.gate.set()
        assert running.result(60) == "done"
        draining.join()
        assert drained == [True]
        assert server.wait() is True


def test_drain_in_the_main_thread_says_when_it_was_too_short():
    scope = Scope()
    with serve(scope) as server, leat.connect(server.url) as peer:
        running = peer["scope"].hold.future()
        scope.entered.acquire()
        threading.Timer(0.1, scope.gate.set).start()
        assert server.drain(0.01) is False
        assert isinstance(running.exception(60), ConnectionError)
    with serve() as server:
        assert server.drain(60) is True


SERVER = """
import leat, os, signal, sys, threading, time
class Scope:
    def hold(self, seconds):
        print("entered", flush=True)
        time.sleep(seconds)
        return "done"
server = leat.serve({{"scope": Scope()}}, "tcp://127.0.0.1:0", drain_limit={limit})
print(server.url, flush=True)
{before}
def say_when_sigterm_is_handled():
    while signal.getsignal(signal.SIGTERM) == signal.SIG_DFL: time.sleep(0.001)
    print("handled", flush=True)
threading.Thread(target=say_when_sigterm_is_handled, daemon=True).start()
{wait}
print("waited", repr(signal.getsignal(signal.SIGTERM)), flush=True)
"""


def program(wait="server.wait()", before="", limit=60):
    return SERVER.format(wait=wait, before=before, limit=limit)


@pytest.mark.parametrize("wait", ["server.wait()", "server.wait(3600)"])
def test_sigterm_drains_a_server_that_is_waited_for(start, wait):
    child = start("-c", program(wait), lines=2)
    with leat.connect(child.url, reconnect=False) as peer:
        running = peer["scope"].hold.future(0.5)
        assert child.process.stdout.readline() == "entered\n"
        child.process.send_signal(signal.SIGTERM)
        assert running.result(60) == "done"
        # What was before is there again.
        assert child.process.stdout.read() == f"waited {signal.SIG_DFL!r}\n"
        assert child.process.wait() == 0


def test_sigterm_drains_no_longer_than_drain_limit(start):
    child = start("-c", program(limit=0.05, wait="server.wait(); os._exit(7)"), lines=2)
    with leat.connect(child.url, reconnect=False) as peer:
        running = peer["scope"].hold.future(1)
        assert child.process.stdout.readline() == "entered\n"
        child.process.send_signal(signal.SIGTERM)
        assert isinstance(running.exception(60), ConnectionError)
        assert child.process.wait() == 7


def test_ctrl_c_ends_a_drain(start):
    wait = """
try:
    server.wait()
except KeyboardInterrupt:
    print("interrupted", flush=True)
    os._exit(5)
"""
    before = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    child = start("-c", program(wait, before), lines=2)
    with leat.connect(child.url) as peer:
        peer["scope"].hold.oneway(3600)
        assert child.process.stdout.readline() == "entered\n"
        child.process.send_signal(signal.SIGTERM)
        while peer.connected:  # until it is draining
            threading.Event().wait(0.01)
        child.process.send_signal(signal.SIGINT)
        assert child.process.stdout.read() == "interrupted\n"
        assert child.process.wait() == 5


def test_a_program_that_handles_sigterm_itself_is_left_alone(start):
    before = """
def mine(number, frame):
    print("mine", flush=True)
    server.close()
signal.signal(signal.SIGTERM, mine)
"""
    wait = "server.wait(); assert signal.getsignal(signal.SIGTERM) is mine; os._exit(3)"
    child = start("-c", program(wait, before), lines=2)
    child.process.send_signal(signal.SIGTERM)
    assert child.process.stdout.read() == "mine\n"
    assert child.process.wait() == 3


@pytest.mark.parametrize(
    "wait",
    [
        "threading.Event().wait()",  # nobody waits for the server
        "t = threading.Thread(target=server.wait); t.start(); print('ready', flush=True); t.join()",
    ],
)
def test_sigterm_ends_a_program_whose_main_thread_does_not_wait_for_the_server(start, wait):
    child = start("-c", program(wait, "print('going', flush=True)"), lines=2)
    child.process.send_signal(signal.SIGTERM)
    assert child.process.wait() == -signal.SIGTERM


def test_a_wait_puts_sigterm_back():
    before = signal.getsignal(signal.SIGTERM)
    with serve() as server:
        assert server.wait(0) is False
        threading.Timer(0.05, server.close).start()
        assert server.wait() is True
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_stopped_server_process_is_named_as_the_reason(start):
    child = start("-c", program(), lines=2)
    with leat.connect(child.url) as peer:
        running = peer["scope"].hold.future(3600)
        assert child.process.stdout.readline() == "entered\n"
        os.kill(child.process.pid, signal.SIGKILL)
        error = running.exception(60)
        assert isinstance(error, ConnectionError)
        assert error.outcome_unknown
        assert not error.not_started


def test_a_peer_that_is_waiting_for_a_connection_is_interrupted_by_ctrl_c():
    code = """
import leat, os, signal, threading
signal.signal(signal.SIGINT, signal.default_int_handler)
server = leat.serve({}, "tcp://127.0.0.1:0")
peer = leat.connect(server.url)
server.close()
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
while peer.connected: pass
try:
    peer.wait_ready()
except KeyboardInterrupt:
    print("interrupted")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "interrupted\n"
