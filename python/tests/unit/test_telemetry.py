"""What comes with Leat: logs, traces, metrics."""

import contextlib
import logging
import re
import subprocess
import sys

import leat
import pytest
from leat import interceptors

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Scope:
    def __init__(self):
        self.onward = None

    def snap(self):
        return 1

    def frames(self, n):
        yield from range(n)

    def fail(self):
        raise ZeroDivisionError("too dark")

    def missing(self):
        raise leat.RemoteError("no such thing", code="not_found")

    def trace(self):
        found = interceptors.trace_context(leat.context().metadata)
        return [leat.context().metadata, found and [*found]]

    def chain(self):
        return [self.trace(), self.onward.trace()]


@contextlib.contextmanager
def site(client=(), server=()):
    served = Scope()
    with (
        leat.serve({"scope": served}, "tcp://127.0.0.1:0", interceptors=server) as serving,
        leat.connect(serving.url, interceptors=client) as peer,
        leat.connect(serving.url, interceptors=client) as other,
    ):
        served.onward = other["scope"]
        yield peer["scope"]


# ---- logs


def test_calls_are_logged_as_one_line_each(caplog):
    caplog.set_level(logging.INFO)
    with site([interceptors.log_calls()], [interceptors.log_calls(logging.getLogger("mine"), level=21)]) as scope:
        scope.snap()
        assert list(scope.frames(3)) == [0, 1, 2]
        with pytest.raises(LookupError):
            scope.missing()
    ours = [each for each in caplog.records if each.name == "leat.calls"]
    assert [each.levelname for each in ours] == ["INFO", "INFO", "WARNING"]
    assert re.fullmatch(
        r"call side=client service=scope method=frames kind=server_stream peer=tcp://127\.0\.0\.1:\d+ status=ok "
        r"duration_ms=[\d.]+ sent=1 sent_bytes=4 received=4 received_bytes=\d+",
        ours[1].getMessage(),
    )
    assert ours[2].getMessage().endswith(' message="no such thing"')
    theirs = [each for each in caplog.records if each.name == "mine"]
    assert [(each.levelno, "side=server" in each.getMessage()) for each in theirs] == [(21, True)] * 2 + [(30, True)]


def test_only_slow_calls_are_logged_if_asked(caplog):
    caplog.set_level(logging.INFO)
    with site([interceptors.log_calls(slower_than=60)]) as scope:
        scope.snap()
        with pytest.raises(LookupError):
            scope.missing()
    assert [each.levelname for each in caplog.records if each.name == "leat.calls"] == ["WARNING"]


def test_a_handlers_exception_is_logged_on_the_server_with_its_traceback(caplog):
    with site() as scope, pytest.raises(ZeroDivisionError):
        scope.fail()
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("leat", "ERROR")
    assert record.exc_info[1].args == ("too dark",)
    assert "raise ZeroDivisionError" in logging.Formatter().format(record)


def test_the_library_is_silent_unless_logging_is_configured():
    program = """
import leat
class Scope:
    def fail(self): raise ValueError("no")
log = [leat.interceptors.log_calls()]
with leat.serve({"scope": Scope()}, "inproc://silent", interceptors=log) as server:
    with leat.connect(server.url, interceptors=log) as peer:
        try: peer["scope"].fail()
        except ValueError: print("failed")
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("failed\n", "")


# ---- traces


def test_a_trace_is_begun_and_carried_on():
    propagate = [interceptors.propagate_trace(sample=1.0)]
    with site(propagate, propagate) as scope:
        (_, first), (_, second) = scope.chain()
        (_, other) = scope.trace()
    assert re.fullmatch("[0-9a-f]{32}", first[0])
    assert first[0] == second[0] != other[0]
    assert first[1] != second[1]
    assert [first[2], first[3]] == [True, ""]


def test_a_trace_that_comes_is_carried_on():
    propagate = [interceptors.propagate_trace()]
    with site(propagate, propagate) as scope:
        metadata, seen = scope.trace.options(metadata={"traceparent": PARENT, "tracestate": "a=b"})()
        assert metadata["traceparent"].startswith("00-4bf92f3577b34da6a3ce929d0e0e4736-")
        assert [seen[0], seen[2], seen[3]] == ["4bf92f3577b34da6a3ce929d0e0e4736", True, "a=b"]
        assert seen[1] != "00f067aa0ba902b7"
        metadata, _ = scope.trace.options(metadata={"traceparent": "nonsense"})()
        assert metadata["traceparent"] != "nonsense"


def test_no_trace_is_begun_if_not_asked():
    with site([interceptors.propagate_trace(create=False)]) as scope:
        assert scope.trace() == [{}, None]


def test_new_traces_are_marked_as_sampled_as_often_as_told():
    with site([interceptors.propagate_trace(sample=0.5)]) as scope:
        sampled = [scope.trace()[1][2] for _ in range(100)]
    assert 5 < sum(sampled) < 95
    for share in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="sample is a share"):
            interceptors.propagate_trace(sample=share)


def test_trace_contexts_are_read_from_metadata():
    found = interceptors.trace_context({"traceparent": PARENT, "tracestate": "a=b"})
    assert found == ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", True, "a=b")
    assert (found.trace_id, found.span_id, found.sampled, found.state) == tuple(found)
    assert interceptors.trace_context([("traceparent", PARENT), ("traceparent", PARENT)]) is None
    assert interceptors.trace_context({}) is None


# ---- OpenTelemetry, the rest of which is in test_opentelemetry.py


def test_its_absence_is_explained():
    program = """
import sys
sys.modules["opentelemetry"] = None
from leat import interceptors
interceptors.OpenTelemetry
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60)
    assert "ImportError: leat.interceptors.OpenTelemetry needs the package opentelemetry-api" in done.stderr
    with pytest.raises(AttributeError, match="no attribute 'OpenTelemtry'"):
        interceptors.OpenTelemtry


# ---- metrics


def test_calls_are_counted_by_method():
    here, there = interceptors.Metrics(), interceptors.Metrics(buckets=[0.5, 1])
    with site([here], [there]) as scope:
        for _ in range(3):
            scope.snap()
        list(scope.frames(2))
        with pytest.raises(LookupError):
            scope.missing()
    assert [(each["side"], each["service"], each["method"]) for each in here.methods()] == [
        ("client", "scope", name) for name in ("frames", "missing", "snap")
    ]
    frames, missing, snap = here.methods()
    assert (snap["started"], snap["ended"], snap["in_flight"]) == (3, {"ok": 3}, 0)
    assert missing["ended"] == {"not_found": 1}
    assert frames["messages_sent"] == 1
    assert snap["bytes_sent"] > 0
    latency = snap["latency"]
    assert latency["count"] == 3
    assert 0 < latency["p50"] <= latency["p99"]
    assert latency["sum"] > 0
    assert 'leat_calls_ended_total{side="server",service="scope",method="snap",code="ok"} 3\n' in there.prometheus()
    assert 'leat_call_seconds_bucket{side="server",service="scope",method="snap",le="0.5"} 3\n' in there.prometheus()
    assert interceptors.Metrics.CONTENT_TYPE == "text/plain; version=0.0.4; charset=utf-8"


def test_methods_beyond_the_limit_are_counted_together():
    metrics = interceptors.Metrics(max_methods=1)
    with site([metrics]) as scope:
        scope.snap()
        scope.trace()
        list(scope.frames(1))
    assert [(each["service"], each["started"]) for each in metrics.methods()] == [("other", 2), ("scope", 1)]


@pytest.mark.parametrize("buckets", [[1, 1], [2, 1], range(33)])
def test_buckets_of_the_wrong_shape_are_refused(buckets):
    with pytest.raises(ValueError, match="buckets are at most 32 bounds"):
        interceptors.Metrics(buckets=buckets)


def test_stats_tell_how_long_calls_took():
    with leat.serve({"scope": Scope()}, "tcp://127.0.0.1:0") as server, leat.connect(server.url) as peer:
        peer["scope"].snap()
        for latency in (peer.stats()["latency"], server.stats()["latency"]):
            assert latency["count"] == 1
            assert 0 < latency["sum"] < 60
            assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["p999"]
