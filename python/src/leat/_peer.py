"""The client's end: peers, and proxies of the objects that they serve."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from . import _exit, _native

if TYPE_CHECKING:
    from .schema import Client

_ClientT = TypeVar("_ClientT", bound="Client")


class ObjectProxy:
    """An object on the other side. Its public methods are called as if it were here:

        image = scope.snap(exposure=0.1)

    A call blocks until the answer is here (Ctrl-C ends the wait) and raises what the method raised. A
    method that is a generator gives an iterator of its items. `scope.snap.options(timeout=2)(0.1)` sets
    options for one call. Arrays arrive read-only; `.copy()` gives one to write to.
    """

    __slots__ = ("__dict__", "_leat_name", "_leat_peer")

    def __init__(self, peer: _native.Peer, name: str) -> None:
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
        return f"<remote object {self._leat_name!r} at {self._leat_peer.url()}>"


class Peer:
    """A connection to a server. Threads may share it. Use it as a context manager, or close() it."""

    def __init__(self, native: _native.Peer) -> None:
        self._native = native
        _exit.register(native)

    def object(self, name: str) -> ObjectProxy:
        """A proxy of the object of that name. Asks nobody: a wrong name shows in the first call."""
        return ObjectProxy(self._native, name)

    def __getitem__(self, name: str) -> ObjectProxy:
        return self.object(name)

    def service(self, client: type[_ClientT]) -> _ClientT:
        """A typed client from generated code: `peer.service(Microscope)`."""
        return client(self)

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
        """False once the connection is lost or closed."""
        return self._native.connected()

    def services(self) -> list[str]:
        """The names of what the server offered when the connection was made."""
        return self._native.services()

    def stats(self) -> dict[str, int]:
        """So far: bytes_sent, bytes_received, calls_started, calls_failed, calls_in_flight."""
        return self._native.stats()

    def close(self) -> None:
        """Ends the connection; calls that wait fail as `cancelled`. Any thread may call it, and twice."""
        self._native.close()

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[str]:
        return iter(self.services())

    def __repr__(self) -> str:
        return f"<leat.Peer {self.url} ({'connected' if self.connected else 'closed'})>"


def connect(url: str, *, timeout: float | None = 5, name: str = "") -> Peer:
    """Connects to a server at "tcp://host:port", "ipc:///path", "zmq+tcp://host:port", "zmq+ipc:///path" or
    "inproc://name", and blocks until that has worked or `timeout` seconds have passed.

    `name` is what this side calls itself in the other's logs. Raises ValueError for a URL that can't be
    read and ConnectionError (with URL and cause) if nobody answers there, or nobody who speaks Leat.
    """
    return Peer(_native.connect(url, timeout=timeout, name=name))
