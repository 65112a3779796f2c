"""Handlers that run on an event loop: each in a task of its own, which ends with its call."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Iterable
from typing import Any

from . import _native
from ._loop import attach

TURN = 64  # items that pass without a wait before the loop's other tasks have their turn

_running: dict[asyncio.Task[None], _native.ServedCall] = {}


def start(
    call: _native.ServedCall, variables: contextvars.Context, loop: asyncio.AbstractEventLoop, where: str
) -> asyncio.Task[None]:
    """Called by the native half on the loop's thread, for each call."""

    def create() -> asyncio.Task[None]:
        return loop.create_task(_answer(call), name=where)

    task = variables.run(create)
    _running[task] = call
    task.add_done_callback(_ended)
    return task


def _ended(task: asyncio.Task[None]) -> None:
    _running.pop(task, None)


async def settled() -> None:
    """Waits for the handlers on this loop whose calls are over, which have been cancelled."""
    loop, this = asyncio.get_running_loop(), asyncio.current_task()
    over = [task for task, call in _running.items() if task.get_loop() is loop and task is not this and call.over()]
    if over:
        await asyncio.wait(over)


async def _answer(call: _native.ServedCall) -> None:
    try:
        # Boxed, so that the native half can see whether anybody else holds what the handler gives.
        box = [call.invoke()]
        if hasattr(box[0], "__await__"):
            box = [await box.pop()]
        if not call.streams(box):
            call.reply(box)
        else:
            await _push(call, box.pop())
            call.finish()
    except asyncio.CancelledError:
        call.cancelled()
    except GeneratorExit:  # the loop is gone
        raise
    except BaseException as error:
        call.fail(_of_handler(error))
        if isinstance(error, KeyboardInterrupt):
            raise


def _of_handler(error: BaseException) -> BaseException:
    """The error, with a traceback that begins with the handler."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return error.with_traceback(trace)


async def _push(call: _native.ServedCall, items: Any) -> None:
    """Sends the items until they end or nobody listens any more; then closes what gives them."""
    iterator = aiter(items) if hasattr(items, "__aiter__") else _asynchronous(items)
    turn = 0
    try:
        while True:
            try:
                box = [await iterator.__anext__()]
            except StopAsyncIteration:
                break
            sent = call.write(box)
            turn += 1
            if sent is False:
                sent = await _flush(call)
            elif turn % TURN == 0:
                await asyncio.sleep(0)
            if sent is None:
                break
    finally:
        close = getattr(iterator, "aclose", None)
        if close is not None:
            await close()


async def _flush(call: _native.ServedCall) -> bool | None:
    sent: bool | None = False
    while sent is False:
        room: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        call.wait_writable(room)
        await room
        sent = call.flush()
    return sent


async def _asynchronous(items: Iterable[Any]) -> AsyncIterator[Any]:
    iterator = iter(items)
    try:
        for item in iterator:
            yield item
    finally:
        close = getattr(iterator, "close", None)
        if close is not None:
            close()


class Requests(AsyncIterator[Any]):
    """The requests of a call, for a handler on an event loop."""

    def __init__(self, native: _native.RequestStream) -> None:
        self._native = native
        self._queue, self._loop = attach()
        self._reading = False

    async def __anext__(self) -> Any:
        if self._reading:
            raise RuntimeError("the requests are being read by another task")
        self._reading = True
        try:
            while True:
                item = self._native.read()
                if item is not _native.PENDING:
                    return item
                future: asyncio.Future[None] = self._loop.create_future()
                self._native.wait_readable(future, self._queue)
                await future
        finally:
            self._reading = False
