"""Calls that are not waited for: futures, and calls that nobody asks about."""

import asyncio
import concurrent.futures
import gc
import threading
import time

import leat
import numpy as np
import pytest

SCHEMA = """
namespace later;
table Number { value: int64; }
rpc_service Sums {
  Square(Number): Number;
  Sum(Number): Number (streaming: "client");
  Count(Number): Number (streaming: "server");
}
"""


class Scope:
    def __init__(self):
        self.gate = threading.Event()
        self.began = threading.Semaphore(0)
        self.ended = []
        self.told = []
        self.closed = threading.Event()

    def square(self, value):
        return value * value

    def stuck(self):
        self.began.release()
        while not leat.context().wait(0.005):
            if self.gate.is_set():
                return "free"
        self.ended.append("cancelled")
        return None

    def fail(self):
        raise KeyError("nothing there")

    def count(self, n):
        try:
            yield from range(n)
        finally:
            self.closed.set()

    def total(self, numbers):
        return sum(numbers)

    def tell(self, what):
        self.told.append(what)
        if what == "fail":
            raise ValueError("nobody hears of it")

    def metadata(self):
        leat.context().send_initial_metadata({"begun": "yes"})
        leat.context().set_trailing_metadata({"ended": "yes"})
        return 1


@pytest.fixture
def served():
    scope = Scope()
    with leat.serve({"scope": scope}, "tcp://127.0.0.1:0", threads=32) as server, leat.connect(server.url) as peer:
        yield scope, peer
        scope.gate.set()


@pytest.fixture
def scope(served):
    return served[1]["scope"]


def eventually(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_the_result_is_asked_for_later(scope):
    futures = [scope.square.future(i) for i in range(100)]
    assert [future.result() for future in futures] == [i * i for i in range(100)]
    assert futures[0].result(timeout=0) == 0
    assert all(future.done() and not future.running() and not future.cancelled() for future in futures)
    assert futures[0].exception() is None
    assert repr(futures[0]) == "<leat.Future done>"


def test_a_failure_is_raised_each_time(scope):
    future = scope.fail.future()
    for _ in range(2):
        with pytest.raises(KeyError, match="nothing there"):
            future.result()
    assert isinstance(future.exception(), leat.RemoteError)


def test_asking_waits_no_longer_than_it_is_told(served, scope):
    future = scope.stuck.future()
    for ask in (future.result, future.exception):
        with pytest.raises(concurrent.futures.TimeoutError):
            ask(timeout=0.01)
        with pytest.raises(concurrent.futures.TimeoutError):
            ask(0)
    assert future.running()
    assert not future.done()
    assert repr(future) == "<leat.Future pending>"
    served[0].gate.set()
    assert future.result(20) == "free"


def test_a_deadline_is_the_failure_of_the_call(scope):
    future = scope.stuck.options(timeout=0.05).future()
    with pytest.raises(TimeoutError) as caught:
        future.result()
    assert caught.value.code == "deadline_exceeded"


def test_a_future_that_nobody_waits_for_is_done_in_time(scope):
    future = scope.square.future(5)
    eventually(future.done)
    assert future.result(0) == 25


def test_cancelling_ends_the_call_on_both_sides(served, scope):
    future = scope.stuck.future()
    assert served[0].began.acquire(timeout=20)
    assert future.cancel() is True
    assert future.cancelled()
    assert future.done()
    assert future.cancel() is True
    with pytest.raises(concurrent.futures.CancelledError):
        future.result()
    with pytest.raises(concurrent.futures.CancelledError):
        future.exception()
    eventually(lambda: served[0].ended)
    done = scope.square.future(2)
    assert done.result() == 4
    assert done.cancel() is False
    assert done.result() == 4


def test_cancelling_wakes_who_waits(served, scope):
    future = scope.stuck.future()
    threading.Timer(0.05, future.cancel).start()
    with pytest.raises(concurrent.futures.CancelledError):
        future.result()


def test_letting_go_of_a_future_cancels_its_call(served, scope):
    future = scope.stuck.future()
    assert served[0].began.acquire(timeout=20)
    del future
    gc.collect()
    eventually(lambda: served[0].ended)


def test_several_threads_may_wait_for_one_future(served, scope):
    future = scope.stuck.future()
    results = []
    threads = [threading.Thread(target=lambda: results.append(future.result())) for _ in range(8)]
    for thread in threads:
        thread.start()
    with pytest.raises(concurrent.futures.TimeoutError):
        future.result(0.02)
    served[0].gate.set()
    for thread in threads:
        thread.join()
    assert results == ["free"] * 8


def test_callbacks_are_called_with_the_future_once(served, scope):
    called = []
    done = threading.Event()
    future = scope.stuck.future()
    future.add_done_callback(called.append)
    future.add_done_callback(lambda _: done.set())
    served[0].gate.set()
    assert done.wait(20)
    assert called == [future]
    future.add_done_callback(called.append)
    assert called == [future, future]
    assert future.result() == "free"


def test_a_watched_future_completes_although_nobody_holds_it(scope):
    results = []
    done = threading.Event()

    def note(future):
        results.append(future.result())
        done.set()

    scope.square.future(7).add_done_callback(note)
    gc.collect()
    assert done.wait(20)
    assert results == [49]


def test_a_callback_may_call_and_wait(scope):
    results = []
    done = threading.Event()

    def more(future):
        results.append(scope.square(future.result()))
        done.set()

    scope.square.future(2).add_done_callback(more)
    assert done.wait(20)
    assert results == [16]


def test_concurrent_futures_can_wait_for_them(served, scope):
    stuck = [scope.stuck.future() for _ in range(3)]
    quick = [scope.square.future(i) for i in range(3)]
    local = concurrent.futures.Future()
    local.set_result(1)
    done, waiting = concurrent.futures.wait([*stuck, *quick, local], timeout=0.2)
    assert (done, waiting) == ({*quick, local}, set(stuck))
    served[0].gate.set()
    assert set(concurrent.futures.as_completed(stuck + quick, timeout=20)) == {*stuck, *quick}
    first = concurrent.futures.wait([scope.fail.future(), scope.stuck.future()], return_when="FIRST_EXCEPTION")
    assert first.done
    cancelled = scope.stuck.future()
    cancelled.cancel()
    assert concurrent.futures.wait([cancelled], timeout=20).done == {cancelled}


def test_asyncio_can_wait_for_them(scope):
    async def main():
        return await asyncio.wrap_future(scope.square.future(3))

    assert asyncio.run(main()) == 9


def test_the_outcome_is_not_ours_to_set(scope):
    future = scope.square.future(1)
    for change in (lambda: future.set_result(1), lambda: future.set_exception(None)):
        with pytest.raises(RuntimeError, match="the outcome of a call can't be set"):
            change()
    assert future.result() == 1


def test_a_stream_is_the_result_if_the_method_is_a_generator(served, scope):
    items = scope.count.future(1000).result()
    gc.collect()
    assert list(items) == list(range(1000))
    assert served[0].closed.wait(20)
    served[0].closed.clear()
    items = scope.count.future(10**9).result()
    assert next(items) == 0
    items.close()
    assert served[0].closed.wait(20)


def test_an_iterator_is_streamed_meanwhile(scope):
    future = scope.total.future(iter(range(1000)))
    assert future.result() == 499500

    def breaks():
        yield 1
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        scope.total.future(breaks()).result()


def test_arguments_may_be_changed_at_once(scope):
    array = np.zeros(100_000)
    futures = []
    for i in range(10):
        array[:] = i
        futures.append(scope.square.future(array))
    assert [int(future.result()[0]) for future in futures] == [i * i for i in range(10)]


def test_metadata_is_there_in_the_end(scope):
    future = scope.metadata.future()
    assert future.result() == 1
    assert future.metadata == {"begun": "yes"}
    assert future.trailing_metadata == {"ended": "yes"}


def test_a_lost_connection_is_in_the_future(start):
    program = """
import leat, time
class Scope:
    def stuck(self): time.sleep(3600)
server = leat.serve({"scope": Scope()}, "tcp://127.0.0.1:0")
print(server.url, flush=True)
server.wait()
"""
    child = start("-c", program)
    with leat.connect(child.url) as peer:
        futures = [peer["scope"].stuck.future() for _ in range(10)]
        called = threading.Event()
        futures[0].add_done_callback(lambda _: called.set())
        child.process.kill()
        for future in futures:
            assert future.exception(20).code == "unavailable"
        assert called.wait(20)
        peer.close()
        assert isinstance(peer["scope"].stuck.future().exception(20), leat.RemoteError)


def test_oneway_calls_are_made_and_forgotten(served, scope):
    assert scope.tell.oneway(0) is None
    assert scope.tell.oneway("fail") is None
    for i in range(100):
        leat.oneway(scope.tell)(i)
    eventually(lambda: len(served[0].told) == 102)
    assert set(served[0].told) == {"fail", *range(100)}
    with pytest.raises(TypeError, match="a set can't be sent"):
        scope.tell.oneway({1})
    scope.count.oneway(10**9)  # nobody reads it, so it is given up
    eventually(lambda: served[1].stats()["calls_in_flight"] == 0)
    served[1].close()
    assert scope.tell.oneway(1) is None


def test_the_forms_keep_to_methods(scope):
    assert leat.future(scope.square)(3).result() == 9
    assert leat.options(scope.square, timeout=20, idempotent=True)(3) == 9
    for form in (leat.future, leat.oneway, leat.options):
        with pytest.raises(TypeError, match="takes a method of a remote object or service, got <built-in"):
            form(len)


def test_an_idempotent_call_has_one_answer(scope):
    assert scope.square.options(idempotent=True)(3) == 9
    with pytest.raises(leat.RemoteError, match="answers with a stream"):
        scope.count.options(idempotent=True)(3)


def test_methods_of_a_schema_have_futures(tmp_path):
    path = tmp_path / "later.fbs"
    path.write_text(SCHEMA)
    later = leat.load_schema(path)
    told = []

    class Sums(later.SumsService):
        def square(self, request):
            told.append(request.value)
            return later.Number(value=request.value**2)

        def sum(self, requests):
            return later.Number(value=sum(request.value for request in requests))

        def count(self, request):
            yield later.Number(value=1)

    with leat.serve([Sums()], "tcp://127.0.0.1:0") as server, leat.connect(server.url) as peer:
        sums = peer.service(later.Sums)
        futures = [sums.square.future(value=i) for i in range(50)]
        assert [future.result().value for future in futures] == [i * i for i in range(50)]
        assert leat.future(sums.square)(later.Number(value=3), timeout=20).result().value == 9
        assert sums.sum.future([later.Number(value=i) for i in range(10)]).result().value == 45
        assert sums.square.oneway(value=77) is None
        eventually(lambda: 77 in told)
        with pytest.raises(TypeError, match="answers with a stream: call it and iterate"):
            sums.count.future()
        with pytest.raises(TypeError, match="takes an iterable of them"):
            sums.sum.future()
        with pytest.raises(TypeError, match="colour"):
            sums.square.future(colour=1)


def test_completion_races_with_cancelling_and_watching(scope):
    for i in range(300):
        future = scope.square.future(i)
        called = []
        racers = [
            threading.Thread(target=future.cancel),
            threading.Thread(target=future.add_done_callback, args=(called.append,)),
            threading.Thread(target=future.done),
        ]
        for racer in racers:
            racer.start()
        try:
            assert future.result(20) == i * i
            assert not future.cancelled()
        except concurrent.futures.CancelledError:
            assert future.cancelled()
        for racer in racers:
            racer.join()
        eventually(lambda called=called: called)
        assert called == [future]


def test_many_futures_from_many_threads(scope):
    wrong = []

    def work(number):
        for batch in range(10):
            futures = [scope.square.future(number * 1000 + i) for i in range(50)]
            wrong.extend((number, batch, i) for i, f in enumerate(futures) if f.result(60) != (number * 1000 + i) ** 2)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
