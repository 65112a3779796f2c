"""What goes wrong, and what it looks like from the other process."""

import pickle
import socket
import subprocess
import sys
import time
import traceback
from pathlib import Path

import leat
import pytest

LAB = Path(__file__).with_name("lab.py")


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("ValueError", "invalid_argument"),
        ("TypeError", "invalid_argument"),
        ("KeyError", "not_found"),
        ("IndexError", "out_of_range"),
        ("FileNotFoundError", "not_found"),
        ("PermissionError", "permission_denied"),
        ("NotImplementedError", "unimplemented"),
        ("MemoryError", "resource_exhausted"),
        ("ZeroDivisionError", "unknown"),
        ("OSError", "unknown"),
        ("TimeoutError", "unknown"),
        ("ConnectionError", "unknown"),
        ("RuntimeError", "unknown"),
        ("Exception", "unknown"),
    ],
)
def test_a_builtin_exception_arrives_as_itself_and_as_a_remote_error(scope, kind, code):
    builtin = getattr(__import__("builtins"), kind)
    with pytest.raises(builtin) as caught:
        scope.fail(kind, "the reason")
    error = caught.value
    assert isinstance(error, leat.RemoteError)
    assert type(error).__name__ in (kind, "RemoteError")
    assert (error.code, error.remote_type) == (code, kind)
    assert str(error) in ("the reason", "'the reason'")


def test_the_remote_traceback_is_there_and_shows_when_printed(scope):
    with pytest.raises(ValueError, match=r"^from below(\n|$)") as caught:
        scope.deep()
    text = "".join(traceback.format_exception(caught.value))
    for part in ("Remote traceback:", "in _deeper", "lab.py", "from below"):
        assert part in text
    assert "in _deeper" in caught.value.remote_traceback


def test_an_exception_of_the_servers_own_arrives_as_a_remote_error(scope):
    with pytest.raises(leat.RemoteError, match=r"^no light(\n|$)") as caught:
        scope.fail("CameraError", "no light")
    assert type(caught.value) is leat.RemoteError
    assert caught.value.remote_type.endswith("CameraError")


@pytest.mark.parametrize("kind", ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "StopIteration"])
def test_what_would_end_something_here_arrives_as_a_plain_remote_error(scope, kind):
    with pytest.raises(leat.RemoteError) as caught:
        scope.fail(kind, "stop")
    assert type(caught.value) is leat.RemoteError
    assert caught.value.remote_type == kind
    assert scope.one(1) == 1


@pytest.mark.parametrize("kind", ["UnicodeDecodeError", "ExceptionGroup", "SyntaxError"])
def test_exceptions_that_need_more_than_a_message_arrive_too(scope, kind):
    args = {"UnicodeDecodeError": ("utf-8", b"\xff", 0, 1, "why"), "ExceptionGroup": ("several", [])}
    with pytest.raises(leat.RemoteError):
        scope.fail(kind, *args.get(kind, ("text",)))


def test_an_exception_without_a_text_arrives(scope):
    with pytest.raises(leat.RemoteError, match="StubbornError"):
        scope.fail("StubbornError")
    with pytest.raises(ValueError, match=r"^ValueError(\n|$)"):
        scope.fail("ValueError")


def test_a_handler_may_answer_with_a_code_of_its_choice(scope):
    with pytest.raises(leat.RemoteError, match=r"^as told(\n|$)") as caught:
        scope.answer("failed_precondition")
    assert caught.value.code == "failed_precondition"
    assert caught.value.details == [("why", b"\0because")]
    with pytest.raises(ValueError, match="is no code; codes are cancelled, unknown"):
        leat.RemoteError("x", code="odd")


def test_a_remote_error_can_be_pickled(scope):
    with pytest.raises(ValueError) as caught:
        scope.fail("ValueError", "the reason")
    again = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(again, ValueError)
    assert (str(again), again.code, again.remote_type) == ("the reason", "invalid_argument", "ValueError")


def test_an_unknown_method_is_named_with_near_misses(scope):
    with pytest.raises(AttributeError, match="'scope' has no method 'snp'; did you mean 'snap'") as caught:
        scope.snp()
    assert caught.value.code == "unimplemented"
    with pytest.raises(AttributeError, match=r"'scope' has no method 'zzz'; it has .*snap"):
        scope.zzz()


def test_an_unknown_object_is_named_with_those_there_are(peer):
    with pytest.raises(LookupError, match=r"'scop'.*'?scope'?") as caught:
        peer["scop"].snap()
    assert caught.value.code == "unimplemented"


def test_private_names_cannot_be_reached(scope):
    with pytest.raises(AttributeError, match="'_private' is private"):
        scope._private()
    for name in ("_private", "__init__", "__class__", "__reduce__", "__getattribute__", ""):
        with pytest.raises(leat.RemoteError) as caught:
            scope._leat_peer.method("scope", name)()
        assert caught.value.code == "unimplemented"


@pytest.mark.parametrize("name", ["gain", "buffer", "Inner", "closed"])
def test_what_is_no_method_cannot_be_called(scope, name):
    with pytest.raises(AttributeError, match="is no method of its class"):
        getattr(scope, name)()


def test_attributes_of_a_proxy_cannot_be_set(scope):
    with pytest.raises(AttributeError, match="attributes can't be set"):
        scope.gain = 5


@pytest.mark.parametrize(
    "call",
    [
        lambda scope: scope.snap(1, 2, 3),
        lambda scope: scope.snap(exposre=1),
        lambda scope: scope.one(),
        lambda scope: scope.snap(1, exposure=1),
    ],
)
def test_wrong_arguments_are_a_type_error(scope, call):
    with pytest.raises(TypeError, match=r"snap\(\)|one\(\)") as caught:
        call(scope)
    assert caught.value.code == "invalid_argument"
    assert scope.one(1) == 1


def test_a_result_that_cannot_be_sent_is_the_servers_mistake(scope):
    with pytest.raises(TypeError, match=r"scope.a_set: result\['frames'\]\[1\]: a set can't be sent") as caught:
        scope.a_set()
    assert caught.value.code == "internal"
    with pytest.raises(TypeError, match=r"Stage can't be sent"):
        scope.a_stage()


def test_a_killed_server_fails_calls_at_once_and_as_unavailable(start):
    child = start(LAB, "tcp://127.0.0.1:0")
    with leat.connect(child.url) as peer:
        items = peer["scope"].slow_items()
        next(items)
        child.process.kill()
        for wait in (lambda: next(items), lambda: peer["scope"].sleep(3600)):
            with pytest.raises(ConnectionError) as caught:
                wait()
            assert caught.value.code == "unavailable"
        assert not peer.connected


@pytest.mark.parametrize("scheme", ["tcp", "zmq+tcp"])
def test_an_address_where_nobody_listens_is_unavailable(scheme):
    with socket.socket() as taken:  # bound, and not listening
        taken.bind(("127.0.0.1", 0))
        url = f"{scheme}://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConnectionError, match=url.replace("+", r"\+")) as caught:
            leat.connect(url, timeout=1)
    assert caught.value.code == "unavailable"


def test_a_port_that_does_not_speak_leat_is_told_from_one_that_does():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ConnectionError, match=url):
            leat.connect(url, timeout=0.5)


@pytest.mark.parametrize("url", ["", "127.0.0.1:5700", "http://127.0.0.1:80", "tcp://", "tcp://127.0.0.1:port"])
def test_a_url_that_cannot_be_read_is_a_value_error(url):
    with pytest.raises(ValueError) as caught:
        leat.connect(url)
    assert isinstance(caught.value, leat.RemoteError)
    with pytest.raises(ValueError):
        leat.serve({"x": object()}, url)


def test_a_port_in_use_is_an_os_error_that_names_it():
    with leat.serve({"x": object()}, "tcp://127.0.0.1:0") as server:
        with pytest.raises(OSError, match=server.url.split("://")[1]) as caught:
            leat.serve({"x": object()}, server.url)
        assert caught.value.code == "already_exists"


def test_listening_beyond_this_host_needs_a_word():
    with pytest.raises(PermissionError, match="insecure"):
        leat.serve({"x": object()}, "tcp://0.0.0.0:0")
    with leat.serve({"x": object()}, "tcp://0.0.0.0:0", insecure=True) as server:
        assert server.url


def test_serving_the_wrong_thing_is_explained():
    class Thing:
        pass

    for served, message in (
        ([Thing()], r"an object needs a name to be served under: serve\(\{'name': Thing\(\)\}"),
        ({"x": Thing}, r"Thing is a class; serve an instance of it: Thing\(\)"),
        (Thing(), r"serve\(\) takes a dict of objects by name or a list of services, got Thing"),
        ({"": Thing()}, "an object's name is a str that is not empty"),
        ({1: Thing()}, "an object's name is a str that is not empty"),
    ):
        with pytest.raises(TypeError, match=message):
            leat.serve(served, "tcp://127.0.0.1:0")
    with leat.serve({"x": Thing()}, "inproc://taken") as server, pytest.raises(OSError, match="x"):
        server.add(Thing(), "x")


def test_the_log_of_the_server_holds_what_its_handlers_raise(start):
    child = start(LAB, "tcp://127.0.0.1:0", "--log", stderr=subprocess.PIPE)
    with leat.connect(child.url) as peer:
        for method, args in (("deep", ()), ("stop", ())):
            with pytest.raises(leat.RemoteError):
                getattr(peer["scope"], method)(*args)
        assert peer["scope"].one(1) == 1
    child.process.kill()
    text = child.process.stderr.read()
    for part in ("ERROR:leat:scope.deep raised ValueError", "in _deeper", "scope.stop raised SystemExit"):
        assert part in text


def test_a_client_that_is_killed_leaves_the_server_serving(start, lab):
    program = f"""
import leat
peer = leat.connect({lab!r})
items = peer["scope"].endless()
next(items)
print("ready", flush=True)
for item in items: pass
"""
    with leat.connect(lab) as peer:
        started, closed = peer["scope"].seen()
        for _ in range(3):
            start("-c", program).process.kill()
        while peer["scope"].seen() != (started + 3, closed + 3):
            time.sleep(0.01)
        assert peer["scope"].one(1) == 1


def test_importing_leat_does_not_import_numpy():
    program = "import sys, leat; sys.exit('numpy' in sys.modules or 'asyncio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
