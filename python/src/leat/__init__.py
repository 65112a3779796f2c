"""Leat: RPC for people who move measurements, arrays and objects between processes.

server = leat.serve({"scope": Scope()}, "tcp://127.0.0.1:5700")

with leat.connect("tcp://127.0.0.1:5700") as peer:
    image = peer["scope"].snap(exposure=0.1)
"""

from __future__ import annotations

import logging as _logging
from typing import TYPE_CHECKING, Any

from ._errors import RemoteError
from ._peer import ObjectProxy, Peer, connect
from ._server import Server, serve

if TYPE_CHECKING:
    from . import schema as schema
    from .schema import load_schema

__all__ = ["ObjectProxy", "Peer", "RemoteError", "Server", "connect", "load_schema", "schema", "serve"]

_logging.getLogger("leat").addHandler(_logging.NullHandler())


def __getattr__(name: str) -> Any:
    # Schemas are loaded when they are first used, to keep `import leat` cheap.
    if name in ("schema", "load_schema"):
        import importlib

        module = importlib.import_module(".schema", __name__)
        return module if name == "schema" else module.load_schema
    if name == "__version__":
        from importlib.metadata import version

        return version("leat")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
