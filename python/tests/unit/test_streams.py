"""Streams of requests, and streams both ways: with objects, and with a schema."""

import contextlib
import gc
import itertools
import threading
import time

import leat
import numpy as np
import pytest

SCHEMA = """
include "leat/leat.fbs";
namespace flow;
table Item { number: int64; data: leat.Tensor; }
table Total { count: int64; sum: int64; }
rpc_service Meter {
  Take(Item): Total (streaming: "client");
  Some(Item): Total (streaming: "client");
  Track(Item): Item (streaming: "bidi");
  Fail(Item): Item (streaming: "bidi");
}
"""


class Sink:
    """What is said of arguments goes for any class: iterators are streams, all else is a value."""

    def __init__(self):
        self.ends = []
        self.released = threading.Event()

    def mean(self, frames):
        return np.mean(list(frames), axis=0)

    def total(self, start, numbers, *, factor=1):
        return start + factor * sum(numbers)

    def nested(self, things):
        return [sum(things["numbers"]), things["name"]]

    def kind(self, value):
        return type(value).__name__

    def first(self, numbers):
        return next(numbers)

    def none_of_it(self, numbers):
        return 0

    def double(self, numbers):
        for number in numbers:
            yield 2 * number

    def echo(self, numbers):
        return numbers

    def three(self, numbers):
        yield from itertools.islice(numbers, 3)

    def breaks(self, numbers):
        yield next(numbers)
        raise LookupError("the camera is gone")

    def endless(self, numbers):
        try:
            yield from numbers
            self.released.wait(60)
        except BaseException as error:
            self.ends.append(type(error).__name__)
            raise
        finally:
            self.ends.append("closed")

    def slow(self, numbers):
        for _ in numbers:
            time.sleep(0.01)

    def keeps(self, numbers):
        self.kept = numbers
        return next(numbers)

    def reads_the_kept(self):
        return next(self.kept)


@pytest.fixture(scope="module")
def flow(tmp_path_factory):
    path = tmp_path_factory.mktemp("schema") / "flow.fbs"
    path.write_text(SCHEMA)
    return leat.load_schema(path)


@pytest.fixture(scope="module")
def served(flow):
    class Meter(flow.MeterService):
        def take(self, requests):
            numbers = [item.number for item in requests]
            return flow.Total(count=len(numbers), sum=sum(numbers))

        def some(self, requests):
            numbers = [item.number for item in itertools.islice(requests, 2)]
            return flow.Total(count=len(numbers), sum=sum(numbers))

        def track(self, requests):
            for item in requests:
                yield flow.Item(number=item.number + 1, data=item.data)

        def fail(self, requests):
            leat.context().send_initial_metadata({"stage": "begun"})
            leat.context().set_trailing_metadata({"stage": "ended", "raw-bin": b"\0"})
            yield next(requests)
            raise ValueError("no more of this")

    sink = Sink()
    with leat.serve({"sink": sink}, "tcp://127.0.0.1:0") as server:
        server.add(Meter())
        with leat.connect(server.url) as peer:
            yield sink, peer


@pytest.fixture
def sink(served):
    return served[1]["sink"]


@pytest.fixture
def meter(served, flow):
    return served[1].service(flow.Meter)


def eventually(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


class Source:
    """A generator that notes how it ends."""

    def __init__(self, items, error=None):
        self.items = items
        self.error = error
        self.given = 0
        self.closed = threading.Event()

    def __call__(self):
        try:
            for item in self.items:
                self.given += 1
                yield item
            if self.error:
                raise self.error
        finally:
            self.closed.set()


# ---- objects


def test_a_generator_as_an_argument_is_streamed(sink):
    frames = (np.full((100, 100), i) for i in range(50))
    assert np.array_equal(sink.mean(frames), np.full((100, 100), 24.5))


def test_an_iterator_may_stand_anywhere_among_the_arguments(sink):
    assert sink.total(1, iter([1, 2, 3]), factor=10) == 61
    assert sink.total(start=1, numbers=iter([1, 2, 3])) == 7
    assert sink.nested({"numbers": iter([1, 2]), "name": "a"}) == [3, "a"]
    assert sink.total(5, iter(())) == 5


def test_containers_stay_values(sink):
    assert [sink.kind(value) for value in ([1], (1,), {1: 2}, "a", np.zeros(3))] == [
        "list",
        "tuple",
        "dict",
        "str",
        "ndarray",
    ]
    assert sink.kind(map(abs, [1])) == "RequestStream"


def test_a_generator_method_that_takes_a_generator_streams_both_ways(sink):
    doubled = sink.double(iter(range(1000)))
    assert iter(doubled) is doubled
    assert list(doubled) == list(range(0, 2000, 2))
    assert list(sink.echo(iter("abc"))) == ["a", "b", "c"]


def test_replies_are_not_kept_waiting_by_an_iterator_that_waits_for_them(sink):
    answers = []
    turn = threading.Semaphore(1)

    def requests():
        for i in range(20):
            turn.acquire()
            assert len(answers) == i
            yield i

    for answer in sink.double(requests()):
        answers.append(answer)
        turn.release()
    assert answers == list(range(0, 40, 2))


def test_a_slow_reader_holds_the_writer_back(sink):
    source = Source(np.zeros(20_000) for _ in range(10_000))
    with sink.echo(source()) as echoed:
        next(echoed)
        time.sleep(0.1)
        # The windows of both directions, and what the sockets take; far from all of it.
        assert source.given < 1000
    assert source.closed.wait(20)


@pytest.mark.parametrize("method", ["first", "none_of_it", "three"])
def test_a_handler_that_ends_early_closes_the_callers_generator(sink, method):
    source = Source(itertools.count())
    answer = getattr(sink, method)(source())
    assert (list(answer) if method == "three" else answer) == {"first": 0, "none_of_it": 0, "three": [0, 1, 2]}[method]
    assert source.closed.wait(20)


def test_the_end_of_a_call_does_not_wait_for_a_generator_that_waits(sink):
    stuck = threading.Event()

    def requests():
        yield 1
        stuck.wait(60)
        yield 2

    assert sink.first(requests()) == 1
    with pytest.raises(TimeoutError):
        sink.mean.options(timeout=0.05)(requests())
    stuck.set()


def test_an_error_in_the_callers_generator_ends_the_call_and_is_raised(served, sink):
    source = Source([1, 2], KeyError("mine"))
    with pytest.raises(KeyError, match="mine") as caught:
        sink.total(0, source())
    assert not isinstance(caught.value, leat.RemoteError)
    assert source.closed.wait(20)
    served[0].ends.clear()
    goes_on = threading.Event()

    def requests():
        yield 1
        goes_on.wait(20)
        raise KeyError("mine")

    items = sink.endless(requests())
    assert next(items) == 1
    goes_on.set()
    with pytest.raises(KeyError, match="mine"):
        next(items)
    with pytest.raises(StopIteration):
        next(items)
    with pytest.raises(KeyError, match="mine"):
        items.finish()
    eventually(lambda: "closed" in served[0].ends)


def test_an_item_that_cannot_be_sent_ends_the_call_and_is_raised(sink):
    source = Source([1, {2}])
    with pytest.raises(TypeError, match=r"item: a set can't be sent"):
        sink.total(0, source())
    assert source.closed.wait(20)


def test_what_the_handler_raises_arrives_after_its_items(sink):
    source = Source(itertools.count())
    items = sink.breaks(source())
    assert next(items) == 0
    with pytest.raises(LookupError, match="the camera is gone"):
        next(items)
    assert source.closed.wait(20)


def test_a_call_given_up_closes_both_generators(served, sink):
    served[0].ends.clear()
    source = Source(itertools.count())
    with sink.endless(source()) as items:
        assert [next(items), next(items)] == [0, 1]
    assert source.closed.wait(20)
    eventually(lambda: "closed" in served[0].ends)


def test_a_stream_that_nobody_holds_is_given_up(served, sink):
    served[0].ends.clear()
    source = Source(itertools.count())
    items = sink.endless(source())
    next(items)
    del items
    gc.collect()
    assert source.closed.wait(20)
    eventually(lambda: "closed" in served[0].ends)


def test_the_generator_sees_the_contextvars_of_the_caller(sink):
    import contextvars

    variable = contextvars.ContextVar("variable", default=0)
    variable.set(5)
    assert sink.total(0, (variable.get() for _ in range(3))) == 15


def test_what_makes_no_sense_is_refused(sink):
    async def numbers():
        yield 1

    with pytest.raises(TypeError, match=r"args\[1\]: a second iterator can't be sent"):
        sink.total(iter([1]), iter([2]))
    with pytest.raises(TypeError, match="async_generator can't be read by a call that blocks"):
        sink.mean(numbers())
    with pytest.raises(TypeError, match=r"item\[0\]: a list_iterator can't be sent inside a value"):
        sink.total(0, iter([[iter([1])]]))
    assert sink.total(0, iter([1])) == 1


def test_requests_are_the_handlers_only_while_it_runs(sink):
    assert sink.keeps(iter([1, 2])) == 1
    with pytest.raises(RuntimeError, match="the handler that this context belongs to is done"):
        sink.reads_the_kept()


@pytest.mark.parametrize("url", ["ipc://{tmp}/flow.sock", "zmq+tcp://127.0.0.1:0", "inproc://flow"])
def test_streams_cross_every_transport(tmp_path, url):
    with leat.serve({"sink": Sink()}, url.format(tmp=tmp_path)) as server, leat.connect(server.url) as peer:
        sink = peer["sink"]
        assert sink.total(0, iter(range(5000))) == sum(range(5000))
        images = (np.full((300, 300), i) for i in range(20))
        assert [int(image[0, 0]) for image in sink.double(images)] == list(range(0, 40, 2))


def test_ends_of_calls_race_with_their_generators(sink):
    for _ in range(100):
        source = Source(itertools.count())
        assert list(sink.three(source())) == [0, 1, 2]
        assert source.closed.wait(20)
    for i in range(100):
        with pytest.raises(KeyError):
            sink.total(0, Source(range(i), KeyError())())
    for _ in range(100):
        items = sink.double(itertools.count())
        next(items)
        threading.Thread(target=items.cancel).start()
        with contextlib.suppress(leat.RemoteError):
            assert len(list(items)) >= 0


# ---- schemas


@pytest.mark.parametrize("make", [list, tuple, iter, lambda items: (item for item in items)])
def test_a_client_stream_takes_any_iterable(flow, meter, make):
    total = meter.take(make([flow.Item(number=i, data=np.zeros(1000)) for i in range(100)]))
    assert (total.count, total.sum) == (100, 4950)
    assert meter.take(make([])) == flow.Total()


def test_a_client_stream_can_be_written_one_by_one(flow, meter):
    with meter.take() as call:
        for i in range(100):
            call.write(flow.Item(number=i))
        assert call.trailing_metadata is None
        assert call.finish().count == 100
    assert call.finish().sum == 4950
    assert call.trailing_metadata == {}
    with meter.take() as call:
        call.write(flow.Item(number=1))
    assert call.finish().count == 1


def test_leaving_the_block_with_an_error_gives_the_call_up(flow, meter):
    with contextlib.suppress(KeyError), meter.take() as call:
        call.write(flow.Item())
        raise KeyError
    with pytest.raises(leat.RemoteError, match="given up") as caught:
        call.write(flow.Item())
    assert caught.value.code == "cancelled"


def test_an_answer_before_the_end_is_kept(flow, meter):
    source = Source(flow.Item(number=i) for i in itertools.count())
    assert meter.some(source()).count == 2
    assert source.closed.wait(20)
    assert meter.some([flow.Item()] * 1000).count == 2
    call = meter.some()

    def write_on():
        for _ in range(1_000_000):
            call.write(flow.Item())

    with pytest.raises(leat.RemoteError, match="ended the call before all was sent"):
        write_on()
    assert call.finish().count == 2


def test_a_bidirectional_stream_takes_an_iterable(flow, meter):
    items = (flow.Item(number=i, data=np.full(2000, i)) for i in range(200))
    for i, item in enumerate(meter.track(items)):
        assert item.number == i + 1
        assert (item.data == i).all()
    assert i == 199
    assert [item.number for item in meter.track([flow.Item(number=1)] * 3)] == [2, 2, 2]


def test_a_bidirectional_stream_goes_in_any_order(flow, meter):
    with meter.track() as call:
        for i in range(100):
            call.write(flow.Item(number=i))
            assert call.next().number == i + 1
        call.write(flow.Item(number=5))
        call.close()
        with pytest.raises(leat.RemoteError, match="closed before"):
            call.write(flow.Item(number=6))
        assert [item.number for item in call] == [6]
        with pytest.raises(StopIteration):
            call.next()
        call.finish()
    assert call.trailing_metadata == {}


def test_one_thread_may_write_while_another_reads(flow, meter):
    call = meter.track()

    def write():
        for i in range(2000):
            call.write(flow.Item(number=i, data=np.zeros(100)))
        call.close()

    thread = threading.Thread(target=write)
    thread.start()
    assert [item.number for item in call] == list(range(1, 2001))
    thread.join()


def test_failures_and_metadata_of_a_call_are_never_lost(flow, meter):
    call = meter.fail()
    call.write(flow.Item(number=1))
    assert call.metadata == {"stage": "begun"}
    assert next(call).number == 1
    with pytest.raises(ValueError, match="no more of this"):
        next(call)
    with pytest.raises(ValueError, match="no more of this"):
        call.write(flow.Item())
    with pytest.raises(ValueError, match="no more of this"):
        call.finish()
    assert call.metadata == {"stage": "begun"}
    assert call.trailing_metadata == {"stage": "ended", "raw-bin": b"\0"}


def test_wrong_requests_are_refused_with_their_place(flow, meter):
    with pytest.raises(TypeError, match=r"flow\.Meter\.Take takes an iterable of requests, got an int"):
        meter.take(5)
    with pytest.raises(TypeError, match="Take takes an iterable of requests, or nothing; not number"):
        meter.take(number=5)
    with pytest.raises(TypeError, match=r"expected a message flow\.Item, got .*Total"):
        meter.take([flow.Total()])
    with pytest.raises(TypeError, match=r"expected a message flow\.Item, got .*Total"):
        meter.take(iter([flow.Total()]))
    with meter.take() as call, pytest.raises(TypeError):
        call.write(5)
    assert call.finish().count == 0


def test_the_server_dying_fails_calls_that_write(start, tmp_path):
    lab = """
import leat, sys
class Sink:
    def total(self, numbers): return sum(numbers)
server = leat.serve({"sink": Sink()}, "tcp://127.0.0.1:0")
print(server.url, flush=True)
server.wait()
"""
    child = start("-c", lab)
    with leat.connect(child.url) as peer:
        source = Source(itertools.count())

        def requests():
            for i in source():
                if i == 1000:
                    child.process.kill()
                yield i

        with pytest.raises(ConnectionError):
            peer["sink"].total(requests())
        assert source.closed.wait(20)
