"""Calls to objects in another process."""

import gc
import threading
import time
from pathlib import Path

import leat
import numpy as np
import pytest

LAB = Path(__file__).with_name("lab.py")

URLS = ["tcp://127.0.0.1:0", "ipc://{tmp}/lab.sock", "zmq+tcp://127.0.0.1:0"]


@pytest.mark.parametrize("url", URLS)
def test_values_arrays_and_streams_cross_every_transport(start, tmp_path, url):
    child = start(LAB, url.format(tmp=tmp_path))
    with leat.connect(child.url) as peer:
        assert peer.transport == url.split("://")[0]
        scope = peer["scope"]
        image = np.arange(300_000, dtype="u2").reshape(300, 1000)
        assert scope.echo(1, (2, None), b"x", name="µ") == [[1, (2, None), b"x"], {"name": "µ"}]
        assert np.array_equal(scope.one(image), image)
        assert list(scope.frames(1000)) == list(range(1000))
        with pytest.raises(ValueError, match=r"^no such exposure(\n|$)"):
            scope.fail("ValueError", "no such exposure")


def test_a_call_looks_like_a_local_one(scope):
    assert np.array_equal(scope.snap(exposure=0.5), np.full((4, 4), 0.5))
    assert np.array_equal(scope.snap(0.5, bins=2), np.full((4, 4), 1.0))
    assert scope.nothing() is None
    assert scope.static(1) == 2
    assert scope.named() == "Scope"


def test_arguments_of_all_kinds_arrive_in_their_places(scope):
    args = [None, True, 2**64 - 1, -(2**63), 0.5, "text", b"bytes", [1], (1, (2,)), {1: {"a": (None,)}}]
    assert scope.echo(*args, first=1, second=[2]) == [args, {"first": 1, "second": [2]}]


def test_large_byte_strings_arrive(scope):
    data = bytes(range(256)) * 1000
    assert scope.one(data) == data


def test_large_arguments_and_results_travel_on_the_lane_of_bulk(lab):
    with leat.connect(lab) as peer:
        assert peer["scope"].one(b"small") == b"small"
        assert peer.stats()["lanes"] == 1
        assert peer["scope"].one(bytes(1 << 20)) == bytes(1 << 20)
        assert peer.stats()["lanes"] == 2


def test_received_arrays_are_read_only_on_both_sides(scope):
    image = np.ones((200, 200))
    assert scope.writeable(image) is False
    back = scope.one(image)
    with pytest.raises(ValueError, match="read-only"):
        back[0] = 1
    assert back.copy().flags.writeable


def test_received_arrays_outlive_the_connection(lab):
    with leat.connect(lab) as peer:
        image = peer["scope"].one(np.full(100_000, 7.0))
    del peer
    gc.collect()
    assert (image == 7).all()


def test_an_argument_may_be_changed_once_the_call_has_returned(scope):
    image = np.zeros(100_000)
    for i in range(20):
        image[:] = i
        assert (scope.one(image) == i).all()


def test_what_cannot_be_sent_is_named_by_its_place_in_the_arguments(scope):
    with pytest.raises(TypeError, match=r"^args\[0\]\['frames'\]\[1\]: a set can't be sent"):
        scope.echo({"frames": [0, {1}]})
    with pytest.raises(TypeError, match=r"^kwargs\['mask'\]\[0\]: an object can't be sent"):
        scope.echo(mask=(object(),))
    assert scope.one(1) == 1


def test_a_generator_is_a_stream(scope):
    frames = scope.frames(3)
    assert iter(frames) is frames
    assert [next(frames), next(frames), next(frames)] == [0, 1, 2]
    with pytest.raises(StopIteration):
        next(frames)
    with pytest.raises(StopIteration):
        next(frames)
    assert list(scope.frames(0)) == []
    assert list(scope.iterator()) == [1, 2]


def test_a_generator_may_use_one_buffer_for_all_its_items(scope):
    for i, image in enumerate(scope.images(50)):
        assert (image == i).all()


def test_items_arrive_and_then_the_exception(scope):
    items = scope.breaks()
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(LookupError, match="the camera is gone"):
        next(items)
    with pytest.raises(StopIteration):
        next(items)


def test_an_item_that_cannot_be_sent_ends_the_stream(scope):
    items = scope.yields_a_set()
    assert next(items) == 1
    with pytest.raises(TypeError, match=r"item: a set can't be sent"):
        next(items)


def eventually(condition):
    while not condition():
        time.sleep(0.01)


@pytest.mark.parametrize("how", ["close", "with", "del", "break"])
def test_a_stream_given_up_closes_the_generator(scope, how):
    started, closed = scope.seen()
    items = scope.endless()
    assert next(items) == 0
    if how == "close":
        items.close()
        items.close()
    elif how == "with":
        with items:
            next(items)
    elif how == "break":
        for i in items:
            if i == 100:
                break
    del items
    eventually(lambda: scope.seen() == (started + 1, closed + 1))


def test_a_closed_stream_has_no_more_items(scope):
    items = scope.frames(1000)
    next(items)
    items.close()
    with pytest.raises(StopIteration):
        next(items)


def test_two_streams_and_calls_interleave(scope):
    first, second = scope.frames(500), scope.frames(500)
    for i in range(500):
        assert (next(first), next(second), scope.one(i)) == (i, i, i)


def test_a_timeout_ends_the_wait(scope):
    with pytest.raises(leat.RemoteError) as caught:
        scope.sleep.options(timeout=0.05)(1)
    assert caught.value.code == "deadline_exceeded"
    assert isinstance(caught.value, TimeoutError)
    assert scope.one(1) == 1


def test_a_timeout_ends_a_stream(scope):
    items = scope.slow_items.options(timeout=0.2)()
    with pytest.raises(TimeoutError):
        for _ in items:
            pass


@pytest.mark.parametrize("timeout", [-1, float("nan")])
def test_a_timeout_that_is_no_length_of_time_is_refused(scope, timeout):
    with pytest.raises(ValueError, match="timeout is a number of seconds"):
        scope.one.options(timeout=timeout)
    with pytest.raises(TypeError):
        scope.one.options(timeout="soon")


def test_an_unknown_channel_is_refused(scope):
    assert scope.one.options(channel="bulk")(1) == 1
    with pytest.raises(ValueError, match="calls travel on 'stream', 'rpc' or 'bulk'"):
        scope.one.options(channel="express")


def test_metadata_is_checked_before_it_is_sent(scope):
    assert scope.one.options(metadata={"trace": "1", "key-bin": b"\0"})(1) == 1
    with pytest.raises(ValueError):
        scope.one.options(metadata={"Not Allowed": "1"})
    with pytest.raises(TypeError):
        scope.one.options(metadata={1: "1"})


def test_many_threads_share_one_peer(scope):
    wrong = []

    def work(number):
        wrong.extend(i for i in range(200) if scope.echo(number, i) != [[number, i], {}])
        if list(scope.frames(200)) != list(range(200)):
            wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_long_call_does_not_hold_up_others(scope):
    done = []
    thread = threading.Thread(target=lambda: done.append(scope.sleep(2)))
    thread.start()
    for i in range(100):
        assert scope.one(i) == i
    assert not done
    thread.join()
    assert done == ["slept"]


def test_one_stream_is_read_by_one_thread_at_a_time(scope):
    items = scope.slow_items()
    next(items)
    ended = []

    def read():
        ended.extend(attempt(lambda: next(items)) for _ in range(1))

    def attempt(call):
        try:
            return call()
        except Exception as error:
            return error

    thread = threading.Thread(target=read)
    thread.start()
    refused = attempt(items.finish)
    while not isinstance(refused, ValueError):  # the thread has not got there yet
        refused = attempt(items.finish)
    items.close()
    thread.join()
    assert str(refused) == "the stream is being read by another thread"
    assert isinstance(ended[0], leat.RemoteError)
    assert ended[0].code == "cancelled"


def test_closing_a_peer_ends_its_calls(lab):
    peer = leat.connect(lab)
    codes = []

    def work():
        try:
            peer["scope"].sleep(3600 / 1000)
        except leat.RemoteError as error:
            codes.append(error.code)

    thread = threading.Thread(target=work)
    thread.start()
    eventually(lambda: peer.stats()["calls_in_flight"] == 1)
    peer.close()
    peer.close()
    thread.join()
    assert codes == ["cancelled"]
    assert not peer.connected
    with pytest.raises(leat.RemoteError):
        peer["scope"].one(1)


def test_handlers_do_not_run_on_the_main_thread(scope):
    assert scope.thread() is False


def test_a_peer_tells_of_itself(lab, peer):
    assert peer.url == lab
    assert peer.connected
    assert sorted(peer.services()) == ["other", "scope"]
    before = peer.stats()["calls_started"]
    peer["scope"].one(1)
    assert peer.stats()["calls_started"] == before + 1
    assert repr(peer) == f"<leat.Peer {lab} (connected)>"
    assert repr(peer["scope"]) == f"<remote object 'scope' at {lab}>"
    assert repr(peer["scope"].one) == "<remote method scope.one>"
    assert peer["scope"].one.__name__ == "one"
