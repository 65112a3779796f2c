"""leat.testing: a peer in memory, and a clock that the test moves."""

import threading
import time

import leat
import leat.testing
import pytest


class Scope:
    def __init__(self):
        self.waits = threading.Semaphore(0)
        self.left = None

    def snap(self, exposure=0.1):
        return exposure

    def expose(self, seconds):
        self.left = leat.context().remaining
        self.waits.release()
        return "gone" if leat.context().wait(seconds) else "done"

    def await_waiting(self):
        assert self.waits.acquire(timeout=20)


def wait_for(clock, future, step=60.0):
    """Lets time pass until the call has ended: nobody knows just when its handler began to wait."""
    while not future.done():
        clock.advance(step)
        time.sleep(0)
    return future.result()


def test_objects_are_called_without_a_socket():
    with leat.testing.peer({"scope": Scope()}) as peer:
        assert peer["scope"].snap(0.5) == 0.5
        assert peer.transport == "inproc"
        assert peer.server.stats()["calls"] == 1
        with leat.connect(peer.url) as second:
            assert second["scope"].snap(1) == 1
        with leat.testing.peer({"scope": Scope()}) as other:
            assert other.url != peer.url
    assert not peer.connected
    assert peer.server.wait(0)
    peer.close()


def test_services_are_called_too(tmp_path):
    path = tmp_path / "lab.fbs"
    path.write_text("namespace lab; table Frame { index: int; } rpc_service Camera { Snap(Frame): Frame; }")
    lab = leat.load_schema(path)

    class Camera(lab.CameraService):
        def snap(self, request):
            return lab.Frame(index=request.index + 1)

    with leat.testing.peer([Camera()]) as peer:
        assert peer.service(lab.Camera).snap(index=1).index == 2


def test_what_can_not_be_served_is_refused():
    with pytest.raises(TypeError, match="Scope is a class"):
        leat.testing.peer({"scope": Scope})


def test_the_client_serves_too():
    class Caller:
        def call_back(self):
            return leat.context().peer["client"].snap(5)

    with leat.testing.peer({"caller": Caller()}, serve={"client": Scope()}) as peer:
        assert peer["caller"].call_back() == 5


def test_limits_hold_for_both_sides():
    limits = leat.Limits(max_message_bytes=1000)
    with leat.testing.peer({"scope": Scope()}, limits=limits) as peer:
        with pytest.raises(leat.RemoteError) as caught:
            peer["scope"].snap("x" * 2000)
        assert caught.value.code == "resource_exhausted"


def test_interceptors_of_both_sides_are_taken():
    class Count(leat.Interceptor):
        def __init__(self):
            self.calls = []

        def on_start(self, call):
            self.calls.append(call.side)

    here, there = Count(), Count()
    with leat.testing.peer({"scope": Scope()}, interceptors=[here], server_interceptors=[there]) as peer:
        peer["scope"].snap()
    assert (here.calls, there.calls) == (["client"], ["server"])


def test_an_hour_passes_when_the_test_says_so():
    scope = Scope()
    with leat.testing.ManualClock() as clock, leat.testing.peer({"scope": scope}) as peer:
        future = peer["scope"].expose.options(timeout=3600).future(10000)
        scope.await_waiting()
        assert scope.left == 3600
        clock.advance(3599)
        assert not future.done()
        clock.advance(1)
        with pytest.raises(TimeoutError):
            future.result()


def test_a_blocking_call_ends_when_its_time_is_up():
    scope = Scope()

    def call():
        try:
            peer["scope"].expose.options(timeout=5)(3600)
        except TimeoutError as error:
            caught.append(error)

    caught = []
    with leat.testing.ManualClock() as clock, leat.testing.peer({"scope": scope}) as peer:
        thread = threading.Thread(target=call)
        thread.start()
        scope.await_waiting()
        clock.advance(5)
        thread.join()
    assert len(caught) == 1


def test_a_handler_that_waits_is_woken_by_the_clock():
    scope = Scope()
    began = time.monotonic()
    with leat.testing.ManualClock() as clock, leat.testing.peer({"scope": scope}) as peer:
        future = peer["scope"].expose.future(3600)
        scope.await_waiting()
        assert wait_for(clock, future) == "done"
    assert time.monotonic() - began < 1800


def test_interceptors_and_metrics_see_the_tests_time():
    scope = Scope()
    metrics = leat.interceptors.Metrics()
    with (
        leat.testing.ManualClock() as clock,
        leat.testing.peer({"scope": scope}, server_interceptors=[metrics]) as peer,
    ):
        future = peer["scope"].expose.future(3600)
        scope.await_waiting()
        wait_for(clock, future)
    (method,) = metrics.methods()
    assert method["latency"]["sum"] >= 3600


def test_there_is_one_clock_at_a_time():
    with leat.testing.ManualClock() as clock:
        began = clock.now()
        clock.advance(0.5)
        assert clock.now() == pytest.approx(began + 0.5)
        assert clock.now() == clock.now()
        with pytest.raises(RuntimeError, match="one at a time"):
            leat.testing.ManualClock()
        with pytest.raises(ValueError, match="not negative"):
            clock.advance(-1)
    with pytest.raises(RuntimeError, match="has been stopped"):
        clock.advance(1)
    clock.stop()
    with leat.testing.ManualClock() as clock:
        assert clock.now() == pytest.approx(time.monotonic(), abs=60)
