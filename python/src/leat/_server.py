"""The server's end."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias

from . import _exit, _native

if TYPE_CHECKING:
    from .schema import Service

    Served: TypeAlias = Mapping[str, object] | Iterable[Service] | Service

_SLICE = 0.1  # seconds that wait() is deaf to Ctrl-C


class Server:
    """Serves objects and services from threads of its own. Use it as a context manager, or close() it."""

    def __init__(self, *, insecure: bool = False, threads: int = 0) -> None:
        self._native = _native.Server(insecure=insecure, threads=threads)
        self._closed = False
        _exit.register(self._native)

    def add(self, served: object, name: str | None = None) -> None:
        """Offers an object under a name, or a service of a schema under the schema's name.

        Of an object only the public methods of its class can be called. Raises RemoteError
        (`already_exists`) for a name that is taken.
        """
        from .schema import Service  # not before somebody serves: most clients need no schemas

        if isinstance(served, Service):
            if name is not None:
                raise TypeError(f"a service has its schema's name, so it can't be called {name!r}")
            served._add_to(self._native)
            return
        if name is None:
            example = f"serve({{'name': {type(served).__name__}()}}, url)"
            raise TypeError(f"an object needs a name to be served under: {example}")
        if not isinstance(name, str) or not name:
            raise TypeError(f"an object's name is a str that is not empty, got {name!r}")
        if isinstance(served, type):
            raise TypeError(f"{served.__name__} is a class; serve an instance of it: {served.__name__}()")
        self._native.add_object(name, served)

    def listen(self, url: str) -> str:
        """Listens at one more URL and returns it as clients need it, with port 0 resolved.

        Raises PermissionError for an address beyond this host without `insecure`, OSError for a port in use
        and ValueError for a URL that can't be read.
        """
        return self._native.listen(url)

    @property
    def url(self) -> str:
        """The first URL that clients can connect to."""
        urls = self.urls
        if not urls:
            raise RuntimeError("the server listens nowhere; call listen() first")
        return urls[0]

    @property
    def urls(self) -> list[str]:
        """All URLs that clients can connect to."""
        return self._native.urls()

    def wait(self, timeout: float | None = None) -> bool:
        """Blocks until the server is closed, by another thread, by a handler or by Ctrl-C here
        (KeyboardInterrupt).

        With a timeout in seconds, returns False if the server still runs then.
        """
        if timeout is None:
            while not self._native.wait_for(_SLICE):
                pass
            return True
        import time

        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            if self._native.wait_for(max(0.0, min(_SLICE, left))):
                return True
            if left <= _SLICE:
                return False

    def close(self) -> None:
        """Stops listening, ends all connections and waits for the handlers that run. Safe to call twice.

        Ctrl-C ends the wait; the server goes on closing in the background then.
        """
        if threading.current_thread() is not threading.main_thread():
            self._native.close()
        elif not self._native.close_within(0.05):
            while not self._native.wait_for(0.05):  # signals are handled between two rounds
                pass

    def stats(self) -> dict[str, int]:
        """So far: connections (open now), connections_accepted, connections_refused, calls, calls_failed."""
        return self._native.stats()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<leat.Server {', '.join(self.urls) or 'not listening'}>"


def _services(served: Iterable[object]) -> list[object]:
    try:
        return list(served)
    except TypeError:
        what = type(served).__name__
        raise TypeError(f"serve() takes a dict of objects by name or a list of services, got {what}") from None


def serve(served: Served, url: str, *urls: str, insecure: bool = False, threads: int = 0) -> Server:
    """Serves objects by name, or services of a schema, at one URL or several, and returns at once:

        server = leat.serve({"scope": Scope()}, "tcp://127.0.0.1:0")
        print(server.url)
        server.wait()

    Handlers run on threads of the server, several at a time (`threads`; 0: twice the processors, at least
    four). `insecure` allows addresses beyond this host, where anyone who reaches the port may call. Errors
    are those of Server.add() and Server.listen().
    """
    from .schema import Service

    server = Server(insecure=insecure, threads=threads)
    try:
        if isinstance(served, Mapping):
            for name, target in served.items():
                server.add(target, name)
        elif isinstance(served, Service):
            server.add(served)
        else:
            for target in _services(served):
                server.add(target)
        for each in (url, *urls):
            server.listen(each)
    except BaseException:
        server.close()
        raise
    return server
