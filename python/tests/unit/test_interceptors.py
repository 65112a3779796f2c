"""Interceptors that are written in Python, around calls of every form, on both sides."""

import contextlib
import contextvars
import gc
import threading
import weakref

import leat
import numpy as np
import pytest
from leat.interceptors import Answer, Arguments


class Scope:
    def snap(self, exposure=0.1):
        return exposure

    def image(self, image):
        return image

    def frames(self, n):
        yield from range(n)

    def mean(self, items, *, scale=1):
        return sum(items) * scale

    def echo(self, items):
        yield from items

    def fail(self):
        raise ValueError("no light")

    def breaks(self):
        yield 1
        raise LookupError("the camera is gone")

    def metadata(self):
        leat.context().send_initial_metadata({"begun": "yes"})
        leat.context().set_trailing_metadata({"over": "yes"})
        return leat.context().metadata

    def remaining(self):
        return leat.context().remaining

    def user(self):
        return user.get(None)

    def user_in_steps(self, n):
        for _ in range(n):
            yield user.get(None)

    def call_back(self):
        return leat.context().peer["client"].snap()


user = contextvars.ContextVar("user")


class Noting(leat.Interceptor):
    """Writes down what passes; `await_ends` waits for what the other side has yet to notice."""

    def __init__(self):
        self.log = []
        self.open = 0
        self.changed = threading.Condition()

    def on_start(self, call):
        with self.changed:
            self.open += 1
        self.log.append(f"start {call.service}.{call.method}")

    def on_send(self, call, message):
        self.log.append(("send", message.value))

    def on_receive(self, call, message):
        self.log.append(("receive", message.value))

    def on_headers(self, call, headers):
        self.log.append(("headers", headers))

    def on_end(self, call, error, trailing):
        self.log.append(("end", None if error is None else error.code, trailing))
        with self.changed:
            self.open -= 1
            self.changed.notify_all()

    def taken(self):
        with self.changed:
            assert self.changed.wait_for(lambda: self.open == 0, 20)
        log, self.log = self.log, []
        return log


class Scripted(leat.Interceptor):
    """Has the hooks that it is given."""

    def __init__(self, **hooks):
        self.__dict__.update(hooks)


@contextlib.contextmanager
def site(client=(), server=(), url="tcp://127.0.0.1:0"):
    with (
        leat.serve({"scope": Scope()}, url, interceptors=server) as serving,
        leat.connect(serving.url, interceptors=client) as peer,
    ):
        yield peer["scope"]


@pytest.fixture
def noted():
    """A client's and a server's interceptor, and the object between them."""
    here, there = Noting(), Noting()
    with site([here], [there]) as scope:
        yield here, there, scope


def test_both_sides_see_a_call(noted):
    here, there, scope = noted
    assert scope.snap(0.5) == 0.5
    request = Arguments([0.5], {})
    assert here.taken() == [
        "start scope.snap",
        ("send", request),
        ("headers", {}),
        ("receive", 0.5),
        ("end", None, {}),
    ]
    assert there.taken() == ["start scope.snap", ("receive", request), ("send", 0.5), ("end", None, {})]


def test_they_see_every_message_of_streams(noted):
    here, there, scope = noted
    assert list(scope.echo(iter("ab"))) == ["a", "b"]
    for log, out, back in ((here.taken(), "send", "receive"), (there.taken(), "receive", "send")):
        assert repr(log[1]) == f"('{out}', Arguments(args=[<a stream of requests>], kwargs={{}}))"
        assert [each for each in log if each[0] == out][1:] == [(out, "a"), (out, "b")]
        assert [each for each in log if each[0] == back] == [(back, "a"), (back, "b")]
        assert log[-1] == ("end", None, {})


def test_a_stream_that_breaks_ends_so(noted):
    here, there, scope = noted
    with pytest.raises(LookupError, match="the camera is gone"):
        list(scope.breaks())
    assert [log[-2:] for log in (here.taken(), there.taken())] == [
        [("receive", 1), ("end", "unknown", {})],
        [("send", 1), ("end", "unknown", {})],
    ]


def test_a_stream_that_is_let_go_of_ends_too(noted):
    here, there, scope = noted
    frames = scope.frames(10**9)
    assert next(frames) == 0
    frames.close()
    assert here.taken()[-1] == ("end", "cancelled", {})
    assert there.taken()[-1] == ("end", "cancelled", {})


def test_calls_that_are_not_waited_for_are_seen(noted):
    here, there, scope = noted
    future = scope.snap.future(1)
    assert future.result() == 1
    assert here.taken()[-2:] == [("receive", 1), ("end", None, {})]
    there.taken()
    told = threading.Event()
    future = scope.snap.future(2)
    future.add_done_callback(lambda _: told.set())
    assert told.wait(20)
    assert here.taken()[-2:] == [("receive", 2), ("end", None, {})]
    there.taken()
    scope.snap.oneway(3)
    assert here.taken()[1] == ("send", Arguments([3], {}))
    assert there.taken()[-1] == ("end", None, {})


def test_calls_that_may_be_made_again_are_seen_once(noted):
    here, _, scope = noted
    assert scope.snap.options(idempotent=True)(5) == 5
    assert [each[0] for each in here.taken()[1:]] == ["send", "headers", "receive", "end"]


def test_metadata_passes_and_can_be_changed():
    def send(call):
        call.metadata["who"] = "me"
        del call.metadata["b"]

    def receive(call):
        seen.update(call.metadata)
        call.metadata["raw-bin"] = b"\0"

    def headers(call, headers):
        headers[f"by-{call.side}"] = "x"

    def end(call, error, trailing):
        trailing[f"by-{call.side}"] = "y"

    seen = {}
    here = Scripted(on_start=send, on_headers=headers, on_end=end)
    there = Scripted(on_start=receive, on_headers=headers, on_end=end)
    with site([here], [there]) as scope:
        future = scope.metadata.options(metadata=[("a", "1"), ("a", "2"), ("b", "3")]).future()
        assert future.result() == {"a": "1, 2", "who": "me", "raw-bin": b"\0"}
        assert future.metadata == {"begun": "yes", "by-client": "x", "by-server": "x"}
        assert future.trailing_metadata == {"over": "yes", "by-client": "y", "by-server": "y"}
    assert seen == {"a": "1, 2", "who": "me"}


def test_metadata_of_the_wrong_shape_fails_the_call():
    wrong = Scripted(on_start=lambda call: call.metadata.update(a=5))
    with site([wrong]) as scope, pytest.raises(TypeError, match="metadata is a dictionary of str to str or bytes"):
        scope.snap()


def test_the_timeout_can_be_set_by_a_client():
    class Hurry(leat.Interceptor):
        def on_start(self, call):
            seen.append(call.timeout)
            call.timeout = 60

        def on_end(self, call, error, trailing):
            with pytest.raises(AttributeError, match=r"set in on_start\(\)"):
                call.timeout = 1
            assert call.timeout == 60

    seen = []
    with site([Hurry()]) as scope:
        assert 59 < scope.remaining() <= 60
        assert 59 < scope.remaining.options(timeout=5)() <= 60
    assert seen == [None, 5]

    def shorten(call):
        seen.append(call.timeout)
        call.timeout = 1

    seen = []
    with site(server=[Scripted(on_start=shorten)]) as scope, pytest.raises(AttributeError, match="its caller's"):
        scope.snap.options(timeout=50)()
    assert 49 < seen[0] <= 50


def test_messages_can_be_replaced():
    class Double(leat.Interceptor):
        def on_send(self, call, message):
            if call.side == "client":
                if isinstance(message.value, Arguments):
                    args, kwargs = message.value
                    message.value = Arguments([*args], {**kwargs, "scale": 10})
                else:
                    message.value = message.value * 2
            else:
                message.value = [message.value]
                assert message.value[0] == 60

    with site([Double()], [Double()]) as scope:
        assert scope.mean(iter([1, 2])) == [60]


@pytest.mark.parametrize(
    ("value", "match"),
    [
        ([1, 2, 3], r"the request of scope.snap is leat.interceptors.Arguments\(args, kwargs\)"),
        (([1], 2), r"the request of scope.snap is leat.interceptors.Arguments\(args, kwargs\)"),
        (([{1}], {}), r"args\[0\]: a set can't be sent"),
        (([], {"exposure": {1}}), r"kwargs\['exposure'\]: a set can't be sent"),
    ],
)
def test_what_can_not_be_sent_instead_fails_the_call(value, match):
    def replace(call, message):
        message.value = value

    with site([Scripted(on_send=replace)]) as scope, pytest.raises(TypeError, match=match):
        scope.snap()


def test_arrays_pass_without_copies():
    image = np.arange(1 << 20, dtype="u1")
    seen = []
    here = Scripted(on_send=lambda call, message: seen.append((message.nbytes, message.value.args[0])))
    with site([here]) as scope:
        assert scope.image(image).sum() == image.sum()
    assert seen[0][0] > image.nbytes
    assert np.shares_memory(seen[0][1], image)


def test_a_message_is_read_while_its_hook_runs():
    kept = []
    with site([Scripted(on_send=lambda call, message: kept.append(message))]) as scope:
        scope.snap()
    with pytest.raises(RuntimeError, match="while its hook runs"):
        kept[0].value
    with pytest.raises(RuntimeError, match="while its hook runs"):
        kept[0].value = 1


def refusal(error):
    def refuse(*args):
        raise error

    return refuse


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("hook", ["on_start", "on_send", "on_receive", "on_end"])
@pytest.mark.parametrize("form", ["wait", "future", "once", "stream"])
def test_what_a_hook_raises_is_how_the_call_ends(side, hook, form, caplog):
    ends = []
    noting = Scripted(on_end=lambda call, error, trailing: ends.append(error and error.code))
    refusing = Scripted(**{hook: refusal(PermissionError("not you"))})
    with site(**{side: [noting, refusing]}) as scope:
        call = {
            "wait": scope.snap,
            "future": lambda: scope.snap.future().result(),
            "once": scope.snap.options(idempotent=True),
            "stream": lambda: list(scope.frames(1)),
        }[form]
        with pytest.raises(PermissionError, match="not you") as caught:
            call()
    assert isinstance(caught.value, leat.RemoteError)
    assert caught.value.code == "permission_denied"
    assert "in refuse" in caught.value.remote_traceback
    assert ends == ["permission_denied"]
    # On a server nobody else may ever see it; a client's caller gets it.
    logged = [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(logged) == (1 if side == "server" else 0)
    for record in logged:
        assert (
            record.getMessage() == f"Scripted.{hook} for scope.{'frames' if form == 'stream' else 'snap'} raised "
            "PermissionError"
        )
        assert record.exc_info[2] is not None


def test_ctrl_c_in_a_hook_is_its_threads_own():
    interrupted = Scripted(on_receive=refusal(KeyboardInterrupt()))
    with site([interrupted]) as scope:
        with pytest.raises(KeyboardInterrupt):
            scope.snap()
        with pytest.raises(KeyboardInterrupt):
            scope.snap.future().result()
    with site(server=[interrupted]) as scope, pytest.raises(leat.RemoteError, match="KeyboardInterrupt"):
        scope.snap()


def test_a_refusal_has_a_code_and_details_of_its_choice(caplog):
    error = leat.RemoteError("log in first", code="unauthenticated", details=[("how", b"\0")])
    for sides in ({"client": [Scripted(on_start=refusal(error))]}, {"server": [Scripted(on_start=refusal(error))]}):
        with site(**sides) as scope, pytest.raises(leat.RemoteError, match="log in first") as caught:
            scope.snap()
        assert (caught.value.code, caught.value.details) == ("unauthenticated", [("how", b"\0")])
    assert not caplog.records


def test_who_refuses_keeps_the_call_from_those_further_in():
    inner, outer = Noting(), Noting()
    with site([outer, Scripted(on_start=refusal(ValueError("no"))), inner]) as scope:
        with pytest.raises(ValueError, match="no"):
            scope.snap()
        assert inner.taken() == []
        assert outer.taken() == ["start scope.snap", ("end", "invalid_argument", {})]


def test_the_first_in_the_list_is_the_outermost():
    def mark(name):
        return Scripted(on_send=lambda call, message: order.append(name))

    order = []
    with site([mark(1), mark(2)], [mark(3), mark(4)]) as scope:
        scope.snap()
    assert order == [1, 2, 4, 3]


def test_a_call_is_answered_in_the_callees_stead():
    class Cache(leat.Interceptor):
        def on_start(self, call):
            if call.method == "snap":
                return Answer(np.arange(3))
            return Answer(items=iter([1, None, "x"])) if call.method == "frames" else None

    assert repr([Answer(1), Answer(items=(1,))]) == "[Answer(1), Answer(items=[1])]"
    for sides in ({"client": [Cache()]}, {"server": [Cache()]}):
        outer = Noting()
        for side in sides.values():
            side.insert(0, outer)
        with site(**sides) as scope:
            assert scope.snap().tolist() == [0, 1, 2]
            assert scope.snap.future().result().tolist() == [0, 1, 2]
            assert list(scope.frames(10)) == [1, None, "x"]
            assert [each[1] for each in outer.taken() if each[0] in ("receive", "send")][-3:] == [1, None, "x"]
            assert scope.mean(iter([1])) == 1


def test_an_answer_that_is_none_is_explained():
    match = r"on_start\(\) returns None, or an Answer to the call; got 5"
    with site([Scripted(on_start=lambda call: 5)]) as scope, pytest.raises(TypeError, match=match):
        scope.snap()


def test_a_failure_is_seen_as_the_caller_gets_it():
    errors = []
    note = Scripted(on_end=lambda call, error, trailing: errors.append(error))
    with site([note], [note]) as scope, pytest.raises(ValueError, match="no light"):
        scope.fail()
    for error in errors:
        assert isinstance(error, ValueError)
        assert isinstance(error, leat.RemoteError)
        assert 'raise ValueError("no light")' in error.remote_traceback
    assert len(errors) == 2


def test_each_call_and_interceptor_has_a_call_object_of_its_own():
    class Own(leat.Interceptor):
        def __init__(self, name):
            self.name = name

        def on_start(self, call):
            assert not hasattr(call, "name")
            call.name = self.name

        def on_end(self, call, error, trailing):
            ended.append((call.name, call.side, call.kind, repr(call), call.peer))

    ended = []
    with site([Own("a"), Own("b")]) as scope:
        scope.snap()
        scope.mean(iter([]))
        scope.snap.options(idempotent=True)()
        url = ended[0][4]
    assert url.startswith("tcp://127.0.0.1:")
    assert [each[:4] for each in ended] == [
        (name, "client", kind, f"<client call of scope.{method}>")
        for method, kind in (("snap", "server_stream"), ("mean", "bidi"), ("snap", "unary"))
        for name in "ba"
    ]


def test_what_is_kept_of_a_call_outlives_it():
    kept = []
    with site([Scripted(on_start=kept.append)], [Scripted(on_start=kept.append)]) as scope:
        scope.snap.options(metadata={"a": "b"}, timeout=60)()
    for call in kept:
        assert (call.service, call.method, bool(call.timeout)) == ("scope", "snap", True)
        assert call.metadata in ({}, {"a": "b"})


def test_a_handler_finds_the_contextvars_that_hooks_set():
    def know(call):
        user.set(call.metadata["user"])

    def check(call, message):
        assert user.get() == call.metadata["user"]
        checked.append(user.get())

    checked = []
    there = [Scripted(on_start=know), Scripted(on_receive=check, on_send=check)]
    with site(server=there) as scope:
        for name in ("ann", "bob"):
            assert scope.user.options(metadata={"user": name})() == name
            assert list(scope.user_in_steps.options(metadata={"user": name})(2)) == [name] * 2
    assert checked == ["ann"] * 5 + ["bob"] * 5
    with site() as scope:
        assert [scope.user() for _ in range(10)] == [None] * 10
    assert user.get(None) is None


def test_hooks_that_are_not_overridden_are_not_called(monkeypatch):
    class Ends(leat.Interceptor):
        def on_end(self, call, error, trailing):
            ended.append(call.method)

    def never(*args):
        raise AssertionError("not to be called")

    ended = []
    interceptor = Ends()
    for hook in ("on_start", "on_send", "on_receive", "on_headers"):
        monkeypatch.setattr(leat.Interceptor, hook, never)
    with site([interceptor, leat.Interceptor()]) as scope:
        assert list(scope.frames(3)) == [0, 1, 2]
    assert ended == ["frames"]


def test_one_thread_reads_while_another_writes():
    class Turns(leat.Interceptor):
        running = 0
        most = 0

        def count(self, call, message):
            self.running += 1
            self.most = max(self.most, self.running)
            message.value
            self.running -= 1

        on_send = on_receive = count

    turns = Turns()
    with site([turns]) as scope:
        assert list(scope.echo(iter(range(300)))) == list(range(300))
    assert turns.most == 1


def test_calls_of_many_threads_pass_at_once():
    class Meets(leat.Interceptor):
        def on_send(self, call, message):
            barrier.wait(20)

    barrier = threading.Barrier(4)
    results = []
    with site([Meets()]) as scope:
        threads = [threading.Thread(target=lambda i=i: results.append(scope.snap(i))) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(results) == [0, 1, 2, 3]


def test_a_handlers_calls_to_its_caller_pass_the_servers_interceptors():
    class Sides(leat.Interceptor):
        def on_start(self, call):
            sides.append((call.side, call.service))

    sides = []
    with site(server=[Sides()]) as scope, pytest.raises(leat.RemoteError):
        scope.call_back()  # nothing is served there
    assert sides == [("server", "scope"), ("client", "client")]


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ([5], "interceptors are leat.Interceptor objects, got 5"),
        ([Noting], r"Noting is a class; give an instance of it: Noting\(\)"),
        ([print], "interceptors are leat.Interceptor objects"),
        (5, r"interceptors is a list of leat\.Interceptor, got 5"),
    ],
)
def test_what_is_no_interceptor_is_refused(given, match):
    with pytest.raises(TypeError, match=match):
        leat.serve({}, "inproc://refuses-interceptors", interceptors=given)
    with pytest.raises(TypeError, match=match):
        leat.connect("inproc://refuses-interceptors", interceptors=given)


def test_interceptors_go_with_their_peer_and_server():
    class Loved(leat.Interceptor):
        def on_start(self, call):
            call.metadata["a"] = "b"

    here, there = Loved(), Loved()
    with site([here], [there]) as scope:
        scope.snap()
        del scope
    gone = [weakref.ref(here), weakref.ref(there)]
    del here, there
    for _ in range(3):
        gc.collect()
        leat._native.encode_value(1)
    assert [each() for each in gone] == [None, None]


SCHEMA = """
namespace lab;
table Request { count: uint32 = 1; }
table Frame { index: int64; }
rpc_service Camera {
  Snap(Request): Frame;
  Frames(Request): Frame (streaming: "server");
  Sum(Request): Frame (streaming: "client");
  Track(Request): Frame (streaming: "bidi");
}
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    path = tmp_path_factory.mktemp("schema") / "lab.fbs"
    path.write_text(SCHEMA)
    return leat.load_schema(path)


@contextlib.contextmanager
def camera(lab, client=(), server=()):
    class Camera(lab.CameraService):
        def snap(self, request):
            return lab.Frame(index=request.count)

        def frames(self, request):
            for i in range(request.count):
                yield lab.Frame(index=i)

        def sum(self, requests):
            return lab.Frame(index=sum(each.count for each in requests))

        def track(self, requests):
            for each in requests:
                yield lab.Frame(index=each.count)

    with (
        leat.serve([Camera()], "tcp://127.0.0.1:0", interceptors=server) as serving,
        leat.connect(serving.url, interceptors=client) as peer,
    ):
        yield peer.service(lab.Camera)


def test_messages_of_a_schema_are_seen_and_replaced(lab):
    class More(leat.Interceptor):
        def on_send(self, call, message):
            seen.append((call.side, type(message.value)))
            if call.side == "client":
                message.value = lab.Request(count=message.value.count + 1)
            else:
                message.value = lab.Frame(index=message.value.index * 10)

        def on_start(self, call):
            kinds.append(call.kind)

    seen, kinds = [], []
    with camera(lab, [More()], [More()]) as client:
        assert client.snap(count=1).index == 20
        assert [each.index for each in client.frames(count=1)] == [0, 10]
        assert client.sum([lab.Request(count=1), lab.Request(count=2)]).index == 50
        assert client.snap.future(count=2).result().index == 30
        with client.track() as track:
            track.write(lab.Request(count=4))
            assert track.next().index == 50
    assert set(seen) == {("client", lab.Request), ("server", lab.Frame)}
    assert kinds == [kind for kind in ("unary", "server_stream", "client_stream", "unary", "bidi") for _ in range(2)]


def test_a_schemas_methods_are_answered_and_refused(lab):
    class Stub(leat.Interceptor):
        def on_start(self, call):
            if call.method == "Snap":
                return Answer(lab.Frame(index=7))
            if call.method == "Frames":
                return Answer(items=[lab.Frame(index=8), lab.Frame(index=9)])
            raise leat.RemoteError("not today", code="unavailable")

    for sides in ({"client": [Stub()]}, {"server": [Stub()]}):
        with camera(lab, **sides) as client:
            assert client.snap().index == 7
            assert [each.index for each in client.frames()] == [8, 9]
            with pytest.raises(ConnectionError, match="not today"):
                client.sum([])


def test_what_a_client_serves_passes_its_interceptors(lab):
    class Camera(lab.CameraService):
        def snap(self, request):
            return lab.Frame(index=request.count)

    class Caller:
        def call_back(self):
            return leat.context().peer.service(lab.Camera).snap(count=5).index

    class More(leat.Interceptor):
        def on_receive(self, call, message):
            if call.side == "server":
                message.value = lab.Request(count=message.value.count + 1)

    for add in (False, True):
        with (
            leat.serve({"scope": Caller()}, "tcp://127.0.0.1:0") as server,
            leat.connect(server.url, serve=None if add else [Camera()], interceptors=[More()]) as peer,
        ):
            if add:
                peer.add(Camera())
            assert peer["scope"].call_back() == 6


def test_an_answer_of_another_type_fails_the_call(lab):
    with camera(lab, [Scripted(on_start=lambda call: Answer(5))]) as client, pytest.raises(TypeError):
        client.snap()


def test_it_works_on_an_event_loop(lab):
    import asyncio

    async def items():
        for i in range(3):
            yield i

    async def main():
        here, there = Noting(), Noting()
        with leat.serve({"scope": Scope()}, "tcp://127.0.0.1:0", interceptors=[there]) as server:
            async with leat.aio.connect(server.url, interceptors=[here]) as peer:
                assert await peer["scope"].snap(5) == 5
                assert here.taken()[1:] == [
                    ("send", Arguments([5], {})),
                    ("headers", {}),
                    ("receive", 5),
                    ("end", None, {}),
                ]
                assert [each async for each in peer["scope"].echo(items())] == [0, 1, 2]
                assert [each for each in here.taken() if each[0] == "receive"] == [("receive", i) for i in range(3)]
                with pytest.raises(ValueError, match="no light"):
                    await peer["scope"].fail()
                assert here.taken()[-1] == ("end", "invalid_argument", {})

    asyncio.run(main())
