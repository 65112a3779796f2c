"""The client's end on an event loop: peers, and proxies of the objects that they serve."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from . import _native, _peer
from ._arguments import check_callback, check_client
from ._loop import attach, in_thread, on_loop, serving_here

_P = ParamSpec("_P")
_R = TypeVar("_R")
_AwaitedT = TypeVar("_AwaitedT", covariant=True)


class ObjectProxy(_peer.ObjectProxy):
    """An object on the other side, whose methods are awaited:

        image = await scope.snap(exposure=0.1)
        async for frame in scope.frames(100): ...

    A call gives a leat.aio.Call, and begins when it is made. An asynchronous iterator among the arguments, such as
    an asynchronous generator, is streamed to the method while it runs; so is an iterator, from a thread of its own.
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> _native.AwaitedMethod:  # type: ignore[override]
        return cast("_native.AwaitedMethod", super().__getattr__(name))


class Awaited(Protocol[_AwaitedT]):
    """A client class of generated code, which knows what its awaited twin looks like to type checkers."""

    @classmethod
    def _awaited(cls) -> _AwaitedT: ...


class Caller:
    """Somebody whose objects and services can be called: a Peer, or in a handler `leat.context().peer`. Belongs to
    the event loop that it was made on.
    """

    def __init__(self, native: _native.Caller) -> None:
        queue, loop = attach()
        self._native = _native.AioCaller(native, queue, loop)

    def object(self, name: str) -> ObjectProxy:
        """A proxy of the object of that name. Asks nobody: a wrong name shows in the first call."""
        return ObjectProxy(self._native, name)

    def __getitem__(self, name: str) -> ObjectProxy:
        return self.object(name)

    def service(self, client: type[Awaited[_AwaitedT]]) -> _AwaitedT:
        """A typed client from generated code, whose methods are awaited: `peer.service(Microscope)`."""
        check_client(client)
        return client(self)  # type: ignore[call-arg, return-value]

    @property
    def _method_type(self) -> type[Any]:
        from ._aio_schema import Method

        return Method

    def __repr__(self) -> str:
        url = self._native.url()
        return f"<leat.aio.{type(self).__name__}{f' at {url}' if url else ''}>"


class Peer(Caller):
    """A connection to a server, for the tasks of the event loop that it was made on. Use it as an asynchronous
    context manager, or aclose() it.
    """

    def __init__(self, peer: _peer.Peer) -> None:
        super().__init__(peer._native)
        self._peer = peer

    @property
    def url(self) -> str:
        """The URL that was connected to."""
        return self._peer.url

    @property
    def transport(self) -> str:
        """What carries the connection: "tcp", "ipc", "zmq+tcp", ..."""
        return self._peer.transport

    @property
    def connected(self) -> bool:
        """Whether the connection stands: `state` is "ready"."""
        return self._peer.connected

    @property
    def state(self) -> _peer.PeerState:
        """As leat.Peer.state."""
        return self._peer.state

    @property
    def epoch(self) -> int:
        """Which connection this is, counted from 1; grows with each that is made anew."""
        return self._peer.epoch

    async def wait_ready(self, timeout: float | None = None) -> None:
        """Waits until the connection stands. Errors are those of leat.Peer.wait_ready()."""
        await in_thread(self._peer.wait_ready, timeout)

    def on_state(self, callback: Callable[[_peer.PeerEvent], object], /) -> Callable[[_peer.PeerEvent], object]:
        """As leat.Peer.on_state(), but calls `callback` on the event loop."""
        check_callback(callback, "on_state")
        self._peer.on_state(on_loop(callback))
        return callback

    async def health(self, name: str = "", timeout: float | None = 5) -> bool:
        """As leat.Peer.health()."""
        return await in_thread(self._peer.health, name, timeout)

    def add(self, served: object, name: str | None = None) -> None:
        """Offers an object, or a service of a schema, to the other side. Handlers that are coroutines or
        asynchronous generators run on this event loop.
        """
        serving_here(self._peer.add)(served, name)

    def services(self) -> list[str]:
        """The names of what the server offered when the connection was made."""
        return self._peer.services()

    def stats(self) -> _native.PeerStats:
        """As leat.Peer.stats()."""
        return self._peer.stats()

    async def aclose(self) -> None:
        """Ends the connection; calls that wait fail as `cancelled`. Cancels handlers of this side that run, and waits
        for them. Safe to call twice.
        """
        await in_thread(self._peer.close)
        from ._aio_handler import settled

        await settled()

    async def __aenter__(self) -> Peer:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __iter__(self) -> Iterator[str]:
        return iter(self.services())

    def __repr__(self) -> str:
        return f"<leat.aio.Peer {self.url} ({'connected' if self.connected else self.state})>"


class Connecting:
    """What connect() gives: to be awaited for the peer, or to be the context (`async with`) that closes it."""

    def __init__(self, connect: Callable[[], _peer.Peer]) -> None:
        self._connect = connect
        self._peer: Peer | None = None

    async def _begin(self) -> Peer:
        self._peer = Peer(await in_thread(serving_here(self._connect)))
        return self._peer

    def __await__(self) -> Generator[Any, None, Peer]:
        return self._begin().__await__()

    async def __aenter__(self) -> Peer:
        return await self._begin()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._peer is not None
        await self._peer.aclose()


def takes_what(function: Callable[_P, object]) -> Callable[[Callable[..., _R]], Callable[_P, _R]]:
    """Marks a function that passes its arguments on to another, for type checkers and help()."""

    def mark(wrapper: Callable[..., _R]) -> Callable[_P, _R]:
        import inspect

        wrapper.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
        return cast("Callable[_P, _R]", wrapper)

    return mark


@takes_what(_peer.connect)
def connect(*args: Any, **kwargs: Any) -> Connecting:
    """As leat.connect(), on the event loop that runs here, which does not wait meanwhile:

        async with leat.aio.connect("tcp://127.0.0.1:5700") as peer: ...
        peer = await leat.aio.connect("tcp://127.0.0.1:5700")

    Arguments and errors are those of leat.connect(). All that is called through the peer is called on this loop, and
    so is `on_state`; of what it serves (`serve`), coroutines and asynchronous generators run on it.
    """
    on_state = kwargs.get("on_state")
    if on_state is not None:
        kwargs["on_state"] = on_loop(on_state)
    return Connecting(functools.partial(_peer.connect, *args, **kwargs))
