"""Handlers that are coroutines and asynchronous generators, on the loop of the program or of the server."""

import asyncio
import faulthandler
import functools
import gc
import logging
import threading
import time

import leat
import leat.aio
import numpy as np
import pytest

SCHEMA = """
include "leat/leat.fbs";
namespace served;
table Number { value: int64; }
rpc_service Sums {
  Square(Number): Number;
  Sum(Number): Number (streaming: "client");
  Count(Number): Number (streaming: "server");
  Running(Number): Number (streaming: "bidi");
  Listed(Number): Number (streaming: "server");
  Wrong(Number): Number;
}
"""


def decorated(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)

    del wrapper.__wrapped__  # nothing about it says that it gives a coroutine
    return wrapper


class Scope:
    def __init__(self):
        self.ended = []
        self.running = 0
        self.most = 0
        self.gate = None
        self.all_here = asyncio.Event()

    async def square(self, value):
        await asyncio.sleep(0)
        return value * value

    @decorated
    async def hidden(self, value):
        await asyncio.sleep(0)
        return value + 1

    def where(self):
        return threading.current_thread().name

    async def where_async(self):
        return threading.current_thread().name

    async def image(self):
        return np.zeros((3, 4))

    async def fail(self):
        await self._deeper()

    async def _deeper(self):
        raise KeyError("nothing there")

    async def exits(self):
        raise SystemExit("not for you")

    async def a_set(self):
        return {1}

    async def together(self, n):
        self.running += 1
        self.most = max(self.most, self.running)
        # No polling: a loop that is always busy lets no other thread of the process have the GIL for seconds.
        if self.most >= n:
            self.all_here.set()
        await self.all_here.wait()
        self.running -= 1

    async def stuck(self):
        self.running += 1
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
            self.ended.append("stuck")
            raise
        finally:
            self.running -= 1

    async def gives_up(self):
        raise asyncio.CancelledError

    async def frames(self, n):
        try:
            for i in range(n):
                yield i
        finally:
            await asyncio.sleep(0)
            self.ended.append("frames")

    async def slowly(self):
        try:
            yield 1
            await asyncio.sleep(3600)
        finally:
            self.ended.append("slowly")

    async def breaks(self):
        yield 1
        raise LookupError("the camera is gone")

    async def an_iterator(self):
        return iter([1, 2, 3])

    async def total(self, numbers):
        return sum([number async for number in numbers])

    async def first(self, numbers):
        async for number in numbers:
            return number
        return None

    async def more(self, numbers, by):
        async for number in numbers:
            yield number + by

    async def reads_sync(self, numbers):
        return list(numbers)

    def total_in_thread(self, numbers):
        return sum(numbers)

    async def context(self):
        context = leat.context()
        context.send_initial_metadata({"begun": "yes"})
        context.set_trailing_metadata({"ended": "yes"})
        await asyncio.sleep(0)
        assert leat.context() is context
        return context.metadata["who"], context.remaining, context.deadline, context.cancelled

    async def later(self):
        context = leat.context()

        async def after():
            await asyncio.sleep(0.01)
            try:
                self.ended.append(context.remaining)
            except RuntimeError as error:
                self.ended.append(str(error))

        self.task = asyncio.create_task(after())
        return 1

    async def waits(self):
        leat.context().wait(1)

    async def inherits(self, url):
        async with leat.aio.connect(url) as peer:
            return await peer["scope"].remaining()

    async def remaining(self):
        return leat.context().remaining

    async def in_thread(self):
        return await asyncio.to_thread(lambda: leat.context().metadata.get("who"))


@pytest.fixture(params=["program's loop", "server's loop"])
def run(request):
    """Runs a test with a scope that is served, and a peer of it that lives on the running loop."""

    def runs(test, *more):
        async def main():
            scope = Scope()
            if request.param == "program's loop":
                async with leat.aio.serve({"scope": scope}, "tcp://127.0.0.1:0") as server:
                    for each in more:
                        server.add(each)
                    await use(scope, server)
            else:
                async with leat.serve({"scope": scope}, "tcp://127.0.0.1:0") as server:
                    for each in more:
                        server.add(each)
                    await use(scope, server)

        async def use(scope, server):
            async with leat.aio.connect(server.url) as peer:
                try:
                    await asyncio.wait_for(test(scope, peer, server), 60)
                except asyncio.TimeoutError:
                    faulthandler.dump_traceback()
                    pytest.fail(f"{scope.running} of {scope.most} are running; {server.stats()}; {peer.stats()}")

        asyncio.run(main())

    return runs


async def eventually(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


async def numbers(n):
    for i in range(n):
        yield i
        await asyncio.sleep(0)


def test_coroutines_answer(run):
    async def test(scope, peer, server):
        for value in range(5):  # the first finds out that it is one
            assert await peer["scope"].square(value) == value**2
            assert await peer["scope"].hidden(value) == value + 1
        assert await asyncio.gather(*(peer["scope"].square(i) for i in range(300))) == [i * i for i in range(300)]
        np.testing.assert_array_equal(await peer["scope"].image(), np.zeros((3, 4)))

    run(test)


def test_coroutines_do_not_wait_for_threads_that_are_taken():
    class Mixed:
        def __init__(self):
            self.gate = threading.Event()

        def block(self):
            self.gate.wait(30)

        async def hello(self):
            return "hello"

    async def main():
        mixed = Mixed()
        async with (
            leat.serve({"mixed": mixed}, "tcp://127.0.0.1:0", threads=1) as server,
            leat.aio.connect(server.url) as peer,
        ):
            blocked = [peer["mixed"].block() for _ in range(2)]
            try:
                assert await asyncio.wait_for(peer["mixed"].hello(), 20) == "hello"
            finally:
                mixed.gate.set()
                await asyncio.gather(*blocked)

    asyncio.run(main())


def test_many_run_at_once_on_one_thread(run):
    async def test(scope, peer, server):
        await asyncio.gather(*(peer["scope"].together(500) for _ in range(500)))
        assert scope.most == 500
        names = {await peer["scope"].where_async() for _ in range(5)}
        assert len(names) == 1
        assert names <= {"MainThread", "leat-loop"}

    run(test)


def test_other_handlers_run_on_threads_of_the_server(run):
    async def test(scope, peer, server):
        for _ in range(3):
            assert await peer["scope"].where() not in ("MainThread", "leat-loop")
        assert await peer["scope"].total_in_thread(numbers(10)) == 45

    run(test)


def test_a_caller_that_blocks_is_served(run):
    async def test(scope, peer, server):
        def block():
            with leat.connect(server.url) as blocking:
                assert blocking["scope"].square(5) == 25
                assert list(blocking["scope"].frames(5)) == [0, 1, 2, 3, 4]
                assert blocking["scope"].total(iter([1, 2])) == 3

        await asyncio.to_thread(block)

    run(test)


def test_exceptions_answer(run, caplog):
    async def test(scope, peer, server):
        for _ in range(2):
            with pytest.raises(KeyError, match="nothing there") as caught:
                await peer["scope"].fail()
            lines = caught.value.remote_traceback.splitlines()
            assert "in fail" in lines[1]
            assert "in _deeper" in lines[3]
        with pytest.raises(TypeError, match="missing 1 required positional argument: 'value'"):
            await peer["scope"].square()
        with pytest.raises(leat.RemoteError, match="not for you"):
            await peer["scope"].exits()
        with pytest.raises(leat.RemoteError, match="result: a set can't be sent") as caught:
            await peer["scope"].a_set()
        assert caught.value.code == "internal"
        with pytest.raises(leat.RemoteError) as caught:
            await peer["scope"].gives_up()
        assert caught.value.code == "cancelled"
        with pytest.raises(leat.RemoteError) as caught:
            await peer["scope"].deeper()
        assert caught.value.code == "unimplemented"

    with caplog.at_level(logging.ERROR, "leat"):
        run(test)
    assert "scope.fail raised KeyError" in caplog.text


def test_generators_stream(run):
    async def test(scope, peer, server):
        for n in (0, 5, 2000):
            assert [item async for item in peer["scope"].frames(n)] == list(range(n))
        assert scope.ended == ["frames"] * 3
        assert [item async for item in peer["scope"].an_iterator()] == [1, 2, 3]
        stream = await peer["scope"].breaks()
        assert await stream.__anext__() == 1
        with pytest.raises(LookupError, match="the camera is gone"):
            await stream.__anext__()

    run(test)


def test_requests_arrive_as_an_asynchronous_iterator(run):
    async def test(scope, peer, server):
        for _ in range(2):
            assert await peer["scope"].total(numbers(100)) == 4950
            assert await peer["scope"].first(numbers(100)) == 0
            assert [item async for item in peer["scope"].more(numbers(100), 5)] == list(range(5, 105))
        with pytest.raises(leat.RemoteError, match="use `async for`"):
            await peer["scope"].reads_sync(numbers(5))

    run(test)


def test_the_task_ends_with_its_call(run):
    async def test(scope, peer, server):
        for _ in range(2):
            call = peer["scope"].stuck()
            await eventually(lambda: scope.running == 1)
            call.cancel()
            await eventually(lambda: scope.ended == ["stuck"])
            scope.ended.clear()
            with pytest.raises(TimeoutError):
                await peer["scope"].stuck.options(timeout=0.5)()
            await eventually(lambda: scope.ended == ["stuck"])
            scope.ended.clear()

    run(test)


def test_a_generator_ends_with_its_stream(run):
    async def test(scope, peer, server):
        stream = await peer["scope"].slowly()
        assert await stream.__anext__() == 1
        await stream.aclose()
        await eventually(lambda: scope.ended == ["slowly"])
        scope.ended.clear()
        async for item in peer["scope"].frames(10**9):
            if item == 3:
                break
        gc.collect()
        await eventually(lambda: scope.ended == ["frames"])

    run(test)


def test_a_connection_that_is_lost_ends_its_handlers(run):
    async def test(scope, peer, server):
        other = await leat.aio.connect(server.url)
        call = other["scope"].stuck()
        await asyncio.sleep(0.05)
        await other.aclose()
        with pytest.raises(leat.RemoteError):
            await call
        await eventually(lambda: scope.ended == ["stuck"])

    run(test)


def test_a_slow_reader_holds_a_generator_back(run):
    made = 0

    class Camera(Scope):
        async def endless(self):
            nonlocal made
            while True:
                made += 1
                yield np.zeros(100_000)

    async def test(scope, peer, server):
        server.add(Camera(), "camera")
        stream = await peer["camera"].endless()
        await stream.__anext__()
        await asyncio.sleep(0.2)
        at_rest = made
        await asyncio.sleep(0.1)
        assert made == at_rest < 200
        assert (await stream.__anext__()).shape == (100_000,)
        await stream.aclose()

    run(test)


def test_the_context_of_a_coroutine(run):
    async def test(scope, peer, server):
        for _ in range(2):
            call = peer["scope"].context.options(timeout=30, metadata={"who": "ann"})()
            who, remaining, deadline, cancelled = await call
            assert who == "ann"
            assert 0 < remaining < 30
            assert deadline > time.monotonic()
            assert cancelled is False
            assert call.metadata == {"begun": "yes"}
            assert call.trailing_metadata == {"ended": "yes"}
            assert await peer["scope"].in_thread.options(metadata={"who": "bob"})() == "bob"
        await peer["scope"].later()
        await eventually(lambda: scope.ended == ["the handler that this context belongs to is done"])
        with pytest.raises(leat.RemoteError, match=r"wait\(\) would keep the event loop"):
            await peer["scope"].waits()

    run(test)


def test_calls_of_a_coroutine_inherit_its_deadline(run):
    async def test(scope, peer, server):
        assert await peer["scope"].inherits(server.url) is None
        assert 0 < await peer["scope"].inherits.options(timeout=20)(server.url) < 20

    run(test)


@pytest.fixture(scope="module")
def sums(tmp_path_factory):
    path = tmp_path_factory.mktemp("schema") / "served.fbs"
    path.write_text(SCHEMA)
    return leat.load_schema(path)


def test_services_of_a_schema(run, sums):
    class Sums(sums.SumsService):
        async def square(self, request):
            await asyncio.sleep(0)
            return sums.Number(value=request.value**2)

        async def sum(self, requests):
            return sums.Number(value=sum([request.value async for request in requests]))

        async def count(self, request):
            for i in range(request.value):
                yield sums.Number(value=i)

        @decorated
        async def running(self, requests):
            total = 0
            async for request in requests:
                total += request.value
                yield sums.Number(value=total)

        async def listed(self, request):
            return [sums.Number(value=i) for i in range(request.value)]

        async def wrong(self, request):
            return 5

    async def test(scope, peer, server):
        service = peer.service(sums.Sums)
        for _ in range(2):
            assert (await service.square(value=5)).value == 25
            assert (await service.sum([sums.Number(value=1), sums.Number(value=2)])).value == 3
            assert [item.value async for item in service.count(value=5)] == list(range(5))
            assert [item.value async for item in service.listed(value=3)] == list(range(3))
            async with service.running() as call:
                for i in range(3):
                    await call.write(sums.Number(value=1))
                    assert (await call.next()).value == i + 1
                await call.close()
                assert [item async for item in call] == []
            with pytest.raises(leat.RemoteError) as caught:
                await service.wrong(value=1)
            assert caught.value.code == "internal"

    run(test, Sums())


def test_closing_waits_for_the_handlers_it_cancels(run):
    ended = []

    async def test(scope, peer, server):
        other = await leat.aio.connect(server.url)
        ended.append(scope.ended)
        call = other["scope"].stuck()
        call.add_done_callback(lambda call: call.exception())
        await asyncio.sleep(0.05)

    run(test)
    assert ended == [["stuck"]]


def loop_threads():
    return [thread for thread in threading.enumerate() if thread.name == "leat-loop"]


def test_the_loop_of_a_server_ends_with_it():
    before = loop_threads()  # that of peers which serve stays
    scope = Scope()
    with leat.serve({"scope": scope}, "tcp://127.0.0.1:0") as server, leat.connect(server.url) as peer:
        assert peer["scope"].where() != "leat-loop"
        assert peer["scope"].where_async() == "leat-loop"
        assert len(loop_threads()) == len(before) + 1
    assert loop_threads() == before
    with leat.serve({"plain": object()}, "tcp://127.0.0.1:0"):
        assert loop_threads() == before  # nobody needs it
    server = leat.serve({"scope": scope}, "tcp://127.0.0.1:0")
    with leat.connect(server.url) as peer:
        assert peer["scope"].square(3) == 9
    del server
    gc.collect()
    end = time.monotonic() + 20
    while loop_threads() != before:
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_server_whose_loop_has_ended_says_so():
    scope = Scope()

    async def main():
        server = await leat.aio.serve({"scope": scope}, "tcp://127.0.0.1:0")
        async with leat.aio.connect(server.url) as peer:
            assert await peer["scope"].square(2) == 4
            call = peer["scope"].stuck()
            await asyncio.sleep(0.02)
            assert not call.done()
            call.cancel()
        return server

    server = asyncio.run(main())
    with leat.connect(server.url) as peer:
        with pytest.raises(ConnectionError, match=r"scope\.square: the event loop that it runs on has ended"):
            peer["scope"].square(2)
        assert peer["scope"].where() != "MainThread"
    server._server.close()


def test_a_server_is_a_context_of_either_kind():
    async def main():
        server = await leat.aio.serve({"scope": Scope()}, "tcp://127.0.0.1:0", "tcp://127.0.0.1:0")
        assert server.url == server.urls[0]
        assert len(server.urls) == 2
        assert repr(server) == f"<leat.aio.Server {', '.join(server.urls)}>"
        third = await server.listen("tcp://127.0.0.1:0")
        async with leat.aio.connect(third) as peer:
            assert await peer["scope"].square(2) == 4
        assert server.stats()["calls"] == 1
        waiting = asyncio.create_task(server.wait())
        await server.aclose()
        await server.aclose()
        await asyncio.wait_for(waiting, 20)
        with pytest.raises(TypeError, match="takes a dict of objects"):
            await leat.aio.serve(5, "tcp://127.0.0.1:0")

    asyncio.run(main())
