"""leat.aio, the client's end: streams of both kinds and both ways, of objects and of schemas."""

import asyncio
import gc
import threading
import time

import leat
import leat.aio
import numpy as np
import pytest

SCHEMA = """
include "leat/leat.fbs";
namespace streams;
table Number { value: int64; }
rpc_service Sums {
  Square(Number): Number;
  Slow(Number): Number (deadline_ms: 50);
  Sum(Number): Number (streaming: "client");
  Count(Number): Number (streaming: "server");
  Running(Number): Number (streaming: "bidi");
}
"""


class Scope:
    def __init__(self):
        self.closed = threading.Semaphore(0)
        self.read = 0

    def frames(self, n):
        try:
            yield from range(n)
        finally:
            self.closed.release()

    def images(self, n):
        for i in range(n):
            yield np.full(1000, i)

    def slowly(self):
        try:
            yield 1
            while True:
                if leat.context().wait(0.005):
                    return
        finally:
            self.closed.release()

    def breaks(self):
        yield 1
        yield 2
        raise LookupError("the camera is gone")

    def metadata(self):
        leat.context().send_initial_metadata({"begun": "yes"})
        leat.context().set_trailing_metadata({"ended": "yes"})
        return iter([1])

    def total(self, numbers):
        return sum(numbers)

    def first(self, numbers):
        return next(numbers)

    def refuses(self, numbers):
        raise ValueError("no numbers, please")

    def more(self, numbers, by):
        for number in numbers:
            yield number + by


@pytest.fixture(scope="module")
def sums(tmp_path_factory):
    path = tmp_path_factory.mktemp("schema") / "streams.fbs"
    path.write_text(SCHEMA)
    return leat.load_schema(path)


@pytest.fixture(scope="module")
def server(sums):
    class Sums(sums.SumsService):
        def square(self, request):
            return sums.Number(value=request.value**2)

        def slow(self, request):
            leat.context().wait(20)
            return request

        def sum(self, requests):
            return sums.Number(value=sum(request.value for request in requests))

        def count(self, request):
            for i in range(request.value):
                yield sums.Number(value=i)

        def running(self, requests):
            leat.context().set_trailing_metadata({"ended": "yes"})
            total = 0
            for request in requests:
                total += request.value
                if request.value < 0:
                    raise ValueError("only upwards")
                yield sums.Number(value=total)

    scope = Scope()
    with leat.serve({"scope": scope}, "tcp://127.0.0.1:0", threads=32) as server:
        server.add(Sums())
        server.scope = scope
        yield server


@pytest.fixture(autouse=True)
def anew(server):
    server.scope.closed = threading.Semaphore(0)


async def eventually(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


async def closed(scope):
    await eventually(lambda: scope.closed.acquire(blocking=False))


def on_loop(test):
    def run(server):
        async def main():
            async with leat.aio.connect(server.url) as peer:
                await asyncio.wait_for(test(peer, server.scope), 60)

        asyncio.run(main())

    run.__name__ = test.__name__
    return run


def of_schema(test):
    def run(server, sums):
        async def main():
            async with leat.aio.connect(server.url) as peer:
                await asyncio.wait_for(test(peer.service(sums.Sums), sums), 60)

        asyncio.run(main())

    run.__name__ = test.__name__
    return run


async def numbers(n):
    for i in range(n):
        yield i
        await asyncio.sleep(0)


# ---- objects


@on_loop
async def test_items_are_iterated(peer, scope):
    assert [item async for item in peer["scope"].frames(1000)] == list(range(1000))
    assert [float(image.mean()) async for image in peer["scope"].images(200)] == list(range(200))
    assert [item async for item in peer["scope"].frames(0)] == []


@on_loop
async def test_a_call_that_is_awaited_gives_its_stream(peer, scope):
    stream = await peer["scope"].frames(3)
    assert isinstance(stream, leat.aio.Stream)
    assert await stream.__anext__() == 0
    assert [item async for item in stream] == [1, 2]
    assert [item async for item in stream] == []


@on_loop
async def test_the_end_is_never_lost(peer, scope):
    stream = await peer["scope"].breaks()
    assert [await stream.__anext__(), await stream.__anext__()] == [1, 2]
    with pytest.raises(LookupError, match="the camera is gone"):
        await stream.__anext__()
    assert [item async for item in stream] == []
    with pytest.raises(LookupError):
        await stream.finish()
    with pytest.raises(LookupError):
        await stream.finish()


@on_loop
async def test_leaving_the_loop_closes_the_generator(peer, scope):
    async for item in peer["scope"].slowly():
        assert item == 1
        break
    gc.collect()
    await closed(scope)


@on_loop
async def test_leaving_the_block_closes_the_generator(peer, scope):
    async with await peer["scope"].slowly() as stream:
        assert await stream.__anext__() == 1
    await closed(scope)
    assert [item async for item in stream] == []
    with pytest.raises(leat.RemoteError) as caught:
        await stream.finish()
    assert caught.value.code == "cancelled"


@on_loop
async def test_aclose_closes_the_generator(peer, scope):
    stream = await peer["scope"].slowly()
    await stream.aclose()
    await stream.aclose()
    await closed(scope)


@on_loop
async def test_letting_go_closes_the_generator(peer, scope):
    stream = await peer["scope"].slowly()
    del stream
    gc.collect()
    await closed(scope)


@on_loop
async def test_a_call_that_nobody_awaits_closes_its_generator(peer, scope):
    call = peer["scope"].frames(10**9)
    await eventually(call.done)
    del call
    gc.collect()
    await closed(scope)


@on_loop
async def test_cancelling_the_task_that_reads_closes_the_generator(peer, scope):
    async def read():
        async for _ in peer["scope"].slowly():
            pass

    task = asyncio.create_task(read())
    await asyncio.sleep(0.05)
    task.cancel()
    error = (await asyncio.gather(task, return_exceptions=True))[0]  # holds the frames, and so the stream
    assert isinstance(error, asyncio.CancelledError)
    await closed(scope)


@on_loop
async def test_cancelling_a_stream_wakes_who_reads_it(peer, scope):
    stream = await peer["scope"].slowly()
    assert await stream.__anext__() == 1
    waiting = asyncio.ensure_future(stream.__anext__())
    await asyncio.sleep(0.02)
    stream.cancel()
    with pytest.raises(leat.RemoteError) as caught:
        await waiting
    assert caught.value.code == "cancelled"


@on_loop
async def test_a_stream_has_one_reader(peer, scope):
    stream = await peer["scope"].slowly()
    assert await stream.__anext__() == 1
    waiting = asyncio.ensure_future(stream.__anext__())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="being read by another task"):
        await stream.__anext__()
    with pytest.raises(RuntimeError, match="being read by another task"):
        await stream.finish()
    waiting.cancel()
    await asyncio.wait([waiting])


@on_loop
async def test_a_deadline_ends_a_stream(peer, scope):
    with pytest.raises(TimeoutError) as caught:
        async for _ in peer["scope"].slowly.options(timeout=0.1)():
            pass
    assert caught.value.code == "deadline_exceeded"
    await closed(scope)


@on_loop
async def test_other_tasks_have_their_turn_beside_a_fast_stream(peer, scope):
    turns = 0

    async def other():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    assert len([item async for item in peer["scope"].frames(6400)]) == 6400
    task.cancel()
    assert turns >= 100


@on_loop
async def test_metadata_of_a_stream(peer, scope):
    stream = await peer["scope"].metadata()
    assert await stream.wait_metadata() == {"begun": "yes"}
    assert stream.trailing_metadata is None
    assert await stream.__anext__() == 1
    assert stream.metadata == {"begun": "yes"}
    await stream.finish()
    assert stream.trailing_metadata == {"ended": "yes"}
    assert await stream.wait_metadata() == {"begun": "yes"}


@on_loop
async def test_an_asynchronous_generator_is_streamed(peer, scope):
    assert await peer["scope"].total(numbers(1000)) == 499_500
    assert [item async for item in peer["scope"].more(numbers(100), by=5)] == list(range(5, 105))


@on_loop
async def test_an_iterator_is_streamed_from_a_thread(peer, scope):
    threads = set()

    def blocking():
        for i in range(10):
            threads.add(threading.current_thread())
            yield i

    assert await peer["scope"].total(blocking()) == 45
    assert threading.main_thread() not in threads
    assert [item async for item in peer["scope"].more(iter([1, 2]), 1)] == [2, 3]


@on_loop
async def test_a_stream_is_passed_on(peer, scope):
    frames = await peer["scope"].frames(100)
    assert await peer["scope"].total(frames) == 4950


@on_loop
async def test_a_slow_reader_holds_the_generator_back(peer, scope):
    made = 0

    async def images():
        nonlocal made
        while True:
            made += 1
            yield np.zeros(100_000)

    stream = await peer["scope"].more(images(), 0)
    await stream.__anext__()
    await asyncio.sleep(0.2)
    at_rest = made
    await asyncio.sleep(0.1)
    assert made == at_rest < 200
    stream.cancel()


@on_loop
async def test_a_handler_that_returns_early_closes_the_generator(peer, scope):
    ended = asyncio.Event()

    async def endless():
        try:
            i = 0
            while True:
                yield i
                i += 1
                await asyncio.sleep(0)
        finally:
            ended.set()

    assert await peer["scope"].first(endless()) == 0
    await asyncio.wait_for(ended.wait(), 20)


@on_loop
async def test_a_generator_that_waits_is_closed_with_its_stream(peer, scope):
    ended = asyncio.Event()

    async def waits():
        try:
            yield 1
            await asyncio.sleep(3600)
        finally:
            ended.set()

    stream = await peer["scope"].more(waits(), 1)
    assert await stream.__anext__() == 2
    del stream
    gc.collect()
    await asyncio.wait_for(ended.wait(), 20)


@on_loop
async def test_a_generator_that_raises_is_the_failure_of_the_call(peer, scope):
    async def broken():
        yield 1
        raise ZeroDivisionError("in the generator")

    with pytest.raises(ZeroDivisionError, match="in the generator"):
        await peer["scope"].total(broken())
    with pytest.raises(ZeroDivisionError):
        async for _ in peer["scope"].more(broken(), 1):
            pass

    def broken_too():
        yield 1
        raise ZeroDivisionError("in the iterator")

    with pytest.raises(ZeroDivisionError, match="in the iterator"):
        await peer["scope"].total(broken_too())


@on_loop
async def test_an_item_that_cannot_be_sent_is_the_failure_of_the_call(peer, scope):
    async def sets():
        yield {1}

    with pytest.raises(TypeError, match="item: a set can't be sent"):
        await peer["scope"].total(sets())


@on_loop
async def test_a_handler_that_fails_is_the_failure_of_the_call(peer, scope):
    with pytest.raises(ValueError, match="no numbers, please"):
        await peer["scope"].refuses(numbers(10**9))


@on_loop
async def test_oneway_takes_no_asynchronous_iterator(peer, scope):
    with pytest.raises(TypeError, match="not asynchronous ones"):
        peer["scope"].total.oneway(numbers(1))
    peer["scope"].total.oneway(iter([1]))


# ---- schemas


@of_schema
async def test_typed_calls_are_awaited(service, sums):
    assert (await service.square(value=5)).value == 25
    assert (await service.square(sums.Number(value=6))).value == 36
    assert (await service.square.options(timeout=5)(value=7)).value == 49
    assert service.square.oneway(value=1) is None
    with pytest.raises(TimeoutError):
        await service.slow(value=1)
    with pytest.raises(TimeoutError):
        await service.slow(value=1, timeout=0.01)
    with pytest.raises(TypeError, match=r"calls of leat\.aio are futures"):
        service.square.future(value=1)


@of_schema
async def test_typed_streams_are_iterated(service, sums):
    assert [item.value async for item in service.count(value=5)] == list(range(5))
    async with service.count(value=10**6) as stream:
        async for item in stream:
            if item.value == 3:
                break


def messages(sums, *values):
    return [sums.Number(value=value) for value in values]


@of_schema
async def test_requests_come_from_any_iterable(service, sums):
    async def asynchronous():
        for message in messages(sums, 1, 2, 3):
            yield message

    for requests in (messages(sums, 1, 2, 3), iter(messages(sums, 1, 2, 3)), asynchronous()):
        assert (await service.sum(requests)).value == 6
    for requests in (messages(sums, 1, 2, 3), iter(messages(sums, 1, 2, 3)), asynchronous()):
        assert [item.value async for item in service.running(requests)] == [1, 3, 6]
    with pytest.raises(TypeError, match="takes an iterable of requests, or an asynchronous one, got an int"):
        service.sum(5)


@of_schema
async def test_an_upload_is_written_one_by_one(service, sums):
    async with service.sum() as call:
        assert isinstance(call, leat.aio.Upload)
        for message in messages(sums, 1, 2, 3):
            await call.write(message)
    assert (await call.finish()).value == 6
    assert (await call.finish()).value == 6
    with pytest.raises(leat.RemoteError, match="the call has ended"):
        await call.write(sums.Number(value=1))
    assert call.metadata == {}
    with pytest.raises(ZeroDivisionError):
        async with service.sum() as call:
            raise ZeroDivisionError
    with pytest.raises(leat.RemoteError) as caught:
        await call.finish()
    assert caught.value.code == "cancelled"


@of_schema
async def test_an_exchange_is_written_and_read(service, sums):
    async with service.running() as call:
        assert isinstance(call, leat.aio.Exchange)
        for i in range(5):
            await call.write(sums.Number(value=1))
            assert (await call.next()).value == i + 1
        await call.write(sums.Number(value=10))
        await call.close()
        assert [item.value async for item in call] == [15]
        with pytest.raises(StopAsyncIteration):
            await call.next()
        await call.finish()
    assert call.trailing_metadata == {"ended": "yes"}


@of_schema
async def test_an_exchange_that_fails(service, sums):
    async with service.running() as call:
        await call.write(sums.Number(value=-1))
        with pytest.raises(ValueError, match="only upwards"):
            await call.next()
        with pytest.raises(ValueError, match="only upwards"):
            await call.finish()
        with pytest.raises(ValueError, match=r"streams\.Sums\.Running: only upwards"):
            await call.write(sums.Number(value=1))


@of_schema
async def test_a_write_that_has_no_room_waits(service, sums):
    # Nobody reads the answers, so that the handler stops reading the requests.
    call = service.running()

    async def write():
        while True:
            await call.write(sums.Number(value=1))

    task = asyncio.create_task(write())
    await asyncio.sleep(0.2)
    assert not task.done()
    with pytest.raises(RuntimeError, match="being written by another task"):
        await call.write(sums.Number(value=1))
    await call.close()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
