"""Leat on asyncio: the same peers, services and streams, awaited (docs/python-aio.md).

async with leat.aio.connect("tcp://127.0.0.1:5700") as peer:
    image = await peer["scope"].snap(exposure=0.1)
    async for frame in peer["scope"].frames(100): ...
"""

from __future__ import annotations

from ._aio_call import Call
from ._aio_peer import Caller, ObjectProxy, Peer, connect
from ._aio_server import Server, serve
from ._aio_stream import Exchange, Stream, Upload

__all__ = [
    "Call",
    "Caller",
    "Exchange",
    "ObjectProxy",
    "Peer",
    "Server",
    "Stream",
    "Upload",
    "connect",
    "serve",
]
