"""leat.aio, the client's end: calls with one answer."""

import asyncio
import contextlib
import gc
import threading
import time
import weakref

import leat
import leat.aio
import numpy as np
import pytest


class Scope:
    def __init__(self):
        self.gate = threading.Event()
        self.began = threading.Semaphore(0)
        self.ended = []
        self.told = []

    def square(self, value):
        return value * value

    def echo(self, *args, **kwargs):
        return [list(args), kwargs]

    def stuck(self):
        self.began.release()
        while not leat.context().wait(0.005):
            if self.gate.is_set():
                return "free"
        self.ended.append("cancelled")
        return None

    def fail(self):
        raise KeyError("nothing there")

    def nothing(self):
        pass

    def writeable(self, array):
        return array.flags.writeable

    def total(self, array):
        time.sleep(0.02)
        return float(array.sum())

    def tell(self, what):
        self.told.append(what)

    def channel(self):
        return leat.context().metadata.get("who")

    def metadata(self):
        leat.context().send_initial_metadata({"begun": "yes"})
        leat.context().set_trailing_metadata({"ended": "yes"})
        return 1


@pytest.fixture(scope="module")
def server():
    scope = Scope()
    with leat.serve({"scope": scope}, "tcp://127.0.0.1:0", threads=32) as server:
        server.scope = scope
        yield server
        scope.gate.set()


@pytest.fixture(autouse=True)
def anew(server):
    server.scope.gate.clear()
    server.scope.began = threading.Semaphore(0)
    server.scope.ended.clear()
    server.scope.told.clear()


async def eventually(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


def on_loop(test):
    """Runs a coroutine with `peer` and `scope`, both ends of a connection."""

    def run(server):
        async def main():
            async with leat.aio.connect(server.url) as peer:
                await asyncio.wait_for(test(peer, server.scope), 60)

        asyncio.run(main())

    run.__name__ = test.__name__
    return run


@on_loop
async def test_a_call_is_awaited(peer, scope):
    assert await peer["scope"].square(7) == 49
    assert await peer.object("scope").echo(1, b"2", three=[3]) == [[1, b"2"], {"three": [3]}]
    assert await peer["scope"].nothing() is None
    np.testing.assert_array_equal(await peer["scope"].square(np.arange(5)), np.arange(5) ** 2)


@on_loop
async def test_many_calls_go_on_at_once(peer, scope):
    square = peer["scope"].square
    assert await asyncio.gather(*(square(i) for i in range(500))) == [i * i for i in range(500)]


@on_loop
async def test_a_call_begins_when_it_is_made(peer, scope):
    call = peer["scope"].stuck()
    await eventually(lambda: scope.began.acquire(blocking=False))
    assert not call.done()
    scope.gate.set()
    assert await call == "free"
    assert await call == "free"


@on_loop
async def test_the_loop_does_other_things_meanwhile(peer, scope):
    call = peer["scope"].stuck()
    for _ in range(10):
        assert await peer["scope"].square(2) == 4
    assert not call.done()
    scope.gate.set()
    await call


@on_loop
async def test_what_the_method_raised_is_raised(peer, scope):
    with pytest.raises(KeyError, match="nothing there") as caught:
        await peer["scope"].fail()
    assert isinstance(caught.value, leat.RemoteError)
    assert "raise KeyError" in caught.value.remote_traceback
    with pytest.raises(leat.RemoteError, match="did you mean 'square'"):
        await peer["scope"].sqare(1)


@on_loop
async def test_a_deadline_is_the_failure_of_the_call(peer, scope):
    with pytest.raises(TimeoutError) as caught:
        await peer["scope"].stuck.options(timeout=0.05)()
    assert caught.value.code == "deadline_exceeded"
    await eventually(lambda: scope.ended)


@on_loop
async def test_cancelling_the_task_that_awaits_ends_the_call(peer, scope):
    task = asyncio.create_task(call_stuck(peer))
    await eventually(lambda: scope.began.acquire(blocking=False))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(lambda: scope.ended)


async def call_stuck(peer):
    return await peer["scope"].stuck()


@on_loop
async def test_the_timeouts_of_asyncio_end_the_call(peer, scope):
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(peer["scope"].stuck(), 0.05)
    await eventually(lambda: scope.ended)


@on_loop
async def test_cancel_ends_the_call(peer, scope):
    call = peer["scope"].stuck()
    assert call.cancel()
    assert call.cancelled()
    assert not call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    done = peer["scope"].square(2)
    assert await done == 4
    assert not done.cancel()


@on_loop
async def test_options_make_another_method(peer, scope):
    method = peer["scope"].channel.options(metadata={"who": "ann"}, channel="bulk")
    assert await method() == "ann"
    assert await method.options(timeout=5)() == "ann"
    assert await peer["scope"].channel() is None
    assert repr(method) == "<remote method scope.channel>"
    assert method.__name__ == "channel"
    with pytest.raises(ValueError, match="no channel is called 'fast'"):
        method.options(channel="fast")


@on_loop
async def test_oneway_does_not_wait(peer, scope):
    assert peer["scope"].tell.oneway("hello") is None
    await eventually(lambda: scope.told == ["hello"])


@on_loop
async def test_metadata_is_there_when_the_call_has_ended(peer, scope):
    call = peer["scope"].metadata()
    assert call.metadata is None
    assert call.trailing_metadata is None
    assert await call == 1
    assert call.metadata == {"begun": "yes"}
    assert call.trailing_metadata == {"ended": "yes"}


@on_loop
async def test_an_array_can_be_changed_while_the_call_goes_on(peer, scope):
    array = np.ones(200_000)
    call = peer["scope"].total(array)
    array[:] = 0
    assert await call == 200_000


@on_loop
async def test_an_answer_that_is_no_stream_is_not_iterated(peer, scope):
    with pytest.raises(TypeError, match="no stream but of type int: await the call"):
        async for _ in peer["scope"].square(2):
            pass


@on_loop
async def test_arguments_that_cannot_be_sent_are_refused_at_once(peer, scope):
    with pytest.raises(TypeError, match=r"args\[0\]: a set can't be sent"):
        peer["scope"].square({1})


def test_calls_that_wait_fail_when_the_peer_is_closed(server):
    async def main():
        peer = await leat.aio.connect(server.url)
        call = peer["scope"].stuck()
        await eventually(lambda: server.scope.began.acquire(blocking=False))
        await peer.aclose()
        with pytest.raises(leat.RemoteError) as caught:
            await call
        assert caught.value.code == "cancelled"
        assert not peer.connected
        await peer.aclose()
        with pytest.raises(leat.RemoteError):
            await peer["scope"].square(1)

    asyncio.run(main())


def test_a_peer_tells_of_its_connection(server):
    async def main():
        async with leat.aio.connect(server.url) as peer:
            assert peer.url == server.url
            assert peer.transport == "tcp"
            assert peer.connected
            assert list(peer) == peer.services() == ["scope"]
            assert repr(peer) == f"<leat.aio.Peer {server.url} (connected)>"
            assert repr(peer["scope"]) == f"<remote object 'scope' at {server.url}>"
            await peer["scope"].nothing()
            assert peer.stats()["calls_started"] == 1

    asyncio.run(main())


def test_nobody_there_is_a_connection_error():
    async def main():
        with pytest.raises(ConnectionError, match="inproc://nobody"):
            await leat.aio.connect("inproc://nobody")
        with pytest.raises(ValueError, match="scheme"):
            async with leat.aio.connect("nonsense://x"):
                pass

    asyncio.run(main())


def test_connecting_can_be_cancelled():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"tcp://127.0.0.1:{deaf.getsockname()[1]}"

        async def main():
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(leat.aio.connect(url, timeout=30), 0.05)

        began = time.monotonic()
        asyncio.run(main())
        assert time.monotonic() - began < 10  # the thread that connects holds nobody up


def test_several_loops_each_have_their_connection(server):
    results = []

    async def main(i):
        async with leat.aio.connect(server.url) as peer:
            for _ in range(50):
                assert await peer["scope"].square(i) == i * i
        results.append(i)

    threads = [threading.Thread(target=lambda i=i: asyncio.run(main(i))) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(results) == [0, 1, 2, 3]


def test_a_peer_is_used_on_its_own_loop_only(server):
    async def connect():
        return await leat.aio.connect(server.url)

    async def call(peer):
        return await peer["scope"].square(2)

    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    with contextlib.closing(first), contextlib.closing(second):
        peer = first.run_until_complete(connect())
        assert first.run_until_complete(call(peer)) == 4
        with pytest.raises(RuntimeError, match="this peer belongs to another event loop; each loop needs"):
            second.run_until_complete(call(peer))
        with pytest.raises(RuntimeError, match="none runs on this thread: use it in a coroutine"):
            peer["scope"].square(2)
        with pytest.raises(RuntimeError, match="none runs on this thread"):
            peer["scope"].tell.oneway(2)
        first.run_until_complete(first.shutdown_asyncgens())
        first.close()
        with pytest.raises(RuntimeError, match="belongs to an event loop that is closed; connect again"):
            second.run_until_complete(call(peer))
        second.run_until_complete(peer.aclose())


def test_what_ends_with_its_loop_does_no_harm(server):
    async def main():
        peer = await leat.aio.connect(server.url)
        call = peer["scope"].stuck()
        await eventually(lambda: server.scope.began.acquire(blocking=False))
        return peer, call

    peer, call = asyncio.run(main())
    server.scope.gate.set()
    assert not call.done()
    del peer, call
    gc.collect()


def test_loops_and_peers_are_let_go_of(server):
    async def main():
        async with leat.aio.connect(server.url) as peer:
            assert await peer["scope"].square(2) == 4
        return weakref.ref(peer), weakref.ref(asyncio.get_running_loop())

    peer, loop = asyncio.run(main())
    gc.collect()
    assert peer() is None
    assert loop() is None
