"""The server's end."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from . import _exit, _native
from ._arguments import check_seconds, check_text, listed
from ._offer import offer, offer_all

if TYPE_CHECKING:
    from ._offer import Served
    from ._options import Limits
    from .interceptors import Interceptor

_SLICE = 0.1  # seconds that waits are deaf to signals


class _Termination:
    """SIGTERM as something to wait for: in the main thread, where Python handles signals, and only where
    nobody else handles this one. What was before is put back.
    """

    def __init__(self) -> None:
        self.asked = False
        self._installed = False

    def __enter__(self) -> _Termination:
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._note)
            self._installed = True
        return self

    def __exit__(self, *error: object) -> None:
        if self._installed and signal.getsignal(signal.SIGTERM) == self._note:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


class Server:
    """Serves objects and services from threads of its own. Use it as a context manager, or close() it.

    The keywords are those of serve().
    """

    def __init__(
        self,
        *,
        insecure: bool = False,
        threads: int = 0,
        max_inflight: int = 0,
        max_waiting: int = 65536,
        drain_limit: float | None = 30,
        handshake_timeout: float = 5,
        max_handshaking: int = 128,
        limits: Limits | None = None,
        interceptors: Iterable[Interceptor] = (),
    ) -> None:
        options = _native.ServerOptions(
            insecure=insecure,
            threads=threads,
            max_inflight=max_inflight,
            max_waiting=max_waiting,
            handshake_timeout=handshake_timeout,
            max_handshaking=max_handshaking,
            limits=limits,
            interceptors=listed(interceptors),
        )
        self._native = _native.Server(options)
        self._drain_limit = drain_limit
        _exit.register(self._native)

    def add(self, served: object, name: str | None = None) -> None:
        """Offers an object under a name, or a service of a schema under the schema's name.

        Of an object only the public methods of its class can be called. Raises RemoteError
        (`already_exists`) for a name that is taken.
        """
        offer(self._native, served, name)

    def listen(self, url: str) -> str:
        """Listens at one more URL and returns it as clients need it, with port 0 resolved.

        Raises PermissionError for an address beyond this host without `insecure`, OSError for a port in use
        and ValueError for a URL that can't be read.
        """
        check_text(url, "url")
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

        While the main thread waits here, SIGTERM drains the server (drain(drain_limit)) and ends the wait,
        unless the program handles the signal itself. With a timeout in seconds, returns False if the server
        still runs then.
        """
        check_seconds(timeout, "timeout")
        end = None if timeout is None else time.monotonic() + timeout
        with _Termination() as termination:
            while not termination.asked:
                left = _SLICE if end is None else min(_SLICE, end - time.monotonic())
                if self._native.wait_for(max(0.0, left)):
                    return True
                if end is not None and time.monotonic() >= end:
                    return False
            self.drain(self._drain_limit)
            return True

    def drain(self, timeout: float | None = None) -> bool:
        """Takes no new calls (callers are told that theirs have not started), lets the running ones finish,
        and closes the server: True then.

        After `timeout` seconds it closes the server all the same, and waits for handlers as close() does:
        False. Ctrl-C ends the wait; the server goes on draining in the background then.
        """
        check_seconds(timeout, "timeout")
        if threading.current_thread() is not threading.main_thread():
            return self._native.drain(timeout)
        ended: list[bool] = []
        thread = threading.Thread(target=lambda: ended.append(self._native.drain(timeout)), daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(_SLICE)  # signals are handled between two rounds
        return ended[0]

    def set_health(self, name: str, serving: bool) -> None:
        """Says whether what is served under that name works, for those who ask Peer.health(); all does at
        first. "" stands for the server as a whole. Raises LookupError for a name that is not served.
        """
        check_text(name, "the name of what is served")
        self._native.set_health(name, serving)

    def close(self) -> None:
        """Stops listening, ends all connections and waits for the handlers that run. Safe to call twice.

        Ctrl-C ends the wait; the server goes on closing in the background then.
        """
        if threading.current_thread() is not threading.main_thread():
            self._native.close()
        elif not self._native.close_within(0.05):
            while not self._native.wait_for(0.05):  # signals are handled between two rounds
                pass
        self._native.stop_loop(None)

    def stats(self) -> _native.ServerStats:
        """So far: connections (open now), connections_accepted, connections_refused, calls, calls_failed, and
        the latency of calls in seconds, from their arrival (count, sum, p50, p90, p99, p999).
        """
        return self._native.stats()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from ._loop import in_thread

        await in_thread(self.close)

    def __repr__(self) -> str:
        return f"<leat.Server {', '.join(self.urls) or 'not listening'}>"


def serve(
    served: Served,
    url: str,
    *urls: str,
    insecure: bool = False,
    threads: int = 0,
    max_inflight: int = 0,
    max_waiting: int = 65536,
    drain_limit: float | None = 30,
    handshake_timeout: float = 5,
    max_handshaking: int = 128,
    limits: Limits | None = None,
    interceptors: Iterable[Interceptor] = (),
) -> Server:
    """Serves objects by name, or services of a schema, at one URL or several, and returns at once:

        server = leat.serve({"scope": Scope()}, "tcp://127.0.0.1:0")
        print(server.url)
        server.wait()

    `insecure` allows addresses beyond this host, where anyone who reaches the port may call.

    Handlers run on threads of the server, several at a time (`threads`; 0: twice the processors, at least
    four). `max_inflight` calls run at a time over all methods (0: as many as there are threads for); others wait,
    and beyond `max_waiting` of them they fail as `resource_exhausted`, known not to have started.
    leat.method(max_inflight=...) limits one method.

    `drain_limit` is how many seconds wait() lets calls finish after SIGTERM. A new connection has
    `handshake_timeout` seconds to shake hands, and `max_handshaking` may be at it at once. `limits`, a
    leat.Limits, are those of each connection. `interceptors` are around every call that reaches a handler, and
    around those that handlers make to their callers; the first is the outermost. Errors are those of
    Server.add() and Server.listen().
    """
    server = Server(
        insecure=insecure,
        threads=threads,
        max_inflight=max_inflight,
        max_waiting=max_waiting,
        drain_limit=drain_limit,
        handshake_timeout=handshake_timeout,
        max_handshaking=max_handshaking,
        limits=limits,
        interceptors=interceptors,
    )
    try:
        offer_all(server._native, served)
        for each in (url, *urls):
            server.listen(each)
    except BaseException:
        server.close()
        raise
    return server
