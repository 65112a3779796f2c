"""The client's end: peers, and proxies of the objects that they serve."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypeVar

from . import _exit, _native
from ._arguments import check_callback, check_client, check_text, listed
from ._errors import RemoteError
from ._native import Peer as _NativePeer
from ._offer import offer, offer_all

if TYPE_CHECKING:
    from ._native import PeerStats
    from ._offer import Served
    from ._options import Limits, Reconnect, Retry
    from .interceptors import Interceptor
    from .schema import Client

log = logging.getLogger("leat")

_ClientT = TypeVar("_ClientT", bound="Client")


class ObjectProxy:
    """An object on the other side. Its public methods are called as if it were here:

        image = scope.snap(exposure=0.1)

    A call blocks until the answer is here (Ctrl-C ends the wait) and raises what the method raised. A
    method that is a generator gives an iterator of its items. An iterator among the arguments, such as a
    generator, is streamed to the method while it runs, from a thread of its own; lists and other containers
    travel as values. `scope.snap.options(timeout=2)(0.1)` sets options for one call. Arrays arrive read-only;
    `.copy()` gives one to write to.
    """

    __slots__ = ("__dict__", "_leat_name", "_leat_peer")

    def __init__(self, peer: _native.Caller, name: str) -> None:
        check_text(name, "an object's name")
        self._leat_peer = peer
        self._leat_name = name

    def __getattr__(self, name: str) -> _native.RemoteMethod:
        if name.startswith("_"):
            raise AttributeError(f"{name!r} is private; only public methods can be called from elsewhere")
        method = self._leat_peer.method(self._leat_name, name)
        self.__dict__[name] = method  # found without this function from now on
        return method

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_leat_"):
            raise AttributeError(f"{self._leat_name!r} is remote: its attributes can't be set")
        object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return f"<remote object {self._leat_name!r}{_at(self._leat_peer)}>"


def _at(caller: _native.Caller) -> str:
    url = caller.url()
    return f" at {url}" if url else ""


class Caller:
    """Somebody whose objects and services can be called: a Peer, or in a handler `leat.context().peer`."""

    def __init__(self, native: _native.Caller) -> None:
        self._native = native

    def object(self, name: str) -> ObjectProxy:
        """A proxy of the object of that name. Asks nobody: a wrong name shows in the first call."""
        return ObjectProxy(self._native, name)

    def __getitem__(self, name: str) -> ObjectProxy:
        return self.object(name)

    def service(self, client: type[_ClientT]) -> _ClientT:
        """A typed client from generated code: `peer.service(Microscope)`."""
        check_client(client)
        return client(self)

    def __repr__(self) -> str:
        return f"<leat.{type(self).__name__}{_at(self._native)}>"


PeerState: TypeAlias = Literal["ready", "connecting", "backoff", "closed"]


class PeerEvent(NamedTuple):
    """A change of a peer's state."""

    state: PeerState
    epoch: int
    """Counts the connections, from 1."""
    reason: RemoteError | None
    """Why the connection was lost, or the last attempt to make it anew failed."""


class States:
    """Who wants to know of a peer's states. Leat's threads hold it weakly, so that who watches a peer, and
    holds it, does not keep it alive.
    """

    def __init__(self, *callbacks: Callable[[PeerEvent], object]) -> None:
        self.callbacks = list(callbacks)

    def source(self) -> Callable[[PeerState, int, RemoteError | None], None]:
        """What _native.ConnectOptions takes as `on_state`."""
        held = weakref.ref(self)

        def tell(state: PeerState, epoch: int, reason: RemoteError | None) -> None:
            states = held()
            if states is not None:
                states._tell(PeerEvent(state, epoch, reason))

        return tell

    def _tell(self, event: PeerEvent) -> None:
        for callback in list(self.callbacks):
            _tell(callback, event)


def _tell(callback: Callable[[PeerEvent], object], event: PeerEvent) -> None:
    try:
        callback(event)
    except Exception:
        log.exception("%r, told of a peer's state, raised", callback)


class Peer(Caller):
    """A connection to a server. Threads may share it. Use it as a context manager, or close() it."""

    _native: _NativePeer

    def __init__(self, native: _NativePeer, states: States | None = None) -> None:
        super().__init__(native)
        self._states = states
        _exit.register(native)

    @property
    def url(self) -> str:
        """The URL that was connected to."""
        return self._native.url()

    @property
    def transport(self) -> str:
        """What carries the connection: "tcp", "ipc", "zmq+tcp", ..."""
        return self._native.transport()

    @property
    def connected(self) -> bool:
        """Whether the connection stands: `state` is "ready"."""
        return self._native.state() == "ready"

    @property
    def state(self) -> PeerState:
        """ "ready", "connecting" while a lost connection is made anew, "backoff" before the next attempt, or
        "closed" for good.
        """
        return self._native.state()

    @property
    def epoch(self) -> int:
        """Which connection this is, counted from 1; grows with each that is made anew."""
        return self._native.epoch()

    def wait_ready(self, timeout: float | None = None) -> None:
        """Blocks until the connection stands. Raises TimeoutError, naming the last failure, after `timeout`
        seconds and ConnectionError once the peer is closed.
        """
        self._native.wait_ready(timeout)

    def on_state(self, callback: Callable[[PeerEvent], object], /) -> Callable[[PeerEvent], object]:
        """Calls `callback` with a PeerEvent at every change of state from now on, in order, on a thread of
        Leat's where it may take its time. Returns it, so that this is a decorator, too.

        The peer holds its callbacks for as long as it lives.
        """
        check_callback(callback, "on_state")
        if self._states is None:
            raise RuntimeError("this peer tells nobody of its states")
        self._states.callbacks.append(callback)
        return callback

    def health(self, name: str = "", timeout: float | None = 5) -> bool:
        """Whether the other side says that what it serves under that name works now (Server.set_health); ""
        asks for all of it. Raises LookupError for a name that it doesn't serve, TimeoutError, ConnectionError.
        """
        check_text(name, "the name of what is served")
        return self._native.health(name, timeout)

    def add(self, served: object, name: str | None = None) -> None:
        """Offers an object, or a service of a schema, to the other side, as Server.add() does: it calls it
        over this connection (`leat.context().peer`).
        """
        offer(self._native, served, name)

    def services(self) -> list[str]:
        """The names of what the server offered when the connection was made."""
        return self._native.services()

    def stats(self) -> PeerStats:
        """So far: bytes_sent, bytes_received, calls_started, calls_failed; now: calls_in_flight, and lanes (2
        once bulk travels on a link of its own, 0 while there is no connection). `latency` is that of calls, in
        seconds (count, sum, p50, p90, p99, p999).
        """
        return self._native.stats()

    def close(self) -> None:
        """Ends the connection; calls that wait fail as `cancelled`. Waits for handlers of this side that run.
        Any thread may call it, and twice.
        """
        if threading.current_thread() is not threading.main_thread():
            self._native.close()
        else:
            while not self._native.close_within(0.1):  # signals are handled between two rounds
                pass

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[str]:
        return iter(self.services())

    def __repr__(self) -> str:
        return f"<leat.Peer {self.url} ({'connected' if self.connected else self.state})>"


def connect(
    url: str,
    *,
    timeout: float | None = 5,
    name: str = "",
    call_timeout: float | None = None,
    wait_for_ready: bool = False,
    serve: Served | None = None,
    threads: int = 0,
    reconnect: Reconnect | bool = True,
    retry: Retry | bool = True,
    limits: Limits | None = None,
    on_state: Callable[[PeerEvent], object] | None = None,
    interceptors: Iterable[Interceptor] = (),
) -> Peer:
    """Connects to a server at "tcp://host:port", "ipc:///path", "zmq+tcp://host:port", "zmq+ipc:///path" or
    "inproc://name", and blocks until that has worked or `timeout` seconds have passed.

    A connection that is lost is made anew by itself (`reconnect`: False, or a leat.Reconnect); calls fail
    meanwhile unless they wait for it (`wait_for_ready`). Calls of methods that are idempotent are made again
    if their connection was lost (`retry`: False, or a leat.Retry).

    `call_timeout` limits, in seconds, every call that neither an option of its own nor its schema limits; by
    default calls last as long as the server lives. `wait_for_ready` is what calls do that are told nothing
    else. `name` is what this side calls itself in the other's logs.

    `serve` is what this side offers to the other, which calls it over the same connection, as serve() takes
    it; see also Peer.add(). `threads` are for its handlers and for callbacks (0: twice the processors, at
    least four). `on_state` is as Peer.on_state(). `limits` is a leat.Limits. `interceptors` are around every
    call over this connection, those that this side serves included; the first is the outermost.

    Raises ValueError for a URL that can't be read and ConnectionError (with URL and cause) if nobody answers
    there, or nobody who speaks Leat.
    """
    check_text(url, "url")
    check_text(name, "name")
    if on_state is not None:
        check_callback(on_state, "on_state")
    states = States() if on_state is None else States(on_state)
    options = _native.ConnectOptions(
        timeout=timeout,
        name=name,
        call_timeout=call_timeout,
        wait_for_ready=wait_for_ready,
        threads=threads,
        reconnect=reconnect,
        retry=retry,
        limits=limits,
        on_state=states.source(),
        interceptors=listed(interceptors),
    )
    if serve is not None:
        offer_all(options, serve, "connect(serve=...) takes")
    return Peer(_native.connect(url, options), states)
