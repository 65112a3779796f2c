"""A call on an event loop: what calling a method of leat.aio gives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from . import _native
    from ._aio_stream import Feeder

_T = TypeVar("_T")


class Call(asyncio.Future[_T]):
    """A call under way: await it for its result, or iterate over it (`async for`) where it answers with a stream.

    It begins when it is made, whether or not it is awaited, and is an asyncio.Future: gather(), wait() and
    callbacks work. cancel(), also by cancelling the task that awaits it, ends it on the other side as well.
    """

    _native: _native.AioCall | None = None
    _feed: Feeder | None = None

    @property
    def metadata(self) -> dict[str, str | bytes] | None:
        """What the server sent before its reply; None before the call has ended."""
        return self._native.metadata if self._native is not None else None

    @property
    def trailing_metadata(self) -> dict[str, str | bytes] | None:
        """What the server sent with the call's end; None before."""
        return self._native.trailing_metadata if self._native is not None else None

    def cancel(self, msg: Any | None = None) -> bool:
        """Ends the call on both sides; False if it has ended before."""
        if not super().cancel(msg=msg):
            return False
        if self._native is not None:
            self._native.cancel()
        self._end_feed()
        return True

    def __aiter__(self) -> AsyncIterator[Any]:
        return _Items(self)

    # What the native half calls, once.

    def _settle(self, result: Any) -> None:
        from ._aio_stream import Stream

        if isinstance(result, Stream):
            result._feed, self._feed = self._feed, None
        self._end_feed()
        if not self.done():
            self.set_result(result)

    def _fail(self, error: BaseException) -> None:
        if self._feed is not None and self._feed.failure is not None:
            error = self._feed.failure
        self._end_feed()
        if not self.done():
            self.set_exception(error)

    def _end_feed(self) -> None:
        if self._feed is not None:
            self._feed.stop()


class _Items:
    """The items of a call whose answer turns out to be a stream."""

    def __init__(self, call: Call[Any]) -> None:
        self._call: Call[Any] | None = call
        self._items: AsyncIterator[Any] | None = None

    def __aiter__(self) -> _Items:
        return self

    async def __anext__(self) -> Any:
        if self._items is None:
            self._items = await self._begin()
        return await self._items.__anext__()

    async def _begin(self) -> AsyncIterator[Any]:
        from ._aio_stream import Stream

        call, self._call = self._call, None  # who holds the call holds its stream
        if call is None:
            raise StopAsyncIteration
        answer = await call
        if isinstance(answer, Stream):
            return answer
        raise TypeError(f"the answer is no stream but of type {type(answer).__name__}: await the call")
