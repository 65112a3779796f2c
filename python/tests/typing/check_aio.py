"""What users of leat.aio write, as mypy --strict sees it. Checked, not run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

import leat
import leat.aio
from leat import schema

if TYPE_CHECKING:
    from schema.testdata.goldens.python import imaging  # what leatc wrote


class Scope:
    async def snap(self, exposure: float = 0.05) -> int:
        return leat.context().deadline is None

    async def frames(self, n: int) -> AsyncIterator[int]:
        for i in range(n):
            yield i


async def serve() -> str:
    async with leat.aio.serve({"scope": Scope()}, "tcp://127.0.0.1:0", insecure=False) as server:
        server.add(Scope(), "other")
        await server.wait()
        urls: list[str] = server.urls
    other: leat.aio.Server = await leat.aio.serve({"scope": Scope()}, "tcp://127.0.0.1:0")
    await other.aclose()
    leat.aio.serve({"scope": Scope()})  # type: ignore[call-arg]
    return urls[0] + await other.listen("tcp://127.0.0.1:0")


async def call(url: str) -> None:
    peer: leat.aio.Peer = await leat.aio.connect(url, timeout=5)
    leat.aio.connect(5)  # type: ignore[arg-type]
    async with leat.aio.connect(url) as other:
        scope: leat.aio.ObjectProxy = other["scope"]
        later: leat.aio.Call[Any] = scope.snap.options(timeout=2)(0.1)
        results: tuple[Any, Any] = await asyncio.gather(later, scope.snap(0.2))
        async for frame in scope.frames(100):
            print(frame, results, later.metadata, later.trailing_metadata, later.cancel())
        scope.snap.oneway(0.1)
        print(other.url, other.transport, other.services(), other.stats()["bytes_sent"], other.connected)
    await peer.aclose()


async def frames() -> AsyncIterator[imaging.Frame]:
    yield imaging.Frame()


async def typed(peer: leat.aio.Peer) -> None:
    scope = peer.service(imaging.Microscope)
    frame: imaging.Frame = await scope.snap(exposure=0.1)
    await scope.snap(exposre=0.1)  # type: ignore[call-overload]
    async for each in scope.frames(count=5):
        frame = each
    reply: imaging.UploadReply = await scope.upload(frames())
    reply = await scope.upload([frame])
    async with scope.upload() as upload:
        await upload.write(frame)
        await upload.write(5)  # type: ignore[arg-type]
    reply = await upload.finish()
    async with scope.track() as exchange:
        await exchange.write(imaging.Position(x=1))
        position: imaging.Position = await exchange.next()
        await exchange.close()
        async for position in exchange:
            print(position, exchange.metadata, await exchange.wait_metadata())
        await exchange.finish()
    print(reply)


def blocking(peer: leat.Peer) -> imaging.Frame:
    return peer.service(imaging.Microscope).snap(exposure=0.1)


class Awaited(imaging.MicroscopeService):
    async def snap(self, request: imaging.SnapRequest) -> imaging.Frame:
        return imaging.Frame()

    async def frames(self, request: imaging.FramesRequest) -> AsyncIterator[imaging.Frame]:
        yield imaging.Frame()

    async def upload(self, requests: AsyncIterator[imaging.Frame]) -> imaging.UploadReply:
        return imaging.UploadReply(frames=len([request async for request in requests]))

    async def track(self, requests: schema.Requests[imaging.Position]) -> AsyncIterator[imaging.Position]:
        async for request in requests:
            yield request


class Blocking(imaging.MicroscopeService):
    def snap(self, request: imaging.SnapRequest) -> imaging.Frame:
        return imaging.Frame()

    def frames(self, request: imaging.FramesRequest) -> Iterator[imaging.Frame]:
        yield imaging.Frame()

    def upload(self, requests: Iterator[imaging.Frame]) -> imaging.UploadReply:
        return imaging.UploadReply(frames=len(list(requests)))

    def track(self, requests: Iterator[imaging.Position]) -> list[imaging.Position]:
        return list(requests)
