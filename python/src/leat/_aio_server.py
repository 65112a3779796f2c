"""The server's end on an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
import threading
from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Any

from . import _native, _server
from ._aio_handler import settled
from ._aio_peer import takes_what
from ._loop import in_thread, serving_here


@contextlib.contextmanager
def _terminated(callback: Callable[[], object]) -> Iterator[None]:
    """Calls back for SIGTERM meanwhile, where Python handles signals, and unless somebody else handles this one."""
    loop = asyncio.get_running_loop()
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    loop.add_signal_handler(signal.SIGTERM, callback)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


class Server:
    """Serves objects and services. Handlers that are coroutines or asynchronous generators run on the event loop
    that the server was made on, others on threads of the server. Use it as an asynchronous context manager, or
    aclose() it.
    """

    def __init__(self, server: _server.Server) -> None:
        self._server = server

    def add(self, served: object, name: str | None = None) -> None:
        """As leat.Server.add()."""
        self._server.add(served, name)

    async def listen(self, url: str) -> str:
        """As leat.Server.listen()."""
        return await in_thread(self._server.listen, url)

    @property
    def url(self) -> str:
        """The first URL that clients can connect to."""
        return self._server.url

    @property
    def urls(self) -> list[str]:
        """All URLs that clients can connect to."""
        return self._server.urls

    async def wait(self) -> None:
        """Waits until the server is closed, by aclose() or drain(). While the main thread's loop waits here, SIGTERM
        drains the server, unless the program handles the signal itself.
        """
        asked = asyncio.Event()
        with _terminated(asked.set):
            waiting = [asyncio.ensure_future(in_thread(self._server.wait)), asyncio.ensure_future(asked.wait())]
            try:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waiting:
                    each.cancel()
            if asked.is_set():
                await self.drain(self._server._drain_limit)

    async def drain(self, timeout: float | None = None) -> bool:
        """As leat.Server.drain(): takes no new calls, lets the running ones finish, and closes the server. False if
        that took longer than `timeout` seconds: those that still ran were cancelled.
        """
        ended = await in_thread(self._server.drain, timeout)
        await settled()
        return ended

    def set_health(self, name: str, serving: bool) -> None:
        """As leat.Server.set_health()."""
        self._server.set_health(name, serving)

    def stats(self) -> _native.ServerStats:
        """As leat.Server.stats()."""
        return self._server.stats()

    async def aclose(self) -> None:
        """Stops listening, ends all connections, cancels the handlers that run and waits for them. Safe to call
        twice.
        """
        await in_thread(self._server.close)
        await settled()

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<leat.aio.Server {', '.join(self.urls) or 'not listening'}>"


class Serving:
    """What serve() gives: to be awaited for the server, or to be the context (`async with`) that closes it."""

    def __init__(self, serve: Callable[[], _server.Server]) -> None:
        self._serve = serve
        self._server: Server | None = None

    async def _begin(self) -> Server:
        self._server = Server(await in_thread(serving_here(self._serve)))
        return self._server

    def __await__(self) -> Generator[Any, None, Server]:
        return self._begin().__await__()

    async def __aenter__(self) -> Server:
        return await self._begin()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        await self._server.aclose()


@takes_what(_server.serve)
def serve(*args: Any, **kwargs: Any) -> Serving:
    """As leat.serve(), with handlers on the event loop that runs here:

        async with leat.aio.serve({"scope": Scope()}, "tcp://127.0.0.1:0") as server:
            print(server.url)
            await server.wait()

    Arguments and errors are those of leat.serve(). Handlers that are coroutines (`async def`) or asynchronous
    generators run as tasks of this loop, others on threads of the server, as with leat.serve().
    """
    return Serving(functools.partial(_server.serve, *args, **kwargs))
