"""Spans for calls, as opentelemetry-sdk records them."""

import contextlib
import re

import leat
import pytest
from leat import interceptors

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


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

    def span(self):
        span = trace.get_current_span().get_span_context()
        return [f"{span.trace_id:032x}", f"{span.span_id:016x}", baggage.get_baggage("user")]

    def spans(self):
        return [self.span(), self.onward.span()]


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


@pytest.fixture
def spans():
    """A provider, and what it has recorded."""
    provider = TracerProvider()
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield provider, lambda: {each.kind.name + " " + each.name: each for each in exporter.get_finished_spans()}
    provider.shutdown()


def test_calls_have_spans_on_both_sides(spans):
    provider, recorded = spans
    telemetry = [interceptors.OpenTelemetry(provider)]
    with site(telemetry, telemetry) as scope, provider.get_tracer("test").start_as_current_span("outer") as outer:
        assert scope.snap() == 1
        port = int(re.search(r":(\d+)", repr(scope)).group(1))
    client, server = recorded()["CLIENT scope/snap"], recorded()["SERVER scope/snap"]
    assert client.parent.span_id == outer.get_span_context().span_id
    assert server.parent.span_id == client.context.span_id
    assert server.context.trace_id == client.context.trace_id == outer.get_span_context().trace_id
    common = {"rpc.system": "leat", "rpc.service": "scope", "rpc.method": "snap"}
    assert dict(client.attributes) == {**common, "server.address": "127.0.0.1", "server.port": port}
    assert {**common, "client.address": "127.0.0.1"}.items() <= dict(server.attributes).items()
    assert [client.status.status_code.name, server.status.status_code.name] == ["UNSET", "UNSET"]
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_handlers_run_in_the_callers_trace_and_carry_it_on(spans):
    provider, recorded = spans
    telemetry = [interceptors.OpenTelemetry(provider)]
    with site(telemetry, telemetry) as scope:
        token = context.attach(baggage.set_baggage("user", "ann"))
        (trace_id, span_id, user), (next_trace_id, next_span_id, next_user) = scope.spans()
        context.detach(token)
    found = recorded()
    assert trace_id == next_trace_id == f"{found['SERVER scope/spans'].context.trace_id:032x}"
    assert span_id == f"{found['SERVER scope/spans'].context.span_id:016x}" != next_span_id
    assert found["CLIENT scope/span"].parent.span_id == found["SERVER scope/spans"].context.span_id
    assert [user, next_user] == ["ann", "ann"]


def test_failures_show_in_spans(spans):
    provider, recorded = spans
    telemetry = [interceptors.OpenTelemetry(provider)]
    with site(telemetry, telemetry) as scope:
        for method in (scope.fail, scope.missing):
            with pytest.raises(leat.RemoteError):
                method()
    found = recorded()
    for side in ("CLIENT", "SERVER"):
        failed = found[f"{side} scope/fail"]
        assert failed.status.status_code.name == "ERROR"
        assert failed.status.description == "unknown: too dark"
        assert failed.attributes["error.type"] == "unknown"
        (event,) = failed.events
        assert event.attributes["exception.type"] == "ZeroDivisionError"
        assert "raise ZeroDivisionError" in event.attributes["exception.stacktrace"]
    assert found["CLIENT scope/missing"].status.status_code.name == "ERROR"
    assert found["SERVER scope/missing"].status.status_code.name == "UNSET"  # its caller's fault


def test_streams_have_one_span(spans):
    provider, recorded = spans
    with site([interceptors.OpenTelemetry(provider)]) as scope:
        assert list(scope.frames(3)) == [0, 1, 2]
        frames = scope.frames(10**9)
        next(frames)
        frames.close()
    assert recorded()["CLIENT scope/frames"].attributes["error.type"] == "cancelled"
