"""Spans for calls, with opentelemetry-api."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .interceptors import Interceptor

try:
    import opentelemetry.context as context
    import opentelemetry.propagate as propagate
    import opentelemetry.trace as trace
except ImportError as error:
    raise ImportError("leat.interceptors.OpenTelemetry needs the package opentelemetry-api") from error

if TYPE_CHECKING:
    from ._errors import RemoteError
    from ._native import CallDetails

# Whose fault they are: of the others a server's span says nothing (semantic conventions, "RPC", as for gRPC).
_SERVERS_FAULT = ("unknown", "deadline_exceeded", "unimplemented", "internal", "unavailable", "data_loss")


class OpenTelemetry(Interceptor):
    """A span for each call, made or served, named "service/method", with attributes after OpenTelemetry's
    semantic conventions (rpc.system, rpc.service, rpc.method, server.address, ...). Context travels in the
    metadata by the propagators that the program has set (`traceparent` and baggage by default): handlers run
    in the caller's trace, and the calls that they make go on with it.

    By default the spans are the global tracer provider's. ImportError without opentelemetry-api.
    """

    def __init__(self, tracer_provider: trace.TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer("leat", tracer_provider=tracer_provider)

    def on_start(self, call: CallDetails) -> None:
        server = call.side == "server"
        parent = propagate.extract(call.metadata) if server else context.get_current()
        span = self._tracer.start_span(
            f"{call.service}/{call.method}",
            context=parent,
            kind=trace.SpanKind.SERVER if server else trace.SpanKind.CLIENT,
            attributes={
                "rpc.system": "leat",
                "rpc.service": call.service,
                "rpc.method": call.method,
                **_address(call.peer, "client" if server else "server"),
            },
        )
        call.span = span
        inside = trace.set_span_in_context(span, parent)
        if server:
            context.attach(inside)  # in contextvars that end with the call
        else:
            propagate.inject(call.metadata, inside)

    def on_end(self, call: CallDetails, error: RemoteError | None, trailing: dict[str, str | bytes]) -> None:
        span: trace.Span = call.span
        if error is not None:
            span.set_attribute("error.type", error.code)
            if error.remote_type:
                span.add_event(
                    "exception",
                    {
                        "exception.type": error.remote_type,
                        "exception.message": error._message,
                        "exception.stacktrace": error.remote_traceback,
                    },
                )
            if call.side == "client" or error.code in _SERVERS_FAULT:
                span.set_status(trace.StatusCode.ERROR, f"{error.code}: {error._message}")
        span.end()


def _address(url: str, whose: str) -> dict[str, str | int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return {}
    attributes: dict[str, str | int] = {}
    if host or parts.path:
        attributes[f"{whose}.address"] = host or parts.path
    if port:
        attributes[f"{whose}.port"] = port
    return attributes
