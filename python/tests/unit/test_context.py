"""What a handler knows of its call: deadline, cancellation, metadata, and its caller."""

import contextlib
import contextvars
import threading
import time

import leat
import pytest


class Scope:
    def __init__(self):
        self.seen = {}
        self.cancelled = threading.Event()
        self.began = threading.Event()
        self.other = None

    def describe(self):
        context = leat.context()
        assert leat.context() is context
        self.seen["context"] = context
        return {
            "deadline": context.deadline,
            "remaining": context.remaining,
            "cancelled": context.cancelled,
            "metadata": context.metadata,
            "identity": context.identity,
            "peer_address": context.peer_address,
        }

    def steps(self):
        variable.set(leat.context())
        for i in range(3):
            assert leat.context() is variable.get()
            yield [i, leat.context().metadata]

    def leaks(self):
        before = variable.get(None)
        variable.set(5)
        return before

    def wait(self, seconds):
        self.began.set()
        cancelled = leat.context().wait(seconds)
        if cancelled:
            self.cancelled.set()
        return [cancelled, leat.context().cancelled]

    def in_thread(self):
        found = []
        context = contextvars.copy_context()

        def look():
            found.append(leat.context().metadata)
            found.append(leat.context().wait(0))
            try:
                found.append(self.other.scope.wait(60))
            except leat.RemoteError as error:
                found.append(error.code)

        thread = threading.Thread(target=context.run, args=(look,))
        thread.start()
        thread.join()
        return found

    def chain(self, steps):
        """Calls the next in steps of a generator, which run at different times."""
        for _ in range(steps):
            try:
                self.seen["chain"] = self.other["scope"].wait(60)
            except leat.RemoteError as error:
                self.seen["chain"] = error.code
            yield self.seen["chain"]

    def remaining_below(self):
        return self.other["scope"].describe()["remaining"]

    def trailing(self):
        leat.context().send_initial_metadata({"begun": "yes"})
        leat.context().set_trailing_metadata([("a", "1"), ("a", "2"), ("b-bin", b"\0\1")])
        return iter([1])

    def too_late(self):
        leat.context().send_initial_metadata({"begun": "yes"})
        yield 1


variable = contextvars.ContextVar("variable")


@pytest.fixture
def scope():
    served = Scope()
    with (
        leat.serve({"scope": served}, "tcp://127.0.0.1:0") as server,
        leat.connect(server.url) as peer,
        leat.connect(server.url) as other,
    ):
        served.other = other
        served.remote = peer["scope"]
        yield served


def test_a_handler_sees_deadline_and_metadata(scope):
    plain = scope.remote.describe()
    assert (plain["deadline"], plain["remaining"], plain["cancelled"]) == (None, None, False)
    assert (plain["metadata"], plain["identity"]) == ({}, None)
    assert plain["peer_address"].startswith("tcp://127.0.0.1:")
    told = scope.remote.describe.options(timeout=60, metadata={"name": "µ", "raw-bin": b"\0"})()
    assert 59 < told["remaining"] <= 60
    assert 59 < told["deadline"] - time.monotonic() <= 60
    assert told["metadata"] == {"name": "µ", "raw-bin": b"\0"}


def test_there_is_no_context_outside_of_handlers(scope):
    with pytest.raises(RuntimeError, match=r"leat\.context\(\) is for handlers"):
        leat.context()
    scope.remote.describe()
    context = scope.seen["context"]
    assert context.cancelled is False
    for use in (
        lambda: context.metadata,
        lambda: context.remaining,
        lambda: context.wait(0),
        lambda: context.peer,
        lambda: context.set_trailing_metadata({}),
    ):
        with pytest.raises(RuntimeError, match="is done"):
            use()


def test_every_step_of_a_generator_has_the_context_and_contextvars_of_its_call(scope):
    first = scope.remote.steps.options(metadata={"n": "1"})()
    second = scope.remote.steps.options(metadata={"n": "2"})()
    for i in range(3):
        assert next(first) == [i, {"n": "1"}]
        assert next(second) == [i, {"n": "2"}]


def test_contextvars_do_not_leak_from_call_to_call(scope):
    assert [scope.remote.leaks() for _ in range(20)] == [None] * 20


def test_a_deadline_reaches_the_handler_that_waits(scope):
    with pytest.raises(TimeoutError):
        scope.remote.wait.options(timeout=0.05)(60)
    assert scope.cancelled.wait(20)


def test_waiting_ends_in_time_too(scope):
    assert scope.remote.wait(0.01) == [False, False]


def test_cancellation_reaches_the_handler_that_waits(scope):
    def give_up():
        scope.began.wait(20)
        scope.peer.close()

    with leat.connect(scope.other.url) as scope.peer:
        thread = threading.Thread(target=give_up)
        thread.start()
        with pytest.raises(leat.RemoteError):
            scope.peer["scope"].wait(60)
        thread.join()
    assert scope.cancelled.wait(20)


def test_calls_made_in_a_handler_have_its_deadline(scope):
    assert scope.remote.remaining_below() is None
    assert scope.remote.remaining_below.options(timeout=60)() <= 60


def test_calls_made_in_steps_of_a_generator_end_with_it(scope):
    items = scope.remote.chain.options(timeout=0.1)(3)
    # The call inside may be the first to notice the deadline; the handler goes on then, and may end in time.
    with contextlib.suppress(TimeoutError):
        list(items)
    assert scope.cancelled.wait(20)
    scope.cancelled.clear()
    scope.began.clear()
    with leat.connect(scope.other.url) as peer:
        items = peer["scope"].chain(3)
        assert scope.began.wait(20)
        items.close()
        assert scope.cancelled.wait(20)


def test_a_handlers_context_can_be_taken_into_threads(scope):
    scope.other = type("Other", (), {"scope": scope.other["scope"]})
    with pytest.raises(TimeoutError):
        scope.remote.in_thread.options(timeout=0.2, metadata={"a": "b"})()
    assert scope.cancelled.wait(20)  # the call that the thread made ended with the deadline


def test_metadata_goes_back_both_ways(scope):
    with scope.remote.trailing() as items:
        assert items.metadata == {"begun": "yes"}
        assert items.trailing_metadata is None
        assert list(items) == [1]
        assert items.trailing_metadata == {"a": "1, 2", "b-bin": b"\0\1"}
        items.finish()


def test_initial_metadata_that_comes_too_late_is_refused(scope):
    with pytest.raises(RuntimeError, match="before the first reply"):
        list(scope.remote.too_late())


@pytest.mark.parametrize("metadata", [5, {"a": 1}, [("a",)], [("a", "b", "c")], {b"a": "b"}, ["ab"]])
def test_metadata_of_the_wrong_shape_is_explained(scope, metadata):
    with pytest.raises(TypeError, match="metadata is a dictionary of str to str or bytes, or pairs of these"):
        scope.remote.describe.options(metadata=metadata)


def test_contexts_race_with_the_ends_of_their_handlers():
    class Racing:
        def call(self):
            context = leat.context()
            thread = threading.Thread(target=self.use, args=(context,))
            thread.start()
            threads.append(thread)

        def use(self, context):
            try:
                for _ in range(20):
                    context.wait(0)
                    used.append(context.metadata)
            except RuntimeError as error:
                refused.append(str(error))

    threads, used, refused = [], [], []
    with leat.serve({"racing": Racing()}, "tcp://127.0.0.1:0") as server, leat.connect(server.url) as peer:
        for _ in range(200):
            peer["racing"].call()
        for thread in threads:
            thread.join()
        assert peer["racing"].call() is None
    assert set(refused) <= {"the handler that this context belongs to is done"}
