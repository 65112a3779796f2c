import asyncio
import contextvars
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypedDict

from . import _peer
from ._aio_call import Call
from ._errors import RemoteError
from ._future import Future
from ._options import Limits, Reconnect, Retry, Sending
from .interceptors import Interceptor

Metadata: TypeAlias = Mapping[str, str | bytes] | Sequence[tuple[str, str | bytes]]

VERSION: str

class RemoteMethod:
    __name__: str
    def __call__(self, /, *args: Any, **kwargs: Any) -> Any: ...
    def future(self, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Calls without waiting: a future of what a call would give.

        Arrays are copied unless they are read-only, since the call goes on while you change them.
        """
    def oneway(self, /, *args: Any, **kwargs: Any) -> None:
        """Calls and forgets: neither result nor failure shows. Arrays as in future()."""
    def options(
        self,
        *,
        timeout: float | None = None,
        channel: str | None = None,
        metadata: Metadata | None = None,
        idempotent: bool | None = None,
        wait_for_ready: bool | None = None,
    ) -> RemoteMethod:
        """The same method with other options for its calls; what is not given stays as it is.

        `timeout` is in seconds for all of the call, by default as long as the server is alive. `channel` is
        "stream", "rpc" or "bulk". `metadata` travels before the request; keys that end in "-bin" have
        bytes. `idempotent` says that calling twice does what calling once does, so that the call is tried
        again if its connection is lost. `wait_for_ready` has it wait (up to its timeout) while a lost
        connection is being made anew, instead of failing at once.
        """

class AwaitedMethod:
    __name__: str
    def __call__(self, /, *args: Any, **kwargs: Any) -> Call[Any]: ...
    def oneway(self, /, *args: Any, **kwargs: Any) -> None:
        """Calls and forgets: neither result nor failure shows."""
    def options(
        self,
        *,
        timeout: float | None = None,
        channel: str | None = None,
        metadata: Metadata | None = None,
        idempotent: bool | None = None,
        wait_for_ready: bool | None = None,
    ) -> AwaitedMethod:
        """As RemoteMethod.options()."""

class LoopQueue:
    def fileno(self) -> int: ...
    def run_ready(self, kept: object = None) -> None: ...
    def close(self) -> None: ...

PENDING: object

class AioCall:
    @property
    def metadata(self) -> dict[str, str | bytes] | None: ...
    @property
    def trailing_metadata(self) -> dict[str, str | bytes] | None: ...
    def cancel(self) -> None: ...

class AioStream:
    def read(self) -> Any: ...
    def drain(self) -> bool: ...
    def write(self, box: list[Any]) -> bool | None: ...
    def flush(self) -> bool | None: ...
    def raise_unsent(self) -> None: ...
    def half_close(self) -> None: ...
    def cancel(self) -> None: ...
    def wait_readable(self, future: asyncio.Future[None]) -> None: ...
    def wait_writable(self, future: asyncio.Future[None]) -> None: ...
    def wait_ended(self, future: asyncio.Future[None]) -> None: ...
    def finish(self) -> None: ...
    def metadata(self) -> dict[str, str | bytes] | None: ...
    def wait_for_metadata(self) -> dict[str, str | bytes]: ...
    def trailing_metadata(self) -> dict[str, str | bytes] | None: ...

class HandlerLoop:
    def __init__(self, queue: LoopQueue, loop: asyncio.AbstractEventLoop) -> None: ...

handler_loop: contextvars.ContextVar[HandlerLoop]

class ServedCall:
    def over(self) -> bool: ...
    def invoke(self) -> Any: ...
    def streams(self, box: list[Any]) -> bool: ...
    def reply(self, box: list[Any]) -> None: ...
    def write(self, box: list[Any]) -> bool | None: ...
    def flush(self) -> bool | None: ...
    def wait_writable(self, future: asyncio.Future[None]) -> None: ...
    def finish(self) -> None: ...
    def cancelled(self) -> None: ...
    def fail(self, error: BaseException) -> None: ...

class PendingCall:
    @property
    def metadata(self) -> dict[str, str | bytes] | None: ...
    @property
    def trailing_metadata(self) -> dict[str, str | bytes] | None: ...
    def _watch(self) -> bool: ...

class _Call:
    def __exit__(self, *error: object) -> None: ...
    def cancel(self) -> None: ...
    @property
    def metadata(self) -> dict[str, str | bytes]: ...
    @property
    def trailing_metadata(self) -> dict[str, str | bytes] | None: ...

class ItemStream(_Call, Iterator[Any]):
    """The items of a stream, in order. Blocks while the next one is on its way; Ctrl-C ends the wait."""

    def __iter__(self) -> ItemStream: ...
    def __next__(self) -> Any: ...
    def __enter__(self) -> ItemStream: ...
    def close(self) -> None:
        """Ends the stream; the generator on the other side is closed. Safe to call twice."""
    def finish(self) -> None:
        """Drops what was not read, waits for the end, and raises the stream's failure if it failed."""

class Upload(_Call):
    def __enter__(self) -> Upload: ...
    def write(self, request: object) -> None: ...
    def finish(self) -> Any: ...

class Exchange(_Call, Iterator[Any]):
    def __enter__(self) -> Exchange: ...
    def __iter__(self) -> Exchange: ...
    def __next__(self) -> Any: ...
    def next(self) -> Any: ...
    def write(self, request: object) -> None: ...
    def close(self) -> None: ...
    def finish(self) -> None: ...

class RequestStream(Iterator[Any]):
    def __iter__(self) -> RequestStream: ...
    def __next__(self) -> Any: ...
    def __aiter__(self) -> AsyncIterator[Any]: ...
    def read(self) -> Any: ...
    def wait_readable(self, future: asyncio.Future[None], queue: LoopQueue) -> None: ...

class Context:
    """The call that a handler answers: `leat.context()`. Threads may share it."""

    @property
    def peer(self) -> _peer.Caller:
        """The caller, to be called back: what it serves, over the same connection."""
    @property
    def peer_address(self) -> str:
        """The caller's address, for logs."""
    @property
    def deadline(self) -> float | None:
        """When the caller stops waiting, in the seconds of time.monotonic(); None: never."""
    @property
    def remaining(self) -> float | None:
        """Seconds before the deadline, not below 0; None without a deadline."""
    @property
    def cancelled(self) -> bool:
        """True once nobody waits for the answer: the caller cancelled, its deadline passed, or it is gone."""
    @property
    def metadata(self) -> dict[str, str | bytes]:
        """What the caller sent before the request."""
    @property
    def identity(self) -> None:
        """Who the caller is; None, since connections have no keys yet."""
    def wait(self, seconds: float, /) -> bool:
        """Waits for so many seconds, or until the call is cancelled or past its deadline: True then."""
    def set_trailing_metadata(self, metadata: Metadata, /) -> None:
        """Metadata that travels with the call's end."""
    def send_initial_metadata(self, metadata: Metadata, /) -> None:
        """Sends metadata now instead of with the first reply; once, before the first item."""

def context() -> Context:
    """The call that is being handled here: in a handler, in every step of its generators, in its coroutines
    and in whatever else runs with its contextvars. RuntimeError elsewhere.
    """

class Caller:
    def url(self) -> str: ...
    def method(self, object: str, method: str) -> RemoteMethod: ...

class AioCaller(Caller):
    def __init__(self, caller: Caller, queue: LoopQueue, loop: asyncio.AbstractEventLoop) -> None: ...
    def method(self, object: str, method: str) -> AwaitedMethod: ...  # type: ignore[override]

class CallDetails:
    """A call, as the hooks of one interceptor see it; takes attributes of theirs."""

    @property
    def side(self) -> str:
        """ "client" for calls that this side makes, "server" for those that it serves."""
    @property
    def service(self) -> str:
        """The object's name, or the service's as the schema spells it."""
    @property
    def method(self) -> str: ...
    @property
    def kind(self) -> str:
        """ "unary", "server_stream", "client_stream" or "bidi". Calls to objects begin as streams, since it is
        the method that decides whether it answers with one.
        """
    @property
    def peer(self) -> str:
        """On a client the URL that was connected to, on a server the caller's address."""
    @property
    def metadata(self) -> dict[str, str | bytes]:
        """What travels, or has come, before the request. May be changed in on_start()."""
    timeout: float | None
    """Seconds that the call may take in all. May be set in on_start() on a client; on a server it is what was
    left when the call began.
    """
    def __getattr__(self, name: str) -> Any: ...
    def __setattr__(self, name: str, value: Any) -> None: ...

class Message:
    """A message on its way, while its hook runs."""

    value: Any
    """What it says, decoded when it is first asked for: a message of a schema, a value, or for the first request
    to an object `Arguments`. Assign to it to replace the message; changing it in place does not.
    """
    @property
    def nbytes(self) -> int:
        """Its size as it is encoded, arrays included."""

class NativeInterceptor: ...

class Metrics(NativeInterceptor):
    def __init__(self, buckets: Sequence[float], max_methods: int) -> None: ...
    def methods(self) -> list[MethodMetrics]: ...
    def prometheus(self) -> str: ...

METRICS_CONTENT_TYPE: str

def log_calls(logger: logging.Logger, level: int, failed_level: int, slower_than: float) -> NativeInterceptor: ...
def propagate_trace(create: bool, sample: float) -> NativeInterceptor: ...
def trace_context(metadata: Metadata, /) -> tuple[str, str, bool, str] | None: ...

class ManualClock:
    def now(self) -> float: ...
    def advance(self, seconds: float, /) -> None: ...
    def stop(self) -> None: ...

class Latency(TypedDict):
    """How long calls took, in seconds. Percentiles are right to within 7 %."""

    count: int
    sum: float
    p50: float
    p90: float
    p99: float
    p999: float

class MethodMetrics(TypedDict):
    side: str
    service: str
    method: str
    started: int
    ended: dict[str, int]
    in_flight: int
    messages_sent: int
    messages_received: int
    bytes_sent: int
    bytes_received: int
    latency: Latency

class PeerStats(TypedDict):
    bytes_sent: int
    bytes_received: int
    calls_started: int
    calls_failed: int
    calls_in_flight: int
    lanes: int
    latency: Latency

class ServerStats(TypedDict):
    connections: int
    connections_accepted: int
    connections_refused: int
    calls: int
    calls_failed: int
    latency: Latency

class Offering(Protocol):
    """What objects and services can be added to. `limits` are the max_inflight of attributes."""

    def add_object(self, name: str, object: object, limits: dict[str, int]) -> None: ...
    def add_service(
        self,
        schema: Schema,
        service: str,
        instance: object,
        attributes: list[tuple[str, str]],
        limits: dict[str, int],
    ) -> None: ...

class ConnectOptions(Offering):
    """What a connection is made with; the keywords are those of leat.connect()."""

    def __init__(
        self,
        *,
        timeout: float | None = 5,
        name: str = "",
        call_timeout: float | None = None,
        wait_for_ready: bool = False,
        limits: Limits | None = None,
        reconnect: Reconnect | bool = True,
        retry: Retry | bool = True,
        threads: int = 0,
        on_state: Callable[[_peer.PeerState, int, RemoteError | None], object] | None = None,
        interceptors: Sequence[Interceptor] = (),
    ) -> None: ...
    def add_object(self, name: str, object: object, limits: dict[str, int]) -> None: ...
    def add_service(
        self,
        schema: Schema,
        service: str,
        instance: object,
        attributes: list[tuple[str, str]],
        limits: dict[str, int],
    ) -> None: ...

class Peer(Caller, Offering):
    def transport(self) -> str: ...
    def services(self) -> list[str]: ...
    def state(self) -> _peer.PeerState: ...
    def epoch(self) -> int: ...
    def wait_ready(self, timeout: float | None) -> None: ...
    def health(self, name: str, timeout: float | None) -> bool: ...
    def add_object(self, name: str, object: object, limits: dict[str, int]) -> None: ...
    def add_service(
        self,
        schema: Schema,
        service: str,
        instance: object,
        attributes: list[tuple[str, str]],
        limits: dict[str, int],
    ) -> None: ...
    def stats(self) -> PeerStats: ...
    def close(self) -> None: ...
    def close_within(self, seconds: float) -> bool: ...

def connect(url: str, options: ConnectOptions) -> Peer: ...

class ServerOptions:
    """What a server is made with; the keywords are those of leat.serve()."""

    def __init__(
        self,
        *,
        insecure: bool = False,
        threads: int = 0,
        max_inflight: int = 0,
        max_waiting: int = 65536,
        handshake_timeout: float = 5,
        max_handshaking: int = 128,
        limits: Limits | None = None,
        interceptors: Sequence[Interceptor] = (),
    ) -> None: ...

class Server(Offering):
    def __init__(self, options: ServerOptions) -> None: ...
    def add_object(self, name: str, object: object, limits: dict[str, int]) -> None: ...
    def add_service(
        self,
        schema: Schema,
        service: str,
        instance: object,
        attributes: list[tuple[str, str]],
        limits: dict[str, int],
    ) -> None: ...
    def set_health(self, name: str, serving: bool) -> None: ...
    def drain(self, timeout: float | None) -> bool: ...
    def listen(self, url: str) -> str: ...
    def urls(self) -> list[str]: ...
    def wait_for(self, seconds: float) -> bool: ...
    def close(self) -> None: ...
    def close_within(self, seconds: float) -> bool: ...
    def stop_loop(self, seconds: float | None) -> bool: ...
    def stats(self) -> ServerStats: ...

class Options:
    def __init__(
        self,
        caller: Caller,
        base: Options | None,
        *,
        timeout: float | None = None,
        channel: str | None = None,
        metadata: Metadata | None = None,
        idempotent: bool | None = None,
        wait_for_ready: bool | None = None,
    ) -> None: ...

class SchemaMethod:
    def call(self, caller: Caller, request: object, options: Options | None, timeout: float | None) -> Any: ...
    def future(
        self, caller: Caller, request: object, options: Options | None, timeout: float | None
    ) -> Future[Any]: ...
    def oneway(self, caller: Caller, request: object, options: Options | None, timeout: float | None) -> None: ...
    def call_awaited(
        self, caller: AioCaller, request: object, options: Options | None, timeout: float | None
    ) -> Any: ...
    def oneway_awaited(
        self, caller: AioCaller, request: object, options: Options | None, timeout: float | None
    ) -> None: ...
    def kind(self) -> int: ...

class Schema:
    def __init__(self, descriptor: bytes, find_class: Callable[[str], type | None]) -> None: ...
    def method(self, service: str, method: str) -> SchemaMethod: ...
    def encode(self, table: str, message: object) -> tuple[bytes, list[bytes]]: ...
    def decode(self, table: str, head: bytes, attachments: list[bytes]) -> Any: ...

def compile_python(path: str, directories: list[str]) -> tuple[list[str], str]: ...
def encode_value(value: object, /) -> tuple[bytes, list[bytes]]: ...
def decode_value(head: bytes, attachments: list[bytes] = ..., /) -> Any: ...
def set_process_assembly_bytes(bytes: int, /) -> None:
    """What all connections of the process together may hold of messages that are being received; requests and
    replies each. 4 GiB by default. Raises RemoteError (`failed_precondition`) once there is a connection, or a
    server that listens.
    """

def check_limits(options: Limits, /) -> None: ...
def check_sending(options: Sending, /) -> None: ...
def check_reconnect(options: Reconnect, /) -> None: ...
def check_retry(options: Retry, /) -> None: ...
def default_options() -> dict[str, dict[str, Any]]: ...
def interrupt_handlers() -> int: ...
def forbid_python() -> None: ...
