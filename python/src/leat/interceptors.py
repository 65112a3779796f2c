"""Code around every call that a peer or a server makes or serves: to log, time, count, check, refuse, answer or
change it. docs/interceptors.md has examples.

class Timed(leat.Interceptor):
    def on_start(self, call):
        call.began = time.perf_counter()

    def on_end(self, call, error, trailing):
        print(call, time.perf_counter() - call.began, error)

peer = leat.connect(url, interceptors=[Timed()])
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _native
from ._native import CallDetails, Message
from ._native import Metrics as _NativeMetrics

if TYPE_CHECKING:
    from ._errors import RemoteError
    from ._native import MethodMetrics

__all__ = [
    "Answer",
    "Arguments",
    "CallDetails",
    "Interceptor",
    "Message",
    "Metrics",
    "OpenTelemetry",
    "TraceContext",
    "log_calls",
    "propagate_trace",
    "trace_context",
]


class Interceptor:
    """Override what you need; what is not overridden costs nothing.

    It sees the calls that this side makes and (peers are symmetric) those that it serves: `call.side` tells.
    The first in a list is the outermost. Each call has a `call` object of its own for each interceptor, which
    takes whatever attributes you give it. What a hook raises ends the call as if a handler had raised it; a
    `leat.RemoteError` has the code of your choice.

    Hooks run on the thread that uses the call, many calls at a time, and the call takes what they take. Those
    of one call never run at the same time. On a server they run with the contextvars of the handler, so that
    it finds what `on_start()` has set.
    """

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        for name in vars(cls):
            if name.startswith("on_") and not hasattr(Interceptor, name):
                hooks = ", ".join(hook for hook in vars(Interceptor) if hook.startswith("on_"))
                raise TypeError(f"{cls.__name__}.{name}() would never be called; the hooks are {hooks}")

    def on_start(self, call: CallDetails) -> Answer | None:
        """Before anything is sent, or before the handler runs. May change `call.metadata`, and on a client
        `call.timeout`; raise, to refuse the call; or return an Answer in the callee's stead.
        """

    def on_send(self, call: CallDetails, message: Message) -> None:
        """A message on its way out: on a client a request, on a server a reply. Assign `message.value` to
        replace it.
        """

    def on_receive(self, call: CallDetails, message: Message) -> None:
        """A message that has come: on a client a reply, on a server a request."""

    def on_headers(self, call: CallDetails, headers: dict[str, str | bytes]) -> None:
        """Initial metadata, to be looked at and changed. On a client what has come, once, before the first
        reply is seen, or the end; on a server what the handler sends, if it does.
        """

    def on_end(self, call: CallDetails, error: RemoteError | None, trailing: dict[str, str | bytes]) -> None:
        """The call is over; once, whatever happened. `error` is what the caller gets. Raise, to replace it;
        `trailing`, the metadata that came or goes with the end, may be changed.
        """


class Answer:
    """What `on_start()` returns to answer a call in the callee's stead: `Answer(value)`, or, where the method
    gives a stream, `Answer(items=[...])`.
    """

    def __init__(self, value: Any = None, *, items: Iterable[Any] | None = None) -> None:
        self.value = value
        self.items = None if items is None else list(items)

    def __repr__(self) -> str:
        return f"Answer({self.value!r})" if self.items is None else f"Answer(items={self.items!r})"


class Arguments(NamedTuple):
    """What the first request of a call to an object says: `message.value`."""

    args: list[Any]
    kwargs: dict[str, Any]


class _Stream(Iterator[Any]):
    def __next__(self) -> Any:
        raise TypeError("the items of a stream pass on_send() and on_receive() one by one")

    def __repr__(self) -> str:
        return "<a stream of requests>"


STREAM = _Stream()
"""Stands among the arguments where an iterator was passed."""


class _Native(Interceptor):
    """One that is made in C++."""

    def __init__(self, native: _native.NativeInterceptor) -> None:
        self._native = native


def log_calls(
    logger: logging.Logger | None = None,
    *,
    level: int = logging.INFO,
    failed_level: int = logging.WARNING,
    slower_than: float = 0.0,
) -> Interceptor:
    """Writes one line of key=value fields when a call ends, by default to the logger "leat.calls":

        call side=server service=scope method=snap kind=server_stream peer=tcp://127.0.0.1:40312 status=ok
        duration_ms=1.284 sent=1 sent_bytes=131104 received=1 received_bytes=24

    (in one line), with trace_id if propagate_trace() stands before it, and the message of a failure. Calls
    that end well sooner than `slower_than` seconds are left out. Nothing shows unless the program configures
    logging.
    """
    logger = logging.getLogger("leat.calls") if logger is None else logger
    return _Native(_native.log_calls(logger, level, failed_level, slower_than))


class TraceContext(NamedTuple):
    """What metadata says of a distributed trace (https://www.w3.org/TR/trace-context-1/)."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """16 hexadecimal digits: who calls."""
    sampled: bool
    """The caller may have recorded its part."""
    state: str
    """The vendors' own `tracestate`, or empty."""


def propagate_trace(*, create: bool = True, sample: float = 0.0) -> Interceptor:
    """Carries the headers `traceparent` and `tracestate` of the W3C on as metadata: from a handler to the
    calls that it makes, if their peer propagates too. Each call gets a span id of its own; invalid headers are
    dropped on arrival.

    `create`: a call that belongs to no trace begins one, of which the share `sample` is marked as sampled.
    With OpenTelemetry use `OpenTelemetry()` instead.
    """
    return _Native(_native.propagate_trace(create, sample))


def trace_context(metadata: Mapping[str, str | bytes] | Sequence[tuple[str, str | bytes]]) -> TraceContext | None:
    """The trace that a call belongs to, for a handler's own logs: `trace_context(leat.context().metadata)`.

    None without a valid `traceparent`.
    """
    found = _native.trace_context(metadata)
    return None if found is None else TraceContext(*found)


class Metrics(_Native):
    """Counters and latencies of calls by side, service and method. Several peers and servers may share one.

        metrics = leat.interceptors.Metrics()
        server = leat.serve({"scope": Scope()}, url, interceptors=[metrics])
        ...
        respond(metrics.prometheus(), content_type=metrics.CONTENT_TYPE)

    `buckets` are upper bounds in seconds, by default from 10 us to 10 s in steps of 1, 2.5 and 5. Of methods
    beyond `max_methods` all are counted together, as service "other".
    """

    CONTENT_TYPE: str = _native.METRICS_CONTENT_TYPE
    _native: _NativeMetrics

    def __init__(self, *, buckets: Sequence[float] = (), max_methods: int = 1000) -> None:
        super().__init__(_NativeMetrics(buckets, max_methods))

    def methods(self) -> list[MethodMetrics]:
        """All so far, ordered by side, service and method."""
        return self._native.methods()

    def prometheus(self) -> str:
        """The same as a page that Prometheus reads (text exposition format 0.0.4)."""
        return self._native.prometheus()


if TYPE_CHECKING:
    from ._opentelemetry import OpenTelemetry
else:

    def __getattr__(name: str) -> Any:
        if name == "OpenTelemetry":
            from ._opentelemetry import OpenTelemetry

            return OpenTelemetry
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
