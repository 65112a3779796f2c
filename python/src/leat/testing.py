"""For your own tests: your objects and services behind a real peer without a network, and a clock that the test
moves. docs/testing.md has a complete example.

with leat.testing.peer({"scope": Scope()}) as peer:
    assert peer["scope"].snap().shape == (512, 512)
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING

from . import _native
from ._options import Limits
from ._peer import Peer, connect
from ._server import Server
from ._server import serve as _serve

if TYPE_CHECKING:
    from ._offer import Served
    from .interceptors import Interceptor

__all__ = ["LocalPeer", "ManualClock", "peer"]

_numbers = itertools.count(1)


class LocalPeer(Peer):
    """A peer of a server in this process; closing it closes both. `with` and pytest fixtures are its places."""

    server: Server
    """What answers it: to be asked for its stats, drained or closed."""

    def __init__(self, connected: Peer, server: Server) -> None:
        super().__init__(connected._native, connected._states)
        self.server = server

    def close(self) -> None:
        """Closes peer and server, and waits for handlers that run."""
        super().close()
        self.server.close()

    def __enter__(self) -> LocalPeer:
        return self


def peer(
    served: Served,
    *,
    serve: Served | None = None,
    interceptors: Iterable[Interceptor] = (),
    server_interceptors: Iterable[Interceptor] = (),
    limits: Limits | None = None,
) -> LocalPeer:
    """A real server for objects by name or services (as for `leat.serve`) and a real peer that is connected to
    it, in this process: what goes through has been encoded, sent, run on a server's thread and decoded, as over
    a network. `peer.url` is for more peers of the same server, `serve` what this side offers to it.

    `limits` hold for both sides. By default neither sends heartbeats: they can't lose each other, and a clock
    that jumps would end connections.
    """
    limits = Limits(heartbeat_interval=None) if limits is None else limits
    url = f"inproc://leat-testing-{os.getpid()}-{next(_numbers)}"
    server = _serve(served, url, limits=limits, interceptors=server_interceptors)
    try:
        return LocalPeer(connect(url, serve=serve, limits=limits, interceptors=interceptors), server)
    except BaseException:
        server.close()
        raise


class ManualClock:
    """While it runs, Leat's time stands still but for `advance()`, in the whole process: timeouts of calls,
    deadlines, `leat.context().wait()`, backoff and retries. Start it before the peers and servers of the test,
    so that it stops after them:

        with leat.testing.ManualClock() as clock, leat.testing.peer(served) as peer:
            future = peer["scope"].expose.options(timeout=3600)()
            clock.advance(3600)

    One at a time. Only what Leat does is timed so: time.sleep() in a handler sleeps as ever.
    """

    def __init__(self) -> None:
        self._native = _native.ManualClock()

    def now(self) -> float:
        """What Leat takes for the time, in seconds; it begins at time.monotonic()."""
        return self._native.now()

    def advance(self, seconds: float) -> None:
        """Moves it on. Leat's threads notice within about a millisecond, so wait for what is to happen then
        (the end of a call), not for a time.
        """
        self._native.advance(seconds)

    def stop(self) -> None:
        """Leat goes by the clock on the wall again. Safe to call twice."""
        self._native.stop()

    def __enter__(self) -> ManualClock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
