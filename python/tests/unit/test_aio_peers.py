"""leat.aio: connections that are lost, peers that serve, servers that drain."""

import asyncio
import os
import signal
import threading
import time

import leat
import leat.aio
import numpy as np
import pytest


class Scope:
    def __init__(self):
        self.gate = threading.Event()

    def square(self, value):
        return value * value

    def frames(self, n):
        yield from range(n)

    def more(self, numbers, by):
        for number in numbers:
            yield number + by


class Waiting:
    def __init__(self):
        self.began = asyncio.Event()
        self.gate = asyncio.Event()
        self.ended = []

    async def wait(self):
        self.began.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        self.ended.append("finished")
        return 1

    async def call_back(self, value):
        return await leat.context().peer["client"].double(value)


class Client:
    def __init__(self):
        self.threads = set()

    async def double(self, value):
        self.threads.add(threading.current_thread())
        await asyncio.sleep(0)
        return 2 * value


def run(test):
    asyncio.run(asyncio.wait_for(test(), 60))


async def numbers(n):
    for i in range(n):
        yield i


def test_calls_that_wait_for_their_connection_do_not_hold_the_loop_up():
    async def test():
        server = leat.serve({"scope": Scope()}, "tcp://127.0.0.1:0")
        url = server.url
        async with leat.aio.connect(url) as peer:
            scope = peer["scope"]
            assert await scope.square(2) == 4
            await asyncio.to_thread(server.close)
            with pytest.raises(ConnectionError):
                await scope.square(2)
            call = scope.square.options(wait_for_ready=True)(3)
            once = scope.square.options(wait_for_ready=True, idempotent=True)(4)
            stream = scope.more.options(wait_for_ready=True)(numbers(100), 1)
            given_up = scope.square.options(wait_for_ready=True)(5)
            late = scope.square.options(wait_for_ready=True, timeout=0.05)(6)
            began = time.monotonic()
            await asyncio.sleep(0.1)
            assert time.monotonic() - began < 5
            assert not call.done()
            assert given_up.cancel()
            with pytest.raises(TimeoutError):
                await late
            async with leat.serve({"scope": Scope()}, url):
                assert await call == 9
                assert await once == 16
                assert [item async for item in stream] == list(range(1, 101))

    run(test)


def test_closing_ends_calls_that_wait_for_their_connection():
    async def test():
        server = leat.serve({"scope": Scope()}, "tcp://127.0.0.1:0")
        peer = await leat.aio.connect(server.url)
        await asyncio.to_thread(server.close)
        call = peer["scope"].square.options(wait_for_ready=True)(3)
        await asyncio.sleep(0.02)
        await peer.aclose()
        with pytest.raises(leat.RemoteError):
            await call

    run(test)


def test_an_argument_of_another_type_is_named():
    async def main():
        async with (
            leat.aio.serve({"scope": object()}, "tcp://127.0.0.1:0") as server,
            leat.aio.connect(server.url) as peer,
        ):
            with pytest.raises(TypeError, match="an object's name is a str, got 3"):
                peer[3]
            with pytest.raises(TypeError, match=r"service\(\) takes a client class from generated code, got 'x'"):
                peer.service("x")
            with pytest.raises(TypeError, match="on_state is a function, got 3"):
                peer.on_state(3)
            assert await server.drain(np.float32(5))  # a number of seconds, if none of Python's own

    asyncio.run(main())


def test_states_are_told_on_the_loop():
    async def test():
        events = []
        threads = set()

        def note(event):
            events.append(event.state)
            threads.add(threading.current_thread())

        server = leat.serve({"scope": Scope()}, "tcp://127.0.0.1:0")
        async with leat.aio.connect(server.url, on_state=note) as peer:
            assert (peer.state, peer.epoch) == ("ready", 1)
            assert peer.on_state(note) is note
            await asyncio.to_thread(server.close)
            while len(events) < 2:
                await asyncio.sleep(0.005)
            assert events[0] == events[1] != "ready"
            async with leat.serve({"scope": Scope()}, peer.url):
                await peer.wait_ready(20)
                assert peer.connected
                assert peer.epoch == 2
                assert await peer.health() is True
                with pytest.raises(LookupError):
                    await peer.health("nobody")
        assert threads == {threading.current_thread()}

    run(test)


def test_a_handler_calls_back_what_its_caller_serves():
    async def test():
        client = Client()
        async with leat.aio.serve({"waiting": Waiting()}, "tcp://127.0.0.1:0") as server:
            async with leat.aio.connect(server.url, serve={"client": client}) as peer:
                for _ in range(3):
                    assert await peer["waiting"].call_back(21) == 42
            async with leat.aio.connect(server.url) as peer:
                peer.add(client, "client")
                assert await peer["waiting"].call_back(4) == 8
        assert client.threads == {threading.current_thread()}

    run(test)


def test_a_blocking_peer_serves_coroutines():
    client = Client()

    class Server:
        def call_back(self, value):
            return leat.context().peer["client"].double(value)

    with leat.serve({"server": Server()}, "tcp://127.0.0.1:0") as server:
        with leat.connect(server.url, serve={"client": client}) as peer:
            assert peer["server"].call_back(21) == 42
        assert [thread.name for thread in client.threads] == ["leat-loop"]


def test_draining_lets_running_handlers_finish():
    async def test():
        waiting = Waiting()
        server = await leat.aio.serve({"waiting": waiting}, "tcp://127.0.0.1:0")
        async with leat.aio.connect(server.url) as peer:
            call = peer["waiting"].wait()
            await waiting.began.wait()
            draining = asyncio.create_task(server.drain(20))
            await asyncio.sleep(0.05)
            assert not draining.done()
            waiting.gate.set()
            assert await draining is True
            assert await call == 1
        assert waiting.ended == ["finished"]

    run(test)


def test_draining_cancels_what_takes_too_long():
    async def test():
        waiting = Waiting()
        server = await leat.aio.serve({"waiting": waiting}, "tcp://127.0.0.1:0")
        async with leat.aio.connect(server.url) as peer:
            call = peer["waiting"].wait()
            await waiting.began.wait()
            assert await server.drain(0.02) is False
            assert waiting.ended == ["cancelled"]
            with pytest.raises(leat.RemoteError):
                await call

    run(test)


def test_sigterm_drains_a_server_that_waits(request):
    # Whoever runs the tests may handle it.
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    request.addfinalizer(lambda: signal.signal(signal.SIGTERM, before))

    async def test():
        waiting = Waiting()
        server = await leat.aio.serve({"waiting": waiting}, "tcp://127.0.0.1:0")
        async with leat.aio.connect(server.url) as peer:
            call = peer["waiting"].wait()
            await waiting.began.wait()
            ended = asyncio.create_task(server.wait())
            await asyncio.sleep(0.05)
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.05)
            assert not ended.done()
            waiting.gate.set()
            assert await call == 1
            await ended
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL

    run(test)


def test_health_is_set_on_a_server():
    async def test():
        async with leat.aio.serve({"scope": Scope()}, "tcp://127.0.0.1:0") as server:
            server.set_health("scope", False)
            async with leat.aio.connect(server.url) as peer:
                assert await peer.health("scope") is False

    run(test)
