"""Leat: RPC for people who move measurements, arrays and objects between processes.

server = leat.serve({"scope": Scope()}, "tcp://127.0.0.1:5700")

with leat.connect("tcp://127.0.0.1:5700") as peer:
    image = peer["scope"].snap(exposure=0.1)
"""

from __future__ import annotations

import logging as _logging
from typing import TYPE_CHECKING, Any

from ._errors import RemoteError
from ._forms import future, oneway, options
from ._native import Context, context, set_process_assembly_bytes
from ._offer import method
from ._peer import Caller, ObjectProxy, Peer, PeerEvent, PeerState, connect
from ._server import Server, serve

if TYPE_CHECKING:
    from . import aio as aio
    from . import interceptors as interceptors
    from . import schema as schema
    from . import testing as testing
    from ._future import Future
    from ._options import Limits, Reconnect, Retry, Sending
    from .interceptors import Interceptor
    from .schema import load_schema

__all__ = [
    "Caller",
    "Context",
    "Future",
    "Interceptor",
    "Limits",
    "ObjectProxy",
    "Peer",
    "PeerEvent",
    "PeerState",
    "Reconnect",
    "RemoteError",
    "Retry",
    "Sending",
    "Server",
    "aio",
    "connect",
    "context",
    "future",
    "interceptors",
    "load_schema",
    "method",
    "oneway",
    "options",
    "schema",
    "serve",
    "set_process_assembly_bytes",
    "testing",
]

_logging.getLogger("leat").addHandler(_logging.NullHandler())


_LATER: dict[str, tuple[str, str | None]] = {
    "aio": (".aio", None),
    "Limits": ("._options", "Limits"),
    "Reconnect": ("._options", "Reconnect"),
    "Retry": ("._options", "Retry"),
    "Sending": ("._options", "Sending"),
    "Interceptor": (".interceptors", "Interceptor"),
    "interceptors": (".interceptors", None),
    "load_schema": (".schema", "load_schema"),
    "schema": (".schema", None),
    "testing": (".testing", None),
}


def __getattr__(name: str) -> Any:
    # What not every program needs is loaded when it is first used, to keep `import leat` cheap.
    if name == "Future":
        from ._future import Future

        return Future
    if name in _LATER:
        import importlib

        module, attribute = _LATER[name]
        found = importlib.import_module(module, __name__)
        return found if attribute is None else getattr(found, attribute)
    if name == "__version__":
        from importlib.metadata import version

        return version("leat")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
