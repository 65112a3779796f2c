"""Calls that stream, on an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from types import TracebackType
from typing import Any, Generic, TypeVar

from . import _native
from ._errors import RemoteError
from ._loop import in_thread

_ItemT = TypeVar("_ItemT")
_RequestT = TypeVar("_RequestT")

TURN = 64  # items that pass without a wait before the loop's other tasks have their turn


class _AioCall:
    """What all calls that stream have in common. For the tasks of one event loop; one may write while another
    reads.
    """

    def __init__(self, native: _native.AioStream, loop: asyncio.AbstractEventLoop) -> None:
        self._native = native
        self._loop = loop
        self._feed: Feeder | None = None
        self._reading = False
        self._writing = False
        self._turn = 0
        self._given_up = False

    @property
    def metadata(self) -> dict[str, str | bytes] | None:
        """What the server sent before its first reply; None before that was read, or the call has ended."""
        return self._native.metadata()

    async def wait_metadata(self) -> dict[str, str | bytes]:
        """What the server sends before its first reply: waits for it."""
        known = self._native.metadata()
        return await in_thread(self._native.wait_for_metadata) if known is None else known

    @property
    def trailing_metadata(self) -> dict[str, str | bytes] | None:
        """What the server sent with the call's end; None before."""
        return self._native.trailing_metadata()

    def cancel(self) -> None:
        """Gives the call up; the other side's generator is closed. Safe to call twice."""
        self._given_up = True
        self._native.cancel()
        self._end_feed()

    async def _wait(self, begin: Callable[[asyncio.Future[None]], None]) -> None:
        future: asyncio.Future[None] = self._loop.create_future()
        begin(future)
        self._turn = 0
        await future

    async def _take_turns(self) -> None:
        self._turn += 1
        if self._turn >= TURN:
            self._turn = 0
            await asyncio.sleep(0)

    async def _next(self) -> Any:
        if self._reading:
            raise RuntimeError("the stream is being read by another task")
        self._reading = True
        try:
            await self._take_turns()
            while True:
                item = self._native.read()
                if item is not _native.PENDING:
                    return item
                await self._wait(self._native.wait_readable)
                if self._given_up:
                    self._native.finish()  # who waited is told
        except StopAsyncIteration:
            self._end_feed()
            raise
        except asyncio.CancelledError:
            self.cancel()
            raise
        except Exception:
            self._raise_failure_of_feed()
            raise
        finally:
            self._reading = False

    async def _drain(self) -> None:
        if self._reading:
            raise RuntimeError("the stream is being read by another task")
        self._reading = True
        try:
            while not self._native.drain():
                await self._wait(self._native.wait_readable)
        except asyncio.CancelledError:
            self.cancel()
            raise
        finally:
            self._reading = False
        try:
            self._native.finish()
        except Exception:
            self._raise_failure_of_feed()
            raise
        finally:
            self._end_feed()

    async def _write(self, request: object) -> None:
        if self._writing:
            raise RuntimeError("the stream is being written by another task")
        self._writing = True
        try:
            await self._take_turns()
            sent = self._native.write([request])
            while sent is False:
                await self._wait(self._native.wait_writable)
                sent = self._native.flush()
        except asyncio.CancelledError:
            self.cancel()
            raise
        finally:
            self._writing = False
        if sent is None:
            self._native.raise_unsent()

    def _end_feed(self) -> None:
        if self._feed is not None:
            self._feed.stop()

    def _raise_failure_of_feed(self) -> None:
        feed = self._feed
        if feed is not None:
            feed.stop()
            if feed.failure is not None:
                raise feed.failure from None


class Stream(_AioCall, AsyncIterator[_ItemT]):
    """The items of a stream, in order: `async for`. Leaving an `async with` block, aclose() and letting go of it
    end it, and close the generator on the other side; so does cancelling a task that waits for an item.
    """

    def __aiter__(self) -> Stream[_ItemT]:
        return self

    async def __anext__(self) -> _ItemT:
        item: _ItemT = await self._next()
        return item

    async def __aenter__(self) -> Stream[_ItemT]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    async def aclose(self) -> None:
        """As cancel()."""
        self.cancel()

    async def finish(self) -> None:
        """Drops what was not read, waits for the end, and raises the stream's failure if it failed."""
        await self._drain()


class Upload(_AioCall, Generic[_RequestT, _ItemT]):
    """A client stream whose requests are written one by one. Leaving its `async with` block finishes it, unless
    that raised.
    """

    _reply: _ItemT
    _replied = False

    async def __aenter__(self) -> Upload[_RequestT, _ItemT]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await self.finish()
        else:
            self.cancel()

    async def write(self, request: _RequestT) -> None:
        """Sends a request; waits while the server can take no more. Raises once the call has ended."""
        await self._write(request)

    async def finish(self) -> _ItemT:
        """No more requests: waits for the reply, and gives it again when called again."""
        if not self._replied:
            self._native.half_close()
            try:
                reply: _ItemT = await self._next()
            except StopAsyncIteration:
                await self._drain()
                raise RemoteError("the call ended without an answer", code="internal") from None
            await self._drain()
            self._reply, self._replied = reply, True
        return self._reply


class Exchange(_AioCall, AsyncIterator[_ItemT], Generic[_RequestT, _ItemT]):
    """A bidirectional stream: write() and next() in any order, from one task or from one each."""

    def __aiter__(self) -> Exchange[_RequestT, _ItemT]:
        return self

    async def __anext__(self) -> _ItemT:
        item: _ItemT = await self._next()
        return item

    async def __aenter__(self) -> Exchange[_RequestT, _ItemT]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    async def next(self) -> _ItemT:
        """The next reply; StopAsyncIteration at the end."""
        item: _ItemT = await self._next()
        return item

    async def write(self, request: _RequestT) -> None:
        """Sends a request; waits while the server can take no more. Raises once the call has ended."""
        await self._write(request)

    async def close(self) -> None:
        """No more requests; the replies go on."""
        self._native.half_close()

    async def aclose(self) -> None:
        """As cancel()."""
        self.cancel()

    async def finish(self) -> None:
        """Drops what was not read, waits for the end, and raises the call's failure if it failed. After
        close(), or the server may wait for requests.
        """
        await self._drain()


class Feeder:
    """Reads what was passed as the requests of a call, in a task of its own, no faster than they leave."""

    failure: BaseException | None = None
    """What it raised, or why something of it can't be sent; that has cancelled the call."""

    def __init__(
        self, call: _native.AioStream, requests: AsyncIterable[Any] | Iterable[Any], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._call = call
        self._loop = loop
        self._turn = 0
        self._task = loop.create_task(self._run(requests), name="leat-requests")
        # A call with one answer is told of its end by itself, and takes this moment over then.
        ended: asyncio.Future[None] = loop.create_future()
        ended.add_done_callback(lambda _: self.stop())
        self._call.wait_ended(ended)

    def stop(self) -> None:
        """The call has ended: nobody wants the rest."""
        if not self._task.done() and self._task is not asyncio.current_task():
            self._task.cancel()

    async def _run(self, requests: AsyncIterable[Any] | Iterable[Any]) -> None:
        try:
            if isinstance(requests, AsyncIterable):
                iterator = aiter(requests)
                try:
                    while await self._send([await iterator.__anext__()]):
                        pass
                except StopAsyncIteration:
                    pass
                finally:
                    close = getattr(iterator, "aclose", None)
                    if close is not None:
                        await close()
            else:
                for request in requests:
                    if not await self._send([request]):
                        break
        except asyncio.CancelledError:
            self._call.cancel()
        except BaseException as error:
            self.failure = error
            self._call.cancel()
        else:
            self._call.half_close()

    async def _send(self, box: list[Any]) -> bool:
        """False: the call has ended, and its end says why."""
        self._turn += 1
        if self._turn % TURN == 0:
            await asyncio.sleep(0)
        sent = self._call.write(box)
        while sent is False:
            room: asyncio.Future[None] = self._loop.create_future()
            self._call.wait_writable(room)
            await room
            sent = self._call.flush()
        return sent is True


feed = Feeder
